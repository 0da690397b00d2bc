"""Live rows: those of a log, searchable as soon as they are appended.

Invariant: row r is record r of the log (other records are dead rows), so that vectors are read where the log has
them and memory holds their int8 form only.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.vectors.log import ROW, VECTOR_OFFSET, Log, map_records
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.planner import Plan, ScanRows, SignScan
from lucastrad.storage.vectors.scan import Found, bitmap, scan, scan_rows
from lucastrad.storage.vectors.spans import rows_between

_CLOSING_RECORDS = 64
"""Kept free for the commit that freezes a full log."""
_T = TypeVar("_T", bound=np.generic)
Vectors = NDArray[np.float32]


class LiveRows:
    """One writer beside many searchers: a row is published by raising `size`, last."""

    graph = False

    def __init__(self, log: Log, capacity: int, kernel: Kernel | None) -> None:
        self.log = log
        self.path = log.path
        self._capacity = capacity
        self.size = 0
        self.live = 0
        """Rows that are alive."""
        self.dead = 0
        """Rows that were deleted."""
        self.ids = np.empty(0, np.int64)
        """The id of each row; a record that is no row repeats its predecessor's, so that order is kept."""
        self.alive = np.empty(0, np.bool_)
        self._runs = [0]
        """Where each ascending run of ids begins."""
        reserved = max(capacity, log.count) + _CLOSING_RECORDS
        self._rows = kernel.Rows(log.dimensions, reserved) if kernel else None
        self._mapped = np.empty((0, log.dimensions), np.float32)
        if self._rows is not None:
            self._rows.map_vectors(log.descriptor, VECTOR_OFFSET, log.stride)
        self.catch_up()

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def newest(self) -> int:
        """The highest id ever added."""
        return int(self.ids[: self.size].max(initial=-1))

    @property
    def room(self) -> int:
        """Records that may still be appended (and a commit, always)."""
        return self._capacity - self.size

    @property
    def memory_bytes(self) -> int:
        return self.ids.nbytes + self.alive.nbytes + (self._rows.memory_bytes if self._rows is not None else 0)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append rows, ids ascending, at most `room`. Raises StoreUnavailable: none was appended."""
        self.log.append_rows(ids, vectors)
        self.catch_up()

    def commit(self, seq: int, deleted: NDArray[np.int64]) -> None:
        """See Log.commit."""
        self.log.commit(seq, deleted)
        self.catch_up()

    def select(self, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows with an id within the disjoint bounds, shape [n, 2], dead ones too."""
        size = self.size
        starts = [start for start in list(self._runs) if start < size] or [0]  # a writer may have begun another
        runs = zip(starts, [*starts[1:], size], strict=True)
        return np.concatenate([start + rows_between(self.ids[start:end], bounds) for start, end in runs])

    def kill(self, rows: NDArray[np.int64]) -> int:
        """Delete rows (each once): how many were alive."""
        rows = rows[self.alive[rows]]
        self.alive[rows] = False
        if self._rows is not None:
            self._rows.kill(rows.astype(np.uint32))
        self.live -= len(rows)
        self.dead += len(rows)
        return len(rows)

    def dead_ids(self) -> NDArray[np.int64]:
        """Ids of deleted rows."""
        ids = self.ids[: self.size]
        is_row: NDArray[np.bool_] = np.diff(ids, prepend=-1) != 0
        return ids[is_row & ~self.alive[: self.size]]

    def search(self, plan: Plan, query: NDArray[np.float32], limit: int, rows: NDArray[np.int64] | None) -> Found:
        """The nearest `limit` live rows, of `rows` where that is given (a search of the graph is never planned)."""
        if self._rows is None:
            vectors, alive = self._mapped, self.alive
            if rows is None:
                return scan(vectors, alive, query, limit)
            return scan_rows(vectors, alive, query, limit, rows[rows < len(vectors)])
        if rows is not None and isinstance(plan, ScanRows):
            return self._rows.scan_rows(query, limit, rows.astype(np.uint32))
        eligible = None if rows is None else bitmap(rows, self.size)
        candidates = plan.candidates if isinstance(plan, SignScan) else 0
        return self._rows.scan(query, limit, eligible=eligible, sign_candidates=candidates)

    def vector(self, row: int) -> NDArray[np.float32]:
        """A copy of one row's vector."""
        return self._rows.vector(row) if self._rows is not None else np.array(self._mapped[row])

    def live_rows(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """The live rows, by slices, in the log's order."""
        for start, records in self.log.slices():
            alive = self.alive[start : start + len(records)]
            yield records["id"][alive], records["vector"][alive]

    def catch_up(self) -> bool:
        """Publish the records that the log has more; whether there were any."""
        before = self.size
        if self.log.count > before:
            for start, records in self.log.slices(before):
                self._publish(start, records["id"], records["kind"] == ROW, records["vector"])
        return self.size > before

    def _publish(self, start: int, ids: NDArray[np.int64], alive: NDArray[np.bool_], vectors: Vectors) -> None:
        end = start + len(ids)
        last = int(self.ids[start - 1]) if start else -1
        if end > len(self.ids):
            length = max(end, 2 * len(self.ids))
            self.ids, self.alive = _grown(self.ids, length), _grown(self.alive, length)
        origin = np.maximum.accumulate(np.where(alive, np.arange(len(ids)), -1))
        filled = np.where(origin >= 0, ids[origin], last)
        self.ids[start:end], self.alive[start:end] = filled, alive
        if self._rows is not None:
            self._rows.append(np.where(alive[:, None], vectors, np.float32(0)), alive)
        else:
            self._mapped = map_records(self.path, self.log.dimensions, end)["vector"]
        self._runs += (start + np.flatnonzero(np.diff(filled, prepend=last) < 0)).tolist()
        self.live += int(np.count_nonzero(alive))
        self.size = end


def _grown(array: NDArray[_T], length: int) -> NDArray[_T]:
    grown = np.zeros(length, array.dtype)
    grown[: len(array)] = array
    return grown
