"""What the tests of the vector index share: rows, both ways of searching, damaged files, and a disk that fails."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import merge_job
from lucastrad.storage.vectors.native import Kernel, kernel_or_none
from lucastrad.storage.vectors.planner import QueryKind, Thresholds
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import VectorSpace

SPACE = VectorSpace("local", "test", 16)

SMALL = Policy(
    seal_rows=100,
    seal_rows_busy=100_000,
    rewrite_records=64,
    segments=2,
    search=Thresholds(scan_rows=50),
)
"""Graphs (or Annoy's trees) from 51 rows on."""

WRITING_CALLS = ("pwrite", "fdatasync", "fsync", "replace", "rename")
"""What the index changes the disk with (opening new files aside)."""

kernels = pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(None, id="without the kernel"),
        pytest.param(
            kernel_or_none(),
            id="with the kernel",
            marks=pytest.mark.skipif(kernel_or_none() is None, reason="the native kernel is not built"),
        ),
    ],
)


def unit_rows(count: int, seed: int = 0, dimensions: int = SPACE.dimensions) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def clustered_rows(count: int, seed: int = 0, dimensions: int = SPACE.dimensions) -> NDArray[np.float32]:
    """As real embeddings lie: around a few dozen centres."""
    draw = np.random.default_rng(seed)
    centres = unit_rows(40, seed + 1, dimensions)
    rows = centres[draw.integers(0, 40, count)] + 0.5 * unit_rows(count, seed + 2, dimensions)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def ids_from(first: int, count: int) -> NDArray[np.int64]:
    return np.arange(first, first + count, dtype=np.int64)


def nearest(rows: NDArray[np.float32], query: NDArray[np.float32], limit: int) -> list[int]:
    """Row numbers of the nearest, by brute force."""
    return np.argsort(-(rows @ query), kind="stable")[:limit].tolist()


def run_merge(index: SegmentedIndex) -> bool:
    """Whether there was one to run."""
    merge = index.plan_merge(busy=False)
    if merge is None:
        return False
    index.finish_merge(merge, merge_job(merge.request))
    return True


def found(index: SegmentedIndex, limit: int = 1000, seed: int = 99) -> set[int]:
    return {chunk for chunk, _ in index.search(unit_rows(1, seed)[0], limit, exact=True)}


# --- damaged files -----------------------------------------------------------------------------------

_DELETED = [ChunkSpan(5, 9), ChunkSpan(100, 101), ChunkSpan(160, 165)]
_LEFT = set(range(1, 201)) - {chunk for span in _DELETED for chunk in range(span.first, span.last + 1)}
_EMBEDDED_LAST = 191
"""This id and later ones came with transaction 4, all others before transaction 3 ended."""


def built(tmp_path: Path, kernel: Kernel | None) -> tuple[Path, set[int]]:
    """A committed index of a segment, a frozen and an active log, with deletions in both; it stands at 5."""
    index = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=SMALL)
    rows = unit_rows(200)
    index.add(ids_from(1, 150), rows[:150])
    run_merge(index)
    index.delete([ChunkSpan(5, 9)])
    index.add(ids_from(151, 40), rows[150:190])
    index.commit(3)
    frozen = SegmentedIndex(tmp_path, SPACE, kernel=kernel, policy=Policy(log_records=45))
    frozen.add(ids_from(191, 10), rows[190:])
    frozen.delete([ChunkSpan(160, 165), ChunkSpan(100, 101)])
    frozen.commit(4)
    frozen.commit(5)
    frozen.close()
    index.close()
    return tmp_path / SPACE.identity, _LEFT


