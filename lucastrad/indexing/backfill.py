"""Embeds what has no vector yet, behind the indexing of files.

Invariant: chunks are taken by ascending id, and new chunks always get higher ids, so one pass meets each of
them once. A text that the cache knows costs no embedding.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import numpy as np
import trio
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import fitting
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.signals import Wake
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.memory import release_freed
from lucastrad.storage.catalog import PendingChunk
from lucastrad.workers import JobTimeout, WorkerDied, WorkerPool

_log = logging.getLogger(__name__)


class Persist(Protocol):
    """Runs a store operation in a thread, and again while the disk is full; `what` names it for the user."""

    def __call__(self, what: str, operation: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Awaitable[Any]: ...


class Backfill:
    """One workspace's backlog of chunks without a vector."""

    def __init__(
        self,
        pool: WorkerPool,
        embeddings: EmbeddingSpaces,
        *,
        persist: Persist,
        changed: Callable[[], None],
    ) -> None:
        self.embedded_chunks = 0
        """Chunks that went through the model since the daemon started; cache hits do not count."""
        self.busy = True
        """Whether a chunk may be without a vector."""
        self._pool = pool
        self._embeddings = embeddings
        self._embedder = embeddings.configured
        self._persist = persist
        self._changed = changed
        self._wake = Wake()

    def wake(self) -> None:
        """There are new chunks."""
        self.busy = True
        self._wake.set()

    async def run(self, store: WorkspaceStore) -> None:
        """Embed until cancelled."""
        self.wake()
        last = 0
        while True:
            await self._wake.wait()
            limit = self._embedder.batch_size * self._pool.size
            while pending := await self._persist("reading", store.catalog.pending, last, limit):
                await self._embed(store, pending)
                last = pending[-1].id
                await self._persist("saving", store.save, all_rows=False)
                self._changed()
            if not self._wake.is_set():
                if replaced := await self._persist("changing the vector space", store.space_complete):
                    new, old = store.space.identity, replaced.identity
                    _log.info("the vectors of %s are complete; those of %s are removed", new, old)
                self.busy = False
                await self._persist("saving", store.save)
                await trio.to_thread.run_sync(release_freed)
                self._changed()

    async def _embed(self, store: WorkspaceStore, pending: list[PendingChunk]) -> None:
        first_of_key = {chunk.key: chunk for chunk in reversed(pending)}
        vectors: dict[bytes, NDArray[np.float32]] = dict(
            await self._persist("reading the cache", self._cached, list(first_of_key))
        )
        missing = [chunk for key, chunk in first_of_key.items() if key not in vectors]
        new: dict[bytes, NDArray[np.float32]] = {}
        size = self._embedder.batch_size
        async with trio.open_nursery() as nursery:
            for start in range(0, len(missing), size):
                nursery.start_soon(self._embed_surely, missing[start : start + size], new)
        # A passage that no worker survives gets the zero vector, which is not cached: a later replay tries again.
        zero = np.zeros(self._embedder.space.dimensions, np.float32)
        rows = [row for row, chunk in enumerate(pending) if chunk.key in new and chunk is first_of_key[chunk.key]]
        vectors |= new
        matrix = np.stack([vectors.get(chunk.key, zero) for chunk in pending])
        ids, keys = [chunk.id for chunk in pending], [chunk.key for chunk in pending]
        await self._persist("storing vectors", store.embed, ids, keys, matrix, new=rows)
        self.embedded_chunks += len(new)

    def _cached(self, keys: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        return self._embeddings.cache(self._embedder.space).get(keys)

    async def _embed_surely(
        self, chunks: list[PendingChunk], into: dict[bytes, NDArray[np.float32]], *, again: bool = True
    ) -> None:
        """Embed what can be embedded: a batch whose worker dies twice is halved until the culprit stands alone."""
        passages = [passage(chunk.path, chunk.symbol, chunk.text) for chunk in chunks]
        try:
            vectors = fitting(await self._embedder.embed_passages(passages), self._embedder.space)
            into.update((chunk.key, vector) for chunk, vector in zip(chunks, vectors, strict=True))
        except (WorkerDied, JobTimeout) as error:
            if again:  # the kernel's out-of-memory killer takes innocent workers, too
                await self._embed_surely(chunks, into, again=False)
            elif len(chunks) > 1:
                middle = len(chunks) // 2
                await self._embed_surely(chunks[:middle], into)
                await self._embed_surely(chunks[middle:], into)
            else:
                _log.warning("a passage of %s could not be embedded: %s", chunks[0].path, error)
