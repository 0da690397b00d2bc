"""What an evaluation has to say, for 80 columns."""

import textwrap
from collections.abc import Sequence

from lucastra_protocol.types import Advice, EvaluateResult, ModeScore, QuestionGroup

from lucastra_client.rendering.reports import Block, Facts, Lines, Report, Table
from lucastra_client.rendering.text import count, duration, printable_line

_COLUMNS = 80
_KINDS = {"definitions": "docs", "commits": "commits"}
_ROADMAP_SHARE = 0.8
"""What the roadmap asks of semantic relevance against the keyword baseline: both readings of it are told."""
_LONGEST_NAME = 34


def evaluation(result: EvaluateResult) -> Report:
    """How well each mode finds what was asked, where it is worst, and what would improve it."""
    blocks: list[Block] = [_facts(result), _modes(result)]
    if len(result.languages) > 1:
        blocks.append(_groups("language", result.languages))
    if result.folders:
        blocks.append(_groups("worst folders", result.folders))
    blocks.append(_advice(result.advice))
    return Report(result, blocks)


def _facts(result: EvaluateResult) -> Facts:
    kinds = " and ".join(f"{group.questions:,} from {_KINDS.get(group.name, group.name)}" for group in result.sources)
    return Facts(
        [
            ("workspace", printable_line(result.root)),
            ("questions", f"{kinds}, in {duration(result.elapsed_seconds)}"),
            ("semantic relevance", _relevance(result.total)),
            ("hybrid not worse", _not_worse(result.total)),
        ]
    )


def _relevance(total: QuestionGroup) -> str:
    if total.relevance is None:
        return "keyword search finds nothing to compare with"
    return f"{total.relevance:.0%} of the keyword baseline's NDCG@10 ({_verdict(total.relevance)})"


def _not_worse(total: QuestionGroup) -> str:
    if total.at_least_as_good is None:
        return "neither mode answers any question"
    share = total.at_least_as_good
    return f"{share:.0%} of {count(total.answered, 'question')} that either mode answers ({_verdict(share)})"


def _verdict(share: float) -> str:
    return f"{'over' if share > _ROADMAP_SHARE else 'not over'} {_ROADMAP_SHARE:.0%}"


def _modes(result: EvaluateResult) -> Table:
    groups = result.sources if len(result.sources) == 1 else [*result.sources, result.total]
    rows = [
        (
            _KINDS.get(group.name, group.name),
            f"{group.questions}",
            score.mode,
            _with_error(score.mrr, score.mrr_error),
            _with_error(score.ndcg, score.ndcg_error),
            _with_error(score.recall, score.recall_error),
            f"{score.files:.0%}",
        )
        for group in groups
        for score in group.modes
    ]
    columns = ("from", "asked", "mode", "MRR@10", "NDCG@10", "recall@10", "its file")
    return Table(columns, rows, numeric=frozenset(columns) - {"from", "mode"})


def _groups(title: str, groups: Sequence[QuestionGroup]) -> Table:
    """NDCG@10 of each mode, and how often hybrid search shows an answer's file among ten."""
    rows = [
        (
            _shortened(printable_line(group.name)),
            f"{group.questions}",
            *(f"{_score(group, mode).ndcg:.3f}" for mode in ("keyword", "vector", "hybrid")),
            f"{_score(group, 'hybrid').files:.0%}",
        )
        for group in groups
    ]
    columns = (title, "asked", "keyword", "vector", "hybrid", "its file")
    return Table(columns, rows, numeric=frozenset(columns[1:]))


def _advice(advice: Sequence[Advice]) -> Lines:
    if not advice:
        return Lines(["nothing that was measured would improve retrieval here"])
    lines = ["what would improve it:"]
    for number, one in enumerate(advice, 1):
        mark = f"{number}. "
        text = printable_line(one.text)
        lines += textwrap.wrap(
            text, _COLUMNS, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        lines += [f"{' ' * len(mark)}  .lucastraignore: {printable_line(line)}" for line in one.ignore]
    return Lines(lines)


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f} ±{error:.3f}"


def _score(group: QuestionGroup, mode: str) -> ModeScore:
    return next(score for score in group.modes if score.mode == mode)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