class DamagedFiles:
    """The index that `built` makes, with one of its files mutated, over and over."""

    NAMES = ("manifest.json", "graph", "vectors.ann", "ids.npy", "frozen", "active")

    def __init__(self, tmp_path: Path, kernel: Kernel | None, name: str, draw: random.Random) -> None:
        self.folder, _ = built(tmp_path, kernel)
        self._parent, self._kernel, self._name, self._draw = tmp_path, kernel, name, draw
        self._kept = tmp_path / "kept"
        shutil.copytree(self.folder, self._kept)
        self.path = self._path()
        self._good = self.path.read_bytes()

    def check_next(self) -> None:
        """Damage the file, open the index, and bring back what was lost: no wrong hit, and then all is there."""
        damaged = self._mutated()
        self.path.write_bytes(damaged)
        index = self._opened()
        assert index.reached in self._allowed(damaged)
        self._check_hits(index)
        self._replay(index)
        self._check_hits(index)
        assert found(index) == _LEFT
        index.commit(6)
        index.close()
        again = self._opened()
        assert (found(again), again.reached) == (_LEFT, 6)
        assert [problem for problem in again.verify() if "graph" not in problem] == []
        again.close()
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder, copy_function=shutil.copy)

    def _path(self) -> Path:
        logs = sorted(self.folder.glob("log-*"))
        named = {"manifest.json": self.folder / self._name, "frozen": logs[0], "active": logs[-1]}
        return named.get(self._name) or next(self.folder.glob("segment-*")) / self._name

    def _opened(self) -> SegmentedIndex:
        return SegmentedIndex(self._parent, SPACE, kernel=self._kernel, policy=SMALL)

    def _mutated(self) -> bytes:
        draw, good = self._draw, self._good
        data = bytearray(good)
        while data == good:
            at, length = draw.randrange(len(good)), draw.choice([1, 4, 64, 512, 4096])
            end = min(at + length, len(good))
            match draw.choice(["bit", "noise", "zeros", "copy", "cut", "more"]):
                case "bit":
                    data[at] ^= 1 << draw.randrange(8)
                case "noise":
                    data[at:end] = draw.randbytes(end - at)
                case "zeros":
                    data[at:end] = bytes(end - at)
                case "copy":
                    source = draw.randrange(len(good))
                    data[at:end] = good[source : source + end - at].ljust(end - at, b"\xff")
                case "cut":
                    del data[at:]
                case "more":
                    data += draw.randbytes(length)
        return bytes(data)

    def _allowed(self, damaged: bytes) -> set[int]:
        """Where the index may stand: a commit that is there, or 0 where something is lost."""
        if self._name == "graph":
            return {5}
        if self._name == "active":
            return {0, 3, 4, 5}
        return {0, 5} if damaged.startswith(self._good) else {0}

    def _check_hits(self, index: SegmentedIndex) -> None:
        """Whatever is found has the exact cosine of its own vector; what was deleted is known unless a log is lost."""
        rows, query = unit_rows(200), unit_rows(200)[3]
        hits = index.search(query, 300, exact=True)
        for kind in QueryKind:
            hits += index.search(query, 10, kind=kind)
            hits += index.search(query, 10, [ChunkSpan(1, 120), ChunkSpan(150, 199)], kind=kind)
        assert all(abs(rows[chunk - 1] @ query - score) < 1e-5 for chunk, score in hits)
        if index.reached == 5 or self._name not in ("active", "frozen"):
            assert {chunk for chunk, _ in hits} <= _LEFT

    def _replay(self, index: SegmentedIndex) -> None:
        """As the store does: delete what the catalog does not know, add what was embedded after `reached`."""
        reached = index.reached
        index.delete([ChunkSpan(0, 0), *_DELETED, ChunkSpan(201, 1 << 62)])
        missed = [chunk for chunk in sorted(_LEFT) if reached < (3 if chunk < _EMBEDDED_LAST else 4)]
        index.add(np.array(missed, np.int64), unit_rows(200)[np.array(missed, np.int64) - 1])


# --- disks that fail ---------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for a kill -9: nothing catches it, and no later call changes the disk either."""


@contextmanager
def failing_disk(
    monkeypatch: pytest.MonkeyPatch, after: int, error: Callable[[], BaseException]
) -> Iterator[list[str]]:
    """From the `after`-th call on, each call that changes the disk raises `error()`; yields those that did."""
    calls = 0
    failed: list[str] = []

    def guarded(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > after:
                failed.append(name)
                raise error()
            return original(*args, **kwargs)

        return call

    names = WRITING_CALLS if error is full_disk else (*WRITING_CALLS, "ftruncate", "unlink", "rmdir")
    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(os, name, guarded(name, getattr(os, name)))
        yield failed


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
