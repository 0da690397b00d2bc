"""The vector index of one workspace and one vector space: live logs over sealed segments.

Invariant: one writer at a time holds the lock; searchers take the parts as they are at one moment, and never wait.
Ids are never used twice and deletions are for good, so that a deletion may be applied again, in any order.
"""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors import manifest as manifests
from lucastrad.storage.vectors.examining import examine
from lucastrad.storage.vectors.live import LiveRows
from lucastrad.storage.vectors.log import SLICE
from lucastrad.storage.vectors.merging import PlannedMerge
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.opening import IndexFiles
from lucastrad.storage.vectors.parts import Part, Parts
from lucastrad.storage.vectors.planner import QueryKind
from lucastrad.storage.vectors.policy import Compact, LogSize, Policy, RewriteLogs, SegmentSize, choose
from lucastrad.storage.vectors.protocol import IndexCondition, Merge
from lucastrad.storage.vectors.segment import Segment
from lucastrad.storage.vectors.spans import as_bounds, consecutive, disjoint
from lucastrad.types import VectorSpace

_log = logging.getLogger(__name__)

_NOTHING = np.empty((0, 2), np.int64)


class SegmentedIndex:
    """A VectorIndex. Safe for one writer beside many searchers. Blocking: call it from a thread."""

    _parts: Parts
    _reached: int
    _newest: int
    """The highest id that ever was."""
    _unsaved: int
    _deleted: list[NDArray[np.int64]]
    """Bounds of what was deleted since the last commit."""

    def __init__(
        self, folder: Path, space: VectorSpace, *, kernel: Kernel | None, policy: Policy | None = None
    ) -> None:
        """Open or create `folder`/<identity of the space>; `kernel` is `kernel_or_none()`. Raises StoreUnavailable."""
        self.space = space
        self._kernel = kernel
        self._policy = policy or Policy()
        self._lock = threading.Lock()
        self._files = IndexFiles(folder / space.identity, space, self._policy, kernel)
        self._merge: PlannedMerge | None = None
        self._reset(self._files.open())

    @property
    def reached(self) -> int:
        """See VectorIndex.reached."""
        return self._reached

    @property
    def unsaved(self) -> int:
        """See VectorIndex.unsaved."""
        return self._unsaved

    def __len__(self) -> int:
        return sum(part.live for part in self._parts.all)

    # --- searching -------------------------------------------------------------------------------

    def search(
        self,
        query: NDArray[np.float32],
        limit: int,
        within: Sequence[ChunkSpan] | None = None,
        *,
        kind: QueryKind = QueryKind.QUESTION,
        exact: bool = False,
    ) -> list[tuple[int, float]]:
        """See VectorIndex.search."""
        if query.shape != (self.space.dimensions,):
            raise self._mismatch(f"a query of shape {query.shape} does")
        query = np.ascontiguousarray(query, np.float32)
        bounds = None if within is None else as_bounds(within)
        return self._parts.search(query, limit, bounds, self._policy.search, kind=kind, exact=exact)

    def vector(self, chunk: int) -> NDArray[np.float32] | None:
        """See VectorIndex.vector."""
        return self._parts.vector(chunk)

    # --- writing ---------------------------------------------------------------------------------

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """See VectorIndex.add."""
        if vectors.shape != (len(ids), self.space.dimensions):
            raise self._mismatch(f"vectors of shape {vectors.shape} do")
        with self._lock:
            if self._parts.active.catch_up():  # a record that was written, and then could not be mapped
                self._newest = max(self._newest, self._parts.active.newest)
            if len(ids) and ids[0] <= self._newest:
                new = ~self._parts.known(ids)
                ids, vectors = ids[new], vectors[new]
            while len(ids):
                self._ensure_room(1)
                active = self._parts.active
                count = min(len(ids), SLICE, active.room)
                active.add(ids[:count], vectors[:count])
                self._newest = max(self._newest, int(ids[count - 1]))
                self._unsaved += count
                ids, vectors = ids[count:], vectors[count:]

    def delete(self, spans: Sequence[ChunkSpan]) -> None:
        """See VectorIndex.delete."""
        if not spans:
            return
        bounds = disjoint(as_bounds(spans))
        with self._lock:
            for part in self._parts.all:
                rows = part.select(bounds)
                rows = rows[part.alive[rows]]
                if len(rows):
                    self._unsaved += part.kill(rows)
                    # Noted by what was there: a span may reach to ids that are still to come.
                    self._deleted.append(consecutive(np.sort(part.ids[rows])))

    def commit(self, seq: int) -> None:
        """See VectorIndex.commit."""
        with self._lock:
            if not self._unsaved and seq == self._reached:
                return
            self._files.settle(self._parts)
            deleted = np.concatenate([_NOTHING, *self._deleted])
            self._ensure_room(self._parts.active.log.commit_records(len(deleted)))
            self._parts.active.commit(seq, deleted)
            self._deleted, self._unsaved, self._reached = [], 0, seq

    def clear(self) -> None:
        """See VectorIndex.clear."""
        with self._lock:
            old = self._parts
            self._reset(self._files.start_anew())
            self._merge = None
            for live in old.logs:
                live.log.close()

    def close(self) -> None:
        """See VectorIndex.close."""
        with self._lock:
            for live in self._parts.logs:
                live.log.close()

    # --- maintenance -----------------------------------------------------------------------------

    def plan_merge(self, *, busy: bool) -> Merge | None:
        """See VectorIndex.plan_merge."""
        with self._lock:
            if self._merge is not None:
                return None
            parts = self._parts
            carried = sum(len(consecutive(segment.dead_ids())) for segment in parts.segments)
            live = sum(log.live for log in parts.logs)
            logs = LogSize(sum(log.size for log in parts.logs), live, live + parts.active.log.commit_records(carried))
            broken = [self._kernel is not None and not part.graph and part.found for part in parts.segments]
            sizes = [SegmentSize(part.size, part.live, bad) for part, bad in zip(parts.segments, broken, strict=True)]
            work = choose(self._policy, logs, sizes, busy=busy)
            if isinstance(work, RewriteLogs):
                self._rewrite_logs()
            elif work is not None:
                if isinstance(work, Compact):
                    inputs: tuple[Part, ...] = tuple(parts.segments[at] for at in work.segments)
                else:
                    inputs = parts.logs if parts.active.live else parts.logs[:-1]
                    if parts.active.live:
                        self._rotate(0)
                self._merge = PlannedMerge.of(inputs, self._files, self._policy)
            return self._merge

    def finish_merge(self, merge: Merge, reply: bytes) -> bool:
        """See VectorIndex.finish_merge."""
        with self._lock:
            planned = self._merge
            if planned is None or planned is not merge:  # of before a `clear`
                self._drop(merge)
                return False
            try:
                segment = planned.take_in(self._files, reply)
            except StoreCorrupt as error:
                _log.warning("what a merge built is damaged: %s", error)
                self._merge = None
                planned.drop(self._files)
                return False
            if any(isinstance(part, LiveRows) for part in planned.inputs):
                self._carry_deletions(planned.inputs, segment)
            kept = self._parts.without(planned.inputs)
            parts = Parts(kept.segments if segment is None else (*kept.segments, segment), kept.logs)
            self._files.publish(parts)
            self._parts, self._merge = parts, None
            for part in planned.inputs:
                self._files.discard(part)
            return True

    def abandon_merge(self, merge: Merge) -> None:
        """See VectorIndex.abandon_merge."""
        with self._lock:
            self._drop(merge)
            if merge is self._merge:
                self._merge = None

    def verify(self) -> list[str]:
        """See VectorIndex.verify."""
        try:
            examined = examine(self._files.folder.parent, self.space)
        except (StoreCorrupt, OSError) as error:
            return [str(error)]
        return [f"{manifests.NAME} is missing"] if examined is None else examined.problems

    def condition(self) -> IndexCondition:
        """See VectorIndex.condition."""
        parts = self._parts
        degraded = [part.problem for part in parts.segments if part.problem]
        if self._kernel is None:
            degraded.append("the native vector kernel cannot be loaded: Annoy and numpy answer, more slowly")
        return IndexCondition(
            rows=sum(part.live for part in parts.all),
            dead=sum(part.dead for part in parts.all),
            segments=len(parts.segments),
            logs=len(parts.logs),
            bytes_on_disk=self._files.size_bytes(),
            memory_bytes=sum(part.memory_bytes for part in parts.all),
            degraded=degraded,
        )

    # --- within the lock -------------------------------------------------------------------------

    def _reset(self, parts: Parts) -> None:
        self._parts = parts
        self._reached = parts.active.log.reached
        self._newest = max(part.newest for part in parts.all)
        self._unsaved = 0
        self._deleted = []

    def _ensure_room(self, records: int) -> None:
        if self._parts.active.room < records:
            self._rotate(records)

    def _rotate(self, room: int) -> None:
        """Freeze the active log, durable as a whole, and begin a new one."""
        parts = self._parts
        if not parts.active.log.committed:  # else this was tried before, on a full disk
            parts.active.commit(self._reached, _NOTHING)
        fresh = self._files.new_log(self._reached, room)
        self._publish_or_discard(Parts(parts.segments, (*parts.logs, fresh)), fresh)

    def _rewrite_logs(self) -> None:
        """Replace all logs by one that holds only what is still of use."""
        old = self._parts
        deleted = np.concatenate([_NOTHING, *(consecutive(part.dead_ids()) for part in old.segments)])
        records = sum(live.live for live in old.logs) + old.active.log.commit_records(len(deleted))
        fresh = self._files.new_log(self._reached, records)
        try:
            for live in old.logs:
                for ids, vectors in live.live_rows():
                    fresh.add(ids, vectors)
            fresh.commit(self._reached, deleted)
        except BaseException:
            self._files.discard(fresh)
            raise
        self._publish_or_discard(Parts(old.segments, (fresh,)), fresh)
        for live in old.logs:
            self._files.discard(live)

    def _publish_or_discard(self, parts: Parts, fresh: LiveRows) -> None:
        try:
            self._files.publish(parts)
        except BaseException:
            fresh.log.close()  # the file stays: a manifest that could not be synced may name it
            raise
        self._parts = parts

    def _carry_deletions(self, dropped: Sequence[Part], fresh: Segment | None) -> None:
        """Log again, durably, what is dead in the parts that stay: the logs that say so are about to go."""
        kept = [part for part in self._parts.without(dropped).all if part is not self._parts.active]
        if fresh is not None:
            kept.append(fresh)
        deleted = np.concatenate([_NOTHING, *(consecutive(np.sort(part.dead_ids())) for part in kept)])
        self._ensure_room(self._parts.active.log.commit_records(len(deleted)))
        self._parts.active.commit(self._reached, deleted)

    def _drop(self, merge: Merge) -> None:
        if isinstance(merge, PlannedMerge):
            merge.drop(self._files)

    def _mismatch(self, what: str) -> LucAstraError:
        return LucAstraError(
            f"{what} not fit the space {self.space.identity};"
            " an index holds one model's vectors only: run `lucastra-client doctor`",
            code=ErrorCode.SPACE_MISMATCH,
        )
