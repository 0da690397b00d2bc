"""Embeds what has no vector yet, behind the indexing of files.

Invariant: chunks are taken by ascending id, and new chunks always get higher ids, so one pass meets each of
them once. A text that the cache knows costs no embedding, and a vector is in the cache as soon as it has come: what
was embedded before a kill, or before a failure, is not embedded again.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import numpy as np
import trio
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import Embedder, EmbeddingFailed, Metered, fitting
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.signals import Wake
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.logs import log_event
from lucastrad.memory import release_freed
from lucastrad.storage.records import PendingChunk
from lucastrad.types import Passage
from lucastrad.workers import JobTimeout, WorkerDied, WorkerPool

_log = logging.getLogger(__name__)

_Vectors = dict[bytes, NDArray[np.float32]]
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2.0, 60.0
_ROUNDS = 3
"""After so many failures of the same passages, while the model takes others, the culprit is looked for."""
_ESTIMATED_AT_ONCE = 1000


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
        troubled: Callable[[str], None] = lambda problem: None,
    ) -> None:
        """`troubled` is told why nothing can be embedded now, and an empty text once something can."""
        self.embedded_chunks = 0
        """Chunks that went through the model since the daemon started; cache hits do not count."""
        self.busy = True
        """Whether a chunk that is to have a vector may be without one."""
        self.notices: list[str] = []
        """What is being embedded, where that costs somebody something."""
        self._pool = pool
        self._embeddings = embeddings
        self._persist = persist
        self._changed = changed
        self._troubled = troubled
        self._wake = Wake()
        self._from_start = False
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._rounds = 0
        self._failure: EmbeddingFailed | None = None

    def wake(self) -> None:
        """There are new chunks."""
        self.busy = self._embeddings.enabled
        self._wake.set()

    async def run(self, store: WorkspaceStore) -> None:
        """Embed until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_settings)
            self._resumed()  # what troubled the model of a run before this one is not known to trouble this one's
            self.wake()
            last = 0
            while True:
                await self._wake.wait()
                if self._from_start:
                    last, self._from_start = 0, False
                last = await self._embed_after(last, store)
                if not self._embeddings.enabled:
                    self._resumed()
                    self.busy = self._wake.is_set()
                    self._changed()
                elif not self._wake.is_set():
                    await self._settle(store)

    async def _follow_settings(self) -> None:
        """What was left without a vector may be embedded now, or no longer."""
        while True:
            await self._embeddings.changed()
            self._from_start = True
            self.wake()

    async def _settle(self, store: WorkspaceStore) -> None:
        """No chunk is left."""
        if replaced := await self._persist("changing the vector space", store.space_complete):
            new, old = store.space.identity, replaced.identity
            _log.info("the vectors of %s are complete; those of %s are removed", new, old)
        self.busy = self._wake.is_set()
        await self._persist("saving", store.save)
        await trio.to_thread.run_sync(release_freed)
        self._changed()

    async def _embed_after(self, last: int, store: WorkspaceStore) -> int:
        """Embed the chunks after `last`; returns the last one that has a vector now."""
        estimated = False
        try:
            while self._embeddings.enabled:
                # Taken anew each time: a provider's settings may have changed.
                embedder = self._embeddings.embedder(store.space)
                limit = (embedder.batch_size if embedder else 1) * self._pool.size
                pending = await self._persist("reading", store.catalog.pending, last, limit)
                if not pending:
                    break
                if embedder is None:  # another model takes over, and this store is opened anew
                    await self._embeddings.changed()
                    continue
                if isinstance(embedder, Metered) and len(pending) == limit and not estimated:
                    await self._estimate(embedder, store, last)
                    estimated = True
                if await self._embed(store, embedder, pending):
                    last = pending[-1].id
                    self._resumed()
                    await self._persist("saving", store.save, all_rows=False)
                    self._changed()
                else:
                    await self._pause()
        finally:
            self.notices = []
        return last

    # --- before it begins ------------------------------------------------------------------------

    async def _estimate(self, embedder: Metered, store: WorkspaceStore, last: int) -> None:
        """Say how much will be sent before the first of it is."""
        chunks, tokens = await self._persist("estimating", self._to_be_sent, embedder, store, last)
        identity = store.space.identity
        self.notices = [f"{chunks:,} passages, about {tokens:,} tokens, are being sent to {identity}"]
        log_event(_log, logging.INFO, "embedding begins", space=identity, passages=chunks, about_tokens=tokens)
        self._changed()

    def _to_be_sent(self, embedder: Metered, store: WorkspaceStore, last: int) -> tuple[int, int]:
        """How many passages the cache does not know, and their tokens."""
        chunks = tokens = 0
        seen: set[bytes] = set()
        cache = self._embeddings.cache(store.space)
        while pending := store.catalog.pending(last, _ESTIMATED_AT_ONCE):
            known = cache.get([chunk.key for chunk in pending])
            new = {chunk.key: chunk for chunk in pending if chunk.key not in known and chunk.key not in seen}
            seen.update(new)
            chunks += len(new)
            tokens += embedder.tokens([_passage(chunk) for chunk in new.values()])
            last = pending[-1].id
        return chunks, tokens

    # --- embedding -------------------------------------------------------------------------------

    async def _embed(self, store: WorkspaceStore, embedder: Embedder, pending: list[PendingChunk]) -> bool:
        """Embed these chunks; False where the model could not be asked for all of them."""
        first_of_key = {chunk.key: chunk for chunk in reversed(pending)}
        cache = await self._persist("reading the cache", self._embeddings.cache, store.space)
        vectors: _Vectors = dict(await self._persist("reading the cache", cache.get, list(first_of_key)))
        missing = [chunk for key, chunk in first_of_key.items() if key not in vectors]
        given_up: set[bytes] = set()
        size = embedder.batch_size

        async def embed(chunks: list[PendingChunk]) -> None:
            try:
                found = await self._embed_surely(embedder, chunks)
            except EmbeddingFailed as error:
                self._failure = error
                return
            given_up.update(chunk.key for chunk in chunks if chunk.key not in found)
            await self._persist("storing vectors", cache.put, list(found.items()))
            vectors.update(found)
            self.embedded_chunks += len(found)

        self._failure = None
        async with trio.open_nursery() as nursery:
            for start in range(0, len(missing), size):
                nursery.start_soon(embed, missing[start : start + size])
        # A passage that no worker survives gets the zero vector, which is not cached: a later replay tries again.
        vectors |= dict.fromkeys(given_up, np.zeros(store.space.dimensions, np.float32))
        ready = [chunk for chunk in pending if chunk.key in vectors]
        if ready:
            matrix = np.stack([vectors[chunk.key] for chunk in ready])
            ids, keys = [chunk.id for chunk in ready], [chunk.key for chunk in ready]
            await self._persist("storing vectors", store.embed, ids, keys, matrix, new=())
        return len(ready) == len(pending)

    async def _embed_surely(self, embedder: Embedder, chunks: list[PendingChunk], *, again: bool = True) -> _Vectors:
        """Embed what can be embedded: a batch whose worker dies twice is halved until the culprit stands alone."""
        try:
            rows = await embedder.embed_passages([_passage(chunk) for chunk in chunks])
            return {chunk.key: row for chunk, row in zip(chunks, fitting(rows, embedder.space), strict=True)}
        except (WorkerDied, JobTimeout) as error:
            if again:  # the kernel's out-of-memory killer takes innocent workers, too
                return await self._embed_surely(embedder, chunks, again=False)
            if len(chunks) > 1:
                middle = len(chunks) // 2
                one = await self._embed_surely(embedder, chunks[:middle])
                return one | await self._embed_surely(embedder, chunks[middle:])
            _log.warning("a passage of %s could not be embedded: %s", chunks[0].path, error)
            return {}
        except EmbeddingFailed as error:
            if not (error.refused or self._rounds >= _ROUNDS) or not await _takes_others(embedder):
                raise
            if len(chunks) > 1:
                middle = len(chunks) // 2
                one = await self._embed_surely(embedder, chunks[:middle])
                return one | await self._embed_surely(embedder, chunks[middle:])
            _log.warning("a passage of %s is refused by the embedding model: %s", chunks[0].path, error.message)
            return {}

    # --- a model that does not answer ------------------------------------------------------------

    async def _pause(self) -> None:
        """Wait before the model is asked again, ever longer; a change of the settings ends the wait."""
        self._troubled(self._failure.message if self._failure else "")
        self._changed()
        with trio.move_on_after(self._pause_seconds):
            await self._embeddings.changed()
        self._rounds += 1
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _resumed(self) -> None:
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._rounds = 0
        self._troubled("")


async def _takes_others(embedder: Embedder) -> bool:
    """Whether the model answers at all, so that what it refused is to blame."""
    try:
        await embedder.embed_passages([Passage("", "", "an ordinary line of text")])
    except EmbeddingFailed:
        return False
    return True


def _passage(chunk: PendingChunk) -> Passage:
    return passage(chunk.path, chunk.symbol, chunk.text)
