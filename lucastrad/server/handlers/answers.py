"""Answers on the wire: their events as they are written, their passages, and the failures of providers."""

from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lsprotocol.types import PROGRESS
from lucastra_protocol import types as wire
from lucastra_protocol.answers import AnswerEvent, DeltaEvent, PartialResultParams, PassagesEvent, UsageEvent
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.assistant import answers as domain
from lucastrad.llm.errors import ProviderError
from lucastrad.llm.protocol import Usage
from lucastrad.server.handlers.wire import hit_to_wire, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session

_Result = TypeVar("_Result", bound=wire.Wire)
_Params = TypeVar("_Params", bound=wire.Wire)
_Handler = Callable[["Session", _Params], Coroutine[Any, Any, _Result]]


def emitter(session: "Session", token: wire.ProgressToken | None) -> domain.Emit:
    """What takes an answer's events: sends them to `token`, and waits while the client is behind."""

    async def emit(event: domain.AnswerEvent) -> None:
        if token is not None:
            await session.notify(PROGRESS, PartialResultParams(token, event_to_wire(event)))

    return emit


def event_to_wire(event: domain.AnswerEvent) -> AnswerEvent:
    """One event of an answer."""
    match event:
        case domain.PassagesFound():
            return PassagesEvent(
                citations=citations_to_wire(event.citations),
                freshness=event.freshness.value,
                notices=[text_to_wire(notice) for notice in event.notices],
            )
        case domain.TextDelta():
            return DeltaEvent(text=text_to_wire(event.text))
        case domain.AnswerEnded():
            return UsageEvent(
                provider=event.provider,
                model=event.model,
                finish=event.finish.value,
                usage=usage_to_wire(event.usage),
            )


def citations_to_wire(citations: Iterable[domain.Citation]) -> list[wire.Citation]:
    """Numbered passages."""
    return [wire.Citation(number=one.number, hit=hit_to_wire(one.hit, explain=False)) for one in citations]


def usage_to_wire(usage: Usage) -> wire.TokenUsage:
    """Tokens taken."""
    return wire.TokenUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def telling_failures(handler: _Handler[_Params, _Result]) -> _Handler[_Params, _Result]:
    """The handler, with what a provider did not do told as PROVIDER_FAILED, for people and for programs."""

    @wraps(handler)
    async def told(session: "Session", params: _Params) -> _Result:
        try:
            return await handler(session, params)
        except ProviderError as error:
            code = ErrorCode.PROVIDER_FAILED if error.code is ErrorCode.REQUEST_FAILED else error.code
            raise LucAstraError(text_to_wire(error.message), code=code, data=_details(error)) from error

    return cast("_Handler[_Params, _Result]", told)


def _details(error: ProviderError) -> dict[str, object]:
    details: dict[str, object] = {
        "provider": error.provider,
        "reason": error.reason,
        "passing": error.passing,
        "partialText": text_to_wire(error.partial_text),
    }
    if error.retry_after_seconds is not None:
        details["retryAfterSeconds"] = error.retry_after_seconds
    return details
