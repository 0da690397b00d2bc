"""Comparing float32 rows by numpy: what the kernel's scans do, for where there is none."""

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 8192

Found = tuple[NDArray[np.int64] | NDArray[np.uint32], NDArray[np.float32]]
"""Row numbers, and their cosines with the query."""


def scan(vectors: NDArray[np.float32], alive: NDArray[np.bool_], query: NDArray[np.float32], limit: int) -> Found:
    """The nearest `limit` live rows of vectors [n, dimensions]; `alive` has at least n entries."""
    with np.errstate(invalid="ignore", over="ignore"):  # a log's other records are no numbers, and never alive
        scores = vectors @ query
    scores[~alive[: len(vectors)]] = -np.inf
    return _best(np.arange(len(vectors)), scores, limit)


def scan_rows(
    vectors: NDArray[np.float32],
    alive: NDArray[np.bool_],
    query: NDArray[np.float32],
    limit: int,
    rows: NDArray[np.int64],
) -> Found:
    """As `scan`, over the live ones of the given rows."""
    rows = rows[alive[rows]]
    scores = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS_AT_ONCE):  # picking rows copies them
        scores[start : start + _ROWS_AT_ONCE] = vectors[rows[start : start + _ROWS_AT_ONCE]] @ query
    return _best(rows, scores, limit)


def _best(rows: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> Found:
    top = np.argpartition(scores, -limit)[-limit:] if len(scores) > limit else np.arange(len(scores))
    top = top[scores[top] != -np.inf]
    return rows[top], scores[top]


def bitmap(rows: NDArray[np.int64], size: int) -> NDArray[np.uint64]:
    """Bit i % 64 of word i // 64 is set for each row i below `size`."""
    mask = np.zeros(-(-size // 64) * 64, np.bool_)
    mask[rows] = True
    return np.packbits(mask, bitorder="little").view(np.uint64)
