"""The exact vector index answers as a brute-force twin does, and never trusts a damaged file."""

import random
from pathlib import Path

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.storage.catalog import ChunkSpan
from lucastrad.storage.vectors.exact import ExactIndex
from lucastrad.types import VectorSpace

SPACE = VectorSpace("local", "test", 8)


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, SPACE.dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ids(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@pytest.fixture
def index(tmp_path: Path) -> ExactIndex:
    return ExactIndex(tmp_path, SPACE)


def test_the_nearest_come_first_across_blocks(index: ExactIndex) -> None:
    rows = unit_rows(20_000)  # more than two blocks
    index.add(np.arange(1, 20_001, dtype=np.int64), rows)
    query = rows[777]
    expected = np.argsort(-(rows @ query))[:5] + 1
    assert [chunk for chunk, _ in index.search(query, 5)] == expected.tolist()


def test_a_deleted_row_is_never_returned(index: ExactIndex) -> None:
    rows = unit_rows(100)
    index.add(np.arange(1, 101, dtype=np.int64), rows)
    index.delete([ChunkSpan(10, 20), ChunkSpan(50, 50)])
    found = {chunk for chunk, _ in index.search(rows[9], 100)}
    assert found == set(range(1, 101)) - set(range(10, 21)) - {50}
    assert len(index) == 88


def test_only_eligible_rows_are_searched(index: ExactIndex) -> None:
    rows = unit_rows(100)
    index.add(np.arange(1, 101, dtype=np.int64), rows)
    found = index.search(rows[0], 100, [ChunkSpan(5, 7), ChunkSpan(90, 200)])
    assert {chunk for chunk, _ in found} == {5, 6, 7, *range(90, 101)}
    assert index.search(rows[0], 10, []) == []


def test_a_checkpoint_survives_reopening_without_the_dead(index: ExactIndex, tmp_path: Path) -> None:
    rows = unit_rows(50)
    index.add(np.arange(1, 51, dtype=np.int64), rows)
    index.delete([ChunkSpan(1, 5)])
    index.checkpoint(9)
    again = ExactIndex(tmp_path, SPACE)
    assert again.reached == 9
    assert len(again) == 45
    assert again.search(rows[30], 3) == index.search(rows[30], 3)
    again.delete([ChunkSpan(31, 31)])  # a mapped row can be deleted, too
    assert 31 not in {chunk for chunk, _ in again.search(rows[30], 50)}


def test_rows_that_are_there_already_are_ignored_and_older_ids_may_come_late(index: ExactIndex, tmp_path: Path) -> None:
    rows = unit_rows(10)
    index.add(ids(3, 4, 9), rows[[2, 3, 8]])
    index.add(ids(1, 4, 5, 12), rows[[0, 7, 4, 9]])
    assert len(index) == 6
    assert np.allclose(index.vector(4), rows[3])
    index.checkpoint(1)
    again = ExactIndex(tmp_path, SPACE)
    assert sorted(chunk for chunk, _ in again.search(rows[0], 10)) == [1, 3, 4, 5, 9, 12]
    assert np.allclose(again.vector(12), rows[9])
    assert again.vector(2) is None


def test_vectors_of_another_length_are_refused(index: ExactIndex) -> None:
    with pytest.raises(LucAstraError, match="one model's vectors only") as caught:
        index.add(ids(1), np.zeros((1, 9), np.float32))
    assert caught.value.code is ErrorCode.SPACE_MISMATCH


def test_every_mutated_file_counts_as_absent(tmp_path: Path) -> None:
    index = ExactIndex(tmp_path, SPACE)
    index.add(np.arange(1, 41, dtype=np.int64), unit_rows(40))
    index.checkpoint(3)
    (path,) = tmp_path.glob("*.exact")
    good = path.read_bytes()
    draw = random.Random(2)
    for _ in range(300):
        mutated = bytearray(good)
        at = draw.randrange(len(good))
        mutated[at] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(mutated) if draw.random() < 0.7 else good[:at])
        again = ExactIndex(tmp_path, SPACE)
        # A flipped blank in the header's padding, or its sequence number, changes no row.
        assert len(again) in (0, 40)
        if len(again):
            assert at < 256


def test_another_space_never_reads_this_ones_file(tmp_path: Path) -> None:
    index = ExactIndex(tmp_path, SPACE)
    index.add(ids(1), unit_rows(1))
    index.checkpoint(3)
    other = ExactIndex(tmp_path, VectorSpace("local", "other", 8))
    assert (other.reached, len(other)) == (0, 0)
