"""What the daemon asks of a language-model provider.

Invariant: values only; no I/O and no format of any API. Every failure is a `lucastrad.llm.errors.ProviderError`.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Role(StrEnum):
    """Who said a message; the system's words are a field of the request."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation that a model continues."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What to answer. None leaves a value to the provider's configuration."""

    messages: tuple[Message, ...]
    system: str = ""
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    """Texts at which the answer ends; they are not part of it."""
    retry_attempts: int | None = None
    """How often a passing failure is tried again."""


class FinishReason(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    """`max_tokens` or the model's context was used up."""
    FILTERED = "filtered"
    """The provider or the model declined to go on."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a request took; None where the provider does not say."""

    input_tokens: int | None = None
    """The whole prompt, with what was read from the provider's cache."""
    output_tokens: int | None = None
    cached_input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished answer."""

    text: str
    model: str
    """The model that answered, as the provider names it."""
    finish: FinishReason = FinishReason.STOP
    usage: Usage = Usage()


class Answer(Protocol):
    """An answer while it arrives: iterate over its pieces of text, then read `completion`.

    Iteration ends only after the provider's own terminal event. A stall, a cut, an unreadable event or a failure
    that the provider reports raises a ProviderError with `partial_text`.
    """

    @property
    def text(self) -> str:
        """Everything received so far."""
        ...

    @property
    def completion(self) -> Completion:
        """The finished answer; raises RuntimeError before iteration has ended."""
        ...

    def __aiter__(self) -> AsyncIterator[str]: ...
    async def __anext__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A passage that a completion in the middle of a file may draw on."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class FillRequest:
    """Text to be written between `prefix` and `suffix`."""

    prefix: str
    suffix: str
    context: tuple[ContextFile, ...] = ()
    """Neighbours, most useful first; left out where the API has no place for them."""
    model: str | None = None
    max_tokens: int = 128
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    retry_attempts: int | None = 1


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to be embedded; at most as many as the provider takes in one call."""

    texts: tuple[str, ...]
    model: str | None = None
    dimensions: int | None = None
    """Length of the vectors, for models that can shorten them; None for the model's own."""
    retry_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One row per text, in the order of the request, of the length that the model gives; not normalised."""

    vectors: NDArray[np.float32]
    """Shape (len(texts), dimensions); every value is finite."""
    model: str
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a prompt takes."""

    tokens: int
    exact: bool
    """Whether the model's own tokenizer counted them; else it is an estimate from above."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a provider offers."""

    id: str
    context_tokens: int | None = None
    """Tokens of prompt and answer together, where the provider says."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a provider would answer now."""

    ok: bool
    detail: str
    """What was found; where something is wrong, the message that names the cure."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider's API has, as far as it is known before a request. Every provider completes and streams."""

    embed: bool = False
    choose_dimensions: bool = False
    """Whether `EmbeddingRequest.dimensions` is understood."""
    fill_in_the_middle: bool = False
    fill_context: bool = False
    """Whether `FillRequest.context` has a place of its own in the API."""
    count_tokens: bool = False
    """Whether counts come from the model's own tokenizer."""
    stop: bool = True
    """Whether `CompletionRequest.stop` is understood."""
    local: bool = False
    """Whether the endpoint is on this machine and runs models itself, so that no text leaves it. One that imitates a
    remote API may be a proxy of it."""


class Provider(Protocol):
    """A language model's API at one endpoint. Safe for any number of concurrent calls on one event loop.

    A cancelled call closes its connection to the endpoint before it returns. Every method raises ProviderError
    and nothing else; messages name the cure and hold no credential.
    """

    @property
    def name(self) -> str:
        """What the configuration calls it: `llm`, or a name under `providers`."""
        ...

    @property
    def kind(self) -> str:
        """Which API it speaks: openai, azure, anthropic, llamafile, ollama."""
        ...

    @property
    def origin(self) -> str:
        """Scheme, host and port that every request, and the key, goes to."""
        ...

    @property
    def model(self) -> str | None:
        """The model of a request that names none; None where the server decides."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def complete(self, request: CompletionRequest) -> Completion:
        """The whole answer. It is streamed underneath, so that a stall is told from a long answer."""
        ...

    def stream(self, request: CompletionRequest) -> AbstractAsyncContextManager[Answer]:
        """The answer as it arrives. The connection lives no longer than the block."""
        ...

    async def embed(self, request: EmbeddingRequest) -> Embeddings: ...

    async def fill_in_the_middle(self, request: FillRequest) -> Completion: ...

    def stream_fill(self, request: FillRequest) -> AbstractAsyncContextManager[Answer]:
        """The text in the middle as it arrives: models write on after what was wanted, and leaving the block ends it.

        Raises Unsupported on entry where the API, or the model, cannot fill in the middle.
        """
        ...

    async def count_tokens(self, request: CompletionRequest) -> TokenCount:
        """Tokens of the prompt; an estimate, marked so, where the API cannot count."""
        ...

    async def models(self) -> tuple[Model, ...]: ...

    async def health(self) -> Health:
        """Whether a request would be accepted; never raises ProviderError."""
        ...

    async def aclose(self) -> None:
        """Close idle connections now, and each one in use when its request ends."""
        ...
