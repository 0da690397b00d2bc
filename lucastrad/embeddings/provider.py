"""A provider's embedding model as an Embedder.

Texts go out in batches, bounded by count and by tokens. Invariant: what leaves this machine has been through `redact`;
a vector that comes back is of the space that was asked for, or an error.

A model is known by its name and by its *probe*, what it makes of a line of ours: many servers name no model, or one and
the same whatever they have loaded. Where nobody has configured a name, the probe goes with every batch of passages.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import trio
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import EmbeddingFailed, fitting
from lucastrad.llm.errors import (
    AuthenticationFailed,
    ContextOverflow,
    OfflineRefused,
    ProviderError,
    QuotaExhausted,
    Redirected,
    RequestRejected,
    UnknownModel,
    Unsupported,
)
from lucastrad.llm.protocol import EmbeddingRequest, Embeddings
from lucastrad.llm.registry import Choice
from lucastrad.llm.tokens import estimate_texts
from lucastrad.types import Passage, VectorSpace

QUERY_SECONDS: Final = 5.0
"""How long a search waits for its question's vector."""
_REST_SECONDS: Final = 10.0
"""After a question without an answer, the next ones are not asked for so long: each search would wait again."""
_REMEMBERED_QUERIES: Final = 512
_REQUEST_TOKENS: Final = 100_000
"""OpenAI takes 300,000 in a request; smaller ones lose less when one fails."""
_LOCAL_REQUEST_TOKENS: Final = 20_000
"""A processor reads some thousand a second."""
_MOST_BYTES: Final = 16_384
"""Of a text; OpenAI's models take 8,192 tokens, and a chunk has at most 8,192 bytes."""
_LEAST_BYTES: Final = 256
_LASTING: Final = (
    AuthenticationFailed, OfflineRefused, QuotaExhausted, Redirected, RequestRejected, UnknownModel, Unsupported,
)  # fmt: skip
_PROBE: Final = "def load_config(path): read the configuration file"
_PROBED_DIMENSIONS: Final = 64
_SAME_COSINE: Final = 0.95
"""Compressions of one model stay above it; the vectors of two models have nothing to do with each other."""
UNNAMED: Final = "default"
"""What a model is called that has no name."""
FINGERPRINT: Final = "#"
"""Stands in a space's model between the model's name and what tells it from others of that name."""
_PREFIXES: Final = {
    "nomic-embed-text": ("search_document: ", "search_query: "),
    "mxbai-embed-large": ("", "Represent this sentence for searching relevant passages: "),
}
"""What models were trained to see before a passage and before a question, as their authors publish it."""


class Chooses(Protocol):
    """What this asks of `lucastrad.llm.registry.Providers`."""

    async def choose(self, choice: str | None = None) -> Choice | None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where vectors come from, as it is configured."""

    provider: str
    model: str | None = None
    """None for the provider's own choice."""
    dimensions: int | None = None
    """None for the model's own length."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model that answered."""

    called: VectorSpace
    """By the model's name; models that share a name do not share a space."""
    probe: tuple[float, ...]
    """See `is_same_model`."""


