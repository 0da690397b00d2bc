"""The values that the daemon's services exchange.

Invariant: no wire types here; handlers translate. Lines are 1-based and inclusive, bytes are
half-open `[start, end)`, sizes are bytes, times of files are integer nanoseconds.
"""

import os
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Stat(msgspec.Struct, frozen=True, array_like=True):
    """What decides whether a file must be read again."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, info: os.stat_result) -> "Stat":
        """What decides, of what the system says; SQLite's integers hold 63 bits, which times after 2262 and
        the inodes of some network file systems exceed."""
        return cls(info.st_size, info.st_mtime_ns & _63_BITS, info.st_ctime_ns & _63_BITS, info.st_ino & _63_BITS)


_63_BITS = (1 << 63) - 1


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One retrievable span of a file, as a worker cut it."""

    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    text: str
    symbol: str
    """Qualified where nested (`Class.method`), empty outside definitions."""
    kind: str
    """function, method, class, … or section, window."""


class FileState(StrEnum):
    """What the index did with a file."""

    INDEXED = "indexed"
    SKIPPED = "skipped"
    FAILED = "failed"


class Passage(msgspec.Struct, frozen=True, array_like=True):
    """What an embedder is given of a chunk."""

    path: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What vectors must share to be comparable."""

    provider: str
    model: str
    dimensions: int

    @property
    def identity(self) -> str:
        """A file-name-safe name, unique per space: `a/b` and `a-b` are two models."""
        name = f"{self.provider}-{self.model}"
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-._") else "-" for c in name)
        told_apart = "" if safe == name else f"-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"
        return f"{safe}{told_apart}-{self.dimensions}"


class Outline(NamedTuple):
    """What ranking needs to know of a chunk: a tuple, because a search makes and reads hundreds."""

    path: str
    language: str
    symbol: str
    start_line: int = 1


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the catalog holds it."""

    id: int
    path: str
    language: str
    symbol: str
    kind: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One ranked passage."""

    workspace: str
    chunk: StoredChunk
    score: float
    components: dict[str, float] = field(default_factory=dict)
    unsaved: bool = False
    """It stands in an editor's buffer, and not in the file."""


class SearchMode(StrEnum):
    """Which candidates a search draws on."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"


class Freshness(StrEnum):
    """How far an index is behind its files."""

    FRESH = "fresh"
    STALE = "stale"
    """Changes are known, or may exist, that are not indexed yet."""
    PENDING = "pending"
    """Some chunks have no vector yet; keyword search finds them."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to find, and where."""

    text: str
    mode: SearchMode = SearchMode.HYBRID
    limit: int = 10
    folders: tuple[str, ...] = ()
    """Absolute folders; empty means every workspace."""
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """Ranked hits, best first, and how fresh the indexes behind them are."""

    hits: list[Hit]
    freshness: Freshness
    notices: list[str] = field(default_factory=list)


class WorkspaceState(StrEnum):
    """What a workspace's indexer is doing."""

    SCANNING = "scanning"
    INDEXING = "indexing"
    EMBEDDING = "embedding"
    READY = "ready"
    FAILED = "failed"
    MISSING = "missing"
    """The folder is not there (unmounted, moved); its index is kept."""


@dataclass(frozen=True, slots=True)
class WorkspaceReport:
    """A workspace's state at one moment."""

    root: str
    state: WorkspaceState
    freshness: Freshness
    files: int = 0
    chunks: int = 0
    embedded: int = 0
    skipped: int = 0
    queued: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    watch: str = "off"
    last_indexed_at: float | None = None
    index_seconds: float | None = None
    store_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    """What goes on, and is as it should be."""


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a workspace's indexing has come."""

    state: WorkspaceState
    files_done: int
    files_total: int
    chunks: int
    embedded: int


@dataclass(frozen=True, slots=True)
class IndexOutcome:
    """What bringing a workspace up to date did."""

    workspace: WorkspaceReport
    indexed_files: int
    embedded_chunks: int
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file (or of a folder skipped as a whole: its path ends in `/`)."""

    path: str
    state: FileState
    reason: str = ""
    language: str = ""
    chunks: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class FileLines:
    """Lines of an indexed file: `text` begins with 1-based `start_line` and holds `lines` of `total_lines`."""

    workspace: str
    path: str
    start_line: int
    lines: int
    total_lines: int
    text: str


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """The effective configuration, secrets masked, with where each value comes from."""

    config: dict[str, object]
    origins: dict[str, str]
    problems: list[str]


class CheckStatus(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One finding of `doctor`, with the cure where there is something to mend."""

    name: str
    status: CheckStatus
    detail: str
    cure: str = ""
