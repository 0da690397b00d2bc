"""The other indexes, each by its own library's best single-threaded calls.

Vectors are of unit length, so that the inner product is the cosine and no library has to normalise. HNSW graphs have
LucAstra's M and efConstruction.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.vector_index.data import Dataset
from benchmarks.vector_index.indexes import EF_CONSTRUCTION, Exact, Index, M, Search, Vectors
from benchmarks.vector_index.truth import LIMIT

HNSWLIB = "hnswlib"
ANNOY = "annoy"
NUMPY = "numpy"
ANNOY_TREES = 20


class _Held(Index):
    """An index that is an object of a library's."""

    def __init__(self, index: Any) -> None:
        self.index = index


class Hnswlib(_Held):
    name = HNSWLIB
    modules = ("hnswlib",)

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Hnswlib":
        index = cls.empty(data, rows)
        index.add(data.rows[:rows], 0)
        return index

    @classmethod
    def empty(cls, data: Dataset, capacity: int) -> "Hnswlib":
        """To be filled with `add`."""
        index = _module("hnswlib").Index(space="ip", dim=data.dimensions)
        index.init_index(capacity, M=M, ef_construction=EF_CONSTRUCTION)
        index.set_num_threads(1)
        return cls(index)

    def add(self, vectors: Vectors, first: int) -> None:
        """Add vectors under the numbers from `first`."""
        self.index.add_items(vectors, np.arange(first, first + len(vectors)), num_threads=1)

    def save(self, file: Path) -> None:
        self.index.save_index(str(file))

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Hnswlib":
        index = _module("hnswlib").Index(space="ip", dim=data.dimensions)
        index.load_index(str(file))
        return cls(index)

    def single(self, effort: int) -> Search:
        self.index.set_ef(effort)
        search = self.index.knn_query
        return lambda query: search(query, LIMIT, num_threads=1)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        self.index.set_ef(effort)
        return _int64(self.index.knn_query(queries, LIMIT, num_threads=1)[0])


