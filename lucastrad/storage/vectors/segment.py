"""A sealed segment: a folder of immutable files, opened by mapping them.

`graph` is the kernel's (int8 rows, signs, links), `vectors.ann` is Annoy's and holds the float32 vectors,
`ids.npy` the chunk id of each row, ascending. Invariant: no file is mapped before its stamp or its checksum agreed
with the manifest's. A segment without a usable graph is searched by Annoy.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors import annoy_file
from lucastrad.storage.vectors.disk import file_crc
from lucastrad.storage.vectors.manifest import FileEntry, SegmentEntry
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.planner import GraphSearch, Plan, Scan, ScanRows, SignScan
from lucastrad.storage.vectors.scan import Found, bitmap, scan, scan_rows
from lucastrad.storage.vectors.spans import rows_between
from lucastrad.types import Stat

if TYPE_CHECKING:
    from lucastrad.storage.vectors import _kernel

GRAPH, VECTORS, IDS = "graph", "vectors.ann", "ids.npy"
_ANNOY_NODES_A_ROW = 400
"""Nodes that Annoy looks at for each row asked for: recall@10 of chunk queries .98 at 20 trees and 10,000 rows."""
_ANNOY_FILTERED_ROWS = 50_000
"""Up to here eligible rows are compared one by one: Annoy knows no filter."""


class Segment:
    """Read-only but for deletions, which are not in its files: logs hold them."""

    def __init__(
        self, folder: Path, entry: SegmentEntry, dimensions: int, kernel: Kernel | None, *, found: bool
    ) -> None:
        """Open. Raises StoreCorrupt where ids or vectors are damaged; for a damaged graph see `problem`."""
        self.path = folder
        self.found = found
        """It was there at the start: had it no usable graph, building one anew would help."""
        self.dimensions = dimensions
        self.problem: str | None = None
        """Why it has no usable graph."""
        checked = {name: _checked(folder / name, entry.files.get(name)) for name in (IDS, VECTORS)}
        try:
            self.ids: NDArray[np.int64] = np.asarray(np.load(folder / IDS, mmap_mode="r"))
            self.vectors = annoy_file.map_vectors(folder / VECTORS, dimensions, entry.rows)
        except (OSError, ValueError) as error:
            raise StoreCorrupt(f"{folder.name} cannot be mapped: {error}") from error
        if self.ids.shape != (entry.rows,) or self.ids.dtype != np.int64:
            raise StoreCorrupt(f"{folder.name}/{IDS}: not one id per row")
        self.alive = np.ones(entry.rows, np.bool_)
        self.dead = 0
        self._graph = None
        if kernel is not None:
            try:
                checked[GRAPH] = _checked(folder / GRAPH, entry.files.get(GRAPH))
                self._graph = self._open_graph(kernel)
            except (StoreCorrupt, OSError, ValueError) as error:
                self.problem = f"{folder.name}: Annoy answers in place of its graph, more slowly ({error})"
        if self._graph is None:  # at once: the file may be gone when somebody who still searches here needs it
            self._annoy = annoy_file.load(folder / VECTORS, dimensions)
        self.entry = SegmentEntry(entry.name, entry.rows, {**entry.files, **checked})
        """As the manifest should have it: with the stamps of files that were checked."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def graph(self) -> bool:
        """Whether there is a graph to search."""
        return self._graph is not None

    @property
    def size(self) -> int:
        return len(self.ids)

    @property
    def live(self) -> int:
        """Rows that are alive."""
        return len(self.ids) - self.dead

    @property
    def newest(self) -> int:
        """The highest id."""
        return int(self.ids[-1])

    @property
    def memory_bytes(self) -> int:
        return self.alive.nbytes + (self._graph.rows.memory_bytes if self._graph is not None else 0)

    def select(self, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows with an id within the disjoint bounds, shape [n, 2], dead ones too."""
        return rows_between(self.ids, bounds)

    def kill(self, rows: NDArray[np.int64]) -> int:
        """Delete rows (each once): how many were alive."""
        rows = rows[self.alive[rows]]
        self.alive[rows] = False
        if self._graph is not None:
            self._graph.rows.kill(rows.astype(np.uint32))
        self.dead += len(rows)
        return len(rows)

    def dead_ids(self) -> NDArray[np.int64]:
        """Ids of deleted rows, ascending."""
        return self.ids[~self.alive]

    def search(self, plan: Plan, query: NDArray[np.float32], limit: int, rows: NDArray[np.int64] | None) -> Found:
        """About the nearest `limit` live rows, of `rows` where that is given."""
        if self._graph is None:
            return self._search_vectors(plan, query, limit, rows)
        if rows is not None and isinstance(plan, ScanRows):
            return self._graph.rows.scan_rows(query, limit, rows.astype(np.uint32))
        eligible = None if rows is None else bitmap(rows, len(self.ids))
        if isinstance(plan, GraphSearch):
            return self._graph.search(query, limit, plan.ef, eligible=eligible)
        candidates = plan.candidates if isinstance(plan, SignScan) else 0
        return self._graph.rows.scan(query, limit, eligible=eligible, sign_candidates=candidates)

    def vector(self, row: int) -> NDArray[np.float32]:
        """A copy of one row's vector."""
        return np.array(self.vectors[row])

    def _open_graph(self, kernel: Kernel) -> "_kernel.Graph":
        descriptor = os.open(self.path / VECTORS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            graph = kernel.Graph.open(
                str(self.path / GRAPH),
                descriptor,
                annoy_file.HEAD_BYTES,
                annoy_file.stride(self.dimensions),
                verify=False,
            )
        finally:
            os.close(descriptor)
        if (len(graph), graph.rows.dimensions) != (len(self.ids), self.dimensions):
            raise StoreCorrupt(f"{self.name}/{GRAPH}: not of these rows")
        return graph

    def _search_vectors(
        self, plan: Plan, query: NDArray[np.float32], limit: int, rows: NDArray[np.int64] | None
    ) -> Found:
        if rows is None and isinstance(plan, Scan):
            return scan(self.vectors, self.alive, query, limit)
        if rows is not None and (isinstance(plan, Scan | ScanRows) or len(rows) <= _ANNOY_FILTERED_ROWS):
            return scan_rows(self.vectors, self.alive, query, limit, rows)
        allowed = self.alive
        if rows is not None:
            allowed = np.zeros(len(self.ids), np.bool_)
            allowed[rows] = self.alive[rows]
        share = max(1, int(np.count_nonzero(allowed))) / len(allowed)
        wanted = min(len(allowed), int(2 * limit / share))
        found = np.array(self._annoy.get_nns_by_vector(query, wanted, wanted * _ANNOY_NODES_A_ROW), np.int64)
        return scan_rows(self.vectors, allowed, query, limit, found)


def _checked(path: Path, entry: FileEntry | None) -> FileEntry:
    """The entry, with its present stamp. Raises StoreCorrupt where the file is not what was sealed."""
    if entry is None:
        raise StoreCorrupt(f"{path.parent.name}/{path.name} was never built")
    try:
        stat = Stat.of(path.stat())
        if stat == entry.stat:
            return entry
        if stat.size_bytes != entry.stat.size_bytes or file_crc(path) != entry.crc:
            raise StoreCorrupt(f"{path.parent.name}/{path.name}: checksum mismatch")
    except OSError as error:
        raise StoreCorrupt(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    return FileEntry(entry.crc, stat)
