"""From candidates to ranked hits: score fusion, then the few features that code search needs.

Fusion is a weighted sum of the cosine and of BM25 divided by the best BM25: on docstring questions it beats
reciprocal-rank fusion (k = 60), .475 to .452 MRR@10, because the two sides differ in strength. Each feature adds to a
component of its own, so that a hit's score can be explained; `python -m benchmarks.retrieval --ablation` measures what
each is worth.
"""

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lucastrad.search.names import FileName, SymbolName
from lucastrad.search.query import ParsedQuery, Shape, WordFamilies
from lucastrad.storage.keywords import Pair
from lucastrad.types import Outline, SearchMode

_T = TypeVar("_T")
_S = TypeVar("_S", bound="_Scored")


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds; features are shares from 0 to 1, or hold or not."""

    vector: float = 1.5
    """Times the cosine."""
    vector_of_name: float = 0.1
    """The same for a name in a hybrid search: what is meant alike only decides between what is spelled alike."""
    keyword: float = 0.1
    """Times BM25 over the best BM25, in a hybrid search."""
    keyword_of_action: float = 0.3
    """The same for an action, and for what is like a passage."""
    keyword_of_name: float = 1.0
    """The same for a name."""
    rare: float = 0.6
    """Times the rarity of the rarest of the query's words that the passage holds."""
    phrase: float = 1.25
    """Times how much of the query stands in the passage as it is written, word by word: see `phrases`."""
    phrase_of_action: float = 0.4
    """The same for an action: what several functions say of different things tells less."""
    verbatim: float = 2.0
    """Times how much of what the query quotes stands in the passage, letter by letter."""
    place: float = 2.0
    """The query names the file and a line that it holds; half for the beginning of a file that it only names."""
    path: float = 0.12
    """Times the share of the query's words that the path names. Not for an action, nor is the next: any file may hold
    it."""
    file_name: float = 0.15
    """Times the share of the file name's words that name a word of the query: `tty.c` for "tty raw mode"."""
    uses: float = 2.0
    """Times how much the passage uses the name whose uses are asked for."""
    named: float = 2.0
    """Times how much the symbol that the chunk defines is like the name that the query is."""
    symbol: float = 0.2
    """The chunk defines the symbol that was asked for."""
    symbol_spelled: float = 0.2
    """Its last part is spelled as in the query, upper case too: `Session` is not `session`."""
    symbol_words: float = 0.1
    """Times the share of the query's words that the symbol names."""
    test: float = -0.4
    example: float = -0.06
    prose: float = -0.1
    prose_of_how_to: float = 0.2
    """The same for "how do I run the tests", which asks for instructions: not for change logs, nor for tests."""
    header: float = -0.1
    """A C or C++ header, a `.d.ts` or a `.pyi`: what it declares is written elsewhere."""
    platform: float = -0.3
    """A file for an operating system that the query does not name, and that LucAstra does not run on."""
    old_version: float = -0.3
    """In a folder `v3` beside a `v4`."""
    part: float = -0.1
    """A later part of a definition that was cut in several."""
    file: float = 0.5
    """Times each of the next best scores of the same file: where a thing is done, it is spoken of repeatedly. Not for
    an action: on questions for single functions it cost .19 MRR@10."""
    file_passages: int = 2
    """How many of those count."""


WEIGHTS = Weights()

COSINE_FLOOR = 0.45
"""For a hybrid search that shares no word with any passage: nine in ten made-up words (`zzzzqqq`) have a cosine below
0.44 with the nearest passage of Django, nine in ten of its own docstrings one above 0.51."""

CANDIDATES = 100
"""Passages of each retriever and workspace that are ranked."""
MATCHES = 400
"""Keyword matches that a hybrid search asks for: those beyond CANDIDATES only tell the nearest passages their BM25,
which would otherwise count as 0. With 400 instead of 100, NDCG@10 of hand-written questions was .012 and MRR@10 of
Python docstrings .009 higher, for 0.3 ms over 33,000 passages; 1,000 brought no more."""

