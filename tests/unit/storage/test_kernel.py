"""The native kernel keeps its Python contract, and no mutated graph file crashes it or passes its verification.

What it computes is tested without Python, under the sanitizers too: tests/native.
"""

import errno
import gc
import os
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lucastrad.storage.vectors import _kernel
from lucastrad.storage.vectors._kernel import NONE, Graph, Rows

DIMENSIONS = 40
OFFSET = 12  # as in an Annoy file: 12 bytes, then the components
STRIDE = OFFSET + 4 * DIMENSIONS
NO_VECTORS = -1

Floats = NDArray[np.float32]


def unit_rows(count: int, seed: int = 0) -> Floats:
    rows: Floats = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def numbers(*values: int) -> NDArray[np.uint32]:
    return np.array(values, np.uint32)


def bitmap(*rows: int, words: int) -> NDArray[np.uint64]:
    bits = np.zeros(words, np.uint64)
    for row in rows:
        bits[row // 64] |= np.uint64(1 << row % 64)
    return bits


def write_vectors(path: Path, vectors: Floats) -> None:
    padded = np.zeros((len(vectors), STRIDE // 4), np.float32)
    padded[:, OFFSET // 4 :] = vectors
    path.write_bytes(padded.tobytes())


def rows_of(vectors: Floats, capacity: int | None = None) -> Rows:
    rows = Rows(DIMENSIONS, capacity or len(vectors))
    rows.append(vectors)
    return rows


def save_graph(path: Path, vectors: Floats) -> None:
    graph = Graph(rows_of(vectors), m=6, ef_construction=60)
    graph.insert(len(vectors))
    graph.save(str(path), np.arange(1000, 1000 + len(vectors), dtype=np.int64))


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return unit_rows(300)


@pytest.fixture
def rows(vectors: Floats) -> Rows:
    return rows_of(vectors)


@pytest.fixture
def graph(rows: Rows) -> Graph:
    graph = Graph(rows, m=8, ef_construction=80)
    graph.insert(len(rows))
    return graph


@pytest.fixture
def level() -> Iterator[str]:
    before = _kernel.cpu_level()
    yield before
    _kernel.set_cpu_level(before)


# --- results ------------------------------------------------------------------------------------------------------


def test_searches_return_row_numbers_and_scores_best_first(rows: Rows, graph: Graph, vectors: Floats) -> None:
    exact = vectors @ vectors[7]
    for found, scores in (
        rows.scan(vectors[7], 10),
        rows.scan(vectors[7], 10, sign_candidates=150),
        rows.scan_rows(vectors[7], 10, np.arange(300, dtype=np.uint32)),
        graph.search(vectors[7], 10, 100),
    ):
        assert found.dtype == np.uint32
        assert scores.dtype == np.float32
        assert found.shape == scores.shape == (10,)
        assert found[0] == 7
        assert (np.diff(scores) <= 0).all()
        np.testing.assert_allclose(scores, exact[found], atol=0.03)  # int8: no vectors are mapped


def test_mapped_vectors_make_scores_exact(tmp_path: Path, vectors: Floats) -> None:
    write_vectors(tmp_path / "vectors", vectors)
    rows = Rows(DIMENSIONS, 300)
    with (tmp_path / "vectors").open("rb") as file:
        rows.map_vectors(file.fileno(), OFFSET, STRIDE)
    rows.append(vectors)  # the descriptor is closed by now
    found, scores = rows.scan(vectors[7], 10)
    np.testing.assert_allclose(scores, (vectors @ vectors[7])[found], atol=1e-6)
    assert found.tolist() == np.argsort(-(vectors @ vectors[7]))[:10].tolist()
    np.testing.assert_array_equal(rows.vector(299), vectors[299])
    copy = rows.vector(3)
    copy[:] = 0
    np.testing.assert_array_equal(rows.vector(3), vectors[3])


def test_vectors_of_a_file_that_still_grows(tmp_path: Path, vectors: Floats) -> None:
    with (tmp_path / "log").open("w+b", buffering=0) as file:
        rows = Rows(DIMENSIONS, 1 << 20)
        rows.map_vectors(file.fileno(), OFFSET, STRIDE)
        for row in range(5):
            file.write(bytes(OFFSET) + vectors[row].tobytes())
            rows.append(vectors[row : row + 1])
            np.testing.assert_array_equal(rows.vector(row), vectors[row])


def test_batches_answer_as_single_queries_do(rows: Rows, graph: Graph, vectors: Floats) -> None:
    for threads in (0, 1, 3, 1000):
        found, scores = rows.scan_batch(vectors[:20], 5, threads=threads)
        assert found.shape == scores.shape == (20, 5)
        for query in range(20):
            np.testing.assert_array_equal(found[query], rows.scan(vectors[query], 5)[0])
        found, scores = graph.search_batch(vectors[:20], 5, 50, threads=threads)
        assert found.shape == scores.shape == (20, 5)
        for query in range(20):
            np.testing.assert_array_equal(found[query], graph.search(vectors[query], 5, 50)[0])


def test_what_a_batch_did_not_find_is_filled(rows: Rows, graph: Graph, vectors: Floats) -> None:
    rows.kill(np.arange(3, 300, dtype=np.uint32))
    for found, scores in (rows.scan_batch(vectors[:2], 5), graph.search_batch(vectors[:2], 5, 300)):
        assert sorted(found[0, :3].tolist()) == [0, 1, 2]
        assert found[:, 3:].tolist() == [[NONE, NONE]] * 2
        assert np.isneginf(scores[:, 3:]).all()
        assert np.isfinite(scores[:, :3]).all()
    assert NONE == 2**32 - 1


def test_batches_of_nothing(rows: Rows, graph: Graph, vectors: Floats) -> None:
    assert rows.scan_batch(vectors[:0], 5)[0].shape == (0, 5)
    assert rows.scan_batch(vectors[:4], 0)[0].shape == (4, 0)
    assert graph.search_batch(vectors[:0], 5, 50)[1].shape == (0, 5)
    assert graph.search_batch(vectors[:4], 0, 0)[1].shape == (4, 0)


@pytest.mark.parametrize("limit", [301, 10_000, 2**40, 2**63 - 8, 2**64 - 1])
def test_a_limit_beyond_the_rows_gives_all_of_them(rows: Rows, graph: Graph, vectors: Floats, limit: int) -> None:
    assert sorted(rows.scan(vectors[0], limit)[0].tolist()) == list(range(300))
    assert len(rows.scan(vectors[0], limit, sign_candidates=1)[0]) == 300
    assert rows.scan_rows(vectors[0], limit, numbers(5))[0].tolist() == [5]
    assert len(graph.search(vectors[0], limit, 1)[0]) > 290
    assert len(graph.search(vectors[0], 5, limit)[0]) == 5


def test_a_batch_too_large_for_any_memory_is_refused(rows: Rows, graph: Graph, vectors: Floats) -> None:
    for limit in (2**40, 2**63):  # the second overflows, times two
        with pytest.raises((ValueError, MemoryError)):
            rows.scan_batch(vectors[:2], limit)
        with pytest.raises((ValueError, MemoryError)):
            graph.search_batch(vectors[:2], limit, 10)


def test_a_limit_of_nothing(rows: Rows, graph: Graph, vectors: Floats) -> None:
    assert len(rows.scan(vectors[0], 0)[0]) == 0
    assert len(rows.scan_rows(vectors[0], 0, numbers(1, 2))[0]) == 0
    assert len(graph.search(vectors[0], 0, 0)[0]) == 0


def test_an_empty_index_finds_nothing(vectors: Floats) -> None:
    rows = Rows(DIMENSIONS, 10)
    graph = Graph(rows)
    assert len(rows) == len(graph) == rows.alive == 0
    assert rows.alive_mask().shape == (0,)
    assert len(rows.scan(vectors[0], 5)[0]) == 0
    assert len(rows.scan(vectors[0], 5, sign_candidates=5)[0]) == 0
    assert len(rows.scan_rows(vectors[0], 5, numbers())[0]) == 0
    assert len(graph.search(vectors[0], 5, 50)[0]) == 0
    assert (rows.scan_batch(vectors[:2], 5)[0] == NONE).all()
    assert rows.kill(numbers()) == 0
    rows.append(vectors[:0])
    graph.insert(0)
    assert len(rows) == 0


def test_odd_vectors_are_searched_as_others(vectors: Floats) -> None:
    odd = vectors.copy()
    odd[0], odd[1], odd[2], odd[3] = 0, np.nan, np.inf, np.finfo(np.float32).max
    rows = rows_of(odd)
    graph = Graph(rows, m=8)
    graph.insert(300)
    for query in (*odd[:4], -odd[2]):
        found, scores = rows.scan(query, 300)
        assert sorted(found.tolist()) == list(range(300))
        assert not np.isnan(scores).any()
        found, scores = graph.search(query, 10, 100)
        assert len(found) == 10
        assert not np.isnan(scores).any()
    assert rows.scan(odd[50], 1)[0].tolist() == [50]


def test_a_score_that_is_no_number_comes_last(tmp_path: Path, vectors: Floats) -> None:
    odd = vectors[:10].copy()
    odd[4] = np.nan
    write_vectors(tmp_path / "vectors", odd)
    rows = Rows(DIMENSIONS, 10)
    with (tmp_path / "vectors").open("rb") as file:
        rows.map_vectors(file.fileno(), OFFSET, STRIDE)
    rows.append(odd)
    found, scores = rows.scan(odd[0], 10)
    assert found[-1] == 4
    assert np.isneginf(scores[-1])
    assert np.isneginf(rows.scan(np.full(DIMENSIONS, np.nan, np.float32), 10)[1]).all()


# --- the living and the dead --------------------------------------------------------------------------------------


def test_killed_rows_are_not_found_again(rows: Rows, graph: Graph, vectors: Floats) -> None:
    dead = np.arange(0, 300, 2, dtype=np.uint32)
    assert rows.kill(dead) == 150
    assert rows.kill(dead) == 0
    assert rows.kill(numbers(1, 1, 2)) == 1
    assert rows.alive == 149
    assert np.flatnonzero(rows.alive_mask()).tolist() == list(range(3, 300, 2))
    assert len(rows) == 300
    for found, _ in (
        rows.scan(vectors[0], 300),
        rows.scan(vectors[0], 300, sign_candidates=300),
        rows.scan_rows(vectors[0], 300, np.arange(300, dtype=np.uint32)),
        graph.search(vectors[0], 300, 300),
    ):
        assert sorted(found.tolist()) == list(range(3, 300, 2))


def test_dead_rows_stay_hidden_beside_rows_that_are_not_linked_yet(vectors: Floats) -> None:
    rows = rows_of(vectors)
    graph = Graph(rows)
    graph.insert(100)
    rows.kill(numbers(7))
    found, _ = graph.search(vectors[7], 100, 100)
    assert 7 not in found
    assert len(found) == 99


def test_rows_born_dead_only_take_a_number(vectors: Floats) -> None:
    rows = Rows(DIMENSIONS, 10)
    rows.append(vectors[:3], np.array([True, False, True]))
    rows.append(vectors[3:5], alive=None)
    assert (len(rows), rows.alive) == (5, 4)
    assert rows.alive_mask().dtype == np.bool_
    assert rows.alive_mask().tolist() == [True, False, True, True, True]
    assert 1 not in rows.scan(vectors[1], 5)[0]


def test_only_eligible_rows_are_found(rows: Rows, graph: Graph, vectors: Floats) -> None:
    eligible = bitmap(1, 63, 64, 200, words=5)
    for found, _ in (
        rows.scan(vectors[0], 10, eligible=eligible),
        rows.scan(vectors[0], 10, eligible=eligible, sign_candidates=100),
        graph.search(vectors[0], 10, 300, eligible=eligible),
    ):
        assert sorted(found.tolist()) == [1, 63, 64, 200]
    short = bitmap(1, 63, words=1)
    assert sorted(rows.scan(vectors[0], 10, eligible=short)[0].tolist()) == [1, 63]
    assert sorted(graph.search(vectors[0], 10, 300, eligible=short)[0].tolist()) == [1, 63]
    for nothing in (np.zeros(0, np.uint64), np.zeros(5, np.uint64), bitmap(400, words=7)):
        assert len(rows.scan(vectors[0], 10, eligible=nothing)[0]) == 0
        assert len(rows.scan(vectors[0], 10, eligible=nothing, sign_candidates=50)[0]) == 0
        assert len(graph.search(vectors[0], 10, 100, eligible=nothing)[0]) == 0


# --- refusals -----------------------------------------------------------------------------------------------------


def test_other_lengths_are_refused(rows: Rows, graph: Graph) -> None:
    short, batch = np.zeros(DIMENSIONS - 1, np.float32), np.zeros((2, DIMENSIONS + 1), np.float32)
    refused: list[Callable[[], object]] = [
        lambda: rows.append(batch),
        lambda: rows.append(np.zeros((0, 3), np.float32)),
        lambda: rows.scan(short, 5),
        lambda: rows.scan_rows(short, 5, numbers(1)),
        lambda: rows.scan_batch(batch, 5),
        lambda: graph.search(short, 5, 50),
        lambda: graph.search_batch(batch, 5, 50),
        lambda: Rows(DIMENSIONS, 4).append(np.zeros((2, DIMENSIONS), np.float32), np.ones(3, np.bool_)),
    ]
    for call in refused:
        with pytest.raises(ValueError, match=r"length|flag"):
            call()


def test_arrays_of_another_type_or_layout_are_refused_not_converted(rows: Rows, graph: Graph, vectors: Floats) -> None:
    query = vectors[0]
    spread = np.repeat(query, 2)[::2]  # every second element of a longer array
    refused: list[Callable[[], object]] = [
        lambda: rows.scan(query.astype(np.float64), 5),
        lambda: rows.scan(spread, 5),
        lambda: rows.scan(vectors, 5),
        lambda: rows.scan_batch(np.asfortranarray(vectors), 5),
        lambda: rows.scan(query, 5, eligible=np.zeros(5, np.int64)),
        lambda: rows.scan_rows(query, 5, np.array([1], np.int64)),
        lambda: rows.kill(np.array([2**32 + 5], np.int64)),  # converted, it would be row 5
        lambda: rows.append(vectors.astype(np.float16)),
        lambda: rows.append(vectors.T),
        lambda: graph.search(spread, 5, 50),
        lambda: graph.search_batch(vectors[:, ::-1], 5, 50),
        lambda: rows.scan(query, -1),
        lambda: rows.scan(query, 2.5),  # type: ignore[arg-type]
        lambda: Graph(None),  # type: ignore[arg-type]
    ]
    for call in refused:
        with pytest.raises(TypeError):
            call()
    assert rows.alive == 300


def test_read_only_arrays_are_read(vectors: Floats) -> None:
    fixed = vectors.copy()
    fixed.flags.writeable = False
    row_numbers, eligible = numbers(1, 2), bitmap(1, words=1)
    row_numbers.flags.writeable = eligible.flags.writeable = False
    rows = Rows(DIMENSIONS, 300)
    rows.append(fixed)
    graph = Graph(rows)
    graph.insert(300)
    assert rows.scan(fixed[5], 1)[0].tolist() == [5]
    assert rows.scan(fixed[5], 9, eligible=eligible)[0].tolist() == [1]
    assert graph.search(fixed[5], 1, 50)[0].tolist() == [5]
    assert len(rows.scan_rows(fixed[5], 5, row_numbers)[0]) == 2
    assert rows.kill(row_numbers) == 2


def test_rows_that_do_not_exist(rows: Rows, vectors: Floats) -> None:
    with pytest.raises(IndexError):
        rows.kill(numbers(0, 300))
    assert rows.alive == 300
    with pytest.raises(IndexError):
        rows.scan_rows(vectors[0], 5, numbers(NONE))
    with pytest.raises(IndexError):
        rows.vector(300)
    with pytest.raises(ValueError, match="no float32 vectors"):
        rows.vector(0)


def test_sizes_out_of_range(vectors: Floats) -> None:
    for dimensions, capacity in ((0, 1), (8193, 1), (8, 0), (8, 2**40)):
        with pytest.raises(ValueError, match="must be between"):
            Rows(dimensions, capacity)
    for m, ef in ((0, 100), (1, 100), (129, 100), (8, 0), (8, 2**40)):
        with pytest.raises(ValueError, match="must be between"):
            Graph(Rows(8, 8), m=m, ef_construction=ef)
    rows = rows_of(vectors[:5], capacity=6)
    with pytest.raises(ValueError, match="room for 1"):
        rows.append(vectors[:2])
    rows.append(vectors[:1])
    graph = Graph(rows)
    with pytest.raises(ValueError, match="not linked"):
        graph.insert(7)
    with pytest.raises(ValueError, match="must hold a vector"):
        rows.map_vectors(0, 0, 4)


def test_files_that_cannot_be_used(tmp_path: Path, graph: Graph, vectors: Floats) -> None:
    ids = np.arange(300, dtype=np.int64)
    with pytest.raises(FileNotFoundError) as missing:
        Graph.open(str(tmp_path / "none"), NO_VECTORS, 0, 0, verify=False)
    assert missing.value.errno == errno.ENOENT
    with pytest.raises(FileNotFoundError):
        graph.save(str(tmp_path / "no" / "folder"), ids)
    with pytest.raises(ValueError, match="one id for each row"):
        graph.save(str(tmp_path / "graph"), ids[:5])
    graph.save(str(tmp_path / "graph"), ids)
    with pytest.raises(FileExistsError):
        graph.save(str(tmp_path / "graph"), ids)
    with pytest.raises(OSError, match="Bad file descriptor"):
        Rows(8, 8).map_vectors(-1, 0, 32)
    write_vectors(tmp_path / "vectors", vectors[:299])
    with (tmp_path / "vectors").open("rb") as file, pytest.raises(ValueError, match="cut short"):
        Graph.open(str(tmp_path / "graph"), file.fileno(), OFFSET, STRIDE, verify=False)
    with pytest.raises(ValueError, match="only an opened graph"):
        graph.verify()
    with pytest.raises(ValueError, match="only an opened graph"):
        _ = graph.ids


# --- opened graphs ------------------------------------------------------------------------------------------------


def test_an_opened_graph_answers_as_the_saved_one(tmp_path: Path, graph: Graph, vectors: Floats) -> None:
    ids = np.arange(10**12, 10**12 + 300, dtype=np.int64)
    graph.save(str(tmp_path / "graph"), ids)
    write_vectors(tmp_path / "vectors", vectors)
    with (tmp_path / "vectors").open("rb") as file:
        opened = Graph.open(str(tmp_path / "graph"), file.fileno(), OFFSET, STRIDE, verify=True)
    opened.verify()
    assert len(opened) == opened.rows.alive == 300
    assert opened.rows.dimensions == DIMENSIONS
    np.testing.assert_array_equal(opened.ids, ids)
    with pytest.raises(ValueError, match="read-only"):
        opened.ids[0] = 1
    for query in vectors[:10]:
        found, scores = opened.search(query, 5, 300)
        np.testing.assert_array_equal(found, np.argsort(-(vectors @ query), kind="stable")[:5])
        np.testing.assert_allclose(scores, (vectors @ query)[found], atol=1e-6)
    with pytest.raises(ValueError, match="cannot grow"):
        opened.insert(0)
    with pytest.raises(ValueError, match="cannot grow"):
        opened.rows.append(vectors[:1])
    opened.rows.kill(numbers(4))
    assert 4 not in opened.search(vectors[4], 5, 300)[0]


def test_vectors_whose_file_ends_with_the_last_one(tmp_path: Path, vectors: Floats) -> None:
    save_graph(tmp_path / "graph", vectors)
    write_vectors(tmp_path / "vectors", vectors)
    with (tmp_path / "vectors").open("rb") as file:
        opened = Graph.open(str(tmp_path / "graph"), file.fileno(), OFFSET, STRIDE, verify=False)
    np.testing.assert_array_equal(opened.rows.vector(299), vectors[299])


def test_views_keep_what_they_look_at_alive(tmp_path: Path, vectors: Floats) -> None:
    save_graph(tmp_path / "graph", vectors)
    opened = Graph.open(str(tmp_path / "graph"), NO_VECTORS, 0, 0, verify=True)
    ids, rows = opened.ids, opened.rows
    (tmp_path / "graph").unlink()
    del opened
    gc.collect()
    assert ids[-1] == 1299
    assert rows.scan(vectors[8], 1)[0].tolist() == [8]
    graph = Graph(rows_of(vectors))  # holds the only reference to its rows
    gc.collect()
    graph.insert(300)
    assert graph.search(vectors[8], 1, 50)[0].tolist() == [8]
    assert graph.rows is graph.rows


# --- processor and threads ----------------------------------------------------------------------------------------


def test_every_instruction_set_gives_the_same_rows(level: str, graph: Graph, rows: Rows, vectors: Floats) -> None:
    levels = _kernel.cpu_levels()
    assert level in levels
    assert levels[-1] == "portable"
    answers = []
    for name in levels:
        _kernel.set_cpu_level(name)
        assert _kernel.cpu_level() == name
        answers.append(
            [part.tolist() for query in vectors[:20] for part in (*rows.scan(query, 5), *graph.search(query, 5, 50))]
        )
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(ValueError, match="cpu_levels"):
        _kernel.set_cpu_level("6502")


@pytest.mark.parametrize("dimensions", [64, 256, 384])
def test_scans_that_leave_rows_out_by_their_signs_find_what_comparing_all_does(tmp_path: Path, dimensions: int) -> None:
    chance = np.random.default_rng(dimensions)
    topics = chance.standard_normal((40, dimensions))
    rows = topics[chance.integers(0, 40, 9_000)] + 0.6 * chance.standard_normal((9_000, dimensions))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    vectors, queries = vectors[:8_900], vectors[8_900:]
    (tmp_path / "vectors").write_bytes(vectors.tobytes())
    scanned = Rows(dimensions, len(vectors))
    scanned.append(vectors)
    with (tmp_path / "vectors").open("rb") as file:
        scanned.map_vectors(file.fileno(), 0, dimensions * 4)
    dead = np.arange(0, len(vectors), 3, dtype=np.uint32)
    scanned.kill(dead)
    cosines = queries @ vectors.T
    cosines[:, dead] = -2
    wanted = np.argsort(-cosines, axis=1)[:, :10]
    found = [scanned.scan(query, 10)[0] for query in queries]
    assert np.mean([len(np.intersect1d(*pair)) / 10 for pair in zip(found, wanted, strict=True)]) >= 0.995
    assert not np.isin(np.concatenate(found), dead).any()


def test_other_threads_run_and_search_during_an_insertion() -> None:
    vectors = unit_rows(3000)
    graph = Graph(rows_of(vectors))
    writer = threading.Thread(target=graph.insert, args=(3000,))
    writer.start()
    linked = set()
    while writer.is_alive():
        graph.search(vectors[0], 5, 50)
        linked.add(len(graph))
    writer.join()
    assert linked - {0, 3000}  # with the GIL held, only the first and the last would be seen
    assert graph.search(vectors[0], 1, 50)[0].tolist() == [0]


def test_crc32c_of_any_contiguous_buffer() -> None:
    assert _kernel.crc32c(b"123456789") == 0xE3069283
    assert _kernel.crc32c(b"6789", _kernel.crc32c(b"12345")) == 0xE3069283
    assert _kernel.crc32c(bytearray(b"123456789")) == _kernel.crc32c(memoryview(b"123456789")) == 0xE3069283
    assert _kernel.crc32c(np.zeros(4, np.int64)) == 0x8A9136AA
    assert _kernel.crc32c(b"") == 0
    with pytest.raises(BufferError):
        _kernel.crc32c(memoryview(b"123456789")[::2])
    with pytest.raises(TypeError):
        _kernel.crc32c("123456789")


# --- mutated files ------------------------------------------------------------------------------------------------

HEADER = struct.Struct("<8sII QQQQ II 6Q 6Q 6I")  # as in kernel/graph_file.cpp
MUTATIONS = 500


def covered(data: bytes) -> list[slice]:
    """Return the parts of a graph file that hold something: the rest is padding."""
    header = HEADER.unpack_from(data)
    offsets, sizes = header[9:15], header[15:21]
    return [slice(0, HEADER.size), *(slice(at, at + size) for at, size in zip(offsets, sizes, strict=True))]


def mutated(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    kind = chance.randrange(6)
    if kind == 0:
        del data[chance.randrange(len(data)) :]
    elif kind == 1:
        data += bytes(chance.randrange(1, 5000))
    elif kind == 2:
        size = chance.randrange(1, 3000)
        first, second = (chance.randrange(len(data) - size) for _ in range(2))
        data[first : first + size], data[second : second + size] = (
            whole[second : second + size],
            whole[first : first + size],
        )
    elif kind == 3:
        size = chance.randrange(1, 3000)
        at = chance.randrange(len(data) - size)
        data[at : at + size] = bytes([chance.choice((0, 0xFF))]) * size
    else:
        part = chance.choice(covered(whole)[: 1 if kind == 4 else None])
        for _ in range(chance.randrange(1, 9)):
            data[chance.randrange(part.start, part.stop)] ^= 1 << chance.randrange(8)
    return bytes(data)


def use_mutated_graphs(folder: Path) -> None:
    """Run in a process of its own: a signal ends it before it has printed how many files it used."""
    vectors = unit_rows(120)
    save_graph(folder / "graph", vectors)
    write_vectors(folder / "vectors", vectors)
    whole = (folder / "graph").read_bytes()
    chance = random.Random(1)
    opened = 0
    with (folder / "vectors").open("rb") as file:
        for number in range(MUTATIONS):
            data = mutated(whole, chance)
            path = folder / f"graph-{number}"
            path.write_bytes(data)
            same = len(data) == len(whole) and all(data[part] == whole[part] for part in covered(whole))
            try:
                Graph.open(str(path), file.fileno(), OFFSET, STRIDE, verify=True)
            except ValueError:
                assert not same, f"mutation {number} changed nothing that counts, and was refused"
            else:
                assert same, f"mutation {number} was not noticed"
            try:
                graph = Graph.open(str(path), file.fileno(), OFFSET, STRIDE, verify=False)
            except ValueError:
                continue
            opened += 1
            graph.ids.sum()
            for query in vectors[:5]:
                for found, _ in (
                    graph.search(query, 10, 50),
                    graph.search(query, 10, 50, eligible=bitmap(1, 2, 3, 100, words=2)),
                    graph.rows.scan(query, 10),
                    graph.rows.scan(query, 10, sign_candidates=30),
                ):
                    assert len(set(found.tolist())) == len(found) <= 10
                    assert (found < 120).all()
                graph.rows.kill(numbers(0, 5))
            path.unlink()
    print(MUTATIONS, opened)


def test_mutated_graph_files_are_refused_and_never_crash_a_search(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    mutations, opened = map(int, done.stdout.split())
    assert mutations == MUTATIONS
    assert opened > 100  # most of them passed the header's check, and were searched


if __name__ == "__main__":
    use_mutated_graphs(Path(sys.argv[1]))
