"""The segmented index answers as brute force does, survives what happens to its files, and never trusts a damaged one.

Every test runs with the native kernel and without it, where numpy and Annoy answer.
"""

import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray
from vector_case import (
    SMALL,
    SPACE,
    DamagedFiles,
    Killed,
    built,
    clustered_rows,
    failing_disk,
    found,
    full_disk,
    ids_from,
    kernels,
    nearest,
    run_merge,
    unit_rows,
)

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.sqlite import StoreUnavailable
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.planner import QueryKind
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import VectorSpace

pytestmark = kernels


@pytest.fixture(autouse=True)
def _unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here cuts the power: syncing would only take time."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _descriptor: None)


@pytest.fixture
def index(tmp_path: Path, kernel: Kernel | None) -> SegmentedIndex:
    return SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=SMALL)


def reopened(index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None, policy: Policy = SMALL) -> SegmentedIndex:
    index.close()
    return SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=policy)


def test_the_nearest_come_first_across_segments_and_logs(index: SegmentedIndex) -> None:
    rows = clustered_rows(500)
    index.add(ids_from(1, 300), rows[:300])
    assert run_merge(index)
    index.add(ids_from(301, 200), rows[300:])
    assert (index.condition().segments, len(index)) == (1, 500)
    for query in clustered_rows(20, seed=7):
        hits = index.search(query, 10, exact=True)
        assert [chunk - 1 for chunk, _ in hits] == nearest(rows, query, 10)
        assert np.allclose([score for _, score in hits], np.sort(rows @ query)[::-1][:10], atol=1e-5)


def test_graphs_find_nearly_all_that_brute_force_finds(index: SegmentedIndex) -> None:
    rows = clustered_rows(3000)
    index.add(ids_from(0, 3000), rows)
    assert run_merge(index)
    for kind in QueryKind:
        queries = clustered_rows(50, seed=8)
        hits = [{chunk for chunk, _ in index.search(query, 10, kind=kind)} for query in queries]
        shared = sum(len(found & set(nearest(rows, q, 10))) for found, q in zip(hits, queries, strict=True))
        assert shared / 500 >= 0.95


def test_scores_are_exact_whatever_the_way_of_searching(index: SegmentedIndex) -> None:
    rows = clustered_rows(600)
    index.add(ids_from(0, 600), rows)
    assert run_merge(index)
    query = clustered_rows(1, seed=5)[0]
    for within in (None, [ChunkSpan(0, 20)], [ChunkSpan(0, 500)]):
        for kind in QueryKind:
            hits = index.search(query, 10, within, kind=kind)
            assert len(hits) == 10
            assert np.allclose([score for _, score in hits], [rows[chunk] @ query for chunk, _ in hits], atol=1e-5)
            assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))


def test_equal_scores_are_ordered_by_id(index: SegmentedIndex) -> None:
    same = np.repeat(np.eye(1, SPACE.dimensions, dtype=np.float32), 4, axis=0)
    index.add(ids_from(5, 4), same)
    index.add(ids_from(1, 4), same)
    assert index.search(same[0], 10) == [(chunk, 1.0) for chunk in range(1, 9)]


def test_a_deleted_row_is_never_returned(index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None) -> None:
    rows = unit_rows(300)
    index.add(ids_from(1, 200), rows[:200])
    run_merge(index)
    index.add(ids_from(201, 100), rows[200:])
    index.delete([ChunkSpan(10, 20), ChunkSpan(15, 30), ChunkSpan(190, 210), ChunkSpan(5000, 9000)])
    left = set(range(1, 301)) - set(range(10, 31)) - set(range(190, 211))
    assert found(index) == left
    assert {chunk for chunk, _ in index.search(rows[14], 300)} <= left
    assert index.vector(20) is None
    assert (len(index), index.unsaved) == (len(left), 342)
    index.commit(4)
    again = reopened(index, tmp_path, kernel)
    assert (found(again), again.unsaved) == (left, 0)


def test_deleting_ids_that_are_still_to_come_does_not_reach_them(
    index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None
) -> None:
    index.add(ids_from(1, 5), unit_rows(5))
    index.delete([ChunkSpan(3, 1 << 62)])
    index.add(ids_from(6, 5), unit_rows(5, seed=1))
    index.commit(1)
    assert found(reopened(index, tmp_path, kernel)) == {1, 2, 6, 7, 8, 9, 10}


