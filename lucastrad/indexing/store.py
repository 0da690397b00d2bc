"""One workspace's store: the catalog, and the two indexes derived from it.

Invariant: the catalog commits first; an index that fails or is lost is replayed from it, and from
the embedding cache, without embedding anything again. Blocking: call it from a thread.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.indexing.analysis import chunk_terms, path_terms
from lucastrad.storage.catalog import Catalog, ChunkSpan, Commit, IndexedFile
from lucastrad.storage.fs import ensure_private_folder
from lucastrad.storage.keywords import KeywordChunk, KeywordIndex
from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable, set_aside
from lucastrad.storage.vectors.exact import ExactIndex
from lucastrad.storage.vectors.protocol import VectorIndex
from lucastrad.types import StoredChunk, VectorSpace

_log = logging.getLogger(__name__)

_REPLAY_ROWS = 1000
_CHECKPOINT_ROWS = 2000


class WorkspaceStore:
    """Writers take turns; readers never wait for them."""

    def __init__(self, folder: Path, space: VectorSpace, cache: EmbeddingCache) -> None:
        """Open, or create; a damaged catalog is set aside and built anew by the next scan."""
        ensure_private_folder(folder)
        self.folder = folder
        self.catalog = self._open_catalog()
        self.keywords = KeywordIndex(folder / "keywords")
        self.vectors: VectorIndex = ExactIndex(folder / "vectors", space)
        self._cache = cache
        self._lock = threading.Lock()
        if max(self.keywords.reached, self.vectors.reached) > self.catalog.seq():
            # The catalog was rebuilt under them: what they hold is of another life.
            self.keywords.clear()
            self.vectors.clear()
        self.keywords.behind = self.keywords.reached < self.catalog.seq()

    def _open_catalog(self) -> Catalog:
        path = self.folder / "catalog.sqlite3"
        try:
            return Catalog(path)
        except StoreCorrupt as error:
            kept = set_aside(path, "damaged")
            _log.warning("catalog damaged (%s), kept as %s; the workspace is indexed anew", error, kept.name)
            return Catalog(path)

    # --- writing ---------------------------------------------------------------------------------

    def commit(self, files: Sequence[IndexedFile], gone: Iterable[str] = ()) -> Commit:
        """Commit a batch; it is durable on return, and searchable by keyword after `publish`."""
        with self._lock:
            commit = self.catalog.commit(files, gone)
            self.vectors.delete(commit.removed)
            if not self.keywords.behind:
                try:
                    self.keywords.delete(span.first for span in commit.removed)
                    for file, span in commit.added:
                        self.keywords.add(_keyword_chunks(file, span))
                except StoreUnavailable as error:  # the catalog holds it: the next publish replays it
                    _log.warning("%s", error.message)
            return commit

    def publish(self) -> None:
        """Make every commit so far searchable by keyword. Raises StoreUnavailable; call again later."""
        with self._lock:
            seq = self.catalog.seq()
            if self.keywords.behind:
                self._replay_keywords()
            if self.keywords.reached < seq:
                self.keywords.commit(seq)

    def embed(
        self, ids: Sequence[int], keys: Sequence[bytes], vectors: NDArray[np.float32], *, new: Iterable[int]
    ) -> None:
        """Note the vectors of chunks (ids ascending); rows in `new` are not in the cache yet."""
        self._cache.put((keys[row], vectors[row]) for row in new)
        with self._lock:
            alive = self.catalog.mark_embedded(ids)
            rows = [row for row, chunk in enumerate(ids) if chunk in alive]
            self.vectors.add(np.array(ids, np.int64)[rows], vectors[rows])

    def checkpoint(self, *, share: float = 0.1, force: bool = False) -> None:
        """Save the vectors when this share of them has changed; forget deletions that no index needs any more."""
        with self._lock:
            threshold = max(_CHECKPOINT_ROWS, share * len(self.vectors))
            if self.vectors.unsaved > threshold or (force and self.vectors.unsaved):
                self.vectors.checkpoint(self.catalog.seq())
            self.catalog.forget_deletions(min(self.keywords.reached, self.vectors.reached))

    # --- replay ----------------------------------------------------------------------------------

    def replay_vectors(self) -> int:
        """Bring the vector index up to the catalog from the cache; returns how many vectors were lost."""
        with self._lock:
            self.vectors.delete(self.catalog.deletions_after(self.vectors.reached))
            missing: list[int] = []
            rows = self.catalog.embedded_after(self.vectors.reached)
            for part in _slices(rows, _REPLAY_ROWS):
                found = self._cache.get([key for _, key in part])
                missing += [chunk for chunk, key in part if key not in found]
                present = [(chunk, found[key]) for chunk, key in part if key in found]
                if present:
                    self.vectors.add(
                        np.array([chunk for chunk, _ in present], np.int64), np.stack([v for _, v in present])
                    )
            if missing:
                self.catalog.mark_unembedded(missing)
            return len(missing)

    def _replay_keywords(self) -> None:
        self.keywords.begin_replay()
        reached = self.keywords.reached
        self.keywords.delete(span.first for span in self.catalog.deletions_after(reached))
        for span in self.catalog.spans_after(reached):
            self.keywords.delete([span.first])
            self.keywords.add(_analysed(self.catalog.chunks_between(span), span))

    def close(self) -> None:
        """Save what replays slowly, and close; each part is closed, whatever becomes of the others."""
        with ExitStack() as stack:
            stack.callback(self.catalog.close)
            stack.callback(self.keywords.close)
            self.checkpoint(force=True)

    def size_bytes(self) -> int:
        """What the store takes on disk."""
        total = 0
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # the keyword index drops files while this looks
                total += path.lstat().st_size
        return total


def _keyword_chunks(file: IndexedFile, span: ChunkSpan) -> Iterator[KeywordChunk]:
    for chunk, terms in enumerate(file.terms, span.first):
        yield KeywordChunk(chunk, span.first, terms.body, terms.symbol, file.path_terms)


def _analysed(chunks: list[StoredChunk], span: ChunkSpan) -> Iterator[KeywordChunk]:
    path = path_terms(chunks[0].path) if chunks else ""
    for chunk in chunks:
        terms = chunk_terms(chunk.symbol, chunk.text)
        yield KeywordChunk(chunk.id, span.first, terms.body, terms.symbol, path)


def _slices(rows: list[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
