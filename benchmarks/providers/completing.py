"""Inline completion: how long from request to reply, and what of that is context, upstream and ours."""

import json
import random
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio
from lucastra_client import Client

from benchmarks.daemon import PrivateDaemon
from benchmarks.errors import BenchmarkError, within
from benchmarks.lsp_session import LspSession, open_lsp_session
from benchmarks.providers.results import Completions, CompletionTimes
from benchmarks.providers.tap import Exchange, Tap

_SEED = 20_260_218
_REPLY_SECONDS = 120.0
_RELOAD_SECONDS = 30.0
_POLL_SECONDS = 0.05
_KEY = "BENCHMARK_MODEL_KEY"
_INLINE_COMPLETION = "textDocument/inlineCompletion"
_INVOKED, _AUTOMATIC = 1, 2
_LINES = range(40, 1500)
"""Of a file that is completed in."""
_WORK = re.compile(rf"{_INLINE_COMPLETION} \((\d+)\): context ([\d.]+) ms, upstream ([\d.]+) ms")
"""What the daemon tells of a completion at the trace level `verbose`."""
_DEFINITION = re.compile(r"    def \w+\(.*\):$")
_STATEMENT = re.compile(r" {8}\w.{19,}$")

SMALL = {"prefix_chars": 600, "suffix_chars": 150, "context_chars": 300, "max_tokens": 32}
"""What a model on one thread is shown and may write: it reads some 100 tokens a second."""


@dataclass(frozen=True, slots=True)
class Place:
    """A document as it is while it is typed in."""

    uri: str
    text: str
    line: int
    character: int
    trigger: int


def places(tree: Path, wanted: int) -> list[Place]:
    """`wanted` places in the Python sources of `tree`, the same each time, each in a file of its own.

    Half of them are in a half-written statement, completed unasked; half after the first line of a method whose body
    is missing, where the user asks. Raises BenchmarkError where there are too few.
    """
    chance, found = random.Random(_SEED), []
    files = sorted(tree.rglob("*.py"))
    for path in chance.sample(files, len(files)):
        lines = path.read_text("utf-8", "replace").split("\n")
        pattern = _STATEMENT if len(found) % 2 == 0 else _DEFINITION
        numbers = [number for number, line in enumerate(lines) if pattern.match(line) and line.isascii()]
        if len(lines) in _LINES and numbers:
            found.append(_at(path, lines, chance.choice(numbers)))
        if len(found) == wanted:
            return found
    raise BenchmarkError(f"{tree} has {len(found)} places to complete at; {wanted} are needed")


def _at(path: Path, lines: list[str], number: int) -> Place:
    line = lines[number]
    if _DEFINITION.match(line):
        body = number + 1
        while body < len(lines) and (not lines[body].strip() or lines[body].startswith(" " * 8)):
            body += 1
        kept = [*lines[: number + 1], "", *lines[body:]]
        return Place(path.as_uri(), "\n".join(kept), number, len(line), _INVOKED)
    half = 8 + (len(line) - 8) // 2
    kept = [*lines[:number], line[:half], *lines[number + 1 :]]
    return Place(path.as_uri(), "\n".join(kept), number, half, _AUTOMATIC)


class Editor:
    """What completes, and reads what the daemon tells of its work."""

    def __init__(self) -> None:
        self.work: dict[int, tuple[float, float]] = {}
        """Of each completion that a model was asked for: (context, upstream) in milliseconds."""
        self.session: LspSession

    def heard(self, method: str, params: Any) -> None:
        if method == "window/logMessage" and (told := _WORK.match(params["message"])):
            self.work[int(told[1])] = float(told[2]), float(told[3])

    async def open(self, place: Place) -> None:
        item = {"uri": place.uri, "languageId": "python", "version": 1, "text": place.text}
        await self.session.tell("textDocument/didOpen", {"textDocument": item})

    async def close(self, place: Place) -> None:
        await self.session.tell("textDocument/didClose", {"textDocument": {"uri": place.uri}})

    async def complete(self, place: Place) -> int:
        """Ask for a completion; returns the request's id."""
        where = {"line": place.line, "character": place.character}
        params = {"textDocument": {"uri": place.uri}, "position": where, "context": {"triggerKind": place.trigger}}
        return await self.session.start(_INLINE_COMPLETION, params)


