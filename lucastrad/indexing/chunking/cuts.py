"""From cuts to chunks.

A *cut* says what begins at a line; it lasts until the next cut. Chunks therefore cover the file in order and
without overlap whatever the cuts are, as long as their lines increase and the first is line 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lucastrad.indexing.chunking import kinds
from lucastrad.indexing.chunking.limits import Limits
from lucastrad.indexing.chunking.lines import Lines
from lucastrad.types import Chunk


class Cut(NamedTuple):
    """What begins at a line (counted from 0).

    Neighbours may share a chunk when the first one's `inner` scope is the second one's `outer` scope: these
    differ only for the header of a definition whose members follow.
    """

    line: int
    symbol: str
    kind: str
    outer: int
    inner: int


@dataclass(slots=True)
class _Piece:
    """Lines [first, end) on their way to becoming a chunk."""

    first: int
    end: int
    cost: int
    symbol: str
    kind: str
    outer: int
    inner: int
    solo: bool


def chunks_of(lines: Lines, cuts: Sequence[Cut], limits: Limits, *, clauses: bool = False) -> list[Chunk]:
    """Chunks of the whole text, small pieces merged and large ones split.

    With `clauses`, neighbours of one symbol stay together (see `grammars.CLAUSES`).
    """
    pieces = _absorb_small(_merge(lines, cuts, limits, clauses), limits)
    found: list[Chunk] = []
    for piece in pieces:
        if piece.cost <= limits.whole_function:
            found += lines.chunks(piece.first, piece.end, piece.symbol, piece.kind)
        else:
            found += _split(lines, piece, limits)
    return found


def _merge(lines: Lines, cuts: Sequence[Cut], limits: Limits, clauses: bool) -> list[_Piece]:
    """Join neighbours that need no chunk of their own, up to the target."""
    pieces: list[_Piece] = []
    current: _Piece | None = None
    sums, target, solo_lines = lines.sums, limits.target, limits.solo_lines
    last = len(cuts) - 1
    for index, (first, symbol, kind, outer, inner) in enumerate(cuts):
        end = cuts[index + 1].line if index < last else lines.count
        cost = sums[end] - sums[first]
        solo = kind in kinds.SOLO and (outer != inner or lines.solo(first, end, solo_lines))
        if current is not None and current.inner == outer and current.cost + cost <= target:
            same = clauses and symbol == current.symbol and outer == inner == current.outer
            if same or not (solo or current.solo):
                if current.kind == kinds.BLOCK and kind != kinds.BLOCK:
                    current.symbol, current.kind = symbol, kind
                current.end, current.cost = end, current.cost + cost
                current.solo = current.solo or solo
                continue
        # A header takes in what follows in its own scope, so it does not count as solo itself.
        current = _Piece(first, end, cost, symbol, kind, outer, inner, solo and outer == inner)
        pieces.append(current)
    return pieces


def _absorb_small(pieces: list[_Piece], limits: Limits) -> list[_Piece]:
    """Join a few lines of no weight of their own to the next piece, or else to the one before."""
    kept: list[_Piece] = []
    for index, piece in enumerate(pieces):
        if piece.cost == 0:
            continue
        if piece.cost <= limits.small and _is_minor(piece):
            following = pieces[index + 1] if index + 1 < len(pieces) else None
            if following is not None and following.outer == piece.inner and _fits(piece, following, limits):
                following.first, following.cost = piece.first, following.cost + piece.cost
                following.outer = piece.outer
                continue
            before = kept[-1] if kept else None
            if before is not None and before.inner == piece.outer and _fits(piece, before, limits):
                before.end, before.cost = piece.end, before.cost + piece.cost
                continue
        kept.append(piece)
    return kept


def _is_minor(piece: _Piece) -> bool:
    if piece.outer != piece.inner:
        return piece.kind in kinds.OPEN or piece.kind == kinds.SECTION
    return not piece.solo


def _fits(piece: _Piece, other: _Piece, limits: Limits) -> bool:
    return piece.cost + other.cost <= limits.whole_function


def _split(lines: Lines, piece: _Piece, limits: Limits) -> list[Chunk]:
    """Windows of an oversized piece: its first keeps the kind, the others are blocks of the symbol."""
    found: list[Chunk] = []
    kind = piece.kind
    for first, end in windows(lines, piece.first, piece.end, limits):
        found += lines.chunks(first, end, piece.symbol, kind)
        if kind not in (kinds.WINDOW, kinds.SECTION):
            kind = kinds.BLOCK
    return found


def windows(lines: Lines, first: int, end: int, limits: Limits) -> list[tuple[int, int]]:
    """Ranges of about the target cost; a blank line in a range's last third is where it ends."""
    found: list[tuple[int, int]] = []
    costs, sums = lines.costs, lines.sums
    start, blank = first, 0
    for line in range(first, end):
        spent = sums[line + 1] - sums[start]
        if spent > limits.target and line > start:
            stop = blank if blank > start and sums[blank] - sums[start] > limits.target * 2 // 3 else line
            found.append((start, stop))
            start = stop
        if not costs[line]:
            blank = line
    if start < end:
        found.append((start, end))
    return found
