"""A provider's embedding model in miniature: a text's vector counts its letters."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import trio
from scripted_provider import ScriptedProvider

from lucastrad.llm.errors import ContextOverflow, ProviderError
from lucastrad.llm.protocol import Capabilities, EmbeddingRequest, Embeddings
from lucastrad.llm.registry import Choice


@dataclass
class EmbeddingProvider(ScriptedProvider):
    """Embeds up to `context_bytes` a text; `failure`, while it is set, is what every request ends with."""

    kind: str = "openai"
    origin: str = "https://api.openai.com"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(embed=True, choose_dimensions=True))
    loaded: str = "letters"
    dimensions: int = 26
    shift: int = 0
    """By how many letters the vectors are turned: models of one length differ in it."""
    context_bytes: int = 1_000_000
    sent: list[tuple[str, ...]] = field(default_factory=list)
    """The texts of every request, also of those that failed."""
    asked_at: list[float] = field(default_factory=list)
    """When each came, by Trio's clock."""
    fails: Callable[[EmbeddingRequest], ProviderError | None] = lambda request: None

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        await trio.lowlevel.checkpoint()
        self.sent.append(request.texts)
        self.asked_at.append(trio.current_time())
        if (failure := self.failure or self.fails(request)) is not None:
            raise failure
        if any(len(text.encode()) > self.context_bytes for text in request.texts):
            raise ContextOverflow("input is too large to process", provider=self.name)
        length = request.dimensions or self.dimensions
        rows = [[text.lower().count(chr(ord("a") + n % 26)) * 2.0 for n in range(length)] for text in request.texts]
        return Embeddings(np.roll(np.array(rows, np.float32), self.shift, axis=1), request.model or self.loaded)


class OneProvider:
    """Providers of which there is one, whatever it is called."""

    def __init__(self, provider: EmbeddingProvider) -> None:
        self.provider = provider
        self.chosen: list[str | None] = []

    async def choose(self, choice: str | None = None) -> Choice | None:
        self.chosen.append(choice)
        return Choice(self.provider, (choice or "").partition("/")[2] or None)
