"""`lucastra/ask`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol.types import ASK, AskParams, AskResult, Citation

from lucastrad.server.handlers.wire import hit_to_wire, query_from_wire, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def ask(session: "Session", params: AskParams) -> AskResult:
    """Answer a question with numbered citations."""
    answer = await session.services.assistant.ask(query_from_wire(params.question, params))
    return AskResult(
        citations=[
            Citation(number=number, hit=hit_to_wire(hit, explain=False))
            for number, hit in enumerate(answer.citations, start=1)
        ],
        answer=None if answer.text is None else text_to_wire(answer.text),
        notices=[text_to_wire(notice) for notice in answer.notices],
        freshness=answer.freshness.value,
    )


HANDLERS: dict[str, Callable[..., Any]] = {ASK.name: ask}
