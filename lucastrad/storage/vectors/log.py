"""A vector log: one file of fixed-size records, of which those up to the last valid COMMIT count.

Invariant: a record is written at its number and never changed, and its CRC-32 starts from that number and the log's
random salt, so that a torn or misplaced record, or one of another log, is never taken for valid. The float32 vectors
stand at one stride: searchers read them where they are.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors.disk import disk_errors
from lucastrad.types import VectorSpace

HEADER, ROW, DELETE, COMMIT = 1, 2, 3, 4
VECTOR_OFFSET = 16
"""Bytes of a record before its payload: u32 CRC-32 of the rest, u32 kind, i64 id."""
SLICE = 4096
"""Records that are handled at once, so that memory stays flat."""
_MAGIC = int.from_bytes(b"LucAlog1", "little")
_HEADER = struct.Struct("<IIQ")  # dimensions, salt, digest of the space
_MASK = 0xFFFFFFFF


def payload_bytes(dimensions: int) -> int:
    """A float32 vector, or a header or a span where the vector is shorter."""
    return max(4 * dimensions, 16)


def record_type(dimensions: int) -> np.dtype[np.void]:
    """One record; `vector` and `bytes` are two views of its payload."""
    size = payload_bytes(dimensions)
    return np.dtype(
        {
            "names": ["crc", "kind", "id", "vector", "bytes"],
            "formats": ["<u4", "<u4", "<i8", ("<f4", (dimensions,)), ("u1", (size,))],
            "offsets": [0, 4, 8, VECTOR_OFFSET, VECTOR_OFFSET],
            "itemsize": VECTOR_OFFSET + size,
        }
    )


def map_records(path: Path, dimensions: int, count: int) -> NDArray[np.void]:
    """The first `count` records, read-only, unchecked. Raises OSError, ValueError (the file is shorter)."""
    return np.asarray(np.memmap(path, record_type(dimensions), "r", shape=(count,)))


class Log:
    """One log, open for appending. One thread at a time; the mapped records may be read by others."""

    def __init__(self, path: Path, space: VectorSpace, descriptor: int, salt: int) -> None:
        self.path = path
        self.dimensions = space.dimensions
        self.type = record_type(space.dimensions)
        self.descriptor = descriptor
        self.count = 0
        """Records that count, or will with the next COMMIT."""
        self.reached = 0
        """The catalog sequence number of the last COMMIT."""
        self._salt = salt
        self._last_commit = 0
        self._sync_failed = False
        self._cut_failed = False

    @classmethod
    def create(cls, path: Path, space: VectorSpace, reached: int) -> "Log":
        """A new log that stands at `reached`, durable but for its folder. Raises StoreUnavailable."""
        with disk_errors():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        salt = int.from_bytes(os.urandom(4), "little")
        log = cls(path, space, descriptor, salt)
        try:
            header = np.zeros(1, log.type)
            header["kind"], header["id"] = HEADER, _MAGIC
            packed = _HEADER.pack(space.dimensions, salt, _digest(space))
            header["bytes"][0, : len(packed)] = np.frombuffer(packed, np.uint8)
            log._append(header)
            log.commit(reached, np.empty((0, 2), np.int64))
        except BaseException:
            log.close()
            path.unlink(missing_ok=True)
            raise
        return log

    @classmethod
    def open(cls, path: Path, space: VectorSpace, *, records: int | None = None) -> "Log":
        """Open at the last COMMIT and cut off what came after; a frozen log has exactly `records`.

        Raises StoreCorrupt where something that was once committed is damaged, StoreUnavailable where the end cannot
        be cut off.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StoreCorrupt(f"{path.name} cannot be opened: {error}") from error
        log = cls(path, space, descriptor, 0)
        try:
            log._recover(space, records)
        except BaseException:
            log.close()
            raise
        return log

    @property
    def stride(self) -> int:
        """Bytes of one record."""
        return self.type.itemsize

    @property
    def committed(self) -> bool:
        """Whether its last record is a durable COMMIT."""
        return self._last_commit == self.count - 1

    def append_rows(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append one record per row, not yet durable: all of them or, with StoreUnavailable, none."""
        records = np.zeros(len(ids), self.type)
        records["kind"], records["id"], records["vector"] = ROW, ids, vectors
        self._append(records)

    def commit(self, seq: int, deleted: NDArray[np.int64]) -> None:
        """Append deletions (bounds, shape [n, 2]) and a COMMIT, durably.

        Raises StoreUnavailable, and then nothing was appended.
        """
        before, spans = self.count, self._spans_per_record
        records = np.zeros(self.commit_records(len(deleted)), self.type)
        for number, start in enumerate(range(0, len(deleted), spans)):
            part = np.ascontiguousarray(deleted[start : start + spans], "<i8")
            records["kind"][number], records["id"][number] = DELETE, len(part)
            records["bytes"][number, : part.nbytes] = part.view(np.uint8).reshape(-1)
        records["kind"][-1], records["id"][-1] = COMMIT, seq
        # Which COMMIT is known to be durable: what is damaged before that one was not torn by a crash.
        records["bytes"][-1, :8] = np.frombuffer(self._last_commit.to_bytes(8, "little"), np.uint8)
        if self._sync_failed:
            self._write_again()
        self._append(records)
        try:
            with disk_errors():
                _sync(self.descriptor)
        except BaseException:
            self._sync_failed = True
            self._cut(before)
            raise
        self._sync_failed = False
        self._last_commit, self.reached = self.count - 1, seq

    def commit_records(self, deletions: int) -> int:
        """How many records a commit of so many deleted spans takes."""
        return -(-deletions // self._spans_per_record) + 1

    def slices(self, first: int = 0) -> Iterator[tuple[int, NDArray[np.void]]]:
        """The records that count, from number `first` on, with the number of each slice's first."""
        mapped = map_records(self.path, self.dimensions, self.count)
        for start in range(first, self.count, SLICE):
            yield start, mapped[start : start + SLICE]

    def deleted(self) -> NDArray[np.int64]:
        """Every deleted span as bounds, shape [n, 2]."""
        found = [np.empty((0, 2), np.int64)]
        for _, records in self.slices():
            for record in records[records["kind"] == DELETE]:
                found.append(record["bytes"][: 16 * int(record["id"])].copy().view("<i8").reshape(-1, 2))
        return np.concatenate(found)

    def close(self) -> None:
        """Close the file; what is mapped stays readable."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    @property
    def _spans_per_record(self) -> int:
        return payload_bytes(self.dimensions) // 16

    def _append(self, records: NDArray[np.void]) -> None:
        if self._cut_failed:
            self._cut(self.count)
        records["crc"] = self._crcs(records, self.count)
        try:
            with disk_errors():
                self._write(records, self.count)
        except BaseException:
            self._cut(self.count)
            raise
        self.count += len(records)

    def _write(self, records: NDArray[np.void], number: int) -> None:
        left, offset = records.view(np.uint8).data, number * self.stride
        while left:
            written = os.pwrite(self.descriptor, left, offset)
            left, offset = left[written:], offset + written

    def _write_again(self) -> None:
        # After a failed fdatasync the system may hold pages as clean that never reached the disk
        # (https://wiki.postgresql.org/wiki/Fsync_Errors): only written again are they synced again.
        mapped = map_records(self.path, self.dimensions, self.count)
        for start in range(self._last_commit, self.count, SLICE):
            records = np.array(mapped[start : start + SLICE])
            if not np.array_equal(records["crc"], self._crcs(records, start)):
                raise StoreCorrupt(f"{self.path.name}: what could not be synced is lost")
            with disk_errors():
                self._write(records, start)

    def _cut(self, count: int) -> None:
        self.count, self._cut_failed = count, True
        with disk_errors():
            os.ftruncate(self.descriptor, count * self.stride)
            # At once: what was cut off must not show up again among what is written in its place.
            _sync(self.descriptor)
        self._cut_failed = False

    def _crcs(self, records: NDArray[np.void], number: int) -> NDArray[np.uint32]:
        view, stride = records.view(np.uint8).data, self.stride
        seeds = range(self._salt + number, self._salt + number + len(records))
        starts = range(4, len(view), stride)
        crcs = [zlib.crc32(view[at : at + stride - 4], seed & _MASK) for at, seed in zip(starts, seeds, strict=True)]
        return np.array(crcs, np.uint32)

    def _valid_prefix(self, records: NDArray[np.void]) -> int:
        """How many records from the first on are valid."""
        for start in range(0, len(records), SLICE):
            part = records[start : start + SLICE]
            wrong = np.flatnonzero(part["crc"] != self._crcs(part, start))
            if len(wrong):
                return start + int(wrong[0])
        return len(records)

    def _recover(self, space: VectorSpace, expected: int | None) -> None:
        count = os.fstat(self.descriptor).st_size // self.stride
        if not count:
            raise StoreCorrupt(f"{self.path.name} is empty")
        records = map_records(self.path, self.dimensions, count)
        dimensions, self._salt, digest = _HEADER.unpack(records["bytes"][0, : _HEADER.size].tobytes())
        valid = self._valid_prefix(records)
        if (
            valid == 0
            or (records["kind"][0], records["id"][0]) != (HEADER, _MAGIC)
            or (dimensions, digest) != (space.dimensions, _digest(space))
        ):
            raise StoreCorrupt(f"{self.path.name}: the header is damaged, or of another format or vector space")
        if expected is not None and valid < expected:
            raise StoreCorrupt(f"{self.path.name}: {valid} of {expected} records are valid")
        valid = expected or valid
        commits = np.flatnonzero(records["kind"][:valid] == COMMIT)
        if not len(commits) or (expected and commits[-1] != expected - 1):
            raise StoreCorrupt(f"{self.path.name}: holds no COMMIT")
        self._last_commit = int(commits[-1])
        self.reached = int(records["id"][self._last_commit])
        if not expected:
            self._check_tail(records, valid)
        self.count = self._last_commit + 1
        if os.fstat(self.descriptor).st_size != self.count * self.stride:
            self._cut(self.count)

    def _check_tail(self, records: NDArray[np.void], start: int) -> None:
        """A valid COMMIT that knows of a later durable one than was found says that this is damage, not a torn end."""
        for number in (start + np.flatnonzero(records["kind"][start:] == COMMIT)).tolist():
            record = records[number : number + 1]
            durable = int.from_bytes(record["bytes"][0, :8].tobytes(), "little")
            if durable > self._last_commit and record["crc"] == self._crcs(record, number):
                raise StoreCorrupt(f"{self.path.name}: record {start} is damaged, {durable} was durable")


def _digest(space: VectorSpace) -> int:
    return int.from_bytes(blake2b(space.identity.encode(), digest_size=8).digest(), "little")


def _sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS has no fdatasync
