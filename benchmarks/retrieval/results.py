"""What was measured, as values that `--json` writes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from benchmarks.bars import Verdict
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine
from benchmarks.retrieval.scoring import Mean, Score, mean

HYBRID, KEYWORD, VECTOR = "hybrid", "keyword", "vector"
DENSE = "embedding"
"""Systems of ours."""
TUNING = "tuning"


@dataclass(frozen=True, slots=True)
class Judged:
    """One question, asked of one system."""

    set: str
    corpus: str
    language: str
    category: str
    system: str
    question: str
    score: Score
    hits: list[str]
    """The files (docstring sets: path and line) that were found, best first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a system takes for one set."""

    set: str
    system: str
    passages: int
    index_seconds: float | None
    """All corpora together; None where it has no index, or where another system's is used."""
    query_ms: Distribution


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean over some questions of a set."""

    set: str
    system: str
    part: str
    """A category or a language; empty for the whole set."""
    mean: Mean


@dataclass(frozen=True, slots=True)
class Speed:
    """Of the embedding model, in a process of its own on one core."""

    model: str
    load_seconds: float
    """Until the first query is embedded, libraries imported before."""
    chunks: int
    """Windows of 30 lines."""
    chunks_per_second: float
    query_ms: Distribution
    query_memory_mb: float
    """What loading for queries and embedding them adds to the process."""
    passage_memory_mb: float
    """The same for passages, after all of them."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two ways to the same ranking agree."""

    what: str
    questions: int
    differing: list[str]
    """Questions whose first ten differ."""


@dataclass(frozen=True, slots=True)
class Ablated:
    """A weight set to zero."""

    weight: str
    shipped: float
    gain: float
    """Mean NDCG@10 with it less that without it, over the tuning set."""
    gain_error: float
    """Standard error of the questions' differences."""
    categories: dict[str, float]
    repositories_better: int
    repositories_worse: int
    held_out_gain: float
    """Fitted on the other repositories, with it free and with it fixed at zero: the difference on those left out."""


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """Leave one repository out: weights fitted by coordinate search on the others, scored on it."""

    shipped: Mean
    fitted: Mean
    """On the repositories left out."""
    overfit: float
    """Mean of the same weights on the repositories that they were fitted to."""
    chosen: dict[str, list[float]]
    """Each weight's values over the folds."""


@dataclass(slots=True)
class RetrievalReport:
    """Everything."""

    machine: Machine
    quick: bool
    model: str
    notes: list[str] = field(default_factory=list)
    """What was left out, and how to have it."""
    judged: list[Judged] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    speed: Speed | None = None
    agreements: list[Agreement] = field(default_factory=list)
    ablated: list[Ablated] = field(default_factory=list)
    cross_validated: CrossValidated | None = None
    verdicts: list[Verdict] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        from benchmarks.retrieval import report

        return report.lines(self)


def summarise(judged: Iterable[Judged]) -> list[Summary]:
    """Every set's systems: the whole, then each category, then each language where there are several."""
    rows = list(judged)
    found: list[Summary] = []
    for name in _distinct(rows, lambda one: one.set):
        of_set = [one for one in rows if one.set == name]
        for system in _distinct(of_set, lambda one: one.system):
            mine = [one for one in of_set if one.system == system]
            found.append(Summary(name, system, "", mean([one.score for one in mine])))
            for part_of in (_category, _language):
                parts = _distinct(mine, part_of)
                if len(parts) > 1:
                    found += [
                        Summary(name, system, part, mean([one.score for one in mine if part_of(one) == part]))
                        for part in sorted(parts)
                    ]
    return found


def _category(one: Judged) -> str:
    return one.category


def _language(one: Judged) -> str:
    return one.language


def _distinct(rows: Iterable[Judged], what: Callable[[Judged], str]) -> list[str]:
    return list(dict.fromkeys(map(what, rows)))
