"""Search over one workspace or many: candidates from both indexes, fused, ranked, and read back."""

import difflib
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pathspec
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import Embedder
from lucastrad.indexing.chunking import TEXT, language_of
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.query import ParsedQuery, parse
from lucastrad.search.ranking import Candidate, Outline, one_per_file_first, rank
from lucastrad.storage.catalog import Catalog, ChunkSpan
from lucastrad.storage.keywords import Field, KeywordIndex
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors.exact import covered
from lucastrad.types import Freshness, Hit, SearchMode, SearchOutcome, SearchQuery, StoredChunk

_R = TypeVar("_R")

CANDIDATES = 100
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one search looks for, the same in every workspace."""

    query: SearchQuery
    parsed: ParsedQuery
    vector: NDArray[np.float32] | None
    paths: pathspec.PathSpec[Any] | None
    languages: frozenset[str]
    left_out: tuple[WorkspaceIndexer, int] | None = None
    """A passage that is not to be found: the one that others are related to."""


class SearchService:
    """Finds passages: candidates of every workspace, then ranking with what is best over all of them."""

    def __init__(self, workspaces: WorkspaceService, embedder: Embedder) -> None:
        self._workspaces = workspaces
        self._embedder = embedder
        self._limiter = trio.CapacityLimiter(_MAX_CONCURRENT)

    async def find(self, query: SearchQuery) -> SearchOutcome:
        """Search by `query.text`.

        Raises LucAstraError for folders in no workspace, and for path patterns that are none.
        """
        vector = None if query.mode is SearchMode.KEYWORD else await self._embedder.embed_query(query.text)
        plan = _Plan(query, parse(query.text), vector, _path_filter(query.paths), _languages(query.languages))
        outcome = await self._search(plan)
        if query.mode is SearchMode.VECTOR and vector is not None and not vector.any():
            outcome.notices.append("the query has no word that the embedding model knows; try keyword mode")
        return outcome

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
        terms = parse(f"{chunk.symbol} {chunk.text}"[:4096]).terms
        # Its words are neither a question nor a name: only what the passages say counts, not what they are called.
        parsed = ParsedQuery("", terms, frozenset(), frozenset())
        if not query.folders:
            query = replace(query, folders=(str(indexer.root),))
        left_out = (indexer, chunk.id)
        plan = _Plan(query, parsed, vector, _path_filter(query.paths), _languages(query.languages), left_out)
        outcome = await self._search(plan)
        if line > chunk.end_line:
            outcome.notices.append(f"{path.name} has no passage at line {line}; this is for lines {_lines(chunk)}")
        if vector is None:
            outcome.notices.append("this passage has no embedding yet: only shared words were compared")
        return outcome

    async def _search(self, plan: _Plan) -> SearchOutcome:
        scopes = self._scopes(await self._resolved(plan.query.folders))
        notices: list[str] = []
        open_scopes = [scope for scope in scopes if scope.indexer.ready.is_set()]
        for scope in scopes:
            if scope not in open_scopes:
                notices.append(f"{scope.indexer.root} is still being opened and was left out; ask again")
        hits = await self._hits(plan, open_scopes, notices)
        if not hits and plan.languages:
            notices += await self._unknown_languages(plan.languages, open_scopes)
        freshness = max((s.indexer.freshness for s in scopes), key=_FRESHNESS.index, default=Freshness.FRESH)
        return SearchOutcome(hits, freshness, notices)

    async def _hits(self, plan: _Plan, scopes: list[_Scope], notices: list[str]) -> list[Hit]:
        """The best hits of all scopes. What BM25 is measured by must be known of all before any is ranked."""
        if len(scopes) == 1:
            found = await self._guarded(scopes[0], notices, _searched, scopes[0], plan)
            return found or []
        candidates: dict[_Scope, list[Candidate]] = {}
        hits: list[Hit] = []

        async def find(scope: _Scope) -> None:
            candidates[scope] = await self._guarded(scope, notices, _candidates, scope, plan) or []

        async def rank_one(scope: _Scope, best_bm25: float) -> None:
            part = candidates[scope]
            hits.extend(await self._guarded(scope, notices, _ranked, scope, plan, part, best_bm25) or [])

        async with _one_boundary(), trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(find, scope)
        best_bm25 = _best_bm25([candidate for part in candidates.values() for candidate in part])
        async with _one_boundary(), trio.open_nursery() as nursery:
            for scope in scopes:
                nursery.start_soon(rank_one, scope, best_bm25)
        hits.sort(key=lambda hit: (-hit.score, hit.workspace, hit.chunk.path, hit.chunk.id))
        return one_per_file_first(hits, plan.query.limit, lambda hit: (hit.workspace, hit.chunk.path))

    async def _guarded(self, scope: _Scope, notices: list[str], work: Callable[..., _R], *args: object) -> _R | None:
        """Run `work` in a thread; None where the workspace turns out to be damaged, which starts its repair."""
        try:
            return await trio.to_thread.run_sync(work, *args, limiter=self._limiter)
        except StoreCorrupt:
            scope.indexer.report_corruption()
            notices.append(f"the index of {scope.indexer.root} was damaged and is being rebuilt")
            return None

    async def _resolved(self, folders: Sequence[str]) -> list[Path]:
        """Folders without links; the root of a workspace is known to be one."""
        roots = {str(indexer.root): indexer.root for indexer in self._workspaces.all()}
        if all(folder in roots for folder in folders):
            return [roots[folder] for folder in folders]
        return await trio.to_thread.run_sync(lambda: [Path(folder).resolve() for folder in folders])

    async def _unknown_languages(self, languages: frozenset[str], scopes: list[_Scope]) -> list[str]:
        catalogs = [scope.indexer.store.catalog for scope in scopes]
        known = {name for catalog in catalogs for name in await trio.to_thread.run_sync(catalog.languages)}
        return [f"no indexed file is {name}{_did_you_mean(name, known)}" for name in sorted(languages - known)]

    def _scopes(self, folders: Sequence[Path]) -> list[_Scope]:
        """The workspaces that a search covers: those holding a folder, and those inside it; none twice."""
        everything = self._workspaces.all()
        if not folders:
            return [_Scope(indexer, "") for indexer in everything]
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
        return [_Scope(indexer, folder) for indexer, found in chosen.values() for folder in _outermost(found)]


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


def _candidates(scope: _Scope, plan: _Plan) -> list[Candidate]:
    """What both indexes of one workspace find."""
    store, query = scope.indexer.store, plan.query
    within = _eligible(store.catalog, scope.folder, plan)
    if within is not None and not within:
        return []
    candidates: dict[int, Candidate] = {}
    if plan.vector is not None and query.mode is not SearchMode.KEYWORD and plan.vector.any():
        for chunk, cosine in store.vectors.search(plan.vector, CANDIDATES, within):
            candidates[chunk] = Candidate(chunk, cosine=cosine)
    if query.mode is not SearchMode.VECTOR:
        for chunk, bm25 in _keyword_candidates(store.keywords, plan.parsed, within):
            candidates.setdefault(chunk, Candidate(chunk)).bm25 = bm25
    if plan.left_out is not None and plan.left_out[0] is scope.indexer:
        candidates.pop(plan.left_out[1], None)
    return list(candidates.values())


def _searched(scope: _Scope, plan: _Plan) -> list[Hit]:
    """A whole search of one workspace: one visit to a thread."""
    candidates = _candidates(scope, plan)
    return _ranked(scope, plan, candidates, _best_bm25(candidates))


def _best_bm25(candidates: Iterable[Candidate]) -> float:
    return max((c.bm25 for c in candidates if c.bm25 is not None), default=1.0)


def _ranked(scope: _Scope, plan: _Plan, candidates: list[Candidate], best_bm25: float) -> list[Hit]:
    """The best of one workspace's candidates, with their texts: no more than the search can show."""
    catalog = scope.indexer.store.catalog
    outlines = {i: Outline(*row) for i, row in catalog.outlines([c.chunk for c in candidates]).items()}
    ranked = rank(plan.parsed, plan.query.mode, candidates, outlines, best_bm25=best_bm25)
    best = one_per_file_first(ranked, plan.query.limit, lambda item: item.path)
    chunks = catalog.chunks([item.chunk for item in best])
    root = str(scope.indexer.root)
    return [Hit(root, chunks[item.chunk], item.score, item.components) for item in best if item.chunk in chunks]


