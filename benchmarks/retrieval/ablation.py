"""What each weight of the ranking is worth on the tuning set, and whether that holds on repositories that the weights
were not fitted to: leave-one-repository-out cross-validation with coordinate search.

Candidates do not depend on weights, so they are found once, and a setting of the weights is judged by ranking anew.
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.pool import Pool
from typing import Any

from benchmarks.command import step
from benchmarks.retrieval.results import Ablated, CrossValidated
from benchmarks.retrieval.scoring import Place, Question, Score, mean, score, standard_error
from benchmarks.retrieval.searcher import Found, Searcher
from benchmarks.retrieval.systems import Corpus
from lucastrad.search.ranking import WEIGHTS, Weights
from lucastrad.types import SearchMode

TUNABLE = tuple(field.name for field in fields(Weights) if field.type in (float, "float"))
"""Counts are left as they are."""
_FACTORS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_PASSES = 2
_QUICK_FACTORS = (0.0, 0.5, 1.0, 1.5)
_QUICK_PASSES = 1
_LEAST_GAIN = 1e-4
"""A step that wins less is not taken."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One question with its candidates."""

    repository: str
    question: Question
    found: Found
    places: dict[int, Place]

    def judge(self, weights: Weights) -> Score:
        """How well these weights rank."""
        return score(self.question, [self.places[item.chunk] for item in self.found.best(weights)])


def prepare(corpora: Sequence[Corpus]) -> list[Prepared]:
    """Find the candidates of every question."""
    prepared: list[Prepared] = []
    for corpus in corpora:
        with Searcher(corpus.store) as searcher:
            places = {chunk.id: Place(chunk.path, chunk.start_line, chunk.end_line) for chunk in searcher.chunks()}
            for question in corpus.questions:
                found = searcher.find(question.text, SearchMode.HYBRID)
                mine = {one.chunk: places[one.chunk] for one in found.candidates}
                prepared.append(Prepared(corpus.name, question, found, mine))
    return prepared


class Bench:
    """Judges weights over all questions, on all cores, and remembers what it has judged."""

    def __init__(self, prepared: Sequence[Prepared], pool: Pool) -> None:
        self.prepared = prepared
        self._pool = pool
        self._judged: dict[Weights, list[Score]] = {}

    def scores(self, weights: Weights) -> list[Score]:
        """Of every question, in order."""
        if weights not in self._judged:
            count = len(self.prepared)
            parts = os.cpu_count() or 1
            bounds = [count * part // parts for part in range(parts + 1)]
            tasks = [(weights, start, end) for start, end in pairwise(bounds)]
            self._judged[weights] = [one for part in self._pool.map(_judge, tasks) for one in part]
        return self._judged[weights]

    def ndcg(self, weights: Weights) -> list[float]:
        """NDCG@10 of every question."""
        return [one.ndcg for one in self.scores(weights)]


_forked: Sequence[Prepared] = ()


def _judge(task: tuple[Weights, int, int]) -> list[Score]:
    weights, start, end = task
    return [one.judge(weights) for one in _forked[start:end]]


@contextmanager
def bench(corpora: Sequence[Corpus]) -> Iterator[Bench]:
    """A bench over these corpora; its processes are forked, and so share the candidates."""
    global _forked  # noqa: PLW0603 - what a fork inherits
    _forked = prepare(corpora)
    with get_context("fork").Pool(os.cpu_count()) as pool:
        yield Bench(_forked, pool)


def fit(one: Bench, chosen: Sequence[int], *, factors: Sequence[float], passes: int) -> Weights:
    """Coordinate search from what is shipped: each weight in turn takes that of the multiples of its shipped value
    which is best over the questions `chosen`."""

    def value(weights: Weights) -> float:
        ndcg = one.ndcg(weights)
        return statistics.fmean(ndcg[at] for at in chosen)

    best, best_value = WEIGHTS, value(WEIGHTS)
    for _ in range(passes):
        before = best
        for name in TUNABLE:
            shipped = float(getattr(WEIGHTS, name))
            for factor in factors:
                tried = _with(best, name, round(shipped * factor, 4))
                if (found := value(tried)) > best_value + _LEAST_GAIN:
                    best, best_value = tried, found
        if best == before:
            break
    return best


def measure(corpora: Sequence[Corpus], *, quick: bool) -> tuple[list[Ablated], CrossValidated]:
    """Set each weight to zero, and cross-validate."""
    with bench(corpora) as one:
        repositories = [each.repository for each in one.prepared]
        fitted: dict[str, Weights] = {}
        factors, passes = (_QUICK_FACTORS, _QUICK_PASSES) if quick else (_FACTORS, _PASSES)
        for left_out in dict.fromkeys(repositories):
            step(f"weights fitted without {left_out}")
            others = [at for at, name in enumerate(repositories) if name != left_out]
            fitted[left_out] = fit(one, others, factors=factors, passes=passes)
        held_out = [one.scores(fitted[name])[at] for at, name in enumerate(repositories)]
        overfit = [
            statistics.fmean(value for name, value in zip(repositories, one.ndcg(weights), strict=True) if name != out)
            for out, weights in fitted.items()
        ]
        validated = CrossValidated(
            shipped=mean(one.scores(WEIGHTS)),
            fitted=mean(held_out),
            overfit=statistics.fmean(overfit),
            chosen={name: [float(getattr(weights, name)) for weights in fitted.values()] for name in TUNABLE},
        )
        ablated = [_ablate(one, name, repositories, fitted) for name in TUNABLE if getattr(WEIGHTS, name)]
    return ablated, validated


def _ablate(one: Bench, name: str, repositories: Sequence[str], fitted: dict[str, Weights]) -> Ablated:
    step(f"without {name}")
    gains = _gains(one, WEIGHTS, name)
    of_repositories: dict[str, list[float]] = {}
    of_categories: dict[str, list[float]] = {}
    for at, each in enumerate(one.prepared):
        of_repositories.setdefault(repositories[at], []).append(gains[at])
        of_categories.setdefault(each.question.category, []).append(gains[at])
    sums = [sum(values) for values in of_repositories.values()]
    held_out = [_gains(one, fitted[repository], name)[at] for at, repository in enumerate(repositories)]
    return Ablated(
        weight=name,
        shipped=float(getattr(WEIGHTS, name)),
        gain=statistics.fmean(gains),
        gain_error=standard_error(gains),
        categories={category: statistics.fmean(values) for category, values in sorted(of_categories.items())},
        repositories_better=sum(value < 0 for value in sums),
        repositories_worse=sum(value > 0 for value in sums),
        held_out_gain=statistics.fmean(held_out),
    )


def _with(weights: Weights, name: str, value: float) -> Weights:
    changed: dict[str, Any] = {name: value}
    return replace(weights, **changed)


def _gains(one: Bench, weights: Weights, name: str) -> list[float]:
    """What a weight adds to each question's NDCG@10, beside the others as they are."""
    without = one.ndcg(_with(weights, name, 0.0))
    return [with_it - without_it for with_it, without_it in zip(one.ndcg(weights), without, strict=True)]
