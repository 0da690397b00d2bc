"""What the tests of chunking share."""

from dataclasses import dataclass

from lucastrad.indexing.chunking import ChunkedFile, Limits

FINEST = Limits(target=1, whole_class=0, small=0, solo_lines=1)
"""Each definition in a chunk of its own, so that every symbol shows."""


@dataclass(frozen=True)
class Case:
    """A text and the kinds of its symbols."""

    language: str
    path: str
    text: str
    symbols: dict[str, str]


def assert_covered(text: str, result: ChunkedFile) -> None:
    """Every non-blank line in exactly one chunk, in order, at the offsets and lines that the chunk says."""
    data = text.encode("utf-8", "replace")
    position = 0
    for chunk in result.chunks:
        assert not data[position : chunk.start_byte].strip(), "text left out or out of order"
        assert position <= chunk.start_byte < chunk.end_byte <= len(data)
        assert data[chunk.start_byte : chunk.end_byte].decode() == chunk.text
        assert chunk.end_byte - chunk.start_byte <= 8192
        assert chunk.start_line == data.count(b"\n", 0, chunk.start_byte) + 1
        assert chunk.end_line == data.count(b"\n", 0, chunk.end_byte - 1) + 1
        whole_lines = chunk.start_byte == 0 or data[chunk.start_byte - 1 : chunk.start_byte] == b"\n"
        assert whole_lines or chunk.start_byte == position, "a chunk may begin inside a line only after another"
        position = chunk.end_byte
    assert not data[position:].strip(), "text left out at the end"
