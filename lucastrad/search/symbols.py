"""Definitions by their names: what an editor's "go to symbol" asks while the user types.

Letters match in order, with others between (`ldcfg` finds `load_config`), as LSP 3.18 advises for `workspace/symbol`;
how they match decides the rank. Those of definitions that share a chunk with others (in a small class, on a line of
their own) must stand in a row.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import trio
from lucastra_protocol.errors import LucAstraError
from msgspec.structs import replace

from lucastrad.indexing.chunking import kinds
from lucastrad.indexing.definitions import (
    DEFINITIONS,
    Definition,
    Source,
    definitions_job,
    definitions_reply,
    definitions_request,
    place,
)
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.storage.catalog_reader import CatalogReader
from lucastrad.storage.sqlite import StoreClosed, StoreCorrupt
from lucastrad.text.words import parts_of
from lucastrad.types import StoredChunk
from lucastrad.workers import WorkerPool

_log = logging.getLogger(__name__)

MOST_LETTERS = 100
"""A longer query is cut: no name has so many letters that all matter."""
_CANDIDATES = 5_000
"""Names that are ranked one by one, of those that the catalog finds likeliest."""
_SHARED = DEFINITIONS | {kinds.BLOCK}
"""Chunks that may hold further definitions: small classes are kept whole, and definitions of a line or two together."""
_MOST_SHARED = 100
"""Each takes a worker a millisecond to cut."""
_LETTERS_OF_MEMBERS = 3
"""Fewer are in nearly every text."""
_REMEMBERED = 2_000
"""Passages whose definitions are known; at most 16 MB of text."""
_WAIT_SECONDS = 0.3
"""How long a query waits for a worker that is free; amid a long index it may be told of chunks' own names only."""
_CUT_SECONDS = 3.0
_REST_SECONDS = 60.0
"""A failure of the workers is not tried again with every letter: meanwhile chunks' own names are found."""
_SEPARATOR = re.compile(r"::|->|[#/.:]+")


class Match(IntEnum):
    """How a query matches a name, the best way first."""

    EXACT = 0
    PREFIX = 1
    PART = 2
    """It begins a part: `config` in `load_config`."""
    INITIALS = 3
    """It is made of beginnings of parts: `lc`, `loCon`."""
    INSIDE = 4
    SCATTERED = 5
    QUALIFIED = 6
    """Only together with what the name stands in: `basprice` in `Basket.price`."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition, and where its name stands: in 1-based `line`, after the text `before`."""

    workspace: str
    path: str
    name: str
    container: str
    """What it is defined in, such as its class; empty at the top level."""
    kind: str
    line: int
    before: str
    rank: tuple[int, ...]
    """Lower is better; comparable within one query."""


Found = Callable[[Sequence[Symbol]], Awaitable[None]]


class _Looked(NamedTuple):
    """What the catalog tells of a query at once: the best definitions, and chunks that may hold more of them."""

    symbols: list[Symbol]
    shared: list[StoredChunk]


