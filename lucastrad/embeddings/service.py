"""Keeps the configured embedding model in use: the packaged one, or a provider's while it answers.

A provider that fails is asked again until it answers. Meanwhile the packaged model embeds, where that is configured:
each model has a vector space of its own, so nothing is mixed, and what either has embedded is in its cache.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.config.schema import Config, EmbeddingsConfig
from lucastrad.embeddings.known import KnownSpaces
from lucastrad.embeddings.local import LocalEmbedder
from lucastrad.embeddings.protocol import Embedder, EmbeddingFailed
from lucastrad.embeddings.provider import Chooses, Found, ProviderEmbedder, Source, find_space
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.types import Passage, VectorSpace
from lucastrad.workers import JobTimeout, WorkerDied, WorkerPool

_log = logging.getLogger(__name__)

LOCAL = "local"
_PATIENCE_SECONDS = 60.0
"""How long a provider may fail before the packaged model takes its place: changing over reopens every index. Where a
failure is one that lasts, that is done at once, but never in the place of a model that has embedded before."""
_KEPT_PATIENCE = 60
"""So many times as long where it has embedded before: the change-over removes the index of what it has embedded, which
comes back from the cache, but only as far as that goes. Meanwhile passages are found by keyword."""
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 2.0, 60.0


class Embedders:
    """Makes the embedders of this installation."""

    def __init__(
        self, pool: WorkerPool, providers: Chooses, known: KnownSpaces, *, redact: Callable[[str], str]
    ) -> None:
        """`redact` takes secrets out of what leaves this machine."""
        self.known = known
        self.batch_size = EmbeddingsConfig().batch_size
        self.failed: Callable[[EmbeddingFailed], None] = lambda error: None
        """Hears of each failure of a provider's model."""
        self._pool = pool
        self.providers = providers
        self._redact = redact
        self._local = {space: LocalEmbedder(pool, space) for space in LocalEmbedder.spaces}

    def local(self, settings: EmbeddingsConfig) -> LocalEmbedder:
        """The packaged model, with vectors of the configured length where that is one of its own."""
        wanted = settings.dimensions if settings.provider == LOCAL else None
        return next(
            (own for space, own in self._local.items() if space.dimensions == wanted), next(iter(self._local.values()))
        )

    def of_provider(self, source: Source, space: VectorSpace) -> ProviderEmbedder:
        """A provider's model, which is known to embed in `space`."""
        return ProviderEmbedder(
            self.providers,
            source,
            space,
            batch_size=self.batch_size,
            redact=self._redact,
            probe=self.known.probe_of(space),
            failed=self._tell,
        )

    def _tell(self, error: EmbeddingFailed) -> None:
        self.failed(error)

    def configured(self, settings: EmbeddingsConfig) -> Embedder:
        """What a daemon that starts embeds with: without asking anybody, the packaged model until a provider's
        space is known."""
        self.batch_size = settings.batch_size
        source = source_of(settings)
        space = None if source is None else self.known.space_of(source)
        return self.local(settings) if source is None or space is None else self.of_provider(source, space)

    def for_space(self, space: VectorSpace) -> Embedder | None:
        """What embeds queries of a space that is not the configured one; None where nothing does."""
        if space in self._local:
            return self._local[space]
        source = self.known.source_of(space)
        return None if source is None else self.of_provider(source, space)


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """Vectors, shape (texts, dimensions), and the space that they are of."""

    vectors: NDArray[np.float32]
    space: VectorSpace


