"""A vector log opens as it was at a commit, whatever became of what was written after that."""

import os
import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from vector_case import SPACE, failing_disk, full_disk, ids_from, unit_rows

from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors.log import ROW, VECTOR_OFFSET, Log
from lucastrad.types import VectorSpace

NOTHING = np.empty((0, 2), np.int64)


def spans(*bounds: tuple[int, int]) -> NDArray[np.int64]:
    return np.array(bounds, np.int64).reshape(-1, 2)


def rows_of(log: Log) -> list[int]:
    return [int(i) for _, records in log.slices() for i in records["id"][records["kind"] == ROW]]


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not synced is chosen by the tests: syncing would only take time."""
    monkeypatch.setattr(os, "fdatasync", lambda _descriptor: None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log-000001"


def written(path: Path, *commits: int) -> bytes:
    """A log with rows 10·n … 10·n + 2 and a deletion in commit n; the file's bytes."""
    log = Log.create(path, SPACE, 0)
    for seq in commits:
        log.append_rows(ids_from(10 * seq, 3), unit_rows(3, seq))
        log.commit(seq, spans((10 * seq, 10 * seq)))
    log.close()
    return path.read_bytes()


def test_rows_and_deletions_come_back(path: Path) -> None:
    log = Log.create(path, SPACE, 4)
    vectors = unit_rows(5000)  # more than a slice
    log.append_rows(ids_from(1, 5000), vectors)
    deleted = spans(*((i, i + 1) for i in range(1, 30, 3)))  # more than a record holds
    log.commit(9, deleted)
    log.close()
    again = Log.open(path, SPACE)
    assert again.reached == 9
    assert rows_of(again) == list(range(1, 5001))
    assert again.deleted().tolist() == deleted.tolist()
    found = np.concatenate([records["vector"] for _, records in again.slices()])
    assert np.array_equal(found[2:5002], vectors)


def test_vectors_stand_at_one_stride(path: Path) -> None:
    log = Log.create(path, SPACE, 0)
    vectors = unit_rows(3)
    log.append_rows(ids_from(1, 3), vectors)
    data = path.read_bytes()
    for row, vector in enumerate(vectors, 2):  # after the header and the first commit
        at = row * log.stride + VECTOR_OFFSET
        assert data[at : at + vector.nbytes] == vector.tobytes()


def test_what_was_not_committed_is_cut_off(path: Path) -> None:
    committed = written(path, 1, 2)
    log = Log.open(path, SPACE)
    log.append_rows(ids_from(100, 4), unit_rows(4))
    log.close()
    again = Log.open(path, SPACE)
    assert again.reached == 2
    assert rows_of(again) == [10, 11, 12, 20, 21, 22]
    assert path.read_bytes() == committed
    again.append_rows(ids_from(30, 1), unit_rows(1))
    again.commit(3, NOTHING)
    again.close()
    assert rows_of(Log.open(path, SPACE)) == [10, 11, 12, 20, 21, 22, 30]


def test_any_unsynced_writes_may_be_dropped_or_torn(path: Path) -> None:
    """Commit 2 was under way when the power went: its five records are there, missing or half there."""
    good = written(path, 1, 2)
    stride = Log.open(path, SPACE).stride
    start = len(good) - 5 * stride
    for state in product(("whole", "zero", "torn"), repeat=5):
        data = bytearray(good)
        for number, fate in enumerate(state):
            at = start + number * stride
            kept = {"whole": stride, "zero": 0, "torn": stride // 3}[fate]
            data[at + kept : at + stride] = bytes(stride - kept)
        path.write_bytes(bytes(data))
        log = Log.open(path, SPACE)
        whole = data == good  # a commit's record ends in zeros: torn there, it is whole
        assert (log.reached, len(rows_of(log))) == ((2, 6) if whole else (1, 3))
        log.close()
    for length in range(start, len(good)):
        path.write_bytes(good[:length])
        log = Log.open(path, SPACE)
        assert (log.reached, len(rows_of(log))) == (1, 3)
        log.close()


def test_damage_to_what_was_durable_is_told_from_a_torn_end(path: Path) -> None:
    good = written(path, 1, 2, 3)
    stride = Log.open(path, SPACE).stride
    durable = len(good) - 5 * stride  # the third commit knows that the second was synced
    draw = random.Random(5)
    for _ in range(500):
        data = bytearray(good)
        at = draw.randrange(durable)
        data[at] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(data))
        with pytest.raises(StoreCorrupt):
            Log.open(path, SPACE)


