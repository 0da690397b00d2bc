"""Anthropic's Messages API."""

from dataclasses import replace

import msgspec

from lucastrad.llm.formats import messages
from lucastrad.llm.protocol import Capabilities, CompletionRequest, Model, TokenCount
from lucastrad.llm.providers.base import HEALTH_SECONDS, Exchange, HttpProvider

ORIGIN = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-sonnet-4-5"
HEADERS = {"anthropic-version": messages.VERSION}


class _Counted(msgspec.Struct, frozen=True):
    input_tokens: int


class _Listed(msgspec.Struct, frozen=True):
    id: str


class _Listing(msgspec.Struct, frozen=True):
    data: list[_Listed]


class AnthropicProvider(HttpProvider):
    """Answers and counts; it has neither embeddings nor completion in the middle."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(count_tokens=True)

    def _exchange(self, request: CompletionRequest) -> Exchange:
        return Exchange("/v1/messages", messages.body(request), messages.Decoder())

    async def _count(self, request: CompletionRequest) -> TokenCount:
        request = replace(request, model=request.model or self._defaults.model)
        reply = await self._endpoint.call(
            "POST", "/v1/messages/count_tokens", messages.prompt(request),
            reply=_Counted, model=request.model, retry_attempts=request.retry_attempts,
        )  # fmt: skip
        return TokenCount(reply.input_tokens, exact=True)

    async def models(self) -> tuple[Model, ...]:
        listing = await self._endpoint.call(
            "GET", "/v1/models?limit=1000", reply=_Listing, retry_attempts=0, stall_seconds=HEALTH_SECONDS
        )
        return tuple(Model(one.id) for one in listing.data)
