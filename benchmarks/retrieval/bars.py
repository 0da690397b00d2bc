"""What retrieval has to reach."""

import math
from collections.abc import Iterable

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.retrieval.results import (
    DENSE,
    HYBRID,
    KEYWORD,
    TUNING,
    VECTOR,
    Agreement,
    Judged,
    RetrievalReport,
    Summary,
)
from benchmarks.retrieval.scoring import standard_error

TUNING_HYBRID = Bar("NDCG@10, hybrid", Demand.AT_LEAST, 0.89)
TUNING_KEYWORD = Bar("NDCG@10, keyword only", Demand.AT_LEAST, 0.86)
TUNING_SYMBOL = Bar("NDCG@10, hybrid, symbol questions", Demand.AT_LEAST, 0.96)
TUNING_LANGUAGE = Bar("NDCG@10, hybrid, its worst language", Demand.AT_LEAST, 0.75)
ANSWERED = Bar("questions with the right file among the first three", Demand.AT_LEAST, 8)
BETTER_HALF = Bar("hybrid less its better half, in standard errors, worst category", Demand.AT_LEAST, -1)
ABOVE_MINILM = Bar(f"MRR@10, {DENSE}, less MiniLM's", Demand.AT_LEAST, 0)
RATE = Bar("passages embedded on one core", Demand.AT_LEAST, 4_000, "chunks/s")
QUERY = Bar("a query's embedding, p50", Demand.BELOW, 0.1, "ms")
LOADING = Bar("loading the model", Demand.BELOW, 0.15, "s")
MEMORY = Bar("memory that the model adds", Demand.BELOW, 60, "MB")
SAME = Bar("questions that are ranked otherwise", Demand.AT_MOST, 0)

PYTHON, PYTHON_2, JAVASCRIPT = "docstrings: Python", "docstrings: Python 2", "docstrings: JavaScript"
DJANGO_FIRST = "Django questions"
RARE_WORDS = "rare words"
IDENTIFIER, WORD = "identifier", "word"
"""Categories of these: `max_retries` or `maxRetries`, and `retries`."""
MESSAGES = "error messages"
BARE, TYPED, TRACEBACK = "message", "with the exception's name", "traceback"
"""Categories of these."""
LINES = "pasted lines"
LINE, TWO_LINES, ASKED = "line", "two lines", "asked for"
"""Categories of these."""
NAMES = "names as they are typed"
WRONG_LETTER, LOWER_CASE, BEGINNING = "a wrong letter", "lower case without separators", "its beginning"
"""Categories of these."""
CALLERS = "callers of functions"
CALLS, USAGES, USED = "who calls", "usages of", "where is it used"
"""Categories of these."""
LOOKED_UP = {
    (RARE_WORDS, IDENTIFIER): (0.9, 0.98),
    (RARE_WORDS, WORD): (0.6, 0.8),
    (MESSAGES, BARE): (0.75, 0.88),
    (MESSAGES, TYPED): (0.8, 0.9),
    (MESSAGES, TRACEBACK): (0.95, 0.98),
    (LINES, LINE): (0.9, 0.97),
    (LINES, TWO_LINES): (0.9, 0.97),
    (LINES, ASKED): (0.9, 0.97),
    (NAMES, WRONG_LETTER): (0.9, 0.95),
    (NAMES, LOWER_CASE): (0.85, 0.9),
    (NAMES, BEGINNING): (0.6, 0.75),
    (CALLERS, CALLS): (0.75, 0.9),
    (CALLERS, USAGES): (0.75, 0.9),
    (CALLERS, USED): (0.75, 0.9),
}
"""MRR@10 and recall@10 of the categories of questions that only looking words up answers."""
DENSE_MRR = {PYTHON: 0.50, PYTHON_2: 0.50, JAVASCRIPT: 0.48}
HYBRID_MRR = {PYTHON: 0.56, PYTHON_2: 0.56, JAVASCRIPT: 0.53}
MINILM = "MiniLM int8"
_FIRST = 3
_LEAST_QUESTIONS = 4
"""Of a category, below which its standard error says nothing."""


