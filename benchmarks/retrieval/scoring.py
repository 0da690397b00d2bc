"""How good a ranking is: NDCG@10, MRR@10 and recall@10, each target counting alike.

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
    """What a question asks for: a file, or lines of it."""

    path: str
    start_line: int = 0
    end_line: int = 0
    """Both 0 for a whole file."""

    def shown_by(self, place: Place) -> bool:
        """Whether a hit there answers."""
        if place.path != self.path:
            return False
        return not self.end_line or (place.start_line <= self.end_line and self.start_line <= place.end_line)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with everything that answers it."""

    text: str
    targets: tuple[Target, ...]
    category: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """One question's; each from 0 to 1."""

    ndcg: float
    mrr: float
    recall: float


@dataclass(frozen=True, slots=True)
class Mean:
    """Of several questions."""

    questions: int
    ndcg: float
    ndcg_error: float
    """Standard error of the mean."""
    mrr: float
    mrr_error: float
    recall: float


def score(question: Question, hits: Sequence[Place]) -> Score:
    """Judge the first ten hits with binary relevance, as the semble project's benchmark does: the gain of a target
    comes at its first hit; the ideal has every target (ten at most) at the top."""
    ranks = sorted(rank for target in question.targets if (rank := _rank(target, hits[:DEPTH])) is not None)
    ideal = sum(_gain(rank) for rank in range(1, min(len(question.targets), DEPTH) + 1))
    return Score(
        ndcg=sum(map(_gain, ranks)) / ideal,
        mrr=1 / ranks[0] if ranks else 0.0,
        recall=len(ranks) / min(len(question.targets), DEPTH),
    )


def mean(scores: Sequence[Score]) -> Mean:
    """Raises StatisticsError for none."""
    ndcg, mrr = [one.ndcg for one in scores], [one.mrr for one in scores]
    return Mean(
        questions=len(scores),
        ndcg=statistics.fmean(ndcg),
        ndcg_error=standard_error(ndcg),
        mrr=statistics.fmean(mrr),
        mrr_error=standard_error(mrr),
        recall=statistics.fmean(one.recall for one in scores),
    )


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; 0 for fewer than two values."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def _rank(target: Target, hits: Sequence[Place]) -> int | None:
    return next((rank for rank, hit in enumerate(hits, 1) if target.shown_by(hit)), None)


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 1)
