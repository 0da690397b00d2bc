"""What an index holds on disk, read in full and without writing to it: for `doctor`, beside a daemon.

Invariant: nothing is written, and nothing is trusted unread.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors import manifest as manifests
from lucastrad.storage.vectors.disk import file_crc
from lucastrad.storage.vectors.log import ROW, Log
from lucastrad.storage.vectors.manifest import LogEntry, SegmentEntry
from lucastrad.storage.vectors.segment import IDS
from lucastrad.storage.vectors.spans import disjoint, rows_between
from lucastrad.types import VectorSpace


@dataclass(frozen=True, slots=True)
class ExaminedVectors:
    """An index that was read in full."""

    ids: NDArray[np.int64]
    """Of its live rows, ascending."""
    reached: int
    """The catalog sequence number that it stands at."""
    problems: list[str]


def examine(folder: Path, space: VectorSpace) -> ExaminedVectors | None:
    """Read the index of a space in `folder`; None where there is none.

    Raises StoreCorrupt where it cannot be read at all, OSError where a file is gone (a daemon may have replaced it).
    """
    home = folder / space.identity
    manifest = manifests.load(home, space.identity)
    if manifest is None:
        return None
    problems: list[str] = []
    ids = [np.empty(0, np.int64)]
    for segment in manifest.segments:
        problems += (damaged := _damage(home, segment))
        if f"{segment.name}/{IDS}: checksum mismatch" not in damaged:
            ids.append(np.load(home / segment.name / IDS))
    deleted, reached = [np.empty((0, 2), np.int64)], 0
    for entry in manifest.logs:
        try:
            reached = _read_log(home, entry, space, ids, deleted)
        except StoreCorrupt as error:
            problems.append(str(error))
            reached = 0
    held = np.sort(np.concatenate(ids))
    dead = rows_between(held, disjoint(np.concatenate(deleted)))
    return ExaminedVectors(np.delete(held, dead), reached, problems)


def _damage(home: Path, segment: SegmentEntry) -> list[str]:
    return [
        f"{segment.name}/{name}: checksum mismatch"
        for name, entry in segment.files.items()
        if file_crc(home / segment.name / name) != entry.crc
    ]


def _read_log(
    home: Path, entry: LogEntry, space: VectorSpace, ids: list[NDArray[np.int64]], deleted: list[NDArray[np.int64]]
) -> int:
    # A copy: a daemon may cut the file short, and reading past the end of a mapped file is fatal.
    with tempfile.TemporaryDirectory(prefix="lucastra-") as scratch:
        log = Log.open(Path(shutil.copy(home / entry.name, scratch)), space, records=entry.records)
        try:
            for _, records in log.slices():
                ids.append(np.array(records["id"][records["kind"] == ROW], np.int64))
            deleted.append(log.deleted())
            return log.reached
        finally:
            log.close()