class SymbolService:
    """Finds definitions in the workspaces' catalogs."""

    def __init__(self, workspaces: WorkspaceService, pool: WorkerPool) -> None:
        """`pool` cuts what shares a chunk: nothing is parsed in this process."""
        self._workspaces = workspaces
        self._pool = pool
        self._limiter = trio.CapacityLimiter(2)
        self._known: dict[Source, list[Definition]] = {}
        """Of passages that were cut, those that were asked for last at the end."""
        self._resting_until = 0.0

    async def find(
        self, query: str, folders: Sequence[Path], *, limit: int, found: Found | None = None
    ) -> list[Symbol]:
        """The best `limit` definitions below `folders`, or of every workspace where none is given; best first.

        `found` is given those of each workspace as they are found, `limit` of them in all. A workspace that is still
        being opened, or damaged, has none; of a damaged one the repair begins.
        """
        symbols: list[Symbol] = []
        for indexer, folder in self._covered(await trio.to_thread.run_sync(_resolved, folders)):
            if found is not None and len(symbols) >= limit:
                break
            part = await self._of(indexer, folder, query, limit)
            if found is not None:
                part = part[: limit - len(symbols)]
                await found(part)
            symbols += part
        return sorted(symbols, key=lambda symbol: (*symbol.rank, symbol.workspace, symbol.path))[:limit]

    async def _of(self, indexer: WorkspaceIndexer, folder: str, query: str, limit: int) -> list[Symbol]:
        if not indexer.ready.is_set():
            return []
        catalog, root = indexer.store.catalog, str(indexer.root)
        try:
            looked = await trio.to_thread.run_sync(_look, catalog, root, folder, query, limit, limiter=self._limiter)
        except StoreCorrupt:
            indexer.report_corruption()
        except (StoreClosed, LucAstraError):
            pass  # it is removed, rebuilt, or on a disk that fails: its own report says so
        else:
            definitions = await self._definitions([_source(chunk) for chunk in looked.shared])
            return await trio.to_thread.run_sync(_ranked, looked, root, definitions, query, limit)
        return []

    async def _definitions(self, sources: Sequence[Source]) -> Mapping[Source, Sequence[Definition]]:
        """What these passages define; of those that no worker could be had for, nothing this time."""
        found = {source: self._known[source] for source in sources if source in self._known}
        missing = [source for source in dict.fromkeys(sources) if source not in found]
        if missing and trio.current_time() >= self._resting_until:
            found |= await self._cut(missing)
        self._known = {source: its for source, its in self._known.items() if source not in found} | found
        for source in list(self._known)[:-_REMEMBERED]:
            del self._known[source]
        return found

    async def _cut(self, sources: list[Source]) -> dict[Source, list[Definition]]:
        request = definitions_request(sources)
        try:
            reply = await self._pool.run_short(
                definitions_job, request, wait_seconds=_WAIT_SECONDS, timeout_seconds=_CUT_SECONDS
            )
        except Exception as error:  # whatever a parser does, the passages' own names are found
            _log.warning("definitions in %d passages are not told apart: %s", len(sources), error)
            self._resting_until = trio.current_time() + _REST_SECONDS
            return {}
        return {} if reply is None else dict(zip(sources, definitions_reply(reply), strict=True))

    def _covered(self, folders: Sequence[Path]) -> list[tuple[WorkspaceIndexer, str]]:
        """Workspaces in and around `folders`, with the folder to look in; "" for all.

        What an inner workspace holds is not in the catalog of the one around it, so that nothing is found twice.
        """
        covered = []
        for indexer in self._workspaces.all():
            root = indexer.root
            inside = [folder.relative_to(root).as_posix() for folder in folders if folder.is_relative_to(root)]
            if not folders or "." in inside or any(root.is_relative_to(folder) for folder in folders):
                covered.append((indexer, ""))
            else:
                outermost = [one for one in inside if not any(one.startswith(f"{other}/") for other in inside)]
                covered += [(indexer, folder) for folder in dict.fromkeys(outermost)]
        return covered


def rank(query: str, symbol: str) -> tuple[int, ...] | None:
    """How well `query` names `symbol`: the lower the better; None where it does not.

    A query in which a separator stands (`Basket.total`, `std::sort`) names the whole symbol, any other its last part.
    """
    query = _normal(query)
    container, _, name = symbol.rpartition(".")
    if not query:
        return (Match.PREFIX, bool(container), 0, len(name))
    wanted, written = query.lower(), symbol if "." in query else name
    text = written.lower()
    at = text.find(wanted)
    if at == 0:
        how = Match.EXACT if len(text) == len(wanted) else Match.PREFIX
    elif at > 0 and _begins_part(written, wanted):
        how = Match.PART
    elif _abbreviates(wanted, parts_of(written)):
        how = Match.INITIALS
    elif at > 0:
        how = Match.INSIDE
    elif _in_order(wanted, text):
        how = Match.SCATTERED
    elif _in_order(wanted, symbol.lower()):
        how = Match.QUALIFIED
    else:
        return None
    return (how, query not in written, bool(container), len(name))


