"""What the right answers are, by exact float32 products, and how many of them an index finds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIMIT = 10
_TIE = 1e-6
"""Scores this close are the same: float32 sums differ by this much with the order of their terms."""
_SLICE = 250


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact answers to some queries over some rows."""

    rows: NDArray[np.float32]
    queries: NDArray[np.float32]
    alive: NDArray[np.bool_] | None
    worst: NDArray[np.float32]
    """By query, the score of the last of the nearest LIMIT rows."""

    def recall(self, found: NDArray[np.int64]) -> float:
        """The mean share of the nearest LIMIT among `found` [q, LIMIT], rows of the first q queries.

        A row counts when it is alive, named once, and its exact score is at least that of the last right answer.
        """
        total = 0
        for query, worst, names in zip(self.queries, self.worst, found, strict=False):
            named = np.unique(names)
            named = named[(named >= 0) & (named < len(self.rows))]
            if self.alive is not None:
                named = named[self.alive[named]]
            total += min(LIMIT, int(np.count_nonzero(self.rows[named] @ query >= worst - _TIE)))
        return total / (LIMIT * len(found))


def exact(rows: NDArray[np.float32], queries: NDArray[np.float32], alive: NDArray[np.bool_] | None = None) -> Truth:
    """The truth by brute force."""
    held = np.ascontiguousarray(rows)
    worst = np.empty(len(queries), np.float32)
    for start in range(0, len(queries), _SLICE):
        scores = queries[start : start + _SLICE] @ held.T
        if alive is not None:
            scores[:, ~alive] = -np.inf
        worst[start : start + _SLICE] = np.partition(scores, -LIMIT, axis=1)[:, -LIMIT]
    return Truth(held, queries, alive, worst)