RARE = 100
"""Passages that hold rare words and are ranked, those of the rarest words first."""
FILE_ONLY = 0.5
"""What a file counts that is named without a line."""
USING = 200
"""Passages with a word whose uses are asked for, and are read."""
NAMED = 100
"""Passages whose symbols are like a name and are ranked."""
QUOTING = 50
"""Passages that hold a quote and are ranked, of each quote."""
PHRASES = 50
"""Passages that hold words of the query side by side and are ranked, those with the most first."""
_WHOLE_PHRASE = 3.0
"""Fewer than three pairs of the rarest words count for less: they may stand side by side by chance."""
_LEAST_RARITY = 0.2
"""Of a pair. Those of common words tell little and take the longest to look up: over 1,000,000 passages the median was
4.3 ms with this and 16 ms with 0.05, which ranked no better."""
_LEAST_PASSAGES = 1_000
"""In a smaller workspace most words are in one passage, by chance."""
AS_CODE = {Shape.QUESTION: 2.5, Shape.ACTION: 1.7}
"""What the rarity of an identifier counts: whoever writes `max_retries` wants to see it. Documentation, which actions
are like, also names what is only near: with 2.2 its MRR@10 was .003 to .007 lower."""

_BY_THEMSELVES = {"named", "uses"}
"""Components of passages that answer by themselves, whatever else their files hold."""
_NO_LINE = 1 << 60
_TEST_QUERY = frozenset({"test", "tests", "testing", "tested", "spec", "fixture", "fixtures"})
_PLATFORM_QUERY = frozenset(
    {"window", "win", "win32", "win64", "msvc", "mingw", "cygwin", "nt", "aix", "solari", "haiku"}
)
_INSTRUCTIONS = frozenset({"markdown", "rst", "text", "asciidoc", "org"})
_PROSE = _INSTRUCTIONS | {"html", "json", "yaml", "toml", "xml", "ini"}


@dataclass(slots=True)
class Candidate:
    """A chunk that a retriever found."""

    chunk: int
    cosine: float | None = None
    bm25: float | None = None
    evidence: dict[str, float] = field(default_factory=dict)
    """What else speaks for it, from 0 to 1 (rare: more for code), each by the name of its weight and component:

    rare: the rarity of the rarest of the query's words that it holds;
    phrase: how much of the query it holds word by word, and verbatim: of what the query quotes, letter by letter;
    uses: how much it uses the name whose uses are asked for;
    named: how much its symbol is like the name that the query is;
    place: 1 where the query names the file and a line of it, `FILE_ONLY` for the beginning of a file that it names.
    """


@dataclass(slots=True)  # frozen ones take three times as long to make, and a search makes hundreds
class Ranked:
    """A candidate with its score and what that is made of."""

    chunk: int
    path: str
    score: float
    components: dict[str, float]


