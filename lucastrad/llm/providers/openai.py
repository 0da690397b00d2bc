"""OpenAI, by Chat Completions or Responses, and any server that imitates it."""

from dataclasses import replace
from typing import Any, Literal

import msgspec

from lucastrad.llm.formats import chat_completions, completions, responses
from lucastrad.llm.formats.chat_completions import TokenUsage
from lucastrad.llm.http import Endpoint
from lucastrad.llm.protocol import (
    Capabilities,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FillRequest,
    Model,
    TokenCount,
    Usage,
)
from lucastrad.llm.providers.base import HEALTH_SECONDS, Defaults, Exchange, HttpProvider
from lucastrad.llm.tokens import estimate_texts

ORIGIN = "https://api.openai.com"
DEFAULT_MODEL = "gpt-4o-mini"
DEFAULT_EMBEDDING_MODEL = "text-embedding-3-small"


class _Listed(msgspec.Struct, frozen=True):
    id: str
    context_length: int | None = None
    """OpenRouter's, and vLLM's `max_model_len` below."""
    max_model_len: int | None = None


class Listing(msgspec.Struct, frozen=True):
    """The reply of `/models`."""

    data: list[_Listed]

    def models(self) -> tuple[Model, ...]:
        return tuple(Model(one.id, one.context_length or one.max_model_len) for one in self.data)


class _Vector(msgspec.Struct, frozen=True):
    index: int
    embedding: list[float]


class Embedded(msgspec.Struct, frozen=True):
    """The reply of `/embeddings`."""

    data: list[_Vector]
    model: str = ""
    usage: TokenUsage | None = None


class _Counted(msgspec.Struct, frozen=True):
    input_tokens: int


class OpenAiProvider(HttpProvider):
    """`api` chooses between the two APIs for answers; embeddings have one."""

    def __init__(self, endpoint: Endpoint, defaults: Defaults, *, api: Literal["chat", "responses"] = "chat") -> None:
        self._api = api
        self._is_openai = endpoint.target.origin == ORIGIN
        super().__init__(endpoint, defaults)
        self._first_model: str | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            embed=True,
            choose_dimensions=True,
            # OpenAI's own chat models refuse a suffix; the servers that imitate it have models that take one.
            fill_in_the_middle=not self._is_openai,
            count_tokens=self._is_openai or self._api == "responses",
            stop=self._api == "chat",
        )

    def _path(self, path: str, model: str | None) -> str:
        """Where `path` is; Azure's older versions put the deployment into it."""
        return path

    def _limit_key(self) -> str:
        return "max_completion_tokens" if self._is_openai else "max_tokens"

    def _exchange(self, request: CompletionRequest) -> Exchange:
        if self._api == "responses":
            path = self._path("/responses", request.model)
            return Exchange(path, responses.body(request), responses.Decoder())
        body = chat_completions.body(request, limit_key=self._limit_key())
        return Exchange(self._path("/chat/completions", request.model), body, chat_completions.Decoder())

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        model = request.model or self._defaults.embedding_model
        fields: dict[str, Any] = {"input": list(request.texts), "encoding_format": "float"}
        if model:
            fields["model"] = model
        if request.dimensions is not None:
            fields["dimensions"] = request.dimensions
        expected = estimate_texts(request.texts).tokens
        reply = await self._endpoint.call(
            "POST", self._path("/embeddings", model), fields,
            reply=Embedded, model=model, tokens=expected, retry_attempts=request.retry_attempts,
        )  # fmt: skip
        usage = reply.usage.to_usage() if reply.usage is not None else Usage()
        self._account(usage, expected)
        rows = [vector.embedding for vector in sorted(reply.data, key=lambda vector: vector.index)]
        return Embeddings(self._vectors(rows, request), reply.model or model or "", usage)

    def _fill_exchange(self, request: FillRequest) -> Exchange | None:
        path = self._path("/completions", request.model)
        return Exchange(path, completions.suffix_body(request), chat_completions.Decoder())

    async def _count(self, request: CompletionRequest) -> TokenCount:
        request = replace(request, model=request.model or self._defaults.model or await self._only_model())
        reply = await self._endpoint.call(
            "POST", self._path("/responses/input_tokens", request.model), responses.prompt(request),
            reply=_Counted, model=request.model, retry_attempts=request.retry_attempts,
        )  # fmt: skip
        return TokenCount(reply.input_tokens, exact=True)

    async def models(self) -> tuple[Model, ...]:
        reply = await self._endpoint.call(
            "GET", self._path("/models", None), reply=Listing, retry_attempts=0, stall_seconds=HEALTH_SECONDS
        )
        return reply.models()

    async def _only_model(self) -> str | None:
        if self._first_model is None:
            offered = await self.models()
            self._first_model = offered[0].id if offered else None
        return self._first_model
