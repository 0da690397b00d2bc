"""The parts of an index as searchers see them at one moment.

Invariant: a `Parts` is replaced as a whole, never changed, so that a searcher who took one needs no lock; what is
deleted meanwhile vanishes from the parts themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.vectors.live import LiveRows
from lucastrad.storage.vectors.planner import QueryKind, Thresholds, plan
from lucastrad.storage.vectors.segment import Segment
from lucastrad.storage.vectors.spans import contained

Part = Segment | LiveRows


@dataclass(frozen=True, slots=True)
class Parts:
    """Sealed segments, and logs in the order of writing."""

    segments: tuple[Segment, ...]
    logs: tuple[LiveRows, ...]

    @property
    def all(self) -> tuple[Part, ...]:
        return (*self.segments, *self.logs)

    @property
    def active(self) -> LiveRows:
        """The log that is written to."""
        return self.logs[-1]

    def without(self, parts: Sequence[Part]) -> "Parts":
        """All but these."""
        return Parts(
            tuple(part for part in self.segments if part not in parts),
            tuple(part for part in self.logs if part not in parts),
        )

    def search(
        self,
        query: NDArray[np.float32],
        limit: int,
        bounds: NDArray[np.int64] | None,
        thresholds: Thresholds,
        *,
        kind: QueryKind,
        exact: bool,
    ) -> list[tuple[int, float]]:
        """(id, cosine) of the nearest `limit`, best first, ties by id: each part searched as suits it."""
        best: list[tuple[int, float]] = []
        for part in self.all:
            rows = None if bounds is None else part.select(bounds)
            if not part.live or limit < 1 or (rows is not None and not len(rows)):
                continue
            eligible = None if rows is None else len(rows)
            chosen = plan(
                thresholds,
                rows=part.live,
                dead=part.dead,
                eligible=eligible,
                graph=part.graph,
                kind=kind,
                exact=exact,
                limit=limit,
            )
            found, scores = part.search(chosen, query, limit, rows)
            best += zip(part.ids[found].tolist(), scores.tolist(), strict=True)
        best.sort(key=lambda item: (-item[1], item[0]))
        return best[:limit]

    def vector(self, chunk: int) -> NDArray[np.float32] | None:
        """A live row's vector."""
        bounds = np.array([[chunk, chunk]], np.int64)
        for part in self.all:
            rows = part.select(bounds)
            rows = rows[part.alive[rows]]
            if len(rows):
                return part.vector(int(rows[0]))
        return None

    def known(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the ids (ascending) have a row, dead or alive."""
        known = np.zeros(len(ids), np.bool_)
        bounds = np.stack([ids, ids], axis=1)
        for part in self.all:
            known |= contained(ids, np.sort(part.ids[part.select(bounds)]))
        return known