@asynccontextmanager
async def editor(daemon: PrivateDaemon, root: Path) -> AsyncIterator[Editor]:
    """An editor with the folder `root` open."""
    one = Editor()
    async with open_lsp_session(daemon.paths, root, trace="verbose", heard=one.heard) as one.session:
        yield one


def configure(daemon: PrivateDaemon, address: str, key: str, completion: dict[str, Any]) -> None:
    """Let the daemon complete by the llama.cpp server at `address`, without a debounce; `key` stays the first one."""
    daemon.environment[_KEY] = key
    daemon.paths.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = {
        "llm": {"provider": "llamafile", "endpoint": address, "api_key": f"${{{_KEY}}}"},
        "completion": {"debounce_ms": 0, "deadline_secs": 100, **completion},
    }
    written = daemon.paths.config.with_suffix(".new")
    written.touch(mode=0o600)
    written.write_text(json.dumps(config), "utf-8")
    written.replace(daemon.paths.config)


async def in_force(client: Client, address: str) -> None:
    """Wait until the daemon, which watches its configuration, completes by the server at `address`."""
    with within(_RELOAD_SECONDS, f"the change to {address}"):
        while True:
            if any(one.default and one.origin == address for one in await client.providers()):
                return
            await trio.sleep(_POLL_SECONDS)


async def measure_completions(subject: str, one: Editor, tap: Tap, where: Sequence[Place]) -> Completions:
    """Complete at each place, one after the other; the first, which connects, is left out."""
    measured: list[CompletionTimes] = []
    offered = 0
    for number, place in enumerate(where):
        await one.open(place)
        before = len(tap.exchanges)
        began = trio.current_time()
        msg_id = await one.complete(place)
        at, result = await one.session.reply(msg_id)
        await one.close(place)
        if number and msg_id in one.work:
            (exchange,) = tap.exchanges[before:]
            context_ms, told_ms = one.work[msg_id]
            total_ms = (at - began) * 1000
            measured.append(CompletionTimes(total_ms, context_ms, exchange.upstream_ms, told_ms))
            offered += bool(result["items"])
    if not measured:
        raise BenchmarkError("the model was never asked for a completion; see the daemon's log")
    return Completions.of(subject, measured, offered)


async def measure_superseded(one: Editor, tap: Tap, where: Sequence[Place]) -> list[float]:
    """How many milliseconds after each next request the upstream sees the connection of the one before closed.

    Every second one is superseded while the model writes, the others while it reads.
    """
    freed: list[float] = []
    previous: tuple[int, Exchange] | None = None
    for number, place in enumerate(where):
        await one.open(place)
        before = len(tap.exchanges)
        began = trio.current_time()
        msg_id = await one.complete(place)
        if previous is not None:
            superseded_id, superseded = previous
            await one.session.reply(superseded_id)
            if superseded_id not in one.work:  # else it was finished before
                await _noted(tap, lambda superseded=superseded: superseded.closed_at is not None)
                assert superseded.closed_at is not None
                freed.append((superseded.closed_at - began) * 1000)
        await _noted(tap, lambda before=before: len(tap.exchanges) > before)
        asked = tap.exchanges[before]
        if number % 2:
            await _noted(tap, lambda asked=asked: asked.answered_at is not None)
        previous = msg_id, asked
    await one.session.reply(msg_id)
    if not freed:
        raise BenchmarkError("no completion was superseded while the model worked")
    return freed


async def _noted(tap: Tap, condition: Callable[[], bool]) -> None:
    with within(_REPLY_SECONDS, "what the model server was waited for to see"):
        await tap.until(condition)
