"""`lucastra/ask`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol.types import ASK, AskParams, AskResult, TokenUsage

from lucastrad.assistant.answers import Question
from lucastrad.server.handlers.answers import citations_to_wire, emitter, telling_failures, usage_to_wire
from lucastrad.server.handlers.wire import query_from_wire, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


@telling_failures
async def ask(session: "Session", params: AskParams) -> AskResult:
    """Answer a question with numbered citations."""
    question = Question(
        params.question,
        scope=query_from_wire(params.question, params, session.services.settings),
        system=params.system,
        choice=params.provider,
    )
    answer = await session.services.assistant.answer(question, emitter(session, params.partial_result_token))
    ended = answer.ended
    return AskResult(
        citations=citations_to_wire(answer.cited),
        uncited=citations_to_wire(answer.uncited),
        answer=None if answer.text is None else text_to_wire(answer.text),
        found=answer.found,
        provider=None if ended is None else ended.provider,
        model=None if ended is None else ended.model,
        finish="stop" if ended is None else ended.finish.value,
        usage=TokenUsage() if ended is None else usage_to_wire(ended.usage),
        notices=[text_to_wire(notice) for notice in answer.notices],
        freshness=answer.freshness.value,
    )


HANDLERS: dict[str, Callable[..., Any]] = {ASK.name: ask}
