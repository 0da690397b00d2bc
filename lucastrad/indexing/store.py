"""One workspace's store: the catalog, and the two indexes derived from it.

Invariant: the catalog commits first; an index that fails or is lost is replayed from it, and from
the embedding cache: only what that has evicted is embedded again. Blocking: call it from a thread.

Each vector space has an index of its own. When the space changes, the index of the one before goes on answering
(it receives deletions, nothing new) until every chunk has a vector in the new one; then it is removed.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.protocol import fitting
from lucastrad.indexing.analysis import chunk_terms, path_terms
from lucastrad.storage.catalog import Catalog
from lucastrad.storage.fs import ensure_private_folder, folder_bytes
from lucastrad.storage.keywords import KeywordChunk, KeywordIndex
from lucastrad.storage.records import ChunkSpan, Commit, IndexedFile
from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable, set_aside
from lucastrad.storage.vectors.examining import ExaminedVectors, examine
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.native import kernel_or_none
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.protocol import IndexCondition, Merge, VectorIndex
from lucastrad.types import StoredChunk, VectorSpace

_log = logging.getLogger(__name__)

_REPLAY_ROWS = 1000
_UNSAVED_ROWS = 4096
"""While vectors stream in, they are made durable this many at a time."""
_LARGEST_ID = 2**62

CacheOf = Callable[[VectorSpace], EmbeddingCache | None]


@dataclass(frozen=True, slots=True)
class ServedVectors:
    """The index that answers vector searches, and the space that queries must be embedded in."""

    space: VectorSpace
    index: VectorIndex


@dataclass(frozen=True, slots=True)
class _Replaced:
    """The index of the space before, while it still answers."""

    index: VectorIndex
    cache: EmbeddingCache


class WorkspaceStore:
    """Writers take turns; readers never wait for them."""

    def __init__(
        self,
        folder: Path,
        space: VectorSpace,
        cache: EmbeddingCache,
        *,
        cache_of: CacheOf = lambda space: None,
        policy: Policy | None = None,
    ) -> None:
        """Open, or create; a damaged catalog is set aside and built anew by the next scan.

        Chunks are embedded in `space`. `cache_of` tells the cache of another space that queries can still be embedded
        in, None for any other: where the catalog is of such a space, its index answers until `space_complete`.
        """
        ensure_private_folder(folder)
        self.folder = folder
        self.space = space
        self.catalog = self._open_catalog()
        self._cache = cache
        self._policy = policy or Policy()
        self._lock = threading.Lock()
        self.replaced = self._enter_space(cache_of)
        """The space before, until every chunk has a vector in this one; None when there is none."""
        before = self.replaced
        cache_before = None if before is None else cache_of(before)
        self._discard_vectors(keep=[space] if before is None or cache_before is None else [space, before])
        self.keywords = KeywordIndex(folder / "keywords")
        self.vectors = self._open_vectors(space)
        self.served = ServedVectors(space, self.vectors)
        """What answers vector searches: take it once for a search. It is replaced as a whole."""
        self._replaced: _Replaced | None = None
        self._unadded = False
        """Vectors that the catalog has noted did not get into the index (yet): it must not claim to hold them."""
        if before is not None and cache_before is not None:
            self._replaced = _Replaced(self._open_vectors(before), cache_before)
            self.served = ServedVectors(before, self._replaced.index)
        if max(self.keywords.reached, *(index.reached for index in self._indexes())) > self.catalog.seq():
            # The catalog was rebuilt under them: what they hold is of another life.
            self.keywords.clear()
            for index in self._indexes():
                index.clear()
        self.keywords.behind = self.keywords.reached < self.catalog.seq()
        self._behind = True
        """The vector indexes lack what the catalog has had since they were saved: `replay_vectors` mends it."""

    def _open_catalog(self) -> Catalog:
        path = self.folder / "catalog.sqlite3"
        try:
            return Catalog(path)
        except StoreCorrupt as error:
            kept = set_aside(path, "damaged")
            _log.warning("catalog damaged (%s), kept as %s; the workspace is indexed anew", error, kept.name)
            return Catalog(path)

    def _open_vectors(self, space: VectorSpace) -> VectorIndex:
        """The index of a space; an empty one where its files are missing or damaged."""
        return SegmentedIndex(_vectors_folder(self.folder), space, kernel=kernel_or_none(), policy=self._policy)

    # --- vector spaces ---------------------------------------------------------------------------

    def _discard_vectors(self, *, keep: Iterable[VectorSpace]) -> None:
        """Remove the indexes of every other space."""
        kept = {space.identity for space in keep}
        with suppress(FileNotFoundError):
            for path in sorted(_vectors_folder(self.folder).iterdir()):
                if path.name in kept:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def _enter_space(self, cache_of: CacheOf) -> VectorSpace | None:
        """Make the catalog one of `self.space`; returns the space that this one is to replace.

        What the index of the space before holds is made durable first: the catalog forgets which chunks it has.
        """
        noted = self.catalog.spaces()
        if noted.current == self.space:
            return noted.replaced
        # The space before the last one is complete, or nearly so; the last one was left before it was.
        candidates = [space for space in (noted.replaced, noted.current) if space is not None]
        usable = [space for space in candidates if space == self.space or cache_of(space) is not None]
        before = next(iter(usable or candidates[-1:]), None)
        # An index of the new space that is left from some earlier time has missed deletions.
        self._discard_vectors(keep=[] if before is None else [before])
        if before is not None and before == noted.current and (cache := cache_of(before)) is not None:
            index = self._open_vectors(before)
            try:
                self._replay(index, cache, self.catalog.embedded_after(index.reached))
                index.commit(self.catalog.seq())
            finally:
                index.close()
        replacing = None if before == self.space else before
        self.catalog.enter_space(self.space, replacing=replacing)
        if candidates:
            _log.info("vectors of %s are built in place of %s", self.space.identity, candidates[-1].identity)
        return replacing

    def space_complete(self) -> VectorSpace | None:
        """Call when no chunk lacks a vector: the space's own index answers from now on, and that of the space before is
        removed. Returns the space before, if there was one."""
        with self._lock:
            replaced = self.replaced
            if replaced is None:
                return None
            if self._behind:
                self._replay_all()
            self._save(self.vectors)
            self.catalog.leave_replaced_space()
            self.served = ServedVectors(self.space, self.vectors)
            if self._replaced is not None:
                self._replaced.index.close()
            self.replaced, self._replaced = None, None
            self._discard_vectors(keep=[self.space])
            return replaced

    def _indexes(self) -> list[VectorIndex]:
        return [self.vectors] if self._replaced is None else [self.vectors, self._replaced.index]

    # --- writing ---------------------------------------------------------------------------------

    def commit(self, files: Sequence[IndexedFile], gone: Iterable[str] = ()) -> Commit:
        """Commit a batch; it is durable on return, and searchable by keyword after `publish`."""
        with self._lock:
            commit = self.catalog.commit(files, gone)
            for index in self._indexes():
                index.delete(commit.removed)
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
        """Note the vectors of chunks (ids ascending); rows in `new` are not in the cache yet.

        Raises LucAstraError (SPACE_MISMATCH), and notes nothing, for vectors of another length.
        """
        fitting(vectors, self.space)
        self._cache.put((keys[row], vectors[row]) for row in new)
        with self._lock:
            alive = self.catalog.mark_embedded(ids)
            rows = [row for row, chunk in enumerate(ids) if chunk in alive]
            self._unadded = True
            with self._mending(self.vectors):
                self.vectors.add(np.array(ids, np.int64)[rows], vectors[rows])
            self._unadded = False

    def save(self, *, all_rows: bool = True) -> None:
        """Make the vectors durable (or wait until there are more of them); forget deletions that no index needs."""
        with self._lock:
            if self._behind and not self._unadded:
                self._replay_all()
            for index in self._indexes():
                if all_rows or index.unsaved >= _UNSAVED_ROWS:
                    self._save(index)
            self.catalog.forget_deletions(min(self.keywords.reached, *(index.reached for index in self._indexes())))

    def _save(self, index: VectorIndex) -> None:
        if index.unsaved and not self._behind and not (self._unadded and index is self.vectors):
            with self._mending(index):
                index.commit(self.catalog.seq())

    @contextmanager
    def _mending(self, index: VectorIndex) -> Iterator[None]:
        """Empty an index that turns out to be damaged: the next `save` replays it. Raises StoreUnavailable then."""
        try:
            yield
        except StoreCorrupt as error:
            _log.warning("vector index damaged (%s), rebuilding from the catalog", error)
            index.clear()
            self._behind = True
            raise StoreUnavailable(f"the vector index was damaged and is being rebuilt ({error})") from error

    # --- maintenance of the vector indexes -------------------------------------------------------

    def plan_merge(self, *, busy: bool) -> Merge | None:
        """See VectorIndex.plan_merge. The index of a space that is being replaced is left as it is."""
        with self._lock:
            if self._unadded or self._behind:
                return None
            with self._mending(self.vectors):
                return self.vectors.plan_merge(busy=busy)

    def finish_merge(self, merge: Merge, reply: bytes) -> bool:
        """See VectorIndex.finish_merge."""
        with self._lock, self._mending(self.vectors):
            return self.vectors.finish_merge(merge, reply)

    def abandon_merge(self, merge: Merge) -> None:
        """See VectorIndex.abandon_merge."""
        with self._lock:
            self.vectors.abandon_merge(merge)

    def condition(self) -> IndexCondition:
        """Of the index that answers."""
        return self.served.index.condition()

    # --- replay ----------------------------------------------------------------------------------

    def replay_vectors(self) -> int:
        """Bring the vector indexes up to the catalog from the caches; returns how many vectors were lost."""
        with self._lock:
            return self._replay_all()

    def _replay_all(self) -> int:
        self._behind = True  # until all is in: whoever closes the store now must not save a part of it as the whole
        if self._replaced is not None:
            # The catalog tells no more which chunks it held: where it is lost, whatever its cache knows serves.
            lost = self._replaced.index.reached == 0
            self._replay(self._replaced.index, self._replaced.cache, self.catalog.chunk_keys() if lost else [])
        missing = self._replay(self.vectors, self._cache, self.catalog.embedded_after(self.vectors.reached))
        if missing:
            self.catalog.mark_unembedded(missing)
        self._behind = False
        return len(missing)

    def _replay(self, index: VectorIndex, cache: EmbeddingCache, rows: list[tuple[int, bytes]]) -> list[int]:
        """Delete what the catalog does not know (any more), and add these chunks (id, key); those not in the cache.

        Not only the deletions after `reached`: an index that lost its last commits to damage stands further back than
        the catalog remembers deletions.
        """
        index.delete(_gaps([span for _, span in self.catalog.spans()]))
        missing: list[int] = []
        for part in _slices(rows, _REPLAY_ROWS):
            found = cache.get([key for _, key in part])
            missing += [chunk for chunk, key in part if key not in found and index.vector(chunk) is None]
            present = [(chunk, found[key]) for chunk, key in part if key in found]
            if present:
                index.add(np.array([chunk for chunk, _ in present], np.int64), np.stack([v for _, v in present]))
        return missing

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
            for index in self._indexes():
                stack.callback(index.close)
            for index in self._indexes():
                self._save(index)

    def size_bytes(self) -> int:
        """What the store takes on disk."""
        return folder_bytes(self.folder)


def _vectors_folder(folder: Path) -> Path:
    return folder / "vectors"


def examine_vectors(folder: Path, space: VectorSpace) -> ExaminedVectors | None:
    """See `examine`; `folder` is the store's."""
    return examine(_vectors_folder(folder), space)


def _gaps(spans: list[ChunkSpan]) -> list[ChunkSpan]:
    """What lies between ascending spans, before the first and after the last."""
    ends = [0, *(span.last + 1 for span in spans)]
    starts = [*(span.first for span in spans), _LARGEST_ID]
    return [ChunkSpan(end, start - 1) for end, start in zip(ends, starts, strict=True) if end < start]


def _keyword_chunks(file: IndexedFile, span: ChunkSpan) -> Iterator[KeywordChunk]:
    for chunk, terms in enumerate(file.terms, span.first):
        yield KeywordChunk(chunk, span.first, terms.body, terms.symbol, file.path_terms, terms.name)


def _analysed(chunks: list[StoredChunk], span: ChunkSpan) -> Iterator[KeywordChunk]:
    path = path_terms(chunks[0].path) if chunks else ""
    for chunk in chunks:
        terms = chunk_terms(chunk.symbol, chunk.text)
        yield KeywordChunk(chunk.id, span.first, terms.body, terms.symbol, path, terms.name)


def _slices(rows: list[tuple[int, bytes]], size: int) -> Iterator[list[tuple[int, bytes]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