def test_only_eligible_rows_are_searched(index: SegmentedIndex) -> None:
    rows = unit_rows(400)
    index.add(ids_from(1, 200), rows[:200])
    run_merge(index)
    index.add(ids_from(201, 200), rows[200:])
    for spans in ([ChunkSpan(5, 7), ChunkSpan(198, 203)], [ChunkSpan(2, 150), ChunkSpan(250, 399)]):
        expected = {chunk for span in spans for chunk in range(span.first, span.last + 1)}
        for exact in (True, False):
            hits = {chunk for chunk, _ in index.search(rows[0], 400, spans, exact=exact)}
            assert hits <= expected
            assert len(hits) >= 0.9 * len(expected)
        assert {chunk for chunk, _ in index.search(rows[0], 400, spans, exact=True)} == expected
    assert index.search(rows[0], 10, []) == []


def test_a_commit_survives_and_what_came_after_is_replayed(
    index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None
) -> None:
    rows = unit_rows(20)
    index.add(ids_from(1, 10), rows[:10])
    index.commit(7)
    index.add(ids_from(11, 10), rows[10:])
    index.delete([ChunkSpan(1, 3)])
    assert index.unsaved == 13
    again = reopened(index, tmp_path, kernel)
    assert (again.reached, found(again)) == (7, set(range(1, 11)))
    again.add(ids_from(1, 20), rows)  # the caller's replay: what is there is ignored
    again.delete([ChunkSpan(1, 3)])
    assert (again.unsaved, found(again)) == (13, set(range(4, 21)))


def test_rows_that_are_there_already_are_ignored_and_older_ids_may_come_late(
    index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None
) -> None:
    rows = unit_rows(13)
    index.add(np.array([3, 4, 9]), rows[[3, 4, 9]])
    index.add(np.array([1, 4, 5, 12]), rows[[1, 0, 5, 12]])
    index.add(np.array([2, 9]), rows[[2, 0]])
    index.delete([ChunkSpan(5, 5)])
    for _ in range(2):
        assert found(index) == {1, 2, 3, 4, 9, 12}
        for chunk in (1, 2, 3, 4, 9, 12):
            assert np.array_equal(index.vector(chunk), rows[chunk])
        assert {chunk for chunk, _ in index.search(rows[0], 10, [ChunkSpan(2, 4), ChunkSpan(12, 12)])} == {2, 3, 4, 12}
        index.commit(1)
        index = reopened(index, tmp_path, kernel)


def test_vectors_of_another_length_are_refused(index: SegmentedIndex) -> None:
    index.add(ids_from(1, 1), unit_rows(1))
    for mismatched in (
        lambda: index.add(ids_from(2, 1), unit_rows(1, dimensions=17)),
        lambda: index.search(unit_rows(1, dimensions=8)[0], 3),
    ):
        with pytest.raises(LucAstraError, match="one model's vectors only") as caught:
            mismatched()
        assert caught.value.code is ErrorCode.SPACE_MISMATCH


def test_another_space_has_its_own_files(index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None) -> None:
    index.add(ids_from(1, 1), unit_rows(1))
    index.commit(3)
    other = SegmentedIndex(tmp_path, VectorSpace("local", "other", SPACE.dimensions), kernel=kernel)
    assert (other.reached, len(other)) == (0, 0)
    # Not even where its folder was renamed.
    index.close()
    other.close()
    shutil.rmtree(tmp_path / other.space.identity)
    (tmp_path / SPACE.identity).rename(tmp_path / other.space.identity)
    again = SegmentedIndex(tmp_path, other.space, kernel=kernel)
    assert (again.reached, len(again)) == (0, 0)


def test_clearing_forgets_everything(index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None) -> None:
    index.add(ids_from(1, 200), unit_rows(200))
    run_merge(index)
    index.commit(4)
    merge = index.plan_merge(busy=False)
    index.clear()
    assert (len(index), index.reached, index.condition().segments, merge) == (0, 0, 0, None)
    again = reopened(index, tmp_path, kernel)
    assert (len(again), again.reached) == (0, 0)
    again.add(ids_from(1, 3), unit_rows(3))
    assert found(again) == {1, 2, 3}


def test_a_full_log_is_followed_by_another(tmp_path: Path, kernel: Kernel | None) -> None:
    policy = Policy(log_records=50)
    index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=policy)
    rows = unit_rows(333)
    index.add(ids_from(1, 333), rows)
    index.delete([ChunkSpan(i, i) for i in range(1, 333, 2)])  # more than fits into what is left of a log
    assert index.condition().logs == 7
    index.commit(5)
    assert index.condition().logs == 8
    again = reopened(index, tmp_path, kernel, policy)
    assert (found(again), again.reached) == (set(range(2, 334, 2)) | {333}, 5)
    assert run_merge(again) is False
    sealing = reopened(again, tmp_path, kernel)
    assert run_merge(sealing)
    assert (found(sealing), sealing.condition().logs) == (set(range(2, 334, 2)) | {333}, 1)


