"""Split newline-delimited JSON into lines: bytes in, one document's bytes out, wherever the bytes are split.

Invariant: imports no socket and reads no clock. A line without its line feed is never given out, since it may be
the first half of a document that happens to be one itself.
"""

from collections.abc import Iterator

from lucastrad.llm.sse import MAX_EVENT_BYTES, StreamFormatError


class LineParser:
    """Splits one stream."""

    def __init__(self, *, max_line_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each line that `data` completes, blank ones left out; raise StreamFormatError for one too long.

        The bytes are taken in as the iterator advances: exhaust it.
        """
        self._buffer += data
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            self._searched = 0
            if len(line) > self._max_line_bytes:
                raise StreamFormatError(f"a line of more than {self._max_line_bytes} bytes")
            if line:
                yield line
        self._searched = len(self._buffer)
        if len(self._buffer) > self._max_line_bytes:
            raise StreamFormatError(f"a line of more than {self._max_line_bytes} bytes")