def is_same_model(probe: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two probes are of one model, or of two compressions of one, whose vectors can be compared."""
    one, two = np.asarray(probe, np.float32), np.asarray(other, np.float32)
    return one.shape == two.shape and bool(one @ two > _SAME_COSINE * np.linalg.norm(one) * np.linalg.norm(two))


async def find_space(providers: Chooses, source: Source) -> Found:
    """What a source embeds with, found by embedding a line of ours; raises EmbeddingFailed."""
    choice = await _chosen(providers, source)
    try:
        reply = await _request(choice, source, (_PROBE,), retry_attempts=0)
    except ProviderError as error:
        raise _failure(error) from None
    length = reply.vectors.shape[1]
    if source.dimensions is not None and length != source.dimensions:
        raise EmbeddingFailed(
            f"{_title(choice)} gives vectors of {length} dimensions where `embeddings.dimensions` says"
            f" {source.dimensions}: set it to null or to {length}",
            passing=False,
        )
    called = VectorSpace(choice.provider.kind, _model_name(source.model or reply.model), length)
    return Found(called, _probe_of(reply.vectors[0]))


class ProviderEmbedder:
    """Embeds by a provider that is chosen anew for each request, so that its settings may change meanwhile."""

    def __init__(
        self,
        providers: Chooses,
        source: Source,
        space: VectorSpace,
        *,
        batch_size: int,
        redact: Callable[[str], str],
        probe: Sequence[float] = (),
        failed: Callable[[EmbeddingFailed], None] = lambda error: None,
    ) -> None:
        """`redact` takes secrets out of a text; `probe` is the model's own, empty where it is not known; `failed` hears
        of each failure."""
        self.source = source
        self.batch_size = batch_size
        self._providers = providers
        self._space = space
        self._redact = redact
        # A batch of one has no room for it.
        self._probe = () if source.model or batch_size == 1 else tuple(probe)
        self._failed = failed
        self._max_bytes = _MOST_BYTES
        self._queries: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._resting: tuple[float, EmbeddingFailed] | None = None
        name = _reported_name(space).rpartition("/")[2].partition(":")[0].lower()
        self._passage_prefix, self._query_prefix = _PREFIXES.get(name, ("", ""))

    @property
    def space(self) -> VectorSpace:
        return self._space

    def tokens(self, passages: Sequence[Passage]) -> int:
        """About how many tokens these take."""
        return estimate_texts([self._text(passage) for passage in passages]).tokens

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        texts = [self._text(passage) for passage in passages]
        parts = [np.zeros((0, self._space.dimensions), np.float32)]
        try:
            choice = await _chosen(self._providers, self.source)
            most = _LOCAL_REQUEST_TOKENS if choice.is_local else _REQUEST_TOKENS
            count = self.batch_size - bool(self._probe)
            for batch in batches(texts, count=count, tokens=most):
                parts.append(await self._embedded_surely(batch))
        except EmbeddingFailed as error:
            self._failed(error)
            raise
        return np.concatenate(parts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        if not text.strip():
            return np.zeros(self._space.dimensions, np.float32)
        if (known := self._queries.get(text)) is not None:
            self._queries.move_to_end(text)
            return known
        if self._resting is not None and trio.current_time() < self._resting[0]:
            raise self._resting[1]
        try:
            vector = await self._asked(text)
        except EmbeddingFailed as error:
            self._resting = (trio.current_time() + _REST_SECONDS, error)
            self._failed(error)
            raise
        self._resting = None
        self._queries[text] = vector
        if len(self._queries) > _REMEMBERED_QUERIES:
            self._queries.popitem(last=False)
        return vector

    async def _asked(self, text: str) -> NDArray[np.float32]:
        with trio.move_on_after(QUERY_SECONDS):
            (row,) = await self._embedded([self._query_prefix + text], retry_attempts=1)
            return np.asarray(row, np.float32)
        raise EmbeddingFailed(
            f"the embedding provider {self.source.provider} has not answered within {QUERY_SECONDS:g} s", passing=True
        )

    async def _embedded_surely(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of the very model that was loaded when its space was found."""
        if not self._probe:
            return await self._embedded(texts)
        rows = await self._embedded([_PROBE, *texts])
        if not is_same_model(_probe_of(rows[0]), self._probe):
            raise EmbeddingFailed(
                f"the embedding provider {self.source.provider} has another model loaded than before: vectors of two"
                " models are not mixed; `embeddings.model` names the one to use",
                passing=True,
            )
        return rows[1:]

    def _text(self, passage: Passage) -> str:
        return self._passage_prefix + "\n".join(part for part in (passage.path, passage.symbol, passage.text) if part)

    async def _embedded(self, texts: Sequence[str], *, retry_attempts: int | None = None) -> NDArray[np.float32]:
        """Unit vectors; where texts are too long for the model, fewer at once, and then shorter ones."""
        choice = await _chosen(self._providers, self.source)
        # Redacted before they are cut: a cut could leave the half of a secret that no pattern knows.
        clean = texts if choice.is_local else [self._redact(text) for text in texts]
        cut = tuple(_first_bytes(text, self._max_bytes) for text in clean)
        try:
            return self._checked(choice, await _request(choice, self.source, cut, retry_attempts=retry_attempts))
        except ContextOverflow as error:
            if len(texts) > 1:
                middle = len(texts) // 2
                first = await self._embedded(texts[:middle], retry_attempts=retry_attempts)
                return np.concatenate([first, await self._embedded(texts[middle:], retry_attempts=retry_attempts)])
            size = len(cut[0].encode("utf-8", "replace"))
            if size <= _LEAST_BYTES:
                raise _failure(error) from None
            while self._max_bytes >= size:  # by powers of two, so that a text is cut alike whatever came before it
                self._max_bytes //= 2
            return await self._embedded(texts, retry_attempts=retry_attempts)
        except ProviderError as error:
            raise _failure(error) from None

    def _checked(self, choice: Choice, reply: Embeddings) -> NDArray[np.float32]:
        loaded = _reported_name(self._space)
        if self.source.model is None and reply.model and _model_name(reply.model) != loaded:
            raise EmbeddingFailed(
                f"{_title(choice)} answers with the model {_model_name(reply.model)} where {loaded} was"
                " loaded: vectors of two models are not mixed",
                passing=True,
            )
        try:
            vectors = fitting(reply.vectors, self._space)
        except LucAstraError as error:
            raise EmbeddingFailed(error.message, passing=False, code=error.code) from None
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        return unit


def batches(texts: Sequence[str], *, count: int, tokens: int) -> Iterator[list[str]]:
    """`texts` in their order, at most `count` and about `tokens` tokens together; a longer one stands alone."""
    batch: list[str] = []
    held = 0
    for text in texts:
        size = estimate_texts([text]).tokens
        if batch and (len(batch) == count or held + size > tokens):
            yield batch
            batch, held = [], 0
        batch.append(text)
        held += size
    if batch:
        yield batch


async def _chosen(providers: Chooses, source: Source) -> Choice:
    # With its model, by which a choice knows whether a text leaves this machine.
    name = f"{source.provider}/{source.model}" if source.model else source.provider
    try:
        choice = await providers.choose(name)
    except LucAstraError as error:
        raise _failure(error) from None
    if choice is None or not choice.provider.capabilities.embed:
        raise EmbeddingFailed(
            f"`embeddings.provider` is {source.provider}, which has no embeddings in its API: name another one, or"
            ' "local"',
            passing=False,
        )
    return choice


async def _request(choice: Choice, source: Source, texts: tuple[str, ...], *, retry_attempts: int | None) -> Embeddings:
    can_choose = choice.provider.capabilities.choose_dimensions
    return await choice.provider.embed(
        EmbeddingRequest(
            tuple(text.encode("utf-8", "replace").decode() for text in texts),
            model=source.model,
            dimensions=source.dimensions if can_choose else None,
            retry_attempts=retry_attempts,
        )
    )


def _failure(error: LucAstraError) -> EmbeddingFailed:
    lasting = not isinstance(error, ProviderError) or isinstance(error, _LASTING)
    which = "; `embeddings.model` names the one for embeddings" if isinstance(error, UnknownModel) else ""
    refused = isinstance(error, RequestRejected)
    return EmbeddingFailed(f"{error.message}{which}", passing=not lasting, refused=refused)


def _title(choice: Choice) -> str:
    return f"{choice.provider.kind} at {choice.provider.origin}"


def _model_name(reported: str) -> str:
    """A model's name in a space's: llama.cpp reports the path of a file."""
    name = reported.rpartition("/")[2] if reported.startswith("/") else reported
    return name.replace(FINGERPRINT, "-")[:100] or UNNAMED


def _reported_name(space: VectorSpace) -> str:
    """What the model of a space calls itself."""
    return space.model.partition(FINGERPRINT)[0]


def _probe_of(vector: NDArray[np.float32]) -> tuple[float, ...]:
    """A vector's beginning, of length 1."""
    begins = vector[:_PROBED_DIMENSIONS].astype(np.float64)
    unit = begins / (np.linalg.norm(begins) or 1.0)
    return tuple(round(float(value), 4) for value in unit)


def _first_bytes(text: str, size: int) -> str:
    return text if len(text) * 4 <= size else text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
