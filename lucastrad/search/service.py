"""Search over one workspace or many: candidates from both indexes, fused, ranked, and read back."""

import difflib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import EmbeddingFailed, Metered, fitting
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search import retrieval
from lucastrad.search.buffers import LiveBuffers
from lucastrad.search.filters import languages_of, path_filter
from lucastrad.search.overlay import NO_OVERLAY, Overlay, over
from lucastrad.search.query import ParsedQuery, Shape, parse
from lucastrad.search.ranking import Candidate, best, rank
from lucastrad.search.reranking import Reranker
from lucastrad.search.retrieval import Plan, Scope
from lucastrad.storage.sqlite import StoreClosed, StoreCorrupt
from lucastrad.storage.vectors.planner import QueryKind
from lucastrad.types import (
    Freshness,
    Hit,
    SearchMode,
    SearchOutcome,
    SearchQuery,
    StoredChunk,
    VectorSpace,
)
from lucastrad.workers import JobTimeout, WorkerDied

_R = TypeVar("_R")
_Embed = Callable[[VectorSpace], Awaitable[NDArray[np.float32] | None]]
"""What is searched for, as a vector of a space; None where it has none there."""

_MAX_CONCURRENT = 4
_FRESHNESS = (Freshness.FRESH, Freshness.PENDING, Freshness.STALE)
"""From best to worst: a search over several workspaces is as fresh as the worst of them."""


