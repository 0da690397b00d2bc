"""Golden transcripts: their format, what a message must look like to match one, and how to play one to a session.

The format is described in protocol/transcripts/README.md; `record_transcripts` writes what the daemon says.
"""

import json
import re
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
import trio.testing
from lucastra_protocol import generate
from lucastra_protocol.framing import frame
from lucastra_protocol.version import __version__
from peer import Message, Peer
from real_services import real_services, write_workspace

from lucastrad.server.lifetime import Lifetime
from lucastrad.server.session import Session

FOLDER = generate.FOLDER / "transcripts"
_KINDS: dict[str, type | tuple[type, ...]] = {"$integer": int, "$number": (int, float), "$string": str}
_UNTIL_SECONDS = 20.0
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Mismatch(AssertionError):
    """The daemon said something else than the transcript."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message, or the end of the connection where there is none."""

    sender: str
    """`client` or `daemon`."""
    message: Message | None
    repeats: bool = False
    """Of the daemon: any number of messages like this one, and none as well."""
    until: bool = False
    """Of the client: a request that is made until it is answered as the transcript says, since work goes on."""

    @property
    def unasked(self) -> bool:
        """Whether it belongs to no request, so that it may come before or after what belongs to one."""
        return self.message is not None and is_unasked(self.message)

    def to_json(self) -> dict[str, Any]:
        said = {"closed": True} if self.message is None else {"message": self.message}
        flags = {name: True for name in ("repeats", "until") if getattr(self, name)}
        return {"from": self.sender, **said, **flags}


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole conversation of a client and the daemon."""

    about: str
    indexed: bool
    """Whether `${workspace}` is a workspace from the beginning."""
    model_says: list[str | None] | None
    """What the provider answers, in pieces; a None at the end never comes. None where no provider is configured."""
    variables: dict[str, str]
    """Name to an example."""
    lines: list[Line] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> "Transcript":
        header, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
        return cls(
            header["about"],
            header["indexed"],
            header["modelSays"],
            header["variables"],
            [
                Line(line["from"], line.get("message"), line.get("repeats", False), line.get("until", False))
                for line in lines
            ],
        )

    def save(self, path: Path) -> None:
        header = {
            "about": self.about,
            "indexed": self.indexed,
            "modelSays": self.model_says,
            "variables": self.variables,
        }
        lines = [header, *(line.to_json() for line in self.lines)]
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")

    def with_lines(self, lines: Iterable[Line], variables: dict[str, str]) -> "Transcript":
        return replace(self, lines=list(lines), variables=variables)


def is_unasked(message: Message) -> bool:
    """Whether the daemon sends it of its own: neither a reply nor a request's progress."""
    return "method" in message and message["method"] != "$/progress"


def fill(value: Any, known: dict[str, str]) -> Any:
    """`value` with its variables replaced, and each placeholder by its example."""
    match value:
        case str():
            return _VARIABLE.sub(lambda found: known[found[1]], value)
        case {**pairs} if len(pairs) == 1 and next(iter(pairs)) in _KINDS:
            return fill(next(iter(pairs.values())), known)
        case {**pairs}:
            return {name: fill(item, known) for name, item in pairs.items()}
        case [*items]:
            return [fill(item, known) for item in items]
        case _:
            return value


def compare(expected: Any, actual: Any, known: dict[str, str], where: str = "message") -> None:
    """Raise Mismatch unless `actual` is what `expected` says; learns variables that are met for the first time."""
    match expected:
        case {**pairs} if len(pairs) == 1 and (name := next(iter(pairs))) in _KINDS:
            if isinstance(actual, bool) or not isinstance(actual, _KINDS[name]):
                raise Mismatch(f"{where}: {name[1:]} expected, came {actual!r}")
        case {**pairs}:
            if not isinstance(actual, dict) or pairs.keys() != actual.keys():
                raise Mismatch(f"{where}: expected {pairs!r}, came {actual!r}")
            for name, item in pairs.items():
                compare(item, actual[name], known, f"{where}.{name}")
        case [*items]:
            if not isinstance(actual, list) or len(items) != len(actual):
                raise Mismatch(f"{where}: expected {items!r}, came {actual!r}")
            for number, (item, came) in enumerate(zip(items, actual, strict=True)):
                compare(item, came, known, f"{where}[{number}]")
        case str() if (whole := _VARIABLE.fullmatch(expected)) and whole[1] not in known and isinstance(actual, str):
            known[whole[1]] = actual
        case _:
            wanted = fill(expected, known)
            if wanted != actual or type(wanted) is not type(actual):
                raise Mismatch(f"{where}: expected {wanted!r}, came {actual!r}")


