"""How good a ranking is: NDCG@10, MRR@10 and recall@10 with binary relevance, each target counting alike.

Invariant: pure functions over ranks. A target's rank is that of the first hit that shows it, 1 for the best.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Place:
    """What a hit shows: 1-based, inclusive lines of a file."""

    path: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Target:
    """What answers a question: a file, or lines of it (1-based, inclusive)."""

    path: str
    start_line: int = 0
    end_line: int = 0
    """Both 0 for a whole file."""

    def shown_by(self, place: Place) -> bool:
        """Whether a hit there answers."""
        if place.path != self.path:
            return False
        return not self.end_line or (place.start_line <= self.end_line and self.start_line <= place.end_line)

    def __str__(self) -> str:
        return f"{self.path}:{self.end_line}" if self.end_line else self.path


@dataclass(frozen=True, slots=True)
class Score:
    """One question's; each from 0 to 1."""

    ndcg: float
    mrr: float
    recall: float
    """Share of the targets that are shown."""


def ranks(targets: Sequence[Target], hits: Sequence[Place]) -> list[int]:
    """The rank of each target that the first ten hits show, ascending."""
    found = (next((rank for rank, hit in enumerate(hits[:DEPTH], 1) if one.shown_by(hit)), None) for one in targets)
    return sorted(rank for rank in found if rank is not None)


def score(targets: Sequence[Target], hits: Sequence[Place]) -> Score:
    """Judge the first ten hits: the gain of a target comes at its first hit; the ideal has every target (ten at most)
    at the top."""
    found, most = ranks(targets, hits), min(len(targets), DEPTH)
    return Score(
        ndcg=sum(map(_gain, found)) / sum(map(_gain, range(1, most + 1))),
        mrr=1 / found[0] if found else 0.0,
        recall=len(found) / most,
    )


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for fewer than two values."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 1)
