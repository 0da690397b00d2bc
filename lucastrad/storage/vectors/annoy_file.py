"""The vectors of a segment, in a file that Annoy reads too: float32 rows, and then the nodes of its trees.

Invariant: a file is loaded by Annoy only after its checksum (or its stamp) was compared: Annoy crashes the process on
a damaged one.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

HEAD_BYTES = 12
"""What stands before an item's vector: the number of descendants, and the norm or two children."""
_SEED = 1
_ROWS_AT_ONCE = 512


def stride(dimensions: int) -> int:
    """Bytes of one item."""
    return HEAD_BYTES + 4 * dimensions


def map_vectors(path: Path, dimensions: int, rows: int) -> NDArray[np.float32]:
    """The float32 vectors, shape [rows, dimensions], read-only. Raises OSError, ValueError (the file is shorter)."""
    item = np.dtype([("head", f"V{HEAD_BYTES}"), ("vector", "<f4", (dimensions,))])
    mapped: NDArray[np.float32] = np.memmap(path, item, "r", shape=(rows,))["vector"]
    return mapped


def build(path: Path, slices: Iterable[NDArray[np.float32]], dimensions: int, *, rows: int, trees: int) -> None:
    """Write a new file, fsynced; item i is row i. Memory stays flat: Annoy builds within the file. Raises OSError."""
    # Annoy writes through a mapping, where a full disk is a SIGBUS and not an error: look first.
    if shutil.disk_usage(path.parent).free < 2 * rows * stride(dimensions):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    index = AnnoyIndex(dimensions, "angular")
    index.set_seed(_SEED)
    index.on_disk_build(str(path))
    item = 0
    for vectors in slices:
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            for vector in vectors[start : start + _ROWS_AT_ONCE].tolist():
                index.add_item(item, vector)
                item += 1
    index.build(trees, n_jobs=1)
    index.unload()
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def load(path: Path, dimensions: int) -> AnnoyIndex:
    """Map a file that was checked. Raises OSError."""
    index = AnnoyIndex(dimensions, "angular")
    index.load(str(path))
    return index
