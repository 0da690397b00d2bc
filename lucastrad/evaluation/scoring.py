"""How good rankings are: MRR@10, NDCG@10 and recall@10 with standard errors, and hybrid against keyword search.

Invariant: pure functions over ranks.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lucastrad.evaluation import metrics
from lucastrad.evaluation.metrics import DEPTH, Place, standard_error
from lucastrad.evaluation.report import Asked, ModeScore, Question, QuestionGroup
from lucastrad.types import SearchMode

MODES = (SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID)
_LEAST_QUESTIONS = 5
"""A folder with fewer says nothing."""
_MOST_FOLDERS = 5
_LARGEST_SHARE = 0.5
_DEEPEST = 5
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """One question's, in one mode; each from 0 to 1."""

    mrr: float
    ndcg: float
    recall: float
    files: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A question with what each mode made of it."""

    question: Question
    scores: dict[SearchMode, Score]
    ranks: dict[SearchMode, int]
    first: dict[SearchMode, str]
    """The file that each mode shows first; a mode that finds nothing is absent from both."""

    def asked(self) -> Asked:
        """What is told of it."""
        question = self.question
        return Asked(question.source, question.text, tuple(map(str, question.targets)), self.ranks)


def measured(question: Question, hits: dict[SearchMode, Sequence[Place]]) -> Measured:
    """Judge the first ten hits of each mode."""
    scores: dict[SearchMode, Score] = {}
    best: dict[SearchMode, int] = {}
    for mode, places in hits.items():
        found = metrics.ranks(question.targets, places)
        answering = {target.path for target in question.targets}
        in_file = any(place.path in answering for place in places[:DEPTH])
        judged = metrics.score(question.targets, places)
        scores[mode] = Score(judged.mrr, judged.ndcg, recall=float(bool(found)), files=float(in_file))
        if found:
            best[mode] = found[0]
    return Measured(question, scores, best, {mode: places[0].path for mode, places in hits.items() if places})


def group(name: str, results: Sequence[Measured]) -> QuestionGroup:
    """The means of some questions. Raises StatisticsError for none."""
    keyword = [one.scores[SearchMode.KEYWORD].ndcg for one in results]
    hybrid = [one.scores[SearchMode.HYBRID].ndcg for one in results]
    pairs = [(ours, theirs) for ours, theirs in zip(hybrid, keyword, strict=True) if ours or theirs]
    not_worse = sum(ours >= theirs - _EQUAL for ours, theirs in pairs)
    return QuestionGroup(
        name=name,
        questions=len(results),
        modes=tuple(_mode_score(mode, [one.scores[mode] for one in results]) for mode in MODES),
        relevance=sum(hybrid) / sum(keyword) if sum(keyword) else None,
        at_least_as_good=not_worse / len(pairs) if pairs else None,
        answered=len(pairs),
    )


def by_language(results: Sequence[Measured]) -> tuple[QuestionGroup, ...]:
    """Every language, the most frequent first."""
    groups = _grouped(results, lambda one: one.question.language)
    return tuple(sorted(groups, key=lambda one: (-one.questions, one.name)))


def worst_folders(results: Sequence[Measured]) -> tuple[QuestionGroup, ...]:
    """The folders where hybrid search does worst, of those with enough questions; none when there is only one."""
    folder_of = folders([one.question.targets[0].path for one in results])
    groups = _grouped(results, lambda one: folder_of[one.question.targets[0].path])
    if len(groups) < 2:
        return ()
    told = [one for one in groups if one.questions >= _LEAST_QUESTIONS]
    told.sort(key=lambda one: (one.score(SearchMode.HYBRID).ndcg, one.name))
    return tuple(told[:_MOST_FOLDERS])


def folders(paths: Sequence[str]) -> dict[str, str]:
    """Path → the folder that it is counted under, with a slash at its end: one that holds more than half of the paths
    is told by the folders in it."""
    depth = dict.fromkeys(paths, 1)
    while True:
        found = {path: _folder(path, levels) for path, levels in depth.items()}
        counts = Counter(found[path] for path in paths)
        deeper = [
            path
            for path, folder in found.items()
            if counts[folder] > _LARGEST_SHARE * len(paths)
            and depth[path] < _DEEPEST
            and _folder(path, depth[path] + 1) != folder
        ]
        if not deeper:
            return found
        for path in deeper:
            depth[path] += 1


def _folder(path: str, levels: int) -> str:
    return "".join(f"{part}/" for part in path.split("/")[:-1][:levels]) or "./"


def _grouped(results: Iterable[Measured], name_of: Callable[[Measured], str]) -> list[QuestionGroup]:
    parts: dict[str, list[Measured]] = {}
    for one in results:
        parts.setdefault(name_of(one), []).append(one)
    return [group(name, part) for name, part in parts.items()]


def _mode_score(mode: SearchMode, scores: Sequence[Score]) -> ModeScore:
    mrr, ndcg = [one.mrr for one in scores], [one.ndcg for one in scores]
    recall = [one.recall for one in scores]
    return ModeScore(
        mode,
        statistics.fmean(mrr),
        standard_error(mrr),
        statistics.fmean(ndcg),
        standard_error(ndcg),
        statistics.fmean(recall),
        standard_error(recall),
        statistics.fmean(one.files for one in scores),
    )
