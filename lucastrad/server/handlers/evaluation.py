"""`lucastra/evaluate`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol import types as wire

from lucastrad.evaluation import report as domain
from lucastrad.server.handlers.progress import WorkDoneProgress
from lucastrad.server.handlers.wire import path_from_wire, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def evaluate(session: "Session", params: wire.EvaluateParams) -> wire.EvaluateResult:
    """Measure retrieval on a workspace."""
    path = path_from_wire(params.path, field="path")
    evaluations = session.services.evaluations
    if params.work_done_token is None:
        return _result(await evaluations.evaluate(path, questions=params.questions))
    async with WorkDoneProgress(session, params.work_done_token, f"Evaluating {text_to_wire(path.name)}") as shown:

        async def report(progress: domain.EvaluationProgress) -> None:
            await shown.report(progress.message, int(100 * progress.share))

        return _result(await evaluations.evaluate(path, questions=params.questions, progress=report))


def _result(found: domain.Evaluation) -> wire.EvaluateResult:
    return wire.EvaluateResult(
        root=text_to_wire(found.root),
        total=_group(found.total),
        sources=[_group(one) for one in found.sources],
        languages=[_group(one) for one in found.languages],
        folders=[_group(one) for one in found.folders],
        advice=[
            wire.Advice(
                topic=one.topic.value,
                text=text_to_wire(one.text),
                ignore=[text_to_wire(line) for line in one.ignore],
            )
            for one in found.advice
        ],
        asked=[
            wire.AskedQuestion(
                source=one.source.value,
                question=text_to_wire(one.text),
                answers=[text_to_wire(answer) for answer in one.answers],
                ranks={mode.value: rank for mode, rank in one.ranks.items()},
            )
            for one in found.asked
        ],
        notices=[text_to_wire(notice) for notice in found.notices],
        elapsed_seconds=found.elapsed_seconds,
    )


def _group(group: domain.QuestionGroup) -> wire.QuestionGroup:
    return wire.QuestionGroup(
        name=text_to_wire(group.name),
        questions=group.questions,
        modes=[
            wire.ModeScore(
                mode=score.mode.value,
                mrr=score.mrr,
                mrr_error=score.mrr_error,
                ndcg=score.ndcg,
                ndcg_error=score.ndcg_error,
                recall=score.recall,
                recall_error=score.recall_error,
                files=score.files,
            )
            for score in group.modes
        ],
        relevance=group.relevance,
        at_least_as_good=group.at_least_as_good,
        answered=group.answered,
    )


HANDLERS: dict[str, Callable[..., Any]] = {wire.EVALUATE.name: evaluate}