def _look(catalog: CatalogReader, root: str, folder: str, query: str, limit: int) -> _Looked:
    letters = _normal(query)
    named = catalog.definitions(letters, folder=folder, kinds=DEFINITIONS, limit=_CANDIDATES)
    ranked = [(found, chunk) for chunk, symbol in named if (found := rank(query, symbol)) is not None]
    best = sorted(ranked)[:limit]
    chunks = catalog.chunks([chunk for _, chunk in best])
    symbols = [
        _symbol(root, chunks[chunk], _own_definition(chunks[chunk]), found) for found, chunk in best if chunk in chunks
    ]
    unbroken = letters.rpartition(".")[2]
    good = sum(symbol.rank[0] < Match.SCATTERED for symbol in symbols)
    if len(unbroken) < _LETTERS_OF_MEMBERS or good >= limit:  # else this would read every text to no use
        return _Looked(symbols, [])
    return _Looked(symbols, catalog.containing(unbroken, folder=folder, kinds=_SHARED, limit=_MOST_SHARED))


def _ranked(
    looked: _Looked, root: str, definitions: Mapping[Source, Sequence[Definition]], query: str, limit: int
) -> list[Symbol]:
    symbols = [*looked.symbols]
    for chunk in looked.shared:
        around = chunk.symbol if chunk.kind == kinds.BLOCK else chunk.symbol.rpartition(".")[0]
        for inner in definitions.get(_source(chunk), ()):
            member = replace(inner, symbol=f"{around}.{inner.symbol}") if around else inner
            if member.symbol != chunk.symbol and (found := rank(query, member.symbol)) is not None:
                symbols.append(_symbol(root, chunk, member, found))
    return sorted(symbols, key=lambda symbol: (*symbol.rank, symbol.path))[:limit]


def _own_definition(chunk: StoredChunk) -> Definition:
    line, before = place(chunk.text.split("\n"), chunk.symbol)
    return Definition(chunk.symbol, chunk.kind, line, before)


def _symbol(root: str, chunk: StoredChunk, definition: Definition, found: tuple[int, ...]) -> Symbol:
    container, _, name = definition.symbol.rpartition(".")
    line = chunk.start_line + definition.line
    return Symbol(root, chunk.path, name, container, definition.kind, line, definition.before, found)


def _source(chunk: StoredChunk) -> Source:
    return Source(chunk.path.rpartition("/")[2], chunk.text)


def _normal(query: str) -> str:
    """The letters to match: without blanks, and with one kind of separator."""
    return _SEPARATOR.sub(".", "".join(query.split()))[:MOST_LETTERS]


def _begins_part(written: str, wanted: str) -> bool:
    """Whether `wanted` stands in `written` unbroken from the beginning of a part on."""
    at = written.lower().find(wanted)
    while at >= 0:
        before, here = written[at - 1 : at], written[at]
        if not before.isalnum() or (here.isupper() and not before.isupper()) or here.isdigit() != before.isdigit():
            return True
        at = written.lower().find(wanted, at + 1)
    return False


def _abbreviates(wanted: str, parts: Sequence[str]) -> bool:
    """Whether each letter goes on in its part or begins a later one."""
    places = {(-1, 0)}
    for letter in wanted:
        going_on = {(p, at + 1) for p, at in places if p >= 0 and parts[p][at : at + 1] == letter}
        beginning = {
            (later, 1) for p, _ in places for later in range(p + 1, len(parts)) if parts[later].startswith(letter)
        }
        places = going_on | beginning
    return bool(places)


def _in_order(wanted: str, text: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in wanted)


def _resolved(folders: Sequence[Path]) -> list[Path]:
    return [folder.resolve() for folder in folders]
