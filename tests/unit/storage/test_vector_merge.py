"""Merges: what the worker builds, what the daemon does with it, and what Annoy finds in it."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from vector_case import SPACE, clustered_rows, ids_from, kernels, nearest, unit_rows

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors import annoy_file
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import MergeReply, MergeRequest, merge_job, pack_mask, unpack_mask
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.planner import Thresholds
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.segment import GRAPH, IDS, VECTORS

POLICY = Policy(seal_rows=100, segments=2, search=Thresholds(scan_rows=50))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / SPACE.identity


def opened(tmp_path: Path, kernel: Kernel | None = None) -> SegmentedIndex:
    return SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=POLICY)


def found(index: SegmentedIndex) -> set[int]:
    return {chunk for chunk, _ in index.search(unit_rows(1)[0], 10_000, exact=True)}


def merge_all(index: SegmentedIndex) -> int:
    done = 0
    while (merge := index.plan_merge(busy=False)) is not None:
        index.finish_merge(merge, merge_job(merge.request))
        done += 1
    return done


@kernels
def test_a_segment_holds_the_live_rows_by_id(tmp_path: Path, folder: Path, kernel: Kernel | None) -> None:
    index, rows = opened(tmp_path, kernel), unit_rows(9000)  # several slices
    index.add(ids_from(5001, 4000), rows[5000:])
    index.add(ids_from(1, 5000), rows[:5000])
    index.delete([ChunkSpan(4000, 4999)])
    merge = index.plan_merge(busy=False)
    assert merge is not None
    reply = msgspec.msgpack.decode(merge_job(merge.request), type=MergeReply)
    built = Path(msgspec.msgpack.decode(merge.request, type=MergeRequest).folder)
    expected = np.concatenate([ids_from(1, 3999), ids_from(5000, 4001)])
    assert reply.rows == 8000
    assert np.array_equal(np.load(built / IDS), expected)
    assert np.array_equal(annoy_file.map_vectors(built / VECTORS, SPACE.dimensions, 8000), rows[expected - 1])
    assert set(reply.files) == {VECTORS, IDS} | ({GRAPH} if kernel else set())
    assert all(path.stat().st_mode & 0o077 == 0 for path in (built, *built.iterdir()))


def test_merging_needs_nothing_of_the_daemon() -> None:
    """A worker process imports storage only: it starts quickly, and cannot touch the daemon's state."""
    code = (
        "import sys; from lucastrad.storage.vectors.merge import merge_job;"
        "print([m for m in sys.modules if m.split('.')[0] in ('trio', 'pygls', 'tantivy', 'tree_sitter')"
        " or m in ('lucastrad.app', 'lucastrad.server', 'lucastrad.indexing', 'lucastrad.search')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 1000])
def test_masks_survive_packing(rows: int) -> None:
    mask = np.random.default_rng(rows).random(rows) < 0.5
    assert np.array_equal(unpack_mask(pack_mask(mask), rows), mask)


@kernels
def test_what_happens_during_a_merge_is_kept(tmp_path: Path, kernel: Kernel | None) -> None:
    index, rows = opened(tmp_path, kernel), unit_rows(300)
    index.add(ids_from(1, 200), rows[:200])
    index.delete([ChunkSpan(3, 4)])
    index.commit(1)
    merge = index.plan_merge(busy=False)
    assert merge is not None
    assert index.plan_merge(busy=False) is None  # one at a time
    reply = merge_job(merge.request)
    index.delete([ChunkSpan(10, 20)])
    index.add(ids_from(201, 60), rows[200:260])
    index.delete([ChunkSpan(150, 210)])
    expected = set(range(1, 261)) - {3, 4} - set(range(10, 21)) - set(range(150, 211))
    assert found(index) == expected
    index.finish_merge(merge, reply)
    assert (found(index), index.condition().segments) == (expected, 1)
    index.commit(2)
    index.close()
    again = opened(tmp_path, kernel)
    assert (found(again), again.reached) == (expected, 2)


@kernels
def test_deletions_outlive_the_log_that_recorded_them(tmp_path: Path, kernel: Kernel | None) -> None:
    index, rows = opened(tmp_path, kernel), unit_rows(500)
    index.add(ids_from(1, 200), rows[:200])
    assert merge_all(index) == 1
    index.delete([ChunkSpan(5, 9), ChunkSpan(11, 11), ChunkSpan(190, 200)])
    index.add(ids_from(201, 150), rows[200:350])
    index.commit(3)
    assert merge_all(index) == 1  # drops the log that knew of the deletions in the first segment
    index.close()
    again = opened(tmp_path, kernel)
    assert found(again) == set(range(1, 351)) - set(range(5, 10)) - {11} - set(range(190, 201))


@kernels
def test_ids_of_one_segment_may_lie_between_those_of_another(tmp_path: Path, kernel: Kernel | None) -> None:
    """Deletions are carried over by id: neighbours in one segment have others' ids between them."""
    index, rows = opened(tmp_path, kernel), unit_rows(600)
    for first in (1, 2):  # odd ids, then even ones
        ids = np.arange(first, 400, 2, dtype=np.int64)
        index.add(ids, rows[ids])
        assert merge_all(index) == 1
    index.delete([ChunkSpan(i, i) for i in range(1, 100, 2)])
    index.add(ids_from(400, 100), rows[400:500])
    index.commit(1)
    assert index.plan_merge(busy=True) is None
    merge_all(index)
    index.close()
    assert found(opened(tmp_path, kernel)) == set(range(1, 500)) - set(range(1, 100, 2))


@kernels
def test_segments_are_compacted_and_merged(tmp_path: Path, folder: Path, kernel: Kernel | None) -> None:
    index, rows = opened(tmp_path, kernel), unit_rows(600)
    for first in range(0, 600, 150):
        index.add(ids_from(first, 150), rows[first : first + 150])
        merge_all(index)
    assert index.condition().segments == 2
    index.delete([ChunkSpan(0, 299)])
    index.commit(1)
    assert merge_all(index) >= 1
    condition = index.condition()
    assert (condition.rows, condition.dead) == (300, 0)
    index.delete([ChunkSpan(300, 599)])
    merge_all(index)
    assert (len(index), index.condition().segments) == (0, 0)
    assert sorted(path.name.partition("-")[0] for path in folder.iterdir()) == ["log", "manifest.json"]


def test_an_abandoned_merge_leaves_no_trace(tmp_path: Path, folder: Path) -> None:
    index = opened(tmp_path)
    index.add(ids_from(1, 200), unit_rows(200))
    for _ in range(3):
        merge = index.plan_merge(busy=False)
        assert merge is not None
        merge_job(merge.request)
        index.abandon_merge(merge)
        assert not list(folder.glob("segment-*"))
        assert index.condition().logs == 2  # frozen once: an empty log needs no successor
    assert merge_all(index) == 1
    assert found(index) == set(range(1, 201))


def test_a_merge_that_a_clear_overtook_is_dropped(tmp_path: Path, folder: Path) -> None:
    index = opened(tmp_path)
    index.add(ids_from(1, 200), unit_rows(200))
    merge = index.plan_merge(busy=False)
    assert merge is not None
    index.clear()
    reply = merge_job_or_nothing(merge.request)
    index.finish_merge(merge, reply)
    assert (len(index), list(folder.glob("segment-*"))) == (0, [])


def merge_job_or_nothing(request: bytes) -> bytes:
    """The job's inputs may be gone."""
    try:
        return merge_job(request)
    except OSError:
        return b""


def test_what_an_unfinished_merge_left_is_removed_at_the_next_start(tmp_path: Path, folder: Path) -> None:
    index = opened(tmp_path)
    index.add(ids_from(1, 200), unit_rows(200))
    index.commit(1)
    merge = index.plan_merge(busy=False)
    assert merge is not None
    merge_job(merge.request)
    index.close()
    assert list(folder.glob("*.part"))
    again = opened(tmp_path)
    assert not list(folder.glob("*.part"))
    assert found(again) == set(range(1, 201))


def test_a_reply_that_does_not_fit_what_stands_there_is_refused(tmp_path: Path, folder: Path) -> None:
    index = opened(tmp_path)
    index.add(ids_from(1, 200), unit_rows(200))
    merge = index.plan_merge(busy=False)
    assert merge is not None
    reply = merge_job(merge.request)
    (part,) = folder.glob("*.part")
    with (part / VECTORS).open("ab") as file:
        file.write(b"more")
    assert not index.finish_merge(merge, reply)
    assert (found(index), list(folder.glob("segment-*"))) == (set(range(1, 201)), [])
    assert merge_all(index) == 1


def test_annoy_is_not_started_on_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes through a mapping, where a full disk would end the process."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(OSError, match="No space left") as caught:
        annoy_file.build(tmp_path / "x.ann", iter([unit_rows(100)]), SPACE.dimensions, rows=100, trees=1)
    assert caught.value.errno == errno.ENOSPC


def test_annoy_finds_nearly_what_comparing_every_row_finds(tmp_path: Path) -> None:
    """With 20 trees, through the index as it is used where the kernel is missing; its scores are exact."""
    rows, queries = clustered_rows(3000), clustered_rows(60, seed=4)
    index = opened(tmp_path)
    index.add(ids_from(0, 3000), rows)
    assert merge_all(index) == 1
    shared = 0
    for query in queries:
        hits = index.search(query, 10)
        assert np.allclose([score for _, score in hits], [rows[chunk] @ query for chunk, _ in hits], atol=1e-5)
        shared += len({chunk for chunk, _ in hits} & set(nearest(rows, query, 10)))
    assert shared / 600 >= 0.98
    index.delete([ChunkSpan(i, i + 1) for i in range(0, 3000, 4)])  # half of the rows
    for query in queries:
        hits = index.search(query, 10)
        assert len(hits) == 10
        assert all(chunk % 4 >= 2 for chunk, _ in hits)
