"""`lucastra/complete`, `lucastra/embed`, `lucastra/models` and `lucastra/providers`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol import answers as wire

from lucastrad.assistant.answers import Question
from lucastrad.assistant.providers import ProviderReport
from lucastrad.server.handlers.answers import emitter, telling_failures, usage_to_wire
from lucastrad.server.handlers.wire import text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


@telling_failures
async def complete(session: "Session", params: wire.CompleteParams) -> wire.CompleteResult:
    """Answer one prompt by a model alone."""
    question = Question(
        params.prompt,
        system=params.system,
        choice=params.provider,
        max_tokens=params.max_tokens,
        temperature=params.temperature,
    )
    answer = await session.services.assistant.answer(question, emitter(session, params.partial_result_token))
    ended = answer.ended
    assert ended is not None  # noqa: S101 - without a scope, nothing but a model answers
    return wire.CompleteResult(
        text=text_to_wire(answer.text or ""),
        provider=ended.provider,
        model=ended.model,
        finish=ended.finish.value,
        usage=usage_to_wire(ended.usage),
        notices=[text_to_wire(notice) for notice in answer.notices],
    )


async def embed(session: "Session", params: wire.EmbedParams) -> wire.EmbedResult:
    """Embed texts with the model that searches use."""
    embedded = await session.services.embeddings.embed(params.texts, queries=params.kind == "query")
    space = embedded.space
    return wire.EmbedResult(
        vectors=embedded.vectors.tolist(), provider=space.provider, model=space.model, dimensions=space.dimensions
    )


@telling_failures
async def models(session: "Session", params: wire.ModelsParams) -> wire.ModelsResult:
    """List models."""
    found, problems = await session.services.providers.models(params.provider)
    return wire.ModelsResult(
        models=[
            wire.ModelInfo(provider=name, id=text_to_wire(model.id), context_tokens=model.context_tokens)
            for name, model in found
        ],
        problems=[text_to_wire(problem) for problem in problems],
    )


async def providers(session: "Session", params: wire.ProvidersParams) -> wire.ProvidersResult:
    """List providers."""
    reports = await session.services.providers.reports(check=params.check)
    return wire.ProvidersResult(providers=[_provider_to_wire(report) for report in reports])


def _provider_to_wire(report: ProviderReport) -> wire.ProviderInfo:
    can, health = report.capabilities, report.health
    return wire.ProviderInfo(
        name=report.name,
        kind=report.kind,
        configured=report.configured,
        default=report.default,
        origin=report.origin,
        model=report.model,
        capabilities=None
        if can is None
        else wire.ProviderCapabilities(
            embed=can.embed,
            fill_in_the_middle=can.fill_in_the_middle,
            count_tokens=can.count_tokens,
            local=can.local,
        ),
        health=None if health is None else wire.ProviderHealth(ok=health.ok, detail=text_to_wire(health.detail)),
        problem=text_to_wire(report.problem),
    )


HANDLERS: dict[str, Callable[..., Any]] = {
    wire.COMPLETE.name: complete,
    wire.EMBED.name: embed,
    wire.MODELS.name: models,
    wire.PROVIDERS.name: providers,
}