class SearchService:
    """Finds passages: candidates of every workspace, then ranking with what is best over all of them."""

    def __init__(
        self,
        workspaces: WorkspaceService,
        embeddings: EmbeddingSpaces,
        reranker: Reranker | None = None,
        buffers: LiveBuffers | None = None,
    ) -> None:
        """`buffers` are what editors have not saved; None for files only."""
        self._workspaces = workspaces
        self._embeddings = embeddings
        self._reranker = reranker
        self._buffers = buffers
        self._limiter = trio.CapacityLimiter(_MAX_CONCURRENT)

    async def find(self, query: SearchQuery) -> SearchOutcome:
        """Search by `query.text`.

        Raises LucAstraError for folders in no workspace, and for path patterns that are none.
        """
        vectors: list[NDArray[np.float32]] = []

        async def embed(space: VectorSpace) -> NDArray[np.float32] | None:
            embedder = self._embeddings.embedder(space)
            if query.mode is SearchMode.KEYWORD or embedder is None:
                return None
            vectors.append(await embedder.embed_query(query.text))
            return vectors[-1]

        wanted = query if self._reranker is None else self._reranker.widened(query)
        plan = Plan(wanted, parse(query.text), path_filter(query.paths), languages_of(query.languages))
        outcome = await self._search(plan, embed)
        if query.mode is SearchMode.VECTOR and vectors and not any(vector.any() for vector in vectors):
            outcome.notices.append("the query has no word that the embedding model knows; try keyword mode")
        return outcome if self._reranker is None else await self._reranker.apply(query, outcome)

    async def related(self, path: Path, line: int, query: SearchQuery) -> SearchOutcome:
        """Passages like the one at 1-based `line` of `path`, that passage left out."""
        path = await trio.to_thread.run_sync(path.resolve)
        indexer = self._workspaces.holding(path)
        store = await indexer.opened()
        relative = path.relative_to(indexer.root).as_posix()
        damages: list[str] = []
        overlay = await self._overlay(indexer, damages)
        live = overlay.files.get(relative)
        if live is not None:
            chunk = live.chunk_at(line)
        else:
            chunk = await self._guarded(indexer, damages, store.catalog.chunk_at, relative, line)
        if damages:
            return SearchOutcome([], indexer.freshness, damages)
        if chunk is None:
            raise LucAstraError(
                f"{path} is not indexed; `lucastra-client status --files` tells why",
                code=ErrorCode.WORKSPACE_NOT_FOUND,
            )
        served = store.served
        if live is not None:
            vector = live.vector(chunk, served.space)
        else:
            vector = await trio.to_thread.run_sync(served.index.vector, chunk.id)

        async def embed(space: VectorSpace) -> NDArray[np.float32] | None:
            embedder = self._embeddings.embedder(space)
            if space == served.space:
                return vector
            # What is unsaved goes to no provider.
            if vector is None or embedder is None or (live is not None and isinstance(embedder, Metered)):
                return None
            try:
                (row,) = await embedder.embed_passages([passage(chunk.path, chunk.symbol, chunk.text)])
                return np.asarray(row, np.float32)
            except (WorkerDied, JobTimeout):
                return None

        terms = parse(f"{chunk.symbol} {chunk.text}"[:4096]).terms
        # Its words are neither a question nor a name: only what the passages say counts, not what they are called.
        parsed = ParsedQuery("", terms, (), frozenset(), frozenset(), shape=Shape.PASSAGE)
        if not query.folders:
            query = replace(query, folders=(str(indexer.root),))
        left_out = (indexer, chunk.id)
        plan = Plan(
            query,
            parsed,
            path_filter(query.paths),
            languages_of(query.languages),
            kind=QueryKind.PASSAGE,
            left_out=left_out,
        )
        # The very buffers that the passage was taken from: its id is none in a version that was typed since.
        outcome = await self._search(plan, embed, overlays={indexer: overlay})
        if line > chunk.end_line:
            outcome.notices.append(f"{path.name} has no passage at line {line}; this is for lines {_lines(chunk)}")
        if vector is None:
            outcome.notices.append("this passage has no embedding yet: only shared words were compared")
        return outcome

    async def _search(
        self, plan: Plan, embed: _Embed, overlays: Mapping[WorkspaceIndexer, Overlay] | None = None
    ) -> SearchOutcome:
        """`overlays` are those that were taken before, by workspace."""
        taken = overlays or {}
        folders = await self._resolved(plan.query.folders)
        try:
            covered_folders = self._covered_by(folders)
        except LucAstraError:
            await self._workspaces.arrived(folders)
            covered_folders = self._covered_by(folders)
        plan = replace(plan, roots=tuple(str(indexer.root) for indexer in self._workspaces.all()))
        notices: list[str] = []
        scopes: list[Scope] = []
        for indexer, folder in covered_folders:
            if indexer.ready.is_set():
                overlay = taken[indexer] if indexer in taken else await self._overlay(indexer, notices)
                scopes.append(Scope(indexer, folder, indexer.store.served, overlay))
            else:
                notices.append(f"{indexer.root} is still being opened and was left out; ask again")
        if self._embeddings.enabled:
            spaces = {scope.vectors.space for scope in scopes}
            plan = replace(plan, vectors=await _embedded(embed, spaces, plan.query.mode, notices))
        elif plan.query.mode is SearchMode.VECTOR:
            notices.append("search by meaning is off: `vector_search.enabled` turns it on")
        hits = await self._hits(plan, scopes, notices)
        if not hits and plan.languages:
            notices.extend(await self._unknown_languages(plan.languages, scopes, notices))
        states = [indexer.freshness for indexer, _ in covered_folders]
        return SearchOutcome(hits, max(states, key=_FRESHNESS.index, default=Freshness.FRESH), notices)

    async def _hits(self, plan: Plan, scopes: list[Scope], notices: list[str]) -> list[Hit]:
        """The best hits of all scopes. What BM25 is measured by must be known of all before any is ranked."""
        if len(scopes) == 1:
            found = await self._guarded(scopes[0].indexer, notices, _searched, scopes[0], plan)
            return found or []
        candidates: dict[Scope, list[Candidate]] = {}
        hits: list[Hit] = []
        if plan.parsed.name:
            held = [await self._guarded(one.indexer, notices, retrieval.holds_name, one, plan) for one in scopes]
            plan = replace(plan, is_spelled_right=any(held))

        async def find(scope: Scope) -> None:
            candidates[scope] = await self._guarded(scope.indexer, notices, retrieval.candidates, scope, plan) or []

        async def rank_one(scope: Scope, best_bm25: float) -> None:
            part = candidates[scope]
            hits.extend(await self._guarded(scope.indexer, notices, _ranked, scope, plan, part, best_bm25) or [])

        async with _one_boundary(), trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(find, scope)
        best_bm25 = retrieval.best_bm25([candidate for part in candidates.values() for candidate in part])
        async with _one_boundary(), trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(rank_one, scope, best_bm25)
        hits.sort(key=lambda hit: (-hit.score, hit.workspace, hit.chunk.path, hit.chunk.id))
        return best(plan.parsed, hits, plan.query.limit, lambda hit: (hit.workspace, hit.chunk.path))

    async def _overlay(self, indexer: WorkspaceIndexer, notices: list[str]) -> Overlay:
        """The buffers that lie over a workspace; those that its index has caught up with are forgotten."""
        files = self._buffers.files(indexer.root) if self._buffers is not None else []
        if self._buffers is None or not files:
            return NO_OVERLAY
        versions = await self._guarded(indexer, notices, indexer.store.catalog.versions, [live.path for live in files])
        # Asked after the catalog: what that has is searchable, then.
        settled = indexer.freshness is Freshness.FRESH
        overlay = over(files, versions or {}, settled=settled)
        self._buffers.forget(live for live in files if overlay.files.get(live.path) is not live)
        return overlay

    async def _guarded(
        self, indexer: WorkspaceIndexer, notices: list[str], work: Callable[..., _R], *args: object
    ) -> _R | None:
        """Run `work` in a thread; None, and a notice, where the workspace turns out to be damaged, which starts its
        repair, or is closed meanwhile."""
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._limiter)
        except StoreCorrupt:
            indexer.report_corruption()
            notices.append(f"the index of {indexer.root} was damaged and is being rebuilt")
        except StoreClosed:
            notices.append(f"the index of {indexer.root} was closed meanwhile, to be rebuilt or removed: ask again")
        return None

    async def _resolved(self, folders: Sequence[str]) -> list[Path]:
        """Folders without links; the root of a workspace is known to be one."""
        roots = {str(indexer.root): indexer.root for indexer in self._workspaces.all()}
        if all(folder in roots for folder in folders):
            return [roots[folder] for folder in folders]
        return await trio.to_thread.run_sync(lambda: [Path(folder).resolve() for folder in folders])

    async def _unknown_languages(self, languages: frozenset[str], scopes: list[Scope], notices: list[str]) -> list[str]:
        known: set[str] = set()
        for indexer in {scope.indexer for scope in scopes}:
            known |= await self._guarded(indexer, notices, indexer.store.catalog.languages) or set()
        return [f"no indexed file is {name}{_did_you_mean(name, known)}" for name in sorted(languages - known)]

    def _covered_by(self, folders: Sequence[Path]) -> list[tuple[WorkspaceIndexer, str]]:
        """The workspaces that a search covers, each with the folder of it ("" for all): those holding a folder, and
        those inside it; none twice."""
        everything = self._workspaces.all()
        if not folders:
            return [(indexer, "") for indexer in everything]
        chosen: dict[Path, tuple[WorkspaceIndexer, set[str]]] = {}
        for folder in folders:
            below = f"{str(folder).rstrip('/')}/"
            inside = [i for i in everything if i.root == folder or str(i.root).startswith(below)]
            for indexer in inside:
                chosen.setdefault(indexer.root, (indexer, set()))[1].add("")
            if not any(indexer.root == folder for indexer in inside):
                try:
                    outer = self._workspaces.holding(folder)
                except LucAstraError:
                    if not inside:
                        raise
                else:
                    relative = folder.relative_to(outer.root).as_posix()
                    chosen.setdefault(outer.root, (outer, set()))[1].add(relative)
        return [(indexer, folder) for indexer, found in chosen.values() for folder in _outermost(found)]


