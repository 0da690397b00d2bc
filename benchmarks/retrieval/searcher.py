"""Search in this process, by the daemon's own code: its scan, chunker, terms, model, store, candidates and ranking.

What is left out of a daemon is the socket and the tasks; that both rank alike is measured by the cell `daemon`. A store
that was built once is kept in the cache folder, and built anew when the tree or the code that decides about it changes;
changes to `lucastrad.search` need no new store.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import lucastrad
from benchmarks.retrieval.scoring import DEPTH, Place
from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.static import SPACE, StaticModel
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.indexing.worker import IndexRequest, decode_index_reply, index_job
from lucastrad.search import retrieval
from lucastrad.search.query import ParsedQuery, parse
from lucastrad.search.ranking import WEIGHTS, Candidate, Ranked, Weights, best, rank
from lucastrad.storage.records import IndexedFile
from lucastrad.types import Outline, SearchMode, SearchQuery, StoredChunk, VectorSpace
from lucastrad.workspace import scanner

MODES = (SearchMode.HYBRID, SearchMode.KEYWORD, SearchMode.VECTOR)

_COMPLETE = "complete.json"
_FILES_A_COMMIT = 256
_CHUNKS_A_BATCH = 512
_CACHE_BYTES = 1 << 30
_KEPT_SECONDS = 3 * 86_400.0
_PARTS = ("text", "workspace", "indexing", "embeddings", "storage")
"""Packages that decide what a store holds."""

FilesOf = Callable[[], Iterable[IndexedFile]]


@dataclass(frozen=True, slots=True)
class Built:
    """What making a store took, when it was made."""

    files: int
    chunks: int
    analysis_seconds: float
    """Scan, reading, chunks and terms, in one process."""
    keyword_seconds: float
    embedding_seconds: float
    """The model and the vector index."""


@dataclass(frozen=True, slots=True)
class Found:
    """The candidates of one search, before ranking: what is handed to `rank`."""

    parsed: ParsedQuery
    mode: SearchMode
    candidates: list[Candidate]
    outlines: dict[int, Outline]
    best_bm25: float

    def ranked(self, weights: Weights = WEIGHTS) -> list[Ranked]:
        """All of them, best first; `weights` in place of the shipped ones."""
        return rank(self.parsed, self.mode, self.candidates, self.outlines, best_bm25=self.best_bm25, weights=weights)

    def best(self, weights: Weights = WEIGHTS) -> list[Ranked]:
        """The ten that a user sees."""
        return best(self.parsed, self.ranked(weights), DEPTH, lambda item: item.path)


@dataclass(frozen=True, slots=True)
class _Indexed:
    """The part of a WorkspaceIndexer that searching touches."""

    store: WorkspaceStore
    root: Path


class Searcher:
    """One store, opened for reading."""

    def __init__(self, folder: Path) -> None:
        """`folder` is one that `build` made."""
        self.built = msgspec.json.decode((folder / _COMPLETE).read_bytes(), type=Built)
        self._store = WorkspaceStore(folder, SPACE, _no_cache(folder))
        self._store.replay_vectors()
        self._indexed = _Indexed(self._store, folder)

    def close(self) -> None:
        """Release the files."""
        self._store.close()

    def __enter__(self) -> "Searcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, question: str, mode: SearchMode) -> Found:
        """What both indexes have for a question."""
        scope, plan = self._search(question, mode)
        candidates = retrieval.candidates(scope, plan)
        outlines = self._store.catalog.outlines([candidate.chunk for candidate in candidates])
        return Found(plan.parsed, mode, candidates, outlines, retrieval.best_bm25(candidates))

    def shown(self, found: Found) -> list[Place]:
        """The ten places that a user sees, read from the catalog with their texts."""
        items = found.best()
        texts = self._store.catalog.chunks([item.chunk for item in items])
        return [place(texts[item.chunk]) for item in items]

    def chunks(self) -> Iterator[StoredChunk]:
        """Every chunk, by id."""
        for _, span in self._store.catalog.spans():
            yield from self._store.catalog.chunks_between(span)

    def vectors(self) -> tuple[list[StoredChunk], NDArray[np.float32]]:
        """Every chunk, and its vector as the index holds it."""
        chunks = list(self.chunks())
        rows = np.zeros((len(chunks), SPACE.dimensions), np.float32)
        for at, chunk in enumerate(chunks):
            if (vector := self._store.served.index.vector(chunk.id)) is not None:
                rows[at] = vector
        return chunks, rows

    def _search(self, question: str, mode: SearchMode) -> tuple[retrieval.Scope, retrieval.Plan]:
        vectors: dict[VectorSpace, NDArray[np.float32]] = {}
        if mode is not SearchMode.KEYWORD and (vector := query_vector(question)).any():
            vectors[SPACE] = vector
        stand_in: Any = self._indexed
        scope = retrieval.Scope(stand_in, "", self._store.served)
        return scope, retrieval.Plan(SearchQuery(question, mode, DEPTH), parse(question), None, frozenset(), vectors)


def place(chunk: StoredChunk) -> Place:
    """Where a chunk stands."""
    return Place(chunk.path, chunk.start_line, chunk.end_line)


@cache
def _query_model() -> StaticModel:
    return StaticModel.load(for_passages=False)


@cache
def _passage_model() -> StaticModel:
    return StaticModel.load(for_passages=True)


def query_vector(question: str) -> NDArray[np.float32]:
    """A question as the daemon embeds it."""
    return _query_model().embed_query(question)


def _no_cache(folder: Path) -> EmbeddingCache:
    """One that stays empty: vectors are kept in the store's own index."""
    return EmbeddingCache(folder / "embeddings", SPACE, max_bytes=_CACHE_BYTES)