class Faiss(_Held):
    name = "faiss HNSWFlat"
    modules = ("faiss",)

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Faiss":
        index = cls.empty(data, rows)
        index.add(data.rows[:rows], 0)
        return index

    @classmethod
    def empty(cls, data: Dataset, capacity: int) -> "Faiss":
        """To be filled with `add`."""
        faiss = _module("faiss")
        faiss.omp_set_num_threads(1)
        index = faiss.IndexHNSWFlat(data.dimensions, M, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = EF_CONSTRUCTION
        return cls(index)

    def add(self, vectors: Vectors, first: int) -> None:
        """Add vectors, which are numbered in the order of arrival."""
        self.index.add(vectors)

    def save(self, file: Path) -> None:
        _module("faiss").write_index(self.index, str(file))

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Faiss":
        faiss = _module("faiss")
        faiss.omp_set_num_threads(1)
        return cls(faiss.read_index(str(file)))

    def single(self, effort: int) -> Search:
        self.index.hnsw.efSearch = effort
        search = self.index.search
        return lambda query: search(query, LIMIT)

    def prepare(self, queries: Vectors) -> Sequence[Any]:
        return [query[np.newaxis] for query in queries]

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        self.index.hnsw.efSearch = effort
        return _int64(self.index.search(queries, LIMIT)[1])


class Usearch(_Held):
    name = "usearch f32"
    modules = ("usearch.index",)
    kind = "f32"

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Usearch":
        index = cls.empty(data, rows)
        index.add(data.rows[:rows], 0)
        return index

    @classmethod
    def empty(cls, data: Dataset, capacity: int) -> "Usearch":
        """To be filled with `add`."""
        return cls(
            _module("usearch.index").Index(
                ndim=data.dimensions, metric="ip", dtype=cls.kind, connectivity=M, expansion_add=EF_CONSTRUCTION
            )
        )

    def add(self, vectors: Vectors, first: int) -> None:
        """Add vectors under the numbers from `first`."""
        self.index.add(np.arange(first, first + len(vectors)), vectors, threads=1)

    def save(self, file: Path) -> None:
        self.index.save(str(file))

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Usearch":
        index = cls.empty(data, rows)
        index.index.load(str(file))
        return index

    def single(self, effort: int) -> Search:
        self.index.expansion_search = effort
        search = self.index.search
        return lambda query: search(query, LIMIT, threads=1)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        self.index.expansion_search = effort
        return _int64(self.index.search(queries, LIMIT, threads=1).keys)


class UsearchHalf(Usearch):
    name = "usearch f16"
    kind = "f16"


class Voyager(_Held):
    name = "voyager"
    modules = ("voyager",)

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Voyager":
        voyager = _module("voyager")
        index = voyager.Index(
            voyager.Space.Cosine,
            data.dimensions,
            M=M,
            ef_construction=EF_CONSTRUCTION,
            max_elements=rows,
            storage_data_type=voyager.StorageDataType.Float32,
        )
        index.add_items(np.array(data.rows[:rows]), num_threads=1)  # it takes no memory-mapped arrays
        return cls(index)

    def save(self, file: Path) -> None:
        self.index.save(str(file))

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Voyager":
        return cls(_module("voyager").Index.load(str(file)))

    def single(self, effort: int) -> Search:
        search = self.index.query
        return lambda query: search(query, LIMIT, 1, effort)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        return _int64(self.index.query(queries, LIMIT, 1, effort)[0])


class Annoy(_Held):
    """Its file, mapped; `effort` is search_k."""

    name = ANNOY
    modules = ("annoy",)
    efforts = (500, 400_000)
    batches = False
    most_queries = 200

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Annoy":
        index = _module("annoy").AnnoyIndex(data.dimensions, "angular")
        index.set_seed(1)
        for row in range(rows):
            index.add_item(row, data.rows[row])
        index.build(ANNOY_TREES, n_jobs=1)
        index.save(str(file))
        return cls(index)

    def save(self, file: Path) -> None:
        raise NotImplementedError("it is a file already")

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Annoy":
        index = _module("annoy").AnnoyIndex(data.dimensions, "angular")
        index.load(str(file))
        return cls(index)

    def prepare(self, queries: Vectors) -> Sequence[Any]:
        return list(queries.tolist())  # it takes any sequence, and reads a list faster than an array

    def single(self, effort: int) -> Search:
        search = self.index.get_nns_by_vector
        return lambda query: search(query, LIMIT, effort)

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        search = self.index.get_nns_by_vector
        found = np.full((len(queries), LIMIT), -1, np.int64)
        for number, query in enumerate(queries.tolist()):
            names = search(query, LIMIT, effort)
            found[number, : len(names)] = names
        return found


class Numpy(Exact):
    """One matrix-vector product, then the best of it."""

    name = NUMPY
    most_queries = 100

    def __init__(self, rows: Vectors) -> None:
        self.rows = rows

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "Numpy":
        return cls(np.array(data.rows[:rows]))

    def save(self, file: Path) -> None:
        with file.open("wb") as out:
            np.save(out, self.rows)

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "Numpy":
        with file.open("rb") as saved:
            return cls(np.load(saved))

    def single(self, effort: int) -> Search:
        rows = self.rows

        def search(query: Vectors) -> object:
            scores = rows @ query
            top = np.argpartition(scores, -LIMIT)[-LIMIT:]
            return top[np.argsort(-scores[top])]

        return search

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        found = np.empty((len(queries), LIMIT), np.int64)
        for start in range(0, len(queries), 100):
            scores = queries[start : start + 100] @ self.rows.T
            found[start : start + 100] = np.argpartition(scores, -LIMIT, axis=1)[:, -LIMIT:]
        return found


class SqliteVec(Exact):
    name = "sqlite-vec"
    modules = ("apsw", "sqlite_vec")
    batches = False
    most_queries = 50

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    def build(cls, data: Dataset, rows: int, file: Path) -> "SqliteVec":
        index = cls.load(data, rows, file)
        index.connection.execute(
            f"CREATE VIRTUAL TABLE rows USING vec0(vector float[{data.dimensions}] distance_metric=cosine)"
        )
        with index.connection:
            index.connection.executemany(
                "INSERT INTO rows(rowid, vector) VALUES (?, ?)",
                ((row, data.rows[row].tobytes()) for row in range(rows)),
            )
        return index

    def save(self, file: Path) -> None:
        raise NotImplementedError("it is a file already")

    @classmethod
    def load(cls, data: Dataset, rows: int, file: Path) -> "SqliteVec":
        connection = _module("apsw").Connection(str(file))
        connection.enable_load_extension(True)
        connection.load_extension(_module("sqlite_vec").loadable_path())
        return cls(connection)

    def prepare(self, queries: Vectors) -> Sequence[Any]:
        return [query.tobytes() for query in queries]

    def single(self, effort: int) -> Search:
        execute = self.connection.execute
        text = "SELECT rowid, distance FROM rows WHERE vector MATCH ? AND k = ?"
        return lambda query: list(execute(text, (query, LIMIT)))

    def many(self, queries: Vectors, effort: int) -> NDArray[np.int64]:
        search = self.single(effort)
        found = [[row for row, _ in search(query)] for query in self.prepare(queries)]
        return np.array(found, np.int64)


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _int64(names: Any) -> NDArray[np.int64]:
    return np.asarray(names).astype(np.int64)
