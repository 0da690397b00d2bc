"""What goes into a catalog and comes out of it."""

from dataclasses import dataclass

import msgspec

from lucastrad.types import Chunk, FileState, Stat, VectorSpace


class ChunkTerms(msgspec.Struct, frozen=True, array_like=True):
    """Keyword terms, blank-separated, and the name."""

    body: str
    symbol: str
    name: str
    """How the symbol is spelled; empty without one."""


class IndexedFile(msgspec.Struct, frozen=True, array_like=True):
    """What a worker found out about one file; `chunks` is empty unless it was indexed."""

    path: str
    state: FileState
    reason: str
    language: str
    stat: Stat
    hash: bytes
    chunks: list[Chunk] = []
    keys: list[bytes] = []
    """The embedding key of each chunk."""
    terms: list[ChunkTerms] = []
    """The keyword terms of each chunk."""
    path_terms: str = ""


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """Chunk ids `first`..`last`, inclusive: all chunks of one version of one file."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the next scan compares with."""

    stat: Stat
    state: FileState
    reason: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction changed."""

    seq: int
    added: list[tuple[IndexedFile, ChunkSpan]]
    removed: list[ChunkSpan]


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk without a vector."""

    id: int
    key: bytes
    path: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class Spaces:
    """The vector spaces that a workspace is concerned with."""

    current: VectorSpace | None
    """The one that chunks are embedded in; None before the first `enter_space`."""
    replaced: VectorSpace | None
    """The one before it, until every chunk has a vector in the current one."""


@dataclass(frozen=True, slots=True)
class Counts:
    files: int
    skipped: int
    failed: int
    chunks: int
    embedded: int
    languages: dict[str, int]


NO_CHUNKS = ChunkSpan(0, -1)
