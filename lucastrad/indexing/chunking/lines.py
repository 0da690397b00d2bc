"""A text as lines: UTF-8 offsets, costs, and the chunks made of them.

Invariant: `chunks` never loses or repeats a non-blank line of the range that it is given.
"""

from bisect import bisect_left, bisect_right
from itertools import accumulate

from lucastrad.indexing.chunking.limits import LINE_COST, MAX_CHUNK_BYTES
from lucastrad.types import Chunk

_CONTINUATION_MASK = 0xC0
_CONTINUATION = 0x80


class Lines:
    """The lines of one text; lines are counted from 0 and ranges are half-open in here."""

    __slots__ = ("_ascii", "_text", "costs", "count", "data", "starts", "sums")

    def __init__(self, text: str) -> None:
        """Lone surrogates, which UTF-8 cannot hold, become `?`."""
        self.data = text.encode("utf-8", "replace")
        self._ascii = text.isascii()
        self._text = text
        lines = self.data.split(b"\n")
        # `map` and `accumulate` stay in C: half the time of a loop over 500,000 lines.
        self.starts = [0, *accumulate([len(line) + 1 for line in lines])]
        self.starts[-1] = len(self.data)
        self.costs = [size + LINE_COST if size else 0 for size in map(len, map(bytes.strip, lines))]
        self.sums = [0, *accumulate(self.costs)]
        self.count = len(lines)

    def cost(self, first: int, end: int) -> int:
        """What the lines [first, end) cost."""
        return self.sums[end] - self.sums[first]

    def line_at(self, byte: int) -> int:
        """The line that holds a byte."""
        return bisect_right(self.starts, byte, 0, self.count) - 1

    def end_line(self, end_byte: int) -> int:
        """The line after the last that begins before `end_byte`."""
        return bisect_left(self.starts, end_byte, 0, self.count)

    def solo(self, first: int, end: int, lines: int) -> bool:
        """Whether [first, end) holds at least so many non-blank lines."""
        if end - first < lines:
            return False
        return sum(map(bool, self.costs[first:end])) >= lines

    def chunks(self, first: int, end: int, symbol: str, kind: str) -> list[Chunk]:
        """The lines [first, end) without blank edges: one chunk, or several where one would be too large."""
        costs = self.costs
        while first < end and not costs[first]:
            first += 1
        while first < end and not costs[end - 1]:
            end -= 1
        if first >= end:
            return []
        start, stop = self.starts[first], self.starts[end]
        if stop - start <= MAX_CHUNK_BYTES:
            return [Chunk(first + 1, end, start, stop, self._slice(start, stop), symbol, kind)]
        if end - first == 1:
            return self._cut_line(first, start, stop, symbol, kind)
        found: list[Chunk] = []
        while first < end:
            limit = self.starts[first] + MAX_CHUNK_BYTES
            middle = max(bisect_right(self.starts, limit, first, end + 1) - 1, first + 1)
            found += self.chunks(first, middle, symbol, kind)  # fits, or is one line: no deeper recursion
            first = middle
        return found

    def _cut_line(self, line: int, start: int, stop: int, symbol: str, kind: str) -> list[Chunk]:
        data = self.data
        found: list[Chunk] = []
        while start < stop:
            end = min(start + MAX_CHUNK_BYTES, stop)
            while end < stop and data[end] & _CONTINUATION_MASK == _CONTINUATION:
                end -= 1
            found.append(Chunk(line + 1, line + 1, start, end, self._slice(start, end), symbol, kind))
            start = end
        return found

    def _slice(self, start: int, stop: int) -> str:
        return self._text[start:stop] if self._ascii else self.data[start:stop].decode()
