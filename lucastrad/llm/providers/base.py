"""What all providers share: defaults, streaming, the accounts of tokens, and refusals of optional parameters."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lucastrad.llm.errors import ProviderError, RequestRejected, Unsupported
from lucastrad.llm.http import Endpoint
from lucastrad.llm.protocol import (
    Capabilities,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FillRequest,
    Health,
    Model,
    TokenCount,
    Usage,
)
from lucastrad.llm.streaming import AnswerDecoder, StreamedAnswer
from lucastrad.llm.tokens import estimate, estimate_texts

HEALTH_SECONDS = 5.0
"""A server that does not answer a trifle within this time is not well."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a request that leaves a value open gets."""

    model: str | None = None
    embedding_model: str | None = None
    max_tokens: int = 4096
    temperature: float | None = 0.7


@dataclass(frozen=True, slots=True)
class Exchange:
    """One streamed request, in the form of its API."""

    path: str
    body: dict[str, Any]
    decoder: AnswerDecoder


class HttpProvider(ABC):
    """Implements `protocol.Provider` but for what differs between APIs."""

    def __init__(self, endpoint: Endpoint, defaults: Defaults) -> None:
        self._endpoint = endpoint
        self._defaults = defaults
        self._without_temperature: set[str | None] = set()
        """Models that have refused it; reasoning models do."""
        self._counts = self.capabilities.count_tokens

    @property
    def name(self) -> str:
        return self._endpoint.target.name

    @property
    def kind(self) -> str:
        return self._endpoint.target.kind

    @property
    def origin(self) -> str:
        return self._endpoint.target.origin

    @property
    def model(self) -> str | None:
        return self._defaults.model

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @abstractmethod
    def _exchange(self, request: CompletionRequest) -> Exchange:
        """The streamed request for `request`, whose model and limits are settled."""

    def _fill_exchange(self, request: FillRequest) -> Exchange | None:
        """The streamed request for the text in the middle; None where the API has none."""
        return None

    @abstractmethod
    async def models(self) -> tuple[Model, ...]: ...

    async def complete(self, request: CompletionRequest) -> Completion:
        async with self.stream(request) as answer:
            async for _ in answer:
                pass
            return answer.completion

    @asynccontextmanager
    async def stream(self, request: CompletionRequest) -> AsyncIterator[StreamedAnswer]:
        if request.stop and not self.capabilities.stop:
            raise self._unsupported("stop sequences")
        request = await self._settled(request)
        expected = estimate(request).tokens
        async with AsyncExitStack() as stack:
            try:
                answer = await stack.enter_async_context(self._answer(self._exchange(request), request, expected))
            except RequestRejected as refused:
                if request.temperature is None or "temperature" not in refused.message:
                    raise
                self._without_temperature.add(request.model)
                request = replace(request, temperature=None)
                answer = await stack.enter_async_context(self._answer(self._exchange(request), request, expected))
            yield answer

    @asynccontextmanager
    async def _answer(
        self, exchange: Exchange, request: CompletionRequest | FillRequest, expected: int
    ) -> AsyncIterator[StreamedAnswer]:
        async with self._endpoint.open(
            "POST", exchange.path, exchange.body,
            model=request.model, tokens=expected, retry_attempts=request.retry_attempts,
        ) as body:  # fmt: skip
            yield StreamedAnswer(self._endpoint, body, exchange.decoder, model=request.model)
            if exchange.decoder.finished:
                self._account(exchange.decoder.usage, expected)
                await body.drain()

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        raise self._unsupported("embeddings")

    async def fill_in_the_middle(self, request: FillRequest) -> Completion:
        async with self.stream_fill(request) as answer:
            async for _ in answer:
                pass
            return answer.completion

    @asynccontextmanager
    async def stream_fill(self, request: FillRequest) -> AsyncIterator[StreamedAnswer]:
        request = replace(request, model=request.model or self._defaults.model or await self._only_model())
        exchange = self._fill_exchange(request) if self.capabilities.fill_in_the_middle else None
        if exchange is None:
            raise self._unsupported("completion in the middle of a text")
        texts = [request.prefix, request.suffix, *(file.text for file in request.context)]
        async with self._answer(exchange, request, estimate_texts(texts).tokens) as answer:
            yield answer

    async def count_tokens(self, request: CompletionRequest) -> TokenCount:
        if self._counts:
            try:
                return await self._count(request)
            except (RequestRejected, Unsupported):
                self._counts = False  # an imitation of the API without this part
        return estimate(request)

    async def _count(self, request: CompletionRequest) -> TokenCount:
        """What the API counts; asked only where `capabilities` says that it can."""
        return estimate(request)

    async def health(self) -> Health:
        try:
            found = await self.models()
        except ProviderError as error:
            return Health(False, error.message)
        return Health(True, f"{self._endpoint.target.title} answers and offers {len(found)} models")

    async def aclose(self) -> None:
        await self._endpoint.aclose()

    async def _settled(self, request: CompletionRequest) -> CompletionRequest:
        """`request` with nothing left open."""
        model = request.model or self._defaults.model or await self._only_model()
        temperature = self._defaults.temperature if request.temperature is None else request.temperature
        return replace(
            request,
            model=model,
            max_tokens=request.max_tokens or self._defaults.max_tokens,
            temperature=None if model in self._without_temperature else temperature,
        )

    async def _only_model(self) -> str | None:
        """The model of a server that was not told which: None lets it decide."""
        return None

    def _account(self, usage: Usage, expected: int) -> None:
        """Correct the limit on tokens a minute by what the provider says that it took."""
        if usage.input_tokens is not None or usage.output_tokens is not None:
            self._endpoint.settle((usage.input_tokens or 0) + (usage.output_tokens or 0) - expected)

    def _unsupported(self, what: str) -> Unsupported:
        target = self._endpoint.target
        return Unsupported(
            f"{target.title} has no {what} in its API: choose another provider for it", provider=target.name
        )

    def _vectors(self, rows: Sequence[Sequence[float]], request: EmbeddingRequest) -> NDArray[np.float32]:
        """The vectors of a reply; raises MalformedEvent unless there is one of one length for each text."""
        if len(rows) != len(request.texts):
            raise self._endpoint.malformed(f"{len(rows)} vectors for {len(request.texts)} texts")
        if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
            raise self._endpoint.malformed("vectors that are empty or of different lengths")
        with np.errstate(over="ignore"):  # what overflows is refused below
            vectors = np.array(rows, dtype=np.float32)
        if not np.isfinite(vectors).all():
            raise self._endpoint.malformed("vectors with values that are no numbers")
        return vectors