async def _embedded(
    embed: _Embed, spaces: set[VectorSpace], mode: SearchMode, notices: list[str]
) -> dict[VectorSpace, NDArray[np.float32]]:
    """What is searched for in each space; those where it has no vector, or that of no word, are left out, and so, with
    a notice, are those whose model does not answer. Raises EmbeddingFailed for the latter where only vectors count."""
    vectors: dict[VectorSpace, NDArray[np.float32]] = {}
    for space in spaces:
        try:
            found = await embed(space)
        except EmbeddingFailed as error:
            if mode is SearchMode.VECTOR:
                raise
            notices.append(f"found by keyword only: {error.message}")
            continue
        if found is not None and found.any():
            vectors[space] = fitting(found, space)
    return vectors


def _outermost(folders: set[str]) -> list[str]:
    """Folders that lie in no other of them; "" holds all."""
    if "" in folders:
        return [""]
    return [f for f in sorted(folders) if not any(f.startswith(f"{other}/") for other in folders)]


@asynccontextmanager
async def _one_boundary() -> AsyncIterator[None]:
    """Raise the first error of a search's workspaces by itself."""
    try:
        yield
    except* LucAstraError as group:
        raise _first(group) from None


def _first(group: ExceptionGroup[LucAstraError]) -> LucAstraError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, LucAstraError)  # noqa: S101
    return error


def _searched(scope: Scope, plan: Plan) -> list[Hit]:
    """A whole search of one workspace: one visit to a thread."""
    if plan.parsed.name:
        plan = replace(plan, is_spelled_right=retrieval.holds_name(scope, plan))
    candidates = retrieval.candidates(scope, plan)
    return _ranked(scope, plan, candidates, retrieval.best_bm25(candidates))


def _ranked(scope: Scope, plan: Plan, candidates: list[Candidate], best_bm25: float) -> list[Hit]:
    """The best of one workspace's candidates, with their texts: no more than the search can show."""
    catalog, overlay = scope.indexer.store.catalog, scope.overlay
    outlines = catalog.outlines([c.chunk for c in candidates if c.chunk > 0]) | overlay.outlines()
    ranked = rank(plan.parsed, plan.query.mode, candidates, outlines, best_bm25=best_bm25)
    shown = best(plan.parsed, ranked, plan.query.limit, lambda item: item.path)
    ids = [item.chunk for item in shown]
    chunks = catalog.chunks([chunk for chunk in ids if chunk > 0]) | overlay.chunks(ids)
    root = str(scope.indexer.root)
    return [
        Hit(root, chunks[item.chunk], item.score, item.components, unsaved=overlay.is_unsaved(item.chunk, item.path))
        for item in shown
        if item.chunk in chunks
    ]


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _lines(chunk: StoredChunk) -> str:
    return f"{chunk.start_line}-{chunk.end_line}"