def test_a_full_log_waits_for_space_however_often_it_is_tried(
    tmp_path: Path, kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=Policy(log_records=50))
    rows = unit_rows(100)

    def full(*_: object) -> None:
        raise full_disk()

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)  # appending works, publishing a new log does not
        for _ in range(100):
            with pytest.raises(StoreUnavailable):
                index.add(ids_from(1, 100), rows)
    assert (found(index), index.condition().logs) == (set(range(1, 49)), 1)
    index.add(ids_from(1, 100), rows)
    index.commit(1)
    assert found(index) == set(range(1, 101))


def test_logs_that_are_mostly_dead_are_rewritten(index: SegmentedIndex, tmp_path: Path, kernel: Kernel | None) -> None:
    index.add(ids_from(1, 150), unit_rows(150))
    run_merge(index)
    index.delete([ChunkSpan(20, 30)])  # recorded in the log only
    index.add(ids_from(151, 90), unit_rows(90, seed=1))
    index.delete([ChunkSpan(160, 240)])
    index.commit(6)
    before = index.condition()
    assert run_merge(index) is False  # done at once, within plan_merge
    after = index.condition()
    assert after.bytes_on_disk < before.bytes_on_disk
    left = set(range(1, 160)) - set(range(20, 31))
    assert (found(index), after.rows) == (left, len(left))
    again = reopened(index, tmp_path, kernel)
    assert (found(again), again.reached) == (left, 6)


def test_its_condition_names_sizes_and_what_is_degraded(index: SegmentedIndex, kernel: Kernel | None) -> None:
    index.add(ids_from(1, 150), unit_rows(150))
    run_merge(index)
    index.delete([ChunkSpan(1, 10)])
    index.add(ids_from(151, 5), unit_rows(5))
    condition = index.condition()
    assert (condition.rows, condition.dead, condition.segments, condition.logs) == (145, 10, 1, 1)
    assert condition.bytes_on_disk > 155 * SPACE.dimensions * 4
    assert condition.memory_bytes > 0
    assert bool(condition.degraded) == (kernel is None)
    assert index.verify() == []


def test_searches_go_on_beside_a_writer(index: SegmentedIndex) -> None:
    rows = clustered_rows(1200)
    query = rows[3]
    stop, errors = threading.Event(), []
    deleted: set[int] = set()

    def search() -> None:
        try:
            while not stop.is_set():
                gone = set(deleted)
                hits = index.search(query, 20) + index.search(query, 20, [ChunkSpan(1, 700)], exact=True)
                assert not gone & {chunk for chunk, _ in hits}
                assert all(abs(rows[chunk - 1] @ query - score) < 1e-5 for chunk, score in hits)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(12):
        index.add(ids_from(step * 100 + 1, 100), rows[step * 100 : step * 100 + 100])
        index.delete([ChunkSpan(step * 100 + 1, step * 100 + 30)])
        deleted |= set(range(step * 100 + 1, step * 100 + 31))
        index.commit(step)
        run_merge(index)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(index) == 840


# --- damage, full disks, kills ----------------------------------------------------------------------


@pytest.mark.parametrize("name", DamagedFiles.NAMES)
def test_every_mutated_file_is_noticed(tmp_path: Path, kernel: Kernel | None, name: str) -> None:
    """No signal, no wrong hit: what was damaged is missing until the caller has replayed it."""
    if kernel is None and name == "graph":
        pytest.skip("there is none")
    damaged = DamagedFiles(tmp_path, kernel, name, random.Random(3))
    for _ in range(10):
        damaged.check_next()


def test_a_touched_but_unchanged_file_is_read_once_and_then_trusted_again(
    tmp_path: Path, kernel: Kernel | None
) -> None:
    folder, expected = built(tmp_path, kernel)
    (segment,) = folder.glob("segment-*")
    for path in segment.iterdir():
        os.utime(path, ns=(1, 1))
    manifests = [(folder / "manifest.json").read_bytes()]
    for _ in range(2):
        index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=SMALL)
        assert (found(index), index.reached) == (expected, 5)
        index.close()
        manifests.append((folder / "manifest.json").read_bytes())
    assert manifests[0] != manifests[1] == manifests[2]


def test_a_damaged_graph_is_served_by_annoy_and_then_built_anew(tmp_path: Path, kernel: Kernel | None) -> None:
    if kernel is None:
        pytest.skip("there is none")
    folder, expected = built(tmp_path, kernel)
    (segment,) = folder.glob("segment-*")
    (segment / "graph").write_bytes(b"nothing")
    index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=SMALL)
    assert "Annoy answers in place of its graph" in index.condition().degraded[0]
    assert index.verify()
    assert (found(index), index.reached) == (expected, 5)
    assert len(index.search(unit_rows(1)[0], 10)) == 10
    assert run_merge(index)
    assert (index.condition().degraded, index.verify(), found(index)) == ([], [], expected)


