"""The native kernel (see kernel/): quantised rows, exact scans, HNSW graphs.

Rows are unit vectors; similarity is the inner product, so the cosine. Every function releases the GIL.
A row is named by its number in its `Rows`, from 0. Rows and graphs take one writer beside any number of
searchers: the caller lets one thread write at a time.
"""

import numpy as np
from numpy.typing import NDArray

NONE: int
"""What fills the row numbers of a batch result where fewer than `limit` rows were found (2**32 - 1)."""

def cpu_levels() -> list[str]:
    """The instruction sets that this machine can run, best first: avx512vnni, avxvnni, avx2, neon, portable."""

def cpu_level() -> str:
    """The instruction set in use."""

def set_cpu_level(name: str) -> None:
    """Use another of `cpu_levels()`, for tests and benchmarks. All give the same integers, so the same
    graphs; float32 scores differ by rounding. Raises ValueError."""

def crc32c(data: object, seed: int = 0) -> int:
    """The CRC-32C (Castagnoli) of a contiguous buffer; `seed` is the CRC of what went before."""

class Rows:
    """Growing int8 rows, rotated and quantised, over float32 vectors that stand in a file (or nowhere).

    With vectors mapped, scans and graph searches re-rank their best candidates by the float32 inner
    product; without, scores are those of the int8 rows.
    """

    def __init__(self, dimensions: int, capacity: int) -> None:
        """`capacity` rows are reserved as addresses; memory is taken as rows come."""

    def map_vectors(self, descriptor: int, offset: int, stride: int) -> None:
        """Read row r's float32 vector at byte `offset + r * stride` of the open file (which may still grow; the
        descriptor may be closed afterwards). Bytes must be there before the row is appended. Raises OSError."""

    def append(self, vectors: NDArray[np.float32], alive: NDArray[np.bool_] | None = None) -> None:
        """Quantise and publish rows, shape [n, dimensions]; dead ones only take a number.
        Raises ValueError (shape, capacity), MemoryError."""

    def kill(self, rows: NDArray[np.uint32]) -> int:
        """Tombstone rows; they are never returned again. How many of them were alive. Raises IndexError."""

    @property
    def dimensions(self) -> int: ...
    @property
    def alive(self) -> int:
        """How many rows are not dead."""

    def alive_mask(self) -> NDArray[np.bool_]:
        """Which rows are alive, shape [len]: a copy."""

    @property
    def memory_bytes(self) -> int:
        """What the rows take in memory (not the mapped files)."""

    def vector(self, row: int) -> NDArray[np.float32]:
        """A copy of a row's float32 vector. Raises IndexError; ValueError without mapped vectors."""

    def scan(
        self,
        query: NDArray[np.float32],
        limit: int,
        *,
        eligible: NDArray[np.uint64] | None = None,
        sign_candidates: int = 0,
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """(rows, scores) of the nearest `limit` live rows, best first, ties by row number.

        Every row is compared (int8, then float32 for the best 2 * limit + 16). `eligible` is a bitmap, bit i % 64 of
        word i // 64 for row i. With `sign_candidates`, only that many rows, the nearest by the 1-bit signs of
        their components, are compared at all. Raises ValueError (shape).
        """

    def scan_rows(
        self, query: NDArray[np.float32], limit: int, rows: NDArray[np.uint32]
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """As `scan`, over the live ones of the given rows (each once)."""

    def scan_batch(
        self, queries: NDArray[np.float32], limit: int, *, threads: int = 1
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """`scan` for each of queries [q, dimensions]; both results [q, limit], filled with NONE and -inf."""

    def __len__(self) -> int: ...

class Graph:
    """A hierarchical navigable small world graph (Malkov and Yashunin, 2018) over the rows of a `Rows`."""

    def __init__(self, rows: Rows, *, m: int = 16, ef_construction: int = 200) -> None:
        """An empty graph: rows are searched once they are inserted. `m` is at most 128, `ef_construction` 4096."""

    @staticmethod
    def open(path: str, vectors: int, offset: int, stride: int, *, verify: bool) -> Graph:
        """Map a saved graph and its rows, read-only but for `rows.kill`; arguments as `Rows.map_vectors`.

        The header is always checked, everything when `verify`. Whatever else the file holds, searching it
        reads only its own bytes. Raises ValueError naming what is damaged, OSError.
        """

    def insert(self, count: int) -> None:
        """Link the next `count` rows that are not in the graph yet (dead ones too: they keep it connected)."""

    def save(self, path: str, ids: NDArray[np.int64]) -> None:
        """Write graph, rows and their ids (ascending) to a new file, checksummed and fsynced. Raises OSError."""

    def verify(self) -> None:
        """Check every checksum of an opened graph. Raises ValueError naming what is damaged."""

    @property
    def rows(self) -> Rows: ...
    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids that an opened graph was saved with: a read-only view."""

    def search(
        self, query: NDArray[np.float32], limit: int, ef: int, *, eligible: NDArray[np.uint64] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """(rows, scores) of about the nearest `limit` live rows, best first. `ef` (raised to `limit` at least) is
        the width of the search; it is widened by the share of dead or ineligible rows, up to four times."""

    def search_batch(
        self, queries: NDArray[np.float32], limit: int, ef: int, *, threads: int = 1
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """`search` for each of queries [q, dimensions]; both results [q, limit], filled with NONE and -inf."""

    def __len__(self) -> int:
        """How many rows are linked."""
