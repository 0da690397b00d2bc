"""Spans of chunk ids against arrays of ids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan


def covered(ids: NDArray[np.int64], spans: Sequence[ChunkSpan]) -> NDArray[np.bool_]:
    """Which ids lie in one of the sorted, disjoint spans."""
    if not spans:
        return np.zeros(len(ids), np.bool_)
    bounds = as_bounds(spans)
    nearest = np.searchsorted(bounds[:, 0], ids, "right") - 1
    covered: NDArray[np.bool_] = (nearest >= 0) & (ids <= bounds[np.maximum(nearest, 0), 1])
    return covered


def as_bounds(spans: Sequence[ChunkSpan]) -> NDArray[np.int64]:
    """Shape [n, 2]: first and last id of each span, inclusive."""
    return np.array([(span.first, span.last) for span in spans], np.int64).reshape(-1, 2)


def disjoint(bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same ids in ascending spans that do not overlap."""
    if len(bounds) < 2:
        return bounds
    bounds = bounds[np.argsort(bounds[:, 0], kind="stable")]
    reach = np.maximum.accumulate(bounds[:, 1])
    starts = np.flatnonzero(np.concatenate([[True], bounds[1:, 0] > reach[:-1]]))
    return np.stack([bounds[starts, 0], reach[np.append(starts[1:], len(bounds)) - 1]], axis=1)


def contained(ids: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which ids are `among` ascending ones."""
    if not len(among):
        return np.zeros(len(ids), np.bool_)
    at = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    equal: NDArray[np.bool_] = among[at] == ids
    return equal


def rows_between(ids: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row numbers of those `ids` (ascending) that lie within `bounds`, span by span."""
    starts = np.searchsorted(ids, bounds[:, 0], "left")
    lengths = np.maximum(np.searchsorted(ids, bounds[:, 1], "right") - starts, 0)
    before = np.cumsum(lengths) - lengths
    rows: NDArray[np.int64] = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return rows


def consecutive(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending ids as bounds [n, 2] that cover these ids and no other."""
    if not len(ids):
        return np.empty((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(ids) != 1)
    return np.stack([ids[np.concatenate([[0], breaks + 1])], ids[np.append(breaks, len(ids) - 1)]], axis=1)
