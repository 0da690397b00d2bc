"""The cache returns what was put or nothing, whatever happened to its file."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache, passage_key, verify_cache
from lucastrad.types import Passage, VectorSpace

SPACE = VectorSpace("local", "test", 8)
PARTS = st.text(alphabet="ab/\0é", max_size=4)
PASSAGES = st.builds(Passage, PARTS, PARTS, PARTS)


def vector(number: int) -> NDArray[np.float32]:
    return np.random.default_rng(number).standard_normal(SPACE.dimensions).astype(np.float32)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[EmbeddingCache]:
    cache = EmbeddingCache(tmp_path, SPACE, max_bytes=1 << 20)
    yield cache
    cache.close()


def file_of(folder: Path) -> Path:
    return folder / f"{SPACE.identity}.sqlite3"


def test_what_was_put_is_returned_and_nothing_else(cache: EmbeddingCache) -> None:
    cache.put((key(n), vector(n)) for n in range(1200))
    found = cache.get([key(n) for n in range(1100, 1300)])
    assert found.keys() == {key(n) for n in range(1100, 1200)}
    assert all(np.array_equal(found[key(n)], vector(n)) for n in range(1100, 1200))
    assert cache.get([]) == {}


def test_it_lasts_and_a_second_put_replaces(cache: EmbeddingCache, tmp_path: Path) -> None:
    cache.put([(key(1), vector(1))])
    cache.put([(key(1), vector(2))])
    cache.close()
    again = EmbeddingCache(tmp_path, SPACE, max_bytes=1 << 20)
    assert np.array_equal(again.get([key(1)])[key(1)], vector(2))
    assert len(again) == 1
    again.close()


def test_a_mutated_row_counts_as_absent(cache: EmbeddingCache, tmp_path: Path) -> None:
    cache.put((key(n), vector(n)) for n in range(100))
    flips = random.Random(1)
    with closing(sqlite3.connect(file_of(tmp_path), isolation_level=None)) as connection:
        for n in range(0, 100, 2):
            (blob,) = connection.execute("SELECT vector FROM vectors WHERE key=?", (key(n),)).fetchone()
            broken = bytearray(blob)
            broken[flips.randrange(len(broken))] ^= 1 << flips.randrange(8)
            connection.execute("UPDATE vectors SET vector=? WHERE key=?", (bytes(broken), key(n)))
        connection.execute("UPDATE vectors SET vector=x'00' WHERE key=?", (key(1),))
        connection.execute("UPDATE vectors SET vector='text' WHERE key=?", (key(3),))
    assert cache.get([key(n) for n in range(100)]).keys() == {key(n) for n in range(5, 100, 2)}


@pytest.mark.parametrize("seed", range(20))
def test_a_mutated_file_never_yields_a_wrong_vector_and_can_be_written_again(tmp_path: Path, seed: int) -> None:
    cache = EmbeddingCache(tmp_path, SPACE, max_bytes=1 << 20)
    cache.put((key(n), vector(n)) for n in range(300))
    cache.close()
    moment = random.Random(seed)
    data = bytearray(file_of(tmp_path).read_bytes())
    for _ in range(8):
        at = moment.randrange(len(data))
        data[at : at + 64] = moment.randbytes(len(data[at : at + 64]))
    file_of(tmp_path).write_bytes(data)
    cache = EmbeddingCache(tmp_path, SPACE, max_bytes=1 << 20)
    for found, stored in cache.get([key(n) for n in range(300)]).items():
        assert np.array_equal(stored, vector(int.from_bytes(found, "big")))
    cache.put((key(n), vector(n)) for n in range(300))
    assert np.array_equal(cache.get([key(7)])[key(7)], vector(7))
    cache.close()


def test_it_keeps_to_its_bound_and_forgets_the_oldest(tmp_path: Path) -> None:
    row = SPACE.dimensions * 4 + 64
    cache = EmbeddingCache(tmp_path, SPACE, max_bytes=50 * row)
    for n in range(200):
        cache.put([(key(n), vector(n))])
        assert len(cache) <= 50
    assert cache.get([key(n) for n in range(200)]).keys() == {key(n) for n in range(150, 200)}
    cache.close()


def test_spaces_do_not_share_vectors(tmp_path: Path) -> None:
    spaces = [
        SPACE,
        VectorSpace("local", "other", 8),
        VectorSpace("remote", "test", 8),
        VectorSpace("local", "test", 4),
    ]
    caches = [EmbeddingCache(tmp_path, space, max_bytes=1 << 20) for space in spaces]
    caches[0].put([(key(1), vector(1))])
    assert [len(cache) for cache in caches] == [1, 0, 0, 0]
    for cache in caches:
        cache.close()


@pytest.mark.parametrize("length", [0, 7, 9])
def test_a_vector_of_another_length_is_refused_and_with_it_its_batch(cache: EmbeddingCache, length: int) -> None:
    with pytest.raises(LucAstraError, match="not mixed") as refused:
        cache.put([(key(1), vector(1)), (key(2), np.zeros(length, np.float32))])
    assert refused.value.code == ErrorCode.SPACE_MISMATCH
    assert cache.get([key(1), key(2)]) == {}


def test_its_check_counts_rows_and_names_damage(cache: EmbeddingCache, tmp_path: Path) -> None:
    assert verify_cache(tmp_path / "none", SPACE) == (0, [])
    cache.put((key(n), vector(n)) for n in range(300))
    assert verify_cache(tmp_path, SPACE) == (300, [])  # beside whoever has it open
    with closing(sqlite3.connect(file_of(tmp_path), isolation_level=None)) as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(36) WHERE key < ?", (key(2),))
    assert verify_cache(tmp_path, SPACE) == (300, ["2 of 300 vectors fail their checksum"])
    cache.close()
    data = bytearray(file_of(tmp_path).read_bytes())
    data[4096:8192] = b"\xa5" * 4096
    file_of(tmp_path).write_bytes(data)
    assert verify_cache(tmp_path, SPACE)[1]


@given(PASSAGES, PASSAGES)
def test_keys_are_equal_only_for_equal_passages(one: Passage, other: Passage) -> None:
    """Also where a part's end could be taken for the next one's start."""
    assert (passage_key(one) == passage_key(other)) == (one == other)


def test_a_key_is_the_same_in_every_process_and_version() -> None:
    assert passage_key(Passage("a.py", "f", "text")).hex() == passage_key(Passage("a.py", "f", "text")).hex()
    assert len(passage_key(Passage("", "", "\udcff"))) == 16
