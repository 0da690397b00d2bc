"""How good a ranking is, as `lucastra-client eval` measures it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from lucastrad.evaluation import metrics
from lucastrad.evaluation.metrics import DEPTH, Place, Score, Target, standard_error

__all__ = ["DEPTH", "Mean", "Place", "Question", "Score", "Target", "mean", "score", "standard_error"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with everything that answers it."""

    text: str
    targets: tuple[Target, ...]
    category: str = ""


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
    """Judge the first ten hits, as the semble project's benchmark does."""
    return metrics.score(question.targets, hits)


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
