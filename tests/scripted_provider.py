"""A language-model provider that says what a test tells it to, and keeps what it was asked."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from lucastrad.llm.errors import ProviderError, Unsupported
from lucastrad.llm.protocol import (
    Answer,
    Capabilities,
    Completion,
    CompletionRequest,
    EmbeddingRequest,
    Embeddings,
    FillRequest,
    FinishReason,
    Health,
    Model,
    TokenCount,
    Usage,
)
from lucastrad.llm.registry import Choice


class ScriptedAnswer:
    """Pieces of text, and then the end or a failure."""

    def __init__(self, provider: "ScriptedProvider", request: CompletionRequest) -> None:
        self._provider = provider
        self._pieces = iter(provider.pieces)
        self._said: list[str] = []
        self._ended = False
        self._model = request.model or provider.model or "scripted-1"

    @property
    def text(self) -> str:
        return "".join(self._said)

    @property
    def completion(self) -> Completion:
        if not self._ended:
            raise RuntimeError("the answer has not been read to its end")
        return Completion(self.text, self._model, self._provider.finish, Usage(25, 7))

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        await trio.lowlevel.checkpoint()
        for piece in self._pieces:
            self._said.append(piece)
            return piece
        if self._provider.gate is not None:
            self._provider.waiting.set()
            await self._provider.gate.wait()
        if self._provider.failure is not None:
            self._provider.failure.partial_text = self.text
            raise self._provider.failure
        self._ended = True
        raise StopAsyncIteration


@dataclass
class ScriptedProvider:
    """`gate`, where it is set, is waited for after the last piece; `failure` then ends the answer."""

    pieces: Sequence[str] = ("It runs.",)
    name: str = "llm"
    kind: str = "ollama"
    origin: str = "http://127.0.0.1:11434"
    model: str | None = "scripted-1"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(local=True))
    finish: FinishReason = FinishReason.STOP
    gate: trio.Event | None = None
    failure: ProviderError | None = None
    refuse: Callable[[CompletionRequest], ProviderError | None] = lambda request: None
    """What a request fails with before an answer begins."""
    tokens: Callable[[CompletionRequest], int] = lambda request: 0

    def __post_init__(self) -> None:
        self.requests: list[CompletionRequest] = []
        self.counted: list[CompletionRequest] = []
        self.open_streams = 0
        self.waiting = trio.Event()
        """Set while an answer waits for the gate."""

    async def complete(self, request: CompletionRequest) -> Completion:
        async with self.stream(request) as answer:
            async for _ in answer:
                pass
            return answer.completion

    @asynccontextmanager
    async def stream(self, request: CompletionRequest) -> AsyncIterator[Answer]:
        self.requests.append(request)
        if (refusal := self.refuse(request)) is not None:
            raise refusal
        self.open_streams += 1
        try:
            yield ScriptedAnswer(self, request)
        finally:
            self.open_streams -= 1

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        raise Unsupported("no embeddings", provider=self.name)

    async def fill_in_the_middle(self, request: FillRequest) -> Completion:
        raise Unsupported("no completion in the middle of a text", provider=self.name)

    async def count_tokens(self, request: CompletionRequest) -> TokenCount:
        self.counted.append(request)
        return TokenCount(self.tokens(request), exact=True)

    async def models(self) -> tuple[Model, ...]:
        return (Model("scripted-1", 4096),)

    async def health(self) -> Health:
        return Health(True, "scripted-1 answers")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class ScriptedProviders:
    """Providers by name; the first is the one that is configured."""

    def __init__(self, *providers: ScriptedProvider) -> None:
        self._providers = {provider.name: provider for provider in providers}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._providers)

    async def choose(self, choice: str | None = None) -> Choice | None:
        if choice is None:
            return next((Choice(provider) for provider in self._providers.values()), None)
        name, _, model = choice.partition("/")
        return Choice(self._providers[name], model or None)

    async def reconfigure(self, config: object) -> None:
        await trio.lowlevel.checkpoint()
