"""Search over one workspace or many: candidates from both indexes, fused, ranked, and read back."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pathspec
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import Embedder
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.query import ParsedQuery, parse
from lucastrad.search.ranking import Candidate, Outline, Ranked, one_per_file_first, rank
from lucastrad.storage.catalog import Catalog, ChunkSpan
from lucastrad.storage.keywords import Field
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.types import Freshness, Hit, SearchMode, SearchOutcome, SearchQuery, StoredChunk

_log = logging.getLogger(__name__)

CANDIDATES = 200
"""Per retriever and workspace: ranking features reorder within these."""
FIELD_BOOSTS = {Field.BODY: 1.0, Field.SYMBOL: 2.5, Field.PATH: 1.2}
_MAX_CONCURRENT = 4
_FRESHNESS = (Freshness.FRESH, Freshness.PENDING, Freshness.STALE)
"""From best to worst: a search over several workspaces is as fresh as the worst of them."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """A workspace, and the folder of it to search (empty: all)."""

    indexer: WorkspaceIndexer
    folder: str


class SearchService:
    """Finds passages. The work of one search is one thread hop per workspace."""

    def __init__(self, workspaces: WorkspaceService, embedder: Embedder) -> None:
        self._workspaces = workspaces
        self._embedder = embedder
        self._limiter = trio.CapacityLimiter(_MAX_CONCURRENT)

    async def find(self, query: SearchQuery) -> SearchOutcome:
        """Search by `query.text`. Raises LucAstraError for folders that are in no workspace."""
        vector = None if query.mode is SearchMode.KEYWORD else await self._embedder.embed_query(query.text)
        return await self._search(query, parse(query.text), vector, exclude=None)

    async def related(self, path: Path, line: int, query: SearchQuery) -> SearchOutcome:
        """Passages like the one at 1-based `line` of `path`, that passage left out."""
        path = await trio.to_thread.run_sync(path.resolve)
        indexer = self._workspaces.holding(path)
        store = await indexer.opened()
        relative = path.relative_to(indexer.root).as_posix()
        chunk = await trio.to_thread.run_sync(store.catalog.chunk_at, relative, line)
        if chunk is None:
            raise LucAstraError(
                f"{path} is not indexed; `lucastra-client status --files` tells why",
                code=ErrorCode.WORKSPACE_NOT_FOUND,
            )
        vector = await trio.to_thread.run_sync(store.vectors.vector, chunk.id)
        parsed = parse(f"{chunk.symbol} {chunk.text}"[:4096])
        parsed = ParsedQuery(parsed.text, parsed.terms, frozenset(), frozenset())
        if not query.folders:
            query = SearchQuery("", query.mode, query.limit, (str(indexer.root),), query.paths, query.languages)
        return await self._search(query, parsed, vector, exclude=(indexer, chunk))

    async def _search(
        self,
        query: SearchQuery,
        parsed: ParsedQuery,
        vector: NDArray[np.float32] | None,
        *,
        exclude: tuple[WorkspaceIndexer, StoredChunk] | None,
    ) -> SearchOutcome:
        scopes = await trio.to_thread.run_sync(self._scopes, query.folders)
        results: list[list[Hit]] = []
        notices: list[str] = []

        async def search_one(scope: _Scope) -> None:
            if not scope.indexer.ready.is_set():
                notices.append(f"{scope.indexer.root} is still being opened and was left out; ask again")
                return
            left_out = exclude[1] if exclude and exclude[0] is scope.indexer else None
            try:
                results.append(
                    await trio.to_thread.run_sync(
                        _search_workspace, scope, query, parsed, vector, left_out, limiter=self._limiter
                    )
                )
            except StoreCorrupt:
                scope.indexer.report_corruption()
                notices.append(f"the index of {scope.indexer.root} was damaged and is being rebuilt")

        async with trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(search_one, scope)
        hits = sorted((hit for hits in results for hit in hits), key=lambda hit: -hit.score)[: query.limit]
        freshness = max((s.indexer.freshness for s in scopes), key=_FRESHNESS.index, default=Freshness.FRESH)
        if query.mode is SearchMode.VECTOR and vector is not None and not vector.any():
            notices.append("the query has no word that the embedding model knows; try keyword mode")
        return SearchOutcome(hits, freshness, notices)

    def _scopes(self, folders: Sequence[str]) -> list[_Scope]:
        """The workspaces that a search covers: those holding a folder, and those inside it."""
        everything = self._workspaces.all()
        if not folders:
            return [_Scope(indexer, "") for indexer in everything]
        scopes: dict[tuple[Path, str], _Scope] = {}
        for name in folders:
            folder = Path(name).resolve()
            inside = [indexer for indexer in everything if indexer.root.is_relative_to(folder)]
            if not any(indexer.root == folder for indexer in inside):
                try:
                    outer = self._workspaces.holding(folder)
                except LucAstraError:
                    if not inside:
                        raise
                else:
                    relative = folder.relative_to(outer.root).as_posix()
                    scopes[outer.root, relative] = _Scope(outer, relative)
            for indexer in inside:
                scopes[indexer.root, ""] = _Scope(indexer, "")
        return list(scopes.values())


def _search_workspace(
    scope: _Scope,
    query: SearchQuery,
    parsed: ParsedQuery,
    vector: NDArray[np.float32] | None,
    left_out: StoredChunk | None,
) -> list[Hit]:
    """Candidates, ranking and texts of one workspace: all that a search does there, in one thread."""
    store = scope.indexer.store
    within = _eligible(store.catalog, scope.folder, query)
    candidates: dict[int, Candidate] = {}
    if vector is not None and query.mode is not SearchMode.KEYWORD and vector.any():
        for chunk, cosine in store.vectors.search(vector, CANDIDATES, within):
            candidates[chunk] = Candidate(chunk, cosine=cosine)
    if query.mode is not SearchMode.VECTOR:
        for chunk, bm25 in _keyword_candidates(scope.indexer, parsed, within):
            candidates.setdefault(chunk, Candidate(chunk)).bm25 = bm25
    if left_out is not None:
        candidates.pop(left_out.id, None)
    outlines = {i: Outline(*row) for i, row in store.catalog.outlines(list(candidates)).items()}
    ranked = rank(parsed, query.mode, list(candidates.values()), outlines)
    return _hits(scope.indexer, one_per_file_first(ranked, query.limit))


def _keyword_candidates(
    indexer: WorkspaceIndexer, parsed: ParsedQuery, within: list[ChunkSpan] | None
) -> list[tuple[int, float]]:
    """The best keyword matches; with a filter, widened until enough of them pass it."""
    keywords = indexer.store.keywords
    limit = CANDIDATES
    while True:
        found = keywords.search(parsed.terms, FIELD_BOOSTS, limit)
        if within is None:
            return found
        passing = _within(found, within)
        if len(passing) >= CANDIDATES or len(found) < limit:
            return passing[:CANDIDATES]
        limit *= 10


def _within(found: list[tuple[int, float]], spans: list[ChunkSpan]) -> list[tuple[int, float]]:
    firsts = np.array([span.first for span in spans], np.int64)
    kept = []
    for chunk, score in found:
        nearest = int(np.searchsorted(firsts, chunk, "right")) - 1
        if nearest >= 0 and chunk <= spans[nearest].last:
            kept.append((chunk, score))
    return kept


def _eligible(catalog: Catalog, folder: str, query: SearchQuery) -> list[ChunkSpan] | None:
    """Chunk ids that pass the filters, as ascending spans; None when there is no filter."""
    if not (folder or query.paths or query.languages):
        return None
    prefix = f"{folder}/" if folder else ""
    languages = {language.lower() for language in query.languages}
    positive = any(not pattern.startswith("!") for pattern in query.paths)
    spec = pathspec.GitIgnoreSpec.from_lines(query.paths if positive else ["*", *query.paths]) if query.paths else None
    return [
        span
        for path, language, span in catalog.spans()
        if path.startswith(prefix) and (not languages or language in languages) and (not spec or spec.match_file(path))
    ]


def _hits(indexer: WorkspaceIndexer, ranked: list[Ranked]) -> list[Hit]:
    chunks = indexer.store.catalog.chunks([item.chunk for item in ranked])
    root = str(indexer.root)
    return [Hit(root, chunks[item.chunk], item.score, item.components) for item in ranked if item.chunk in chunks]