def verdicts(report: RetrievalReport) -> list[Verdict]:
    """Every bar whose cell was measured."""
    found = [
        *_tuning(report.summaries),
        *_docstrings(report.summaries),
        *_looked_up(report.summaries),
        *_better_halves(report.judged),
        *_answered(report.judged),
    ]
    if (speed := report.speed) is not None:
        found += [
            RATE.hold(speed.chunks_per_second, speed.model),
            QUERY.hold(speed.query_ms.p50, speed.model),
            LOADING.hold(speed.load_seconds, speed.model),
            MEMORY.hold(max(speed.query_memory_mb, speed.passage_memory_mb), speed.model),
        ]
    return found + [_same(agreement) for agreement in report.agreements]


def _tuning(summaries: Iterable[Summary]) -> list[Verdict]:
    found: list[Verdict] = []
    mine = [one for one in summaries if one.set == TUNING]
    values = {(one.system, one.part): one.mean.ndcg for one in mine}
    for bar, system, part in (
        (TUNING_HYBRID, HYBRID, ""),
        (TUNING_KEYWORD, KEYWORD, ""),
        (TUNING_SYMBOL, HYBRID, "symbol"),
    ):
        if (system, part) in values:
            found.append(bar.hold(values[system, part], TUNING))
    languages = {part: value for (system, part), value in values.items() if system == HYBRID and part}
    for category in ("architecture", "semantic", "symbol"):
        languages.pop(category, None)
    if languages:
        worst = min(languages, key=lambda name: languages[name])
        found.append(TUNING_LANGUAGE.hold(languages[worst], f"{TUNING} ({worst})"))
    return found


def _docstrings(summaries: Iterable[Summary]) -> list[Verdict]:
    values = {(one.set, one.system): one.mean.mrr for one in summaries if not one.part}
    found: list[Verdict] = []
    for name, least in DENSE_MRR.items():
        if (name, DENSE) not in values:
            continue
        found.append(Bar(f"MRR@10, {DENSE}", Demand.AT_LEAST, least).hold(values[name, DENSE], name))
        found.append(Bar("MRR@10, hybrid", Demand.AT_LEAST, HYBRID_MRR[name]).hold(values[name, HYBRID], name))
        if (name, MINILM) in values:
            found.append(ABOVE_MINILM.hold(values[name, DENSE] - values[name, MINILM], name))
    return found


def _looked_up(summaries: Iterable[Summary]) -> list[Verdict]:
    found: list[Verdict] = []
    for one in summaries:
        if one.system == HYBRID and (one.set, one.part) in LOOKED_UP:
            subject = f"{one.set} ({one.part})"
            mrr, recall = LOOKED_UP[one.set, one.part]
            found.append(Bar("MRR@10, hybrid", Demand.AT_LEAST, mrr).hold(one.mean.mrr, subject))
            found.append(Bar("recall@10, hybrid", Demand.AT_LEAST, recall).hold(one.mean.recall, subject))
    return found


def _better_halves(judged: Iterable[Judged]) -> list[Verdict]:
    """Paired by question: what hybrid gains over the better of its halves, in standard errors of the mean gain."""
    scores: dict[tuple[str, str], dict[str, dict[tuple[str, str], float]]] = {}
    for one in judged:
        if one.system in (HYBRID, KEYWORD, VECTOR):
            of_system = scores.setdefault((one.set, one.category), {}).setdefault(one.system, {})
            of_system[one.corpus, one.question] = one.score.ndcg
    found: dict[str, tuple[float, str]] = {}
    for (name, category), systems in scores.items():
        if len(systems) < 3:
            continue
        halves = [[systems[HYBRID][key] - value for key, value in systems[half].items()] for half in (KEYWORD, VECTOR)]
        gains = min(halves, key=sum)
        if len(gains) < _LEAST_QUESTIONS:
            continue
        total, error = sum(gains), standard_error(gains)
        value = total / len(gains) / error if error else math.copysign(math.inf, total) if total else 0.0
        found[name] = min(found.get(name, (value, category)), (value, category))
    return [
        BETTER_HALF.hold(value, f"{name} ({category})" if category else name)
        for name, (value, category) in found.items()
    ]


def _answered(judged: Iterable[Judged]) -> list[Verdict]:
    mine = [one for one in judged if one.set == DJANGO_FIRST and one.system == HYBRID]
    first = sum(one.score.mrr >= 1 / _FIRST for one in mine)
    return [ANSWERED.hold(first, f"{len(mine)} {DJANGO_FIRST}")] if mine else []


def _same(agreement: Agreement) -> Verdict:
    return SAME.hold(len(agreement.differing), f"{agreement.what}, {agreement.questions} questions")