def test_a_record_counts_only_where_it_was_written_and_in_its_own_log(path: Path, tmp_path: Path) -> None:
    good = written(path, 1, 2)
    other = written(tmp_path / "log-000002", 1, 2)
    stride = Log.open(path, SPACE).stride
    for strange in (good[3 * stride : 4 * stride], other[7 * stride : 8 * stride]):
        path.write_bytes(good[: 7 * stride] + strange + good[8 * stride :])
        log = Log.open(path, SPACE)
        assert (log.reached, rows_of(log)) == (1, [10, 11, 12])
        log.close()


def test_a_frozen_log_must_be_whole(path: Path) -> None:
    good = written(path, 1, 2)
    stride = Log.open(path, SPACE).stride
    whole = len(good) // stride
    Log.open(path, SPACE, records=whole).close()
    for length in range(0, len(good), 7):
        path.write_bytes(good[:length])
        with pytest.raises(StoreCorrupt):
            Log.open(path, SPACE, records=whole)


def test_a_log_of_another_space_is_refused(path: Path) -> None:
    written(path, 1)
    with pytest.raises(StoreCorrupt):
        Log.open(path, VectorSpace("local", "other", SPACE.dimensions))
    with pytest.raises(StoreCorrupt):
        Log.open(path, VectorSpace("local", "test", 32))


def test_a_full_disk_leaves_the_log_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(path, 1)
    log = Log.open(path, SPACE)

    real = os.pwrite
    short = iter([20])

    def half_then_full(descriptor: int, data: memoryview, offset: int) -> int:
        for count in short:
            return real(descriptor, data[:count], offset)
        raise full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", half_then_full)
        with pytest.raises(StoreUnavailable, match="free disk space"):
            log.append_rows(ids_from(20, 3), unit_rows(3))
    assert path.read_bytes() == before
    for after in (0, 1):  # while writing, and while syncing
        with failing_disk(monkeypatch, after, full_disk), pytest.raises(StoreUnavailable):
            log.commit(2, spans((11, 11)))
        assert log.reached == 1
    log.append_rows(ids_from(20, 3), unit_rows(3))
    log.commit(2, spans((11, 11)))
    log.close()
    again = Log.open(path, SPACE)
    assert (again.reached, rows_of(again)) == (2, [10, 11, 12, 20, 21, 22])
    assert Log.open(path, SPACE).count == again.count


def test_what_a_failed_sync_may_have_lost_is_written_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log.create(path, SPACE, 0)
    log.append_rows(ids_from(1, 3), unit_rows(3))
    with failing_disk(monkeypatch, 1, full_disk) as failed, pytest.raises(StoreUnavailable):
        log.commit(1, NOTHING)
    assert failed[0] == "fdatasync"
    offsets: list[int] = []
    real = os.pwrite

    def noted(descriptor: int, data: memoryview, offset: int) -> int:
        offsets.append(offset // log.stride)
        return real(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", noted)
        log.commit(1, NOTHING)
    assert offsets == [1, 5]  # everything since the last durable commit, then the new one


def test_short_vectors_leave_room_for_deletions(path: Path) -> None:
    space = VectorSpace("local", "short", 2)
    log = Log.create(path, space, 0)
    log.append_rows(ids_from(1, 2), unit_rows(2, dimensions=2))
    log.commit(3, spans((1, 1), (5, 9)))
    log.close()
    again = Log.open(path, space)
    assert (rows_of(again), again.deleted().tolist()) == ([1, 2], [[1, 1], [5, 9]])
