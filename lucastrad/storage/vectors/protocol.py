"""What the daemon asks of a vector index."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.catalog import ChunkSpan


class VectorIndex(Protocol):
    """Unit vectors by chunk id. Derived from the catalog and the embedding cache."""

    @property
    def reached(self) -> int:
        """Catalog sequence number that a reopened index would stand at."""
        ...

    @property
    def unsaved(self) -> int:
        """Rows added or deleted since the last checkpoint."""
        ...

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add rows, ids ascending. Ids that are there already are ignored.

        Raises LucAstraError (SPACE_MISMATCH) for vectors of another length.
        """
        ...

    def delete(self, spans: Sequence[ChunkSpan]) -> None:
        """Remove every id within the spans."""
        ...

    def search(
        self, query: NDArray[np.float32], limit: int, within: Sequence[ChunkSpan] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine) of the nearest `limit`, best first; `within` is sorted and disjoint."""
        ...

    def vector(self, chunk: int) -> NDArray[np.float32] | None:
        """The vector of one chunk; None where it has none."""
        ...

    def clear(self) -> None:
        """Forget everything: the caller replays the catalog from 0."""
        ...

    def checkpoint(self, seq: int) -> None:
        """Make the present state durable as that of catalog transaction `seq`."""
        ...

    def __len__(self) -> int: ...
