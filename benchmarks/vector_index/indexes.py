"""What every index that is measured can do, and LucAstra's own."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.vector_index.data import Dataset
from benchmarks.vector_index.truth import LIMIT
from lucastrad.storage.vectors import _kernel

M = 16
EF_CONSTRUCTION = 200
OURS = "lucastra"

Vectors = NDArray[np.float32]
Search = Callable[[Any], Any]


class Index(ABC):
    """An index over the first rows of a dataset, which it names from 0. `effort` is how hard it looks (ef, …)."""

    name: ClassVar[str]
    efforts: ClassVar[tuple[int, int] | None] = (LIMIT, 4_096)
    """The least and the greatest; None for an index that compares everything."""
    modules: ClassVar[tuple[str, ...]] = ()
    """What it imports, so that a measure of memory can import it beforehand."""
    batches: ClassVar[bool] = True
    """Whether it has a call for many queries at once."""
    most_queries: ClassVar[int] = 1_000_000
    """A slow index is given this many of the queries only, for its recall and for its times."""

    @property
    def most_effort(self) -> int:
        """The greatest; 0 for an index that compares everything."""
        return self.efforts[1] if self.efforts else 0

    @classmethod
    @abstractmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Index":
        """Over the first `rows` rows; an index that is used from a file uses this one."""

    @abstractmethod
    def save(self, file: Path) -> None:
        """Write what `load` reads."""

    @classmethod
    @abstractmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Index":
        """As it is after a restart."""

    @abstractmethod
    def single(self, effort: int) -> Search:
        """What finds the nearest LIMIT of one prepared query: the library's own call, with as little around it as
        can be."""

    @abstractmethod
    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        """Rows of the nearest LIMIT [q, LIMIT], -1 where there are fewer, by the fastest call for many at once."""

    def prepare(self, queries: Vectors) -> Sequence[Any]:
        """The queries as `single` likes them best; not timed."""
        return list(queries)


class Exact(Index):
    """Compares everything, so `effort` means nothing."""

    efforts: ClassVar[tuple[int, int] | None] = None


class _Ours(Index):
    """The kernel, at one level of instructions."""

    def __init__(self, rows: _kernel.Rows, level: str = "") -> None:
        self.rows = rows
        self.level = level or _kernel.cpu_levels()[0]


class Sealed(_Ours):
    """A saved graph that is mapped, as the daemon's segments are."""

    name = OURS

    def __init__(self, graph: _kernel.Graph, level: str = "") -> None:
        super().__init__(graph.rows, level)
        self.graph = graph

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Sealed":
        graph = live_graph(data, rows)
        append(graph, data, 0, rows)
        graph.save(str(file), np.arange(rows, dtype=np.int64))
        return cls.load(data, rows, file)

    def save(self, file: Path) -> None:
        raise NotImplementedError("it is a file already")

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Sealed":
        return cls(open_graph(data, file))

    def at(self, level: str) -> "Sealed":
        """The same graph, searched with other instructions."""
        return Sealed(self.graph, level)

    def single(self, effort: int) -> Search:
        _kernel.set_cpu_level(self.level)
        search = self.graph.search
        return lambda query: search(query, LIMIT, effort)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        _kernel.set_cpu_level(self.level)
        return _signed(self.graph.search_batch(queries, LIMIT, effort)[0])


class Int8Scan(_Ours, Exact):
    """Every row, by its int8 code and then the best by float32."""

    name = "lucastra int8 scan"
    most_queries = 300

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Int8Scan":
        return cls(coded(data, rows))

    def save(self, file: Path) -> None:
        raise NotImplementedError("rows are saved with their graph or log")

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Int8Scan":
        return cls.build(data, rows, file)

    def single(self, effort: int) -> Search:
        _kernel.set_cpu_level(self.level)
        scan = self.rows.scan
        return lambda query: scan(query, LIMIT)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        _kernel.set_cpu_level(self.level)
        return _signed(self.rows.scan_batch(queries, LIMIT)[0])


class SignScan(Int8Scan):
    """The rows that are nearest by the signs of their components, then as `Int8Scan`."""

    name = "lucastra sign scan"
    batches = False
    efforts = (1_000, 64_000)

    def single(self, effort: int) -> Search:
        _kernel.set_cpu_level(self.level)
        scan = self.rows.scan
        return lambda query: scan(query, LIMIT, sign_candidates=effort)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        return one_by_one(self.single(effort), queries)


def coded(data: Dataset, rows: int) -> _kernel.Rows:
    """The kernel's rows over the first `rows` of a dataset, re-ranked from its file."""
    found = _mapped(data, rows)
    found.append(np.ascontiguousarray(data.rows[:rows]))
    return found


def live_graph(data: Dataset, capacity: int) -> _kernel.Graph:
    """An empty graph in memory, over rows that are re-ranked from the dataset's file."""
    return _kernel.Graph(_mapped(data, capacity), m=M, ef_construction=EF_CONSTRUCTION)


def append(graph: _kernel.Graph, data: Dataset, first: int, last: int) -> None:
    """Add rows [first, last), which come next."""
    graph.rows.append(np.ascontiguousarray(data.rows[first:last]))
    graph.insert(last - first)


def open_graph(data: Dataset, file: Path) -> _kernel.Graph:
    """Map a saved graph as at a restart: headers checked, nothing else read."""
    return _kernel.Graph.open(str(file), _descriptor(data), data.offset, data.stride, verify=False)


def one_by_one(search: Search, queries: Vectors) -> NDArray[np.int64]:
    """The rows that a kernel's search finds, for each query [q, LIMIT]."""
    found = np.full((len(queries), LIMIT), -1, np.int64)
    for number, query in enumerate(queries):
        names, _ = search(query)
        found[number, : len(names)] = names
    return found


def _mapped(data: Dataset, capacity: int) -> _kernel.Rows:
    rows = _kernel.Rows(data.dimensions, capacity)
    rows.map_vectors(_descriptor(data), data.offset, data.stride)
    return rows


_descriptors: dict[Path, int] = {}


def _descriptor(data: Dataset) -> int:
    """The dataset's open file; it stays open, since opening a mapped graph is measured without it."""
    if data.file not in _descriptors:
        _descriptors[data.file] = os.open(data.file, os.O_RDONLY | os.O_CLOEXEC)
    return _descriptors[data.file]


def _signed(names: NDArray[np.uint32]) -> NDArray[np.int64]:
    return np.where(names == _kernel.NONE, -1, names.astype(np.int64))