class Expected:
    """What the daemon says between two messages of the client."""

    def __init__(self, lines: Iterable[Line], known: dict[str, str]) -> None:
        self._known = known
        lines = list(lines)
        self._closes = bool(lines) and lines[-1].message is None
        said = [line for line in lines if line.message is not None]
        self._waiting = {unasked: deque(line for line in said if line.unasked is unasked) for unasked in (False, True)}

    @property
    def missing(self) -> list[Line]:
        """What has not come yet and must."""
        return [line for lines in self._waiting.values() for line in lines if not line.repeats]

    def take(self, message: Message) -> None:
        """Compare with the next line; raise Mismatch."""
        lines = self._waiting[is_unasked(message)]
        while lines and lines[0].repeats:
            try:
                compare(lines[0].message, message, dict(self._known))
            except Mismatch:
                lines.popleft()
            else:
                return
        if not lines:
            raise Mismatch(f"nothing more was expected, and {message!r} came")
        compare(lines.popleft().message, message, self._known)

    async def hear(self, peer: Peer) -> None:
        """Take what comes until everything has come."""
        while self.missing or self._closes:
            is_open = await peer.receive()
            while peer.received:
                self.take(peer.received.pop(0))
            if not is_open:
                if self.missing or not self._closes:
                    raise Mismatch(f"the connection closed, and {self.missing!r} had not come")
                return


async def replay(transcript: Transcript, folder: Path) -> None:
    """Say the client's lines to a session over `folder`; raise Mismatch where the daemon's lines differ."""
    mismatch: Mismatch | None = None
    async with served(transcript, folder) as (peer, known):
        try:
            await play(transcript, peer, known)
            await _leave(peer)
        except Mismatch as error:
            mismatch = error  # raised here, it would come out of the nurseries in groups of groups
    if mismatch is not None:
        raise mismatch


async def play(transcript: Transcript, peer: Peer, known: dict[str, str]) -> None:
    """Say the client's lines and take the daemon's; raise Mismatch."""
    lines = deque(transcript.lines)
    while lines:
        said, answers = take_from("client", lines), take_from("daemon", lines)
        await peer.stream.send_all(b"".join(frame(encode(line.message, known)) for line in said))
        await _hear(said[-1], answers, peer, known)


async def _leave(peer: Peer) -> None:
    await peer.stream.send_eof()
    if rest := await peer.until_closed():
        raise Mismatch(f"nothing more was expected, and {rest!r} came")


async def _hear(said: Line, answers: list[Line], peer: Peer, known: dict[str, str]) -> None:
    """Take the answers to what was said last; it is said again while they differ, if the transcript wants that."""
    deadline = trio.current_time() + _UNTIL_SECONDS
    while True:
        learned = dict(known)
        try:
            await Expected(answers, learned).hear(peer)
        except Mismatch:
            if not said.until or trio.current_time() >= deadline:
                raise
            await peer.stream.send_all(frame(encode(said.message, known)))
        else:
            known.update(learned)
            return


@asynccontextmanager
async def served(transcript: Transcript, folder: Path) -> AsyncIterator[tuple[Peer, dict[str, str]]]:
    """A client of a session as the transcript wants it, and the variables that are known from the beginning."""
    root, home = folder.resolve() / "sample", folder.resolve() / "home"
    write_workspace(root)
    async with real_services(home, model_says=transcript.model_says) as services:
        if transcript.indexed:
            await services.workspaces.index(root, wait=True)
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Session(theirs, services, Lifetime()).run)
            yield Peer(ours), {"workspace": str(root), "home": str(home), "version": __version__}
            nursery.cancel_scope.cancel()


def take_from(sender: str, lines: deque[Line]) -> list[Line]:
    """Take the lines up to the next of the other side."""
    taken = []
    while lines and lines[0].sender == sender:
        taken.append(lines.popleft())
    return taken


def encode(message: Message | None, known: dict[str, str]) -> bytes:
    return json.dumps(fill(message, known)).encode()