def test_an_index_made_with_the_kernel_works_without_it_and_back(tmp_path: Path, kernel: Kernel | None) -> None:
    _, expected = built(tmp_path, kernel)
    for other in (None, kernel):
        index = SegmentedIndex(tmp_path, SPACE, kernel=other, policy=SMALL)
        assert (found(index), index.reached) == (expected, 5)
        index.close()


def test_verify_finds_what_opening_trusted(tmp_path: Path, kernel: Kernel | None) -> None:
    folder, _ = built(tmp_path, kernel)
    index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=SMALL)
    (segment,) = folder.glob("segment-*")
    for path in (segment / "vectors.ann", sorted(folder.glob("log-*"))[0]):
        with path.open("r+b") as file:
            file.seek(path.stat().st_size - 3)
            file.write(b"\xff")
    problems = " ".join(index.verify())
    assert "vectors.ann: checksum mismatch" in problems
    assert "log-" in problems


def some_work(index: SegmentedIndex, rows: NDArray[np.float32]) -> list[Callable[[], object]]:
    """Steps that append, rotate, seal and rewrite."""
    return [
        lambda: index.add(ids_from(81, 120), rows[80:200]),
        lambda: index.delete([ChunkSpan(1, 9)]),
        lambda: index.commit(2),
        lambda: run_merge(index),
        lambda: index.add(ids_from(201, 100), rows[200:]),
        lambda: index.delete([ChunkSpan(210, 300)]),
        lambda: index.commit(3),
        lambda: run_merge(index),
    ]


def test_a_disk_that_fills_up_anywhere_loses_nothing(
    tmp_path: Path, kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write in turn is the first to fail; searches go on, and afterwards everything works again."""
    rows, policy = unit_rows(300), Policy(seal_rows=100, log_records=140, rewrite_records=64, annoy_trees=1)
    for after in range(100):
        folder = tmp_path / str(after)
        index = SegmentedIndex(folder, SPACE, kernel=kernel, policy=policy)
        index.add(ids_from(1, 80), rows[:80])
        index.commit(1)
        steps = some_work(index, rows)
        with failing_disk(monkeypatch, after, full_disk) as failed:
            for step in steps:
                try:
                    step()
                except StoreUnavailable as error:
                    assert "free disk space" in error.message
                except OSError:  # of the merge job, in its worker process
                    assert index._merge is not None
                    index.abandon_merge(index._merge)
                assert set(range(10, 81)) <= found(index)
        for step in steps:  # the caller's replay
            step()
        while run_merge(index):
            pass
        assert found(index) == set(range(10, 210))
        index.commit(5)
        index.close()
        again = SegmentedIndex(folder, SPACE, kernel=kernel, policy=policy)
        assert (found(again), again.reached, again.verify()) == (set(range(10, 210)), 5, [])
        again.close()
        if not failed:
            return
    pytest.fail("the disk never stayed free")


def test_a_kill_anywhere_loses_nothing_that_was_committed(
    tmp_path: Path, kernel: Kernel | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon dies at every call that changes the disk, in turn."""
    rows, policy = unit_rows(300), Policy(seal_rows=100, log_records=140, rewrite_records=64, annoy_trees=1)
    for after in range(120):
        folder, acknowledged = tmp_path / str(after), 0
        with failing_disk(monkeypatch, after, Killed) as failed:
            try:
                index = SegmentedIndex(folder, SPACE, kernel=kernel, policy=policy)
                index.add(ids_from(1, 200), rows[:200])
                index.commit(1)
                acknowledged = 1
                index.delete([ChunkSpan(1, 9)])
                index.commit(2)
                acknowledged = 2
                run_merge(index)
                index.add(ids_from(201, 100), rows[200:])
                index.delete([ChunkSpan(205, 300)])
                index.commit(3)
                acknowledged = 3
                run_merge(index)
                index.close()
            except Killed:
                pass
        again = SegmentedIndex(folder, SPACE, kernel=kernel, policy=policy)
        assert again.reached >= acknowledged
        states = {0: set(range(1, 201)), 1: set(range(1, 201)), 2: set(range(10, 201)), 3: set(range(10, 205))}
        if again.reached == 3:
            assert found(again) == states[3]
        else:  # rows and deletions of later transactions may be there, never those of none
            must = states[2] if again.reached else set()
            assert must <= found(again) | set(range(1, 10))
            assert found(again) <= set(range(1, 301))
        assert again.verify() == []
        named = {path.name for path in (folder / SPACE.identity).iterdir()}
        assert len(named) == 1 + again.condition().logs + again.condition().segments, named
        again.close()
        if not failed:
            return
    pytest.fail("the daemon never survived")
