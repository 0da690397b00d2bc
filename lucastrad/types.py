"""The values that the daemon's services exchange.

Invariant: no wire types here; handlers translate. Lines are 1-based and inclusive, bytes are
half-open `[start, end)`, sizes are bytes, times of files are integer nanoseconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec


class Stat(msgspec.Struct, frozen=True, array_like=True):
    """What decides whether a file must be read again."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


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
        """A file-name-safe name, unique per space."""
        safe = "".join(c if c.isalnum() or c in "-._" else "-" for c in f"{self.provider}-{self.model}")
        return f"{safe}-{self.dimensions}"


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
class SearchFilter:
    """Restricts a search inside one workspace."""

    paths: tuple[str, ...] = ()
    """gitignore-syntax patterns; `!` excludes."""
    languages: tuple[str, ...] = ()
    folder: str = ""
    """Workspace-relative folder, empty for all."""

    def __bool__(self) -> bool:
        return bool(self.paths or self.languages or self.folder)


@dataclass(frozen=True, slots=True)
class Hit:
    """One ranked passage."""

    workspace: str
    chunk: StoredChunk
    score: float
    components: dict[str, float] = field(default_factory=dict)
