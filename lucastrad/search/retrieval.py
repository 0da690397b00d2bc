"""What both indexes of a workspace find for a search, and the open buffers that lie over them.

Blocking: a search of one workspace is one visit to a thread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pathspec
from numpy.typing import NDArray

from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.store import ServedVectors
from lucastrad.search.filters import eligible
from lucastrad.search.names import SymbolName, closeness
from lucastrad.search.overlay import NO_OVERLAY, Found, LiveFile, Overlay
from lucastrad.search.places import files_meant
from lucastrad.search.query import ParsedQuery
from lucastrad.search.quotes import share_held
from lucastrad.search.ranking import (
    CANDIDATES,
    FILE_ONLY,
    MATCHES,
    NAMED,
    PHRASES,
    QUOTING,
    RARE,
    USING,
    Candidate,
    Holders,
    candidates_of,
    neighbours,
    pair_rarities,
    phrases,
    rare_words,
    rarities,
)
from lucastrad.search.uses import use_of
from lucastrad.storage.keywords import MOST_SPANS, Field, KeywordIndex, Pair
from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors.planner import QueryKind
from lucastrad.storage.vectors.spans import covered
from lucastrad.text.words import spelling, terms
from lucastrad.types import SearchMode, SearchQuery, StoredChunk, VectorSpace

FIELD_BOOSTS = {Field.BODY: 1.0, Field.SYMBOL: 2.5, Field.PATH: 1.2}
_NAMES_LOOKED_AT = 1_000
"""A beginning may be that of more names than are ranked: those come first that it is most of."""
_Find = Callable[[int, list[ChunkSpan] | None], Found]
"""How many, and of which chunks, the keyword index is asked for."""
_HoldersOf = dict[str, Holders]
"""By word."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A workspace, the folder of it to search (empty: all), the vectors that it is served from now, and the buffers
    that lie over it."""

    indexer: WorkspaceIndexer
    folder: str
    vectors: ServedVectors
    overlay: Overlay = NO_OVERLAY


@dataclass(frozen=True, slots=True)
class Plan:
    """What one search looks for, the same in every workspace."""

    query: SearchQuery
    parsed: ParsedQuery
    paths: pathspec.PathSpec[Any] | None
    languages: frozenset[str]
    vectors: Mapping[VectorSpace, NDArray[np.float32]] = field(default_factory=dict)
    """The query in each space that some workspace is served from: while one model takes the place of another, they
    differ."""
    roots: tuple[str, ...] = ()
    """Of all workspaces."""
    kind: QueryKind = QueryKind.QUESTION
    is_spelled_right: bool = False
    """Some workspace holds the name that the query is as a word."""
    left_out: tuple[WorkspaceIndexer, int] | None = None
    """A passage that is not to be found: the one that others are related to."""


@dataclass(slots=True)
class _Seen:
    """What each way of looking finds in one workspace, best first."""

    nearest: Found = field(default_factory=list)
    matching: Found = field(default_factory=list)
    adjacent: Found = field(default_factory=list)
    holders: _HoldersOf = field(default_factory=dict)


def candidates(scope: Scope, plan: Plan) -> list[Candidate]:
    """What both indexes of one workspace find, and the buffers that lie over it."""
    store, query, vector = scope.indexer.store, plan.query, plan.vectors.get(scope.vectors.space)
    within = eligible(store.catalog, scope.folder, plan.languages, query.paths)
    beneath = scope.overlay.hidden_chunks
    keywords, parsed = store.keywords, plan.parsed
    matches = MATCHES if query.mode is SearchMode.HYBRID else CANDIDATES
    side_by_side = neighbours(parsed, query.mode)
    frequencies = keywords.frequencies({word for pair in side_by_side for word in pair})
    frequencies = {word: max(count, scope.overlay.frequency(word)) for word, count in frequencies.items()}
    pairs = pair_rarities(side_by_side, frequencies, len(keywords))
    seen = _Seen()
    if within is None or within:
        if vector is not None:
            seen.nearest = scope.vectors.index.search(vector, CANDIDATES + beneath, within, kind=plan.kind)
        if query.mode is not SearchMode.VECTOR:
            search = partial(keywords.search, parsed.terms, FIELD_BOOSTS)
            seen.matching = _best_within(search, within, matches + beneath)
        seen.adjacent = _best_within(partial(keywords.adjacent, pairs), within, PHRASES + beneath)
        seen.holders = _holders(keywords, rare_words(parsed, query.mode), within)
    if scope.overlay.files:
        seen = _overlaid(scope, plan, pairs, seen)
    evidence = {
        "rare": rarities(parsed, seen.holders, len(keywords)),
        "phrase": phrases(seen.adjacent[:PHRASES], pairs),
    }
    if query.mode is not SearchMode.VECTOR:
        evidence |= _looked_up(scope, plan, within)
    if vector is not None:
        seen.nearest = _with_cosines_of(set().union(*evidence.values()), seen.nearest, scope.vectors, vector)
    found = candidates_of(seen.nearest, seen.matching[:matches], evidence)
    if plan.left_out is not None and plan.left_out[0] is scope.indexer:
        found = [candidate for candidate in found if candidate.chunk != plan.left_out[1]]
    return found


def _with_cosines_of(wanted: Set[int], nearest: Found, vectors: ServedVectors, vector: NDArray[np.float32]) -> Found:
    """The CANDIDATES nearest, and those that are `wanted` in any case."""
    near, beyond = nearest[:CANDIDATES], nearest[CANDIDATES:]
    near += [item for item in beyond if item[0] in wanted]
    others = sorted(wanted - {chunk for chunk, _ in near})
    spans = [ChunkSpan(chunk, chunk) for chunk in others if chunk >= 0]
    return near + vectors.index.search(vector, len(spans), spans) if spans else near


def _holders(keywords: KeywordIndex, terms: Sequence[str], within: list[ChunkSpan] | None) -> _HoldersOf:
    """Who holds the rare ones of some words. How rare they are does not depend on the filter."""
    found = keywords.holders(terms, RARE)
    if within is None:
        return {term: Holders(len(chunks), chunks) for term, chunks in found.items()}
    ids = np.array([chunk for chunks in found.values() for chunk in chunks], np.int64)
    passing = set(ids[covered(ids, within)].tolist())
    return {
        term: Holders(len(chunks), [chunk for chunk in chunks if chunk in passing]) for term, chunks in found.items()
    }


def _looked_up(scope: Scope, plan: Plan, within: list[ChunkSpan] | None) -> dict[str, dict[int, float]]:
    """What the form of the query asks for in particular, by the kind of evidence."""
    parsed = plan.parsed
    return {
        "verbatim": _quoted(scope, plan, within) if parsed.quotes else {},
        "uses": _uses(scope, plan, within) if parsed.used else {},
        "named": _named(scope, plan, within) if parsed.name else {},
        "place": _pointed_at(scope, plan) if parsed.places else {},
    }


def _quoted(scope: Scope, plan: Plan, within: list[ChunkSpan] | None) -> dict[int, float]:
    """Passage → how much it holds of what the query quotes. The index knows the words and their order; what stands
    between them is read."""
    wanted, limit = plan.parsed.quotes, QUOTING + scope.overlay.hidden_chunks
    saying: set[int] = set()
    if within is None or within:
        for quote in wanted:
            phrase = partial(scope.indexer.store.keywords.phrase, quote.terms)
            saying.update(chunk for chunk, _ in _best_within(phrase, within, limit))
    read = _read(scope, plan, saying, [quote.terms for quote in wanted])
    shares = {chunk.id: share_held(wanted, chunk.text) for chunk in read}
    return {chunk: share for chunk, share in shares.items() if share}


def _uses(scope: Scope, plan: Plan, within: list[ChunkSpan] | None) -> dict[int, float]:
    """Passage → how much it uses the name whose uses are asked for."""
    name, limit = plan.parsed.used, USING + scope.overlay.hidden_chunks
    word = terms(name)[:1]
    found: Found = []
    if within is None or within:
        search = partial(scope.indexer.store.keywords.search, [(term, 1.0) for term in word], {Field.BODY: 1.0})
        found = _best_within(search, within, limit)
    read = _read(scope, plan, [chunk for chunk, _ in found], [word])
    uses = {chunk.id: use_of(name, chunk.symbol, chunk.text) for chunk in read}
    return {chunk: use for chunk, use in uses.items() if use}


def _read(scope: Scope, plan: Plan, chunks: Iterable[int], rows: Iterable[Sequence[str]]) -> list[StoredChunk]:
    """Those of the indexed passages that no buffer hides, and those of buffers that hold one of `rows` of terms."""
    overlay, indexed = scope.overlay, scope.indexer.store.catalog.chunks(list(chunks))
    shown = [chunk for chunk in indexed.values() if chunk.path not in overlay.files]
    return shown + overlay.saying(rows, _passing(scope, plan))


def holds_name(scope: Scope, plan: Plan) -> bool:
    """Whether a passage of the workspace holds the name that the query is as a word."""
    words = terms(plan.parsed.name)[:1]
    return any(scope.indexer.store.keywords.frequencies(words).values()) or any(map(scope.overlay.frequency, words))


def _named(scope: Scope, plan: Plan, within: list[ChunkSpan] | None) -> dict[int, float]:
    """Passage → how much its symbol is like the name that the query is.

    None where a symbol is just that, which the words tell. Where some are but for case and separators, or the name is
    spelled right, no others.
    """
    keywords, name = scope.indexer.store.keywords, spelling(plan.parsed.name)
    passes = _passing(scope, plan)
    buffers = [chunk for file in filter(passes, scope.overlay.files.values()) for chunk in file.chunks if chunk.symbol]
    symbols = {chunk.id: chunk.symbol for chunk in buffers} | _symbols(scope, within, partial(keywords.named, name))
    if any(SymbolName.of(symbol).last == plan.parsed.name.strip("_$@") for symbol in symbols.values()):
        return {}
    same = {chunk: 1.0 for chunk, symbol in symbols.items() if closeness(name, symbol) == 1.0}
    if same or plan.is_spelled_right:
        return same
    symbols |= _symbols(scope, within, partial(keywords.named_alike, name))
    likeness = {chunk: closeness(name, symbol) for chunk, symbol in symbols.items()}
    nearest = sorted((chunk for chunk, like in likeness.items() if like), key=lambda chunk: (-likeness[chunk], chunk))
    return {chunk: likeness[chunk] for chunk in nearest[:NAMED]}


def _symbols(scope: Scope, within: list[ChunkSpan] | None, find: _Find) -> dict[int, str]:
    """Passage → its symbol, of those that are found and no buffer hides."""
    if within is not None and not within:
        return {}
    found = _best_within(find, within, _NAMES_LOOKED_AT + scope.overlay.hidden_chunks)
    outlines = scope.indexer.store.catalog.outlines([chunk for chunk, _ in found])
    return {chunk: it.symbol for chunk, it in outlines.items() if it.path not in scope.overlay.files}


def _pointed_at(scope: Scope, plan: Plan) -> dict[int, float]:
    """The passages at the places that the query names."""
    catalog, files = scope.indexer.store.catalog, scope.overlay.files
    passes, root = _path_filter(scope, plan), str(scope.indexer.root)
    found: dict[int, float] = {}
    for place in plan.parsed.places:
        typed = {path for path in files if path.rpartition("/")[2] == place.name}
        named = sorted(filter(passes, typed.union(catalog.files_named(place.name))))
        for path in files_meant(place, named, root, plan.roots):
            live, line = files.get(path), place.line or 1
            chunk = live.chunk_at(line) if live else catalog.chunk_at(path, line)
            if chunk is not None and (not plan.languages or chunk.language in plan.languages):
                found[chunk.id] = max(1.0 if place.line else FILE_ONLY, found.get(chunk.id, 0.0))
    return found


def _path_filter(scope: Scope, plan: Plan) -> Callable[[str], bool]:
    """Whether a file may be found by its path."""
    below = f"{scope.folder}/" if scope.folder else ""
    return lambda path: path.startswith(below) and (plan.paths is None or plan.paths.match_file(path))


def _passing(scope: Scope, plan: Plan) -> Callable[[LiveFile], bool]:
    """Whether an open buffer may be found."""
    may_be_found = _path_filter(scope, plan)
    return lambda live: may_be_found(live.path) and (not plan.languages or live.language in plan.languages)


def _overlaid(scope: Scope, plan: Plan, pairs: Mapping[Pair, float], seen: _Seen) -> _Seen:
    """What the indexes found, best first, with the chunks of open buffers in the place of those of their files."""
    overlay, store, vector = scope.overlay, scope.indexer.store, plan.vectors.get(scope.vectors.space)
    passes = _passing(scope, plan)
    found = {chunk for chunk, _ in (*seen.nearest, *seen.matching, *seen.adjacent)}
    found.update(*(held.chunks for held in seen.holders.values()))
    hidden = {chunk for chunk, it in store.catalog.outlines(list(found)).items() if it.path in overlay.files}

    def together(indexed: Found, live: Found) -> Found:
        shown = [item for item in indexed if item[0] not in hidden] + live
        return sorted(shown, key=lambda item: (-item[1], item[0]))

    near = [] if vector is None else overlay.nearest(vector, scope.vectors.space, passes)
    if plan.query.mode is SearchMode.VECTOR:
        return _Seen(together(seen.nearest, near))
    terms = plan.parsed.terms
    statistics = store.keywords.statistics([term for term, _ in terms])
    rare: _HoldersOf = {}
    for term, held in seen.holders.items():
        typed = overlay.holders(term, passes)
        shown = [chunk for chunk in held.chunks if chunk not in hidden]
        rare[term] = Holders(max(held.count, len(typed)), [*shown, *typed])
    live = overlay.matching(terms, FIELD_BOOSTS, statistics, passes)
    adjacent = overlay.adjacent(pairs, passes)
    return _Seen(together(seen.nearest, near), together(seen.matching, live), together(seen.adjacent, adjacent), rare)


def best_bm25(candidates: Iterable[Candidate]) -> float:
    """What BM25 is measured by."""
    return max((c.bm25 for c in candidates if c.bm25 is not None), default=1.0)


def _best_within(search: _Find, within: list[ChunkSpan] | None, wanted: int) -> Found:
    """The best `wanted` that the keyword index has. A filter of few spans goes to the index (two folders: a span or
    two); one of many is applied to what comes back, widened until enough of it passes."""
    if within is None or len(within) <= MOST_SPANS:
        return search(wanted, within)
    limit = wanted
    while True:
        found = search(limit, None)
        if not found:
            return []
        passing = covered(np.array([chunk for chunk, _ in found], np.int64), within)
        if np.count_nonzero(passing) >= wanted or len(found) < limit:
            return [item for item, passes in zip(found, passing, strict=True) if passes][:wanted]
        limit *= 10
