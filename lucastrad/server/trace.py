"""What a client's messages came to, told to it as `window/logMessage` at the trace level that it asked for.

Invariant: no source text: methods, times, sizes and codes; `verbose` adds the messages of errors, which name the cure,
and what an inline completion's time was spent on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lsprotocol.types import TraceValue

MessageId = int | str
_MOST_WAITING = 4096
"""Requests that are remembered; beyond them only the time is not told."""


@dataclass(frozen=True, slots=True)
class _Begun:
    method: str
    at: float


class Trace:
    """One session's trace; nothing is remembered or told while the level is `off`."""

    def __init__(
        self, tell: Callable[[str], None], level: Callable[[], TraceValue], clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` gives seconds."""
        self._tell = tell
        self._level = level
        self._clock = clock or time.perf_counter
        self._begun: dict[MessageId, _Begun] = {}

    def request(self, msg_id: MessageId, method: str) -> None:
        """A request came."""
        if self._level() is not TraceValue.Off and len(self._begun) < _MOST_WAITING:
            self._begun[msg_id] = _Begun(method, self._clock())

    def notification(self, method: str) -> None:
        """A notification came."""
        if self._level() is TraceValue.Verbose:
            self._tell(f"received {method}")

    def work(self, msg_id: MessageId, text: str) -> None:
        """A request that is being handled took what `text` says."""
        if self._level() is TraceValue.Verbose and (begun := self._begun.get(msg_id)) is not None:
            self._tell(f"{begun.method} ({msg_id}): {text}")

    def result(self, msg_id: MessageId, size_bytes: int) -> None:
        """A request was answered with a result."""
        if self._begun or self._level() is not TraceValue.Off:
            self._ended(msg_id, "answered", f"{size_bytes} bytes")

    def error(self, msg_id: MessageId, code: int, message: str) -> None:
        """A request was answered with an error."""
        if self._begun or self._level() is not TraceValue.Off:
            self._ended(msg_id, f"failed with {code}", message)

    def _ended(self, msg_id: MessageId, outcome: str, detail: str) -> None:
        begun, level = self._begun.pop(msg_id, None), self._level()
        if begun is None or level is TraceValue.Off:
            return
        more = f": {detail}" if level is TraceValue.Verbose else ""
        self._tell(f"{begun.method} ({msg_id}) {outcome} in {(self._clock() - begun.at) * 1000:.1f} ms{more}")
