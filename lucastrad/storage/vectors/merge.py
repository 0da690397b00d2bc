"""Merging: the live rows of some logs and segments become one new segment, in a worker process.

Invariant: inputs are read only, and nothing counts before the daemon has renamed the new folder and published it.
Memory is flat: rows go through in slices, and Annoy builds within its file.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.fs import sync_folder
from lucastrad.storage.vectors import annoy_file
from lucastrad.storage.vectors.disk import file_crc
from lucastrad.storage.vectors.log import SLICE, map_records
from lucastrad.storage.vectors.native import kernel_or_none
from lucastrad.storage.vectors.segment import GRAPH, IDS, VECTORS


class MergeInput(msgspec.Struct, frozen=True):
    """A log (a file) or a segment (a folder)."""

    path: str
    rows: int
    alive: bytes
    """Bit i % 8 of byte i // 8 for row i."""


class MergeRequest(msgspec.Struct, frozen=True):
    """What to build, and where."""

    folder: str
    """Of the new segment: created by the job."""
    dimensions: int
    inputs: list[MergeInput]
    native: bool
    """Build a graph."""
    trees: int
    m: int
    ef_construction: int


class MergedFile(msgspec.Struct, frozen=True):
    size_bytes: int
    crc: int


class MergeReply(msgspec.Struct, frozen=True):
    """What was built: no files where no row was alive."""

    rows: int
    files: dict[str, MergedFile]


def pack_mask(mask: NDArray[np.bool_]) -> bytes:
    """As MergeInput.alive has it."""
    return np.packbits(mask, bitorder="little").tobytes()


def unpack_mask(packed: bytes, rows: int) -> NDArray[np.bool_]:
    """The inverse of `pack_mask`."""
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=rows, bitorder="little").view(np.bool_)


def merge_job(request: bytes) -> bytes:
    """Build a segment: MergeRequest to MergeReply. Raises OSError (the disk is full, an input is gone)."""
    job = msgspec.msgpack.decode(request, type=MergeRequest)
    folder = Path(job.folder)
    folder.mkdir(mode=0o700)
    merged = _MergedRows(job)
    names = [VECTORS, IDS]
    if not len(merged.ids):
        return msgspec.msgpack.encode(MergeReply(0, {}))
    np.save(folder / IDS, merged.ids)
    _sync(folder / IDS)
    annoy_file.build(folder / VECTORS, merged.slices(), job.dimensions, rows=len(merged.ids), trees=job.trees)
    if job.native and (kernel := kernel_or_none()) is not None:
        rows = kernel.Rows(job.dimensions, len(merged.ids))
        graph = kernel.Graph(rows, m=job.m, ef_construction=job.ef_construction)
        for vectors in merged.slices():
            rows.append(vectors)
            graph.insert(len(vectors))
        graph.save(str(folder / GRAPH), merged.ids)
        names.append(GRAPH)
    sync_folder(folder)
    files = {name: MergedFile((folder / name).stat().st_size, file_crc(folder / name)) for name in names}
    return msgspec.msgpack.encode(MergeReply(len(merged.ids), files))


class _MergedRows:
    """The live rows of all inputs by ascending id."""

    def __init__(self, job: MergeRequest) -> None:
        self._dimensions = job.dimensions
        opened = [_open(Path(part.path), part.rows, job.dimensions) for part in job.inputs]
        self._vectors = [vectors for _, vectors in opened]
        rows = [np.flatnonzero(unpack_mask(part.alive, part.rows)).astype(np.uint32) for part in job.inputs]
        ids = np.concatenate([ids[kept] for (ids, _), kept in zip(opened, rows, strict=True)])
        order = np.argsort(ids, kind="stable")
        self.ids = ids[order]
        self._rows = np.concatenate(rows)[order]
        self._sources = np.repeat(np.arange(len(rows), dtype=np.uint16), [len(kept) for kept in rows])[order]

    def slices(self) -> Iterator[NDArray[np.float32]]:
        """The vectors, shape [up to SLICE, dimensions]."""
        for start in range(0, len(self.ids), SLICE):
            rows, sources = self._rows[start : start + SLICE], self._sources[start : start + SLICE]
            vectors = np.empty((len(rows), self._dimensions), np.float32)
            for source, mapped in enumerate(self._vectors):
                chosen = sources == source
                vectors[chosen] = mapped[rows[chosen]]
            yield vectors


def _open(path: Path, rows: int, dimensions: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if path.is_dir():
        return np.load(path / IDS, mmap_mode="r"), annoy_file.map_vectors(path / VECTORS, dimensions, rows)
    records = map_records(path, dimensions, rows)
    return records["id"], records["vector"]


def _sync(path: Path) -> None:
    path.chmod(0o600)
    with path.open("rb") as file:
        os.fsync(file.fileno())