class EmbeddingService:
    """`run` keeps the model in use that is configured; everything else may be called meanwhile."""

    def __init__(
        self,
        spaces: EmbeddingSpaces,
        embedders: Embedders,
        settings: EmbeddingsConfig,
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._spaces = spaces
        self._embedders = embedders
        self._settings = settings
        self._patience_seconds = patience_seconds
        self._round = trio.CancelScope()
        self._failing = trio.Event()
        self._problem = ""
        embedders.failed = self._heard

    @property
    def space(self) -> VectorSpace:
        """The space that chunks are embedded in now."""
        return self._spaces.configured.space

    @property
    def problems(self) -> list[str]:
        """Why the configured model is not in use, or does not answer."""
        return [self._problem] if self._problem else []

    def reconfigure(self, config: Config) -> None:
        """Use `config` from now on; a provider that was given up is asked again at once."""
        self._settings = config.embeddings
        self._embedders.batch_size = config.embeddings.batch_size
        self._spaces.enable(config.vector_search.enabled)
        self._round.cancel()

    async def embed(self, texts: Sequence[str], *, queries: bool) -> EmbeddedTexts:
        """The vectors of questions, or of passages without a place. Raises LucAstraError where the model fails."""
        embedder = self._spaces.configured
        try:
            if queries:
                rows = [await embedder.embed_query(text) for text in texts]
                return EmbeddedTexts(np.stack(rows), embedder.space)
            return EmbeddedTexts(
                await embedder.embed_passages([Passage("", "", text) for text in texts]), embedder.space
            )
        except (WorkerDied, JobTimeout) as error:
            raise LucAstraError(
                f"the packaged embedding model failed: {error}; try again, `lucastra-client logs` may tell more",
                code=ErrorCode.REQUEST_FAILED,
            ) from error

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow the configuration and the provider until cancelled."""
        task_status.started()
        while True:
            with trio.CancelScope() as self._round:
                await self._keep(self._settings)

    async def _keep(self, settings: EmbeddingsConfig) -> None:
        source = source_of(settings)
        self._problem = ""
        if source is None:
            local = self._embedders.local(settings)
            self._spaces.use(local)
            await local.warm_up()
        if source is None or not self._spaces.enabled:
            await trio.sleep_forever()
            return
        if (space := self._embedders.known.space_of(source)) is not None:
            self._use(source, space)
        while True:
            found = await self._reached(source, settings)
            space = self._embedders.known.identify(found)
            if self._problem:
                _log.info("%s answers again", space.identity)
            self._problem = ""
            await self._remember(source, space, found)
            self._failing = trio.Event()
            self._use(source, space)
            await self._failing.wait()

    def _use(self, source: Source, space: VectorSpace) -> None:
        now = self._spaces.configured
        of_source = isinstance(now, ProviderEmbedder) and now.source == source
        if not (of_source and now.space == space and now.batch_size == self._embedders.batch_size):
            # Another model answers there now: it would embed the questions for what the one before has embedded.
            gone = now.space if of_source and now.space != space else None
            self._spaces.use(self._embedders.of_provider(source, space), without=gone)
            _log.info("passages are embedded by %s", space.identity)

    async def _reached(self, source: Source, settings: EmbeddingsConfig) -> Found:
        """The provider's model, once it answers."""
        began, wait = trio.current_time(), _FIRST_WAIT_SECONDS
        in_use = self._embedders.known.space_of(source) == self._spaces.configured.space
        patience = self._patience_seconds * (_KEPT_PATIENCE if in_use else 1)
        while True:
            try:
                return await find_space(self._embedders.providers, source)
            except EmbeddingFailed as error:
                # What lasts, such as a wrong key, is for the user to mend: no vectors that were paid for are given up
                # meanwhile. What should have passed by now may be gone for good.
                patient = trio.current_time() - began < patience if error.passing else in_use
                self._tell(error, source, settings, give_up=not patient and settings.fallback == LOCAL)
            await trio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _tell(self, error: EmbeddingFailed, source: Source, settings: EmbeddingsConfig, *, give_up: bool) -> None:
        local = self._embedders.local(settings)
        if give_up:
            self._spaces.use(local, without=self._embedders.known.space_of(source))
        meanwhile = (
            "until it answers, the packaged model embeds in its place"
            if self._spaces.configured is local
            else "until it answers, searches go by keyword, and its vectors are kept"
        )
        problem = f"embeddings: {error.message}; {meanwhile}"
        if problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem

    async def _remember(self, source: Source, space: VectorSpace, found: Found) -> None:
        try:
            await trio.to_thread.run_sync(self._embedders.known.remember, source, space, found.probe)
        except OSError as error:
            _log.warning("the space %s could not be noted: %s", space.identity, error)

    def _heard(self, error: EmbeddingFailed) -> None:
        self._failing.set()


def source_of(settings: EmbeddingsConfig) -> Source | None:
    """The provider that is configured; None for the packaged model."""
    if settings.provider == LOCAL:
        return None
    return Source(settings.provider, settings.model, settings.dimensions)
