"""What the tests of the vector index share: rows, both ways of searching, and a disk that fails."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lucastrad.storage.vectors.native import kernel_or_none
from lucastrad.types import VectorSpace

SPACE = VectorSpace("local", "test", 16)

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