# --- building --------------------------------------------------------------------------------------


def files_of_tree(tree: Path, *, order: Callable[[list[scanner.Candidate]], None] | None = None) -> list[IndexedFile]:
    """The files of a workspace as a worker process reads and cuts them, without the skipped ones.

    `order` rearranges the files first, as workers that finish in another order would.
    """
    rules = scanner.ScanRules()
    found = [entry for entry in scanner.scan(str(tree), rules) if isinstance(entry, scanner.Candidate)]
    found.sort(key=lambda candidate: candidate.path)
    if order is not None:
        order(found)
    reply = decode_index_reply(index_job(msgspec.msgpack.encode(IndexRequest(os.fsencode(tree), rules, found, {}))))
    return [file for file in reply.files if file.chunks]


def build(folder: Path, files_of: FilesOf, *, files_a_commit: int = _FILES_A_COMMIT) -> None:
    """Make a store of `files_of()` at `folder`, which appears when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent, ignore_cleanup_errors=True) as name:
        unfinished = Path(name) / "store"
        unfinished.mkdir()
        began = time.perf_counter()
        files = list(files_of())
        analysed = time.perf_counter()
        store = WorkspaceStore(unfinished, SPACE, _no_cache(unfinished))
        store.replay_vectors()
        try:
            for start in range(0, len(files), files_a_commit):
                store.commit(files[start : start + files_a_commit])
            store.publish()
            published = time.perf_counter()
            chunks = _embed(store)
            store.save()
        finally:
            store.close()
        embedded = time.perf_counter()
        built = Built(len(files), chunks, analysed - began, published - analysed, embedded - published)
        (unfinished / _COMPLETE).write_bytes(msgspec.json.encode(built))
        try:
            unfinished.rename(folder)
        except OSError:
            if not (folder / _COMPLETE).is_file():  # another run was faster
                raise


def _embed(store: WorkspaceStore) -> int:
    count = last = 0
    while pending := store.catalog.pending(last, _CHUNKS_A_BATCH):
        rows = _passage_model().embed_passages([passage(one.path, one.symbol, one.text) for one in pending])
        store.embed([one.id for one in pending], [one.key for one in pending], rows, new=())
        last = pending[-1].id
        count += len(pending)
    return count


def store_of_tree(tree: Path, stores: Path) -> Path:
    """The folder of a tree's store below `stores`, built on first use."""
    return store_of(tree.name, _listing(tree), stores, lambda: files_of_tree(tree))


def store_of(name: str, identity: str, stores: Path, files_of: FilesOf) -> Path:
    """The same for files that are made up; `identity` tells them from others."""
    folder = stores / f"{name}-{_key(identity)}"
    if (folder / _COMPLETE).is_file():
        (folder / _COMPLETE).touch()
    else:
        build(folder, files_of)
        _forget_old(stores)
    return folder


def _forget_old(stores: Path) -> None:
    """Remove the stores that no run has used for days: each change of the analysis leaves one behind."""
    oldest = time.time() - _KEPT_SECONDS
    for marker in stores.glob(f"*/{_COMPLETE}"):
        with suppress(FileNotFoundError):  # another process removes them too
            if marker.stat().st_mtime < oldest:
                shutil.rmtree(marker.parent, ignore_errors=True)


def _listing(tree: Path) -> str:
    lines = [str(tree)]
    for path in sorted(tree.rglob("*")):
        info = path.lstat()
        lines.append(f"{path} {info.st_size} {info.st_mtime_ns}")
    return "\n".join(lines)


def _key(identity: str) -> str:
    return hashlib.sha256(f"{_code()}\n{identity}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


@cache
def _code() -> str:
    """A digest of everything that decides what is in a store."""
    package = Path(lucastrad.__file__).parent
    digest = hashlib.sha256(SPACE.identity.encode())
    files = [package / "types.py", Path(__file__)]
    for part in _PARTS:
        files += [path for path in (package / part).rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()
