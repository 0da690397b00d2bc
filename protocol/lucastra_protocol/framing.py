"""Frame JSON-RPC messages as LSP does: bytes in, bodies out.

Invariant: imports no socket and reads no clock. Source: LSP 3.18, "Base Protocol".
"""

from collections.abc import Iterator

MAX_HEADER_BYTES = 4096
MAX_BODY_BYTES = 64 * 1024 * 1024


class FrameError(ValueError):
    """The stream cannot be followed any further: close it."""


def frame(body: bytes) -> bytes:
    """The bytes that carry one message body."""
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


class FrameReader:
    """Cuts a byte stream into message bodies, in any slicing of the input."""

    def __init__(self, *, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._buffer = bytearray()
        self._body_length: int | None = None
        self._max_body_bytes = max_body_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each complete body; raise FrameError on a header that cannot be followed."""
        self._buffer += data
        while (body := self._take()) is not None:
            yield body

    def _take(self) -> bytes | None:
        if self._body_length is None:
            end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES + 4)
            if end < 0:
                if len(self._buffer) > MAX_HEADER_BYTES:
                    raise FrameError(f"no end of header within {MAX_HEADER_BYTES} bytes")
                return None
            self._body_length = self._content_length(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
        if len(self._buffer) < self._body_length:
            return None
        body = bytes(self._buffer[: self._body_length])
        del self._buffer[: self._body_length]
        self._body_length = None
        return body

    def _content_length(self, header: bytes) -> int:
        length: int | None = None
        for line in header.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if not colon:
                raise FrameError(f"header line without a colon: {line[:80]!r}")
            if name.strip().lower() == b"content-length":
                text = value.strip()
                if not text.isdigit() or len(text) > 12:
                    raise FrameError(f"Content-Length is not a number: {text[:40]!r}")
                length = int(text)
        if length is None:
            raise FrameError("header without Content-Length")
        if length > self._max_body_bytes:
            raise FrameError(f"a message of {length} bytes is over the limit of {self._max_body_bytes}")
        return length