class _Scored(Protocol):
    """A ranked candidate, or what is shown of it."""

    @property
    def components(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a word."""

    count: int
    """Passages of the workspace."""
    chunks: Sequence[int]
    """Those of them that may be found."""


def rare_words(query: ParsedQuery, mode: SearchMode) -> Sequence[str]:
    """The words of a query that are looked up where they are rare.

    "where is max_retries read" wants the few passages that hold `max_retries`, which neither cosine nor BM25 bring to
    the front: the cell `rare-words` of `python -m benchmarks.retrieval` measures how often they come first.
    """
    if not _looks_words_up(query, mode):
        return ()
    return [term for term, _ in query.terms]


def rarities(query: ParsedQuery, holders: Mapping[str, Holders], passages: int) -> dict[int, float]:
    """Passage → the rarity of the rarest word that it holds, times AS_CODE where the query has it written as code.

    The cube of the logarithm's share: of powers from 1 to 4 it was best on docstring questions, and no worse than any
    on others.
    """
    code = query.code if holders else ()
    found: dict[int, float] = {}
    for word, held in holders.items():
        rarity = _rarity(held.count, passages) ** 3 * (AS_CODE[query.shape] if word in code else 1.0)
        for chunk in held.chunks:
            found[chunk] = max(rarity, found.get(chunk, 0.0))
    return found


def neighbours(query: ParsedQuery, mode: SearchMode) -> Sequence[Pair]:
    """The words of a query that are looked up side by side.

    A pasted error message is to find the passage that raises it, and a sentence the comment that says it; a bag of
    words does not (the cell `messages` of `python -m benchmarks.retrieval`). Neighbours as evidence: Metzler and Croft,
    "A Markov random field model for term dependencies", 2005.
    """
    return query.pairs if _looks_words_up(query, mode) else ()


def pair_rarities(pairs: Iterable[Pair], frequencies: Mapping[str, int], passages: int) -> dict[Pair, float]:
    """Those of `pairs` that are rare enough to tell something, with the mean rarity of the two words.

    `frequencies` tells how many of the workspace's `passages` hold a word; one that none holds stands for a value, or
    for nothing.
    """
    rarity = {word: _rarity(count, passages) for word, count in frequencies.items() if count}
    means = {pair: (rarity[pair[0]] + rarity[pair[1]]) / 2 for pair in pairs if rarity.keys() >= {*pair}}
    return {pair: mean for pair, mean in means.items() if mean > _LEAST_RARITY}


def phrases(adjacent: Iterable[tuple[int, float]], pairs: Mapping[Pair, float]) -> dict[int, float]:
    """Passage → how much of the query it holds word by word, from 0 to 1: the share of the pairs, by rarity, and less
    where that is few. `adjacent` are the passages with the sum of the rarities of the pairs that they hold."""
    whole = sum(pairs.values())
    return {chunk: held / whole * min(1.0, held / _WHOLE_PHRASE) for chunk, held in adjacent}


def _looks_words_up(query: ParsedQuery, mode: SearchMode) -> bool:
    """Not for a name: its letters count already."""
    return mode is not SearchMode.VECTOR and query.shape in AS_CODE


def _rarity(count: int, passages: int) -> float:
    """From 0 (all passages hold it) to 1 (one does; less in a small workspace)."""
    return math.log(max(passages / max(count, 1), 1.0)) / math.log(max(passages, _LEAST_PASSAGES))


def candidates_of(
    nearest: Iterable[tuple[int, float]],
    matching: Iterable[tuple[int, float]],
    evidence: Mapping[str, Mapping[int, float]],
) -> list[Candidate]:
    """What is ranked: the nearest passages (id, cosine), the first CANDIDATES keyword matches (id, BM25; best first),
    and those for which there is evidence (of each kind: id → how much); each with all that is known of it."""
    found = {chunk: Candidate(chunk, cosine=cosine) for chunk, cosine in nearest}
    for kind, shares in evidence.items():
        for chunk, share in shares.items():
            told = found.setdefault(chunk, Candidate(chunk))
            if share:
                told.evidence[kind] = share
    for number, (chunk, bm25) in enumerate(matching):
        if number < CANDIDATES:
            found.setdefault(chunk, Candidate(chunk)).bm25 = bm25
        elif (candidate := found.get(chunk)) is not None:
            candidate.bm25 = bm25
    return list(found.values())


def rank(
    query: ParsedQuery,
    mode: SearchMode,
    candidates: Collection[Candidate],
    outlines: dict[int, Outline],
    *,
    best_bm25: float,
    weights: Weights = WEIGHTS,
) -> list[Ranked]:
    """Score and order candidates, best first; those without an outline were deleted meanwhile.

    `best_bm25` is the best of the whole search, so that scores of several workspaces can be compared. What
    scores nothing is no hit; nor is anything where no passage shares a word with the query or is near it.
    """
    if mode is SearchMode.HYBRID and all(map(_is_far, candidates)):
        return []
    features = _Features(query, weights, outlines.values())
    vector, keyword = _shares(query, mode, weights)
    of_evidence = {
        "rare": weights.rare,
        "phrase": weights.phrase_of_action if query.shape is Shape.ACTION else weights.phrase,
        "verbatim": weights.verbatim,
        "uses": weights.uses,
        "named": weights.named,
        "place": weights.place,
    }
    ranked = []
    for candidate in candidates:
        outline = outlines.get(candidate.chunk)
        if outline is None:
            continue
        components = features.of(outline)
        if candidate.cosine is not None:
            components["vector"] = vector * candidate.cosine
        if candidate.bm25 is not None:
            components["keyword"] = keyword * candidate.bm25 / best_bm25
        for kind, share in candidate.evidence.items():
            components[kind] = of_evidence[kind] * share
        score = sum(components.values())
        if score > 0:
            ranked.append(Ranked(candidate.chunk, outline.path, score, components))
    if query.shape is not Shape.ACTION:
        _add_file_evidence(ranked, weights)
    ranked.sort(key=lambda item: (-item.score, item.path, item.chunk))
    return ranked


def _add_file_evidence(ranked: list[Ranked], weights: Weights) -> None:
    of_files: dict[str, list[Ranked]] = {}
    for item in ranked:
        of_files.setdefault(item.path, []).append(item)
    for items in of_files.values():
        if len(items) > 1:
            others = sorted((item.score for item in items), reverse=True)[1 : weights.file_passages + 1]
            evidence = weights.file * sum(others)
            for item in items:
                item.score += evidence
                item.components["file"] = evidence


def best(query: ParsedQuery, ranked: Sequence[_S], limit: int, file: Callable[[_S], Hashable]) -> list[_S]:
    """What is shown of `ranked`: one of each file first, but for an action, which each passage answers by itself, as do
    those of a name, and those that use what is asked for."""
    if query.shape is Shape.ACTION:
        return list(ranked[:limit])
    return one_per_file_first(ranked, limit, lambda item: id(item) if _by_itself(item.components) else file(item))


def _by_itself(components: Mapping[str, float]) -> bool:
    return not _BY_THEMSELVES.isdisjoint(components) and "part" not in components


def one_per_file_first(ranked: Sequence[_T], limit: int, file: Callable[[_T], Hashable]) -> list[_T]:
    """The best hit of each file, then the rest: ten passages of one file hide nine others."""
    seen: set[Hashable] = set()
    firsts: list[_T] = []
    rest: list[_T] = []
    for item in ranked:
        (rest if file(item) in seen else firsts).append(item)
        seen.add(file(item))
    return (firsts + rest)[:limit]


def _is_far(candidate: Candidate) -> bool:
    found_by_words = candidate.bm25 is not None or candidate.evidence.keys() - {"rare"}
    return not found_by_words and candidate.cosine is not None and candidate.cosine < COSINE_FLOOR


def _shares(query: ParsedQuery, mode: SearchMode, weights: Weights) -> tuple[float, float]:
    """What the cosine and BM25 are multiplied by."""
    if mode is not SearchMode.HYBRID:
        return weights.vector, 1.0
    if query.shape is Shape.NAME:
        return weights.vector_of_name, weights.keyword_of_name
    return weights.vector, weights.keyword if query.shape is Shape.QUESTION else weights.keyword_of_action


class _Features:
    """The features of one query's candidates; a path, which many of them share, is judged once."""

    def __init__(self, query: ParsedQuery, weights: Weights, outlines: Iterable[Outline]) -> None:
        self._query = query
        self._weights = weights
        self._is_action = query.shape is Shape.ACTION
        marks = {"test": weights.test, "example": weights.example, "header": weights.header}
        self._is_how_to = query.is_how_to
        if query.words & _TEST_QUERY and not query.is_how_to:
            del marks["test"]
        if not query.words & _PLATFORM_QUERY:
            marks["platform"] = weights.platform
        self._of_marks = {mark: weight for mark, weight in marks.items() if weight}
        self._families = WordFamilies(query.words)
        self._of_paths: dict[str, dict[str, float]] = {}
        self._beginnings: dict[tuple[str, str], int] = {}
        """Where the first candidate of a definition stands."""
        self._newest: dict[str, int] = {}
        """Folder → the highest version of a folder `v1`, `v2`… in it."""
        paths = set()
        for path, _, symbol, line in outlines:
            paths.add(path)
            if symbol and line < self._beginnings.get((path, symbol), _NO_LINE):
                self._beginnings[path, symbol] = line
        for path in paths:
            for folder, version in FileName.of(path).versions:
                self._newest[folder] = max(version, self._newest.get(folder, 0))

    def of(self, outline: Outline) -> dict[str, float]:
        """Component name → what it adds; without zeros."""
        path, _, symbol, line = outline
        of_path = self._of_paths.get(path)
        if of_path is None:
            of_path = self._of_paths[path] = self._of_path(outline)
        found = of_path.copy()
        if symbol:
            if named := self._of_symbol(symbol):
                found["symbol"] = named
            if line > self._beginnings[path, symbol]:
                found["part"] = self._weights.part
        return found

    def _of_path(self, outline: Outline) -> dict[str, float]:
        file, weights = FileName.of(outline.path), self._weights
        found = {mark: self._of_marks[mark] for mark in file.marks if mark in self._of_marks}
        if self._is_how_to and outline.language in _INSTRUCTIONS and "record" not in file.marks:
            found["prose"] = weights.prose_of_how_to
        elif outline.language in _PROSE and weights.prose:
            found["prose"] = weights.prose
        if file.versions and self._is_old(file):
            found["old"] = weights.old_version
        if not self._is_action:
            if path := weights.path * self._families.share_named(file.names):
                found["path"] = path
            if name := weights.file_name * self._families.share_naming(file.stem_names):
                found["name"] = name
        return found

    def _is_old(self, file: FileName) -> bool:
        return any(
            version < self._newest[folder] and f"v{version}" not in self._query.text.lower()
            for folder, version in file.versions
        )

    def _of_symbol(self, symbol: str) -> float:
        name, weights, query = SymbolName.of(symbol), self._weights, self._query
        found = weights.symbol_words * self._families.share_named(name.names)
        if query.symbols:
            if name.lower in query.symbols:
                found += weights.symbol
            if name.last in query.spelled:
                found += weights.symbol_spelled
        return found
