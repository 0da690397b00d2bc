"""Write down what the daemon answers to the transcripts' clients: `python tests/session/record_transcripts.py [NAME…]`.

A new transcript begins as its first line and the client's lines. Read the difference before you commit it: every line
that changed is something that clients will notice.
"""

import logging
import re
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `scripted_provider` is

import trio
from lucastra_protocol.framing import frame
from peer import Message, Peer
from transcripts import FOLDER, Line, Transcript, encode, served
from variables import Variables, example_of

_QUIET_SECONDS = 0.5
"""The daemon has said all that a message makes it say when it says nothing for so long."""

_TIMES = ("createdAt", "updatedAt", "startedAt", "finishedAt", "lastIndexedAt")
_DURATIONS = ("uptimeSeconds", "elapsedSeconds", "indexSeconds")
_VARYING: dict[str, dict[str, Any]] = {
    **{name: {"$number": 1767225600.5} for name in _TIMES},
    **{name: {"$number": 0.5} for name in _DURATIONS},
    "elapsedMs": {"$number": 1.5},
    "score": {"$number": 0.75},
    "pid": {"$integer": 4711},
    "clients": {"$integer": 1},
    "memoryBytes": {"$integer": 100_000_000},
    "storeBytes": {"$integer": 1_000_000},
    "watch": {"$string": "events"},
}
"""Fields that differ from run to run, or from system to system, and an example of each."""

_WITHIN_TEXT = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "2026-01-01 00:00 UTC"),
    (re.compile(r"\d{8}-\d{6}-\d{9}-(?=\w+\.md)"), "20260101-000000-123456789-"),
)
"""What varies within a text, and an example of each: times, and the names of the files that answers are shown in."""


class Recorder:
    """Writes the daemon's messages as lines."""

    def __init__(self, known: dict[str, str]) -> None:
        self._variables = Variables(known)
        self.lines: list[Line] = []
        self.unanswered: dict[Any, str] = {}
        """Ids and methods of the requests that have no reply yet."""

    def client(self, line: Line) -> None:
        """Note what the client said."""
        self.lines.append(line)
        if line.message is not None and {"id", "method"} <= line.message.keys():
            self.unanswered[line.message["id"]] = line.message["method"]

    def daemon(self, message: Message) -> None:
        """Note what the daemon said, with what varies made a placeholder."""
        if "method" in message:
            self._variables.meet(message["method"], message)
        else:
            self._variables.meet(self.unanswered.pop(message["id"], None), message.get("result"))
        match message:
            case {"method": "$/progress", "params": {"value": {"kind": "report"}}}:
                line = Line("daemon", self._typed(message), repeats=True)
                if line != self.lines[-1]:
                    self.lines.append(line)
            case _:
                self.lines.append(Line("daemon", self._typed(message)))

    def closed(self) -> None:
        """Note that the daemon closed the connection."""
        self.lines.append(Line("daemon", None))

    def variables(self) -> dict[str, str]:
        """The variables that occur, with an example each."""
        text = repr(self.lines)
        return {name: example_of(name) for name in self._variables.known if f"${{{name}}}" in text}

    def _typed(self, value: Any, name: str = "") -> Any:
        match value:
            case dict() if value.get("kind") == "report":
                return {**value, "message": {"$string": "scanning"}, "percentage": {"$integer": 50}}
            case dict() if name == "components":
                return {key: {"$number": 0.5} for key in sorted(value)}
            case list() if name == "vectors":
                return [[{"$number": 0.5} if number else 0.0 for number in vector] for vector in value]
            case dict():
                return {
                    key: _VARYING[key] if key in _VARYING else self._typed(item, key) for key, item in value.items()
                }
            case list():
                return [self._typed(item) for item in value]
            case str():
                value = example = self._variables.hidden_text(value)
                for pattern, text in _WITHIN_TEXT:
                    example = pattern.sub(text, example)
                return value if example == value else {"$string": example}
            case _:
                return value


async def record(transcript: Transcript, folder: Path) -> Transcript:
    """The transcript with the daemon's lines as they are now."""
    client = [line for line in transcript.lines if line.sender == "client" and line.message is not None]
    async with served(transcript, folder) as (peer, known):
        recorder = Recorder(known)
        for line, following in zip_longest(client, client[1:]):
            recorder.client(line)
            await peer.stream.send_all(frame(encode(line.message, known)))
            # A cancel comes before the answer, and so may a reply to what the daemon asks meanwhile.
            may_wait = following is not None and following.message.get("method") in (None, "$/cancelRequest")
            await _listen(peer, recorder, may_wait=may_wait)
    return transcript.with_lines(recorder.lines, recorder.variables())


async def _listen(peer: Peer, recorder: Recorder, *, may_wait: bool) -> None:
    """Write down what comes, until nothing comes any more; `may_wait` lets a request go unanswered."""
    while True:
        is_open = False
        with trio.move_on_after(60 if recorder.unanswered and not may_wait else _QUIET_SECONDS) as patience:
            is_open = await peer.receive()
        while peer.received:
            recorder.daemon(peer.received.pop(0))
        if patience.cancelled_caught:
            if recorder.unanswered and not may_wait:
                raise RuntimeError(f"the requests {recorder.unanswered} are not answered")
            return
        if not is_open:
            recorder.closed()
            return


async def main(names: list[str]) -> None:
    logging.disable(logging.WARNING)
    for path in sorted(FOLDER.glob("*.jsonl")):
        if not names or path.stem in names:
            with tempfile.TemporaryDirectory(prefix="la-") as folder:
                recorded = await record(Transcript.load(path), Path(folder))
            recorded.save(path)


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])