def _keyword_candidates(
    keywords: KeywordIndex, parsed: ParsedQuery, within: list[ChunkSpan] | None
) -> list[tuple[int, float]]:
    """The best keyword matches; with a filter, widened until enough of them pass it."""
    limit = CANDIDATES
    while True:
        found = keywords.search(parsed.terms, FIELD_BOOSTS, limit)
        if within is None or not found:
            return found
        passing = covered(np.array([chunk for chunk, _ in found], np.int64), within)
        if np.count_nonzero(passing) >= CANDIDATES or len(found) < limit:
            return [item for item, passes in zip(found, passing, strict=True) if passes][:CANDIDATES]
        limit *= 10


def _eligible(catalog: Catalog, folder: str, plan: _Plan) -> list[ChunkSpan] | None:
    """Chunk ids that pass the filters, as ascending spans; None when there is no filter."""
    if not (folder or plan.paths or plan.languages):
        return None
    spans = catalog.spans(folder, plan.languages)
    return [span for path, span in spans if plan.paths is None or plan.paths.match_file(path)]


def _path_filter(patterns: Sequence[str]) -> pathspec.PathSpec[Any] | None:
    if not patterns:
        return None
    positive = any(not pattern.startswith("!") for pattern in patterns)
    try:
        # Not GitIgnoreSpec: as in git, it lets no `!` pattern win over the folder above, which a filter must.
        return pathspec.PathSpec.from_lines("gitignore", patterns if positive else ["*", *patterns])
    except (ValueError, re.error) as error:
        named = ", ".join(map(repr, patterns))
        raise LucAstraError(
            f"{named} is not a path pattern in gitignore syntax ({error}); examples: src/, *.py, !tests/",
            code=ErrorCode.INVALID_PARAMS,
        ) from None


def _languages(names: Sequence[str]) -> frozenset[str]:
    """Languages by name or by the ending of their files."""
    return frozenset(_by_ending(name.lower()) for name in names)


def _by_ending(name: str) -> str:
    language = language_of(f"a.{name.lstrip('.')}")
    return name if language == TEXT else language


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def _lines(chunk: StoredChunk) -> str:
    return f"{chunk.start_line}-{chunk.end_line}"
