"""Parse server-sent events: bytes in, events out, wherever the bytes are split.

Follows the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream", but for `id` and `retry`, which only
a client that reconnects needs. Invariant: imports no socket and reads no clock.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT_BYTES = 8 * 1_048_576
"""The largest events repeat a whole answer; a model's longest answers are some hundred kilobytes."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class StreamFormatError(ValueError):
    """The stream is not of its format, or holds more than is allowed."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One dispatched event."""

    type: str
    """`message` where the stream names none."""
    data: str


class EventStreamParser:
    """Parses one stream. An event without the blank line after it is never dispatched."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        """Bytes of the buffer known to hold no line end."""
        self._at_start = True
        self._after_carriage_return = False
        self._type = ""
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, data: bytes) -> Iterator[ServerSentEvent]:
        """Yield each event that `data` completes; raise StreamFormatError for one that is too large.

        The bytes are taken in as the iterator advances: exhaust it.
        """
        self._buffer += data
        self._drop_byte_order_mark()
        while (line := self._take_line()) is not None:
            event = self._apply(line)
            if event is not None:
                yield event
        if len(self._buffer) + self._data_bytes > self._max_event_bytes:
            raise StreamFormatError(f"an event of more than {self._max_event_bytes} bytes")

    def _drop_byte_order_mark(self) -> None:
        if not self._at_start:
            return
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return  # not yet decided; a lone part of the mark is no line either
        self._at_start = False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]

    def _take_line(self) -> bytes | None:
        if self._at_start:
            return None
        if self._after_carriage_return and self._buffer:
            self._after_carriage_return = False
            if self._buffer.startswith(b"\n"):
                del self._buffer[:1]
        end = _LINE_END.search(self._buffer, self._searched)
        if end is None:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[: end.start()])
        # A carriage return ends its line at once: its line feed may be a packet away, or never come.
        self._after_carriage_return = end.group() == b"\r" and end.end() == len(self._buffer)
        del self._buffer[: end.end()]
        self._searched = 0
        return line

    def _apply(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._data_bytes += len(line)
            if self._data_bytes > self._max_event_bytes:
                raise StreamFormatError(f"an event of more than {self._max_event_bytes} bytes")
        elif name == "event":
            self._type = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        kind, lines = self._type or "message", self._data
        self._type, self._data, self._data_bytes = "", [], 0
        return ServerSentEvent(kind, "\n".join(lines)) if lines else None
