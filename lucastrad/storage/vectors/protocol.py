"""What the daemon asks of a vector index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors.planner import QueryKind
from lucastrad.types import VectorSpace


class Merge(Protocol):
    """A merge that was planned: run `merge_job(request)` in a worker process, and hand its reply back."""

    @property
    def request(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class IndexCondition:
    """An index as `status` and `doctor` show it."""

    rows: int
    """Live rows."""
    dead: int
    """Deleted rows that still take space."""
    segments: int
    logs: int
    bytes_on_disk: int
    memory_bytes: int
    """What is held in memory besides the mapped files."""
    degraded: list[str] = field(default_factory=list)
    """What does not work as it should, and what happens instead."""


class VectorIndex(Protocol):
    """Unit vectors by chunk id. Derived from the catalog and the embedding cache.

    Blocking: call it from a thread. One writer at a time (a second one waits) beside any number of searchers, who
    never wait. Every call that writes raises StoreUnavailable when the disk is full, loses nothing by it, and works
    again once there is space.
    """

    @property
    def space(self) -> VectorSpace: ...

    @property
    def reached(self) -> int:
        """Catalog sequence number that a reopened index would stand at; the caller replays what came after."""
        ...

    @property
    def unsaved(self) -> int:
        """Rows added or deleted since the last commit."""
        ...

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add rows, ids ascending, searchable at once. Ids that are there are ignored; none is ever used twice.

        Raises LucAstraError (SPACE_MISMATCH) for vectors of another length; StoreUnavailable.
        """
        ...

    def delete(self, spans: Sequence[ChunkSpan]) -> None:
        """Remove every id within the spans, for good. Writes nothing before the next commit, so never fails."""
        ...

    def search(
        self,
        query: NDArray[np.float32],
        limit: int,
        within: Sequence[ChunkSpan] | None = None,
        *,
        kind: QueryKind = QueryKind.QUESTION,
        exact: bool = False,
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine) of the nearest `limit`, best first, ties by id; `within` is sorted and disjoint.

        `exact` scans all rows and walks no graph. Raises LucAstraError (SPACE_MISMATCH) for a query of another length.
        """
        ...

    def vector(self, chunk: int) -> NDArray[np.float32] | None:
        """The vector of one chunk; None where it has none."""
        ...

    def clear(self) -> None:
        """Forget everything: the caller replays the catalog from 0. Raises StoreUnavailable."""
        ...

    def commit(self, seq: int) -> None:
        """Make the present state durable as that of catalog transaction `seq` (one fdatasync).

        Raises StoreUnavailable.
        """
        ...

    def plan_merge(self, *, busy: bool) -> Merge | None:
        """Start the most urgent piece of maintenance, if any; one at a time.

        While `busy` (files are being indexed) only what cannot wait. Raises StoreUnavailable.
        """
        ...

    def finish_merge(self, merge: Merge, reply: bytes) -> bool:
        """Put the new segment in the place of what it was made of; False where that cannot be: the inputs stay.

        Raises StoreUnavailable: call again later.
        """
        ...

    def abandon_merge(self, merge: Merge) -> None:
        """Drop a merge whose job failed; its inputs stay."""
        ...

    def verify(self) -> list[str]:
        """Read and check every file in full, as far as it is committed: what is wrong."""
        ...

    def condition(self) -> IndexCondition:
        """Sizes, and what is not as it should be."""
        ...

    def close(self) -> None:
        """Close the files. Uncommitted rows are lost: commit first."""
        ...

    def __len__(self) -> int: ...
