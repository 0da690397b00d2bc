"""Which cells are measured, over which rows, and in which order."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import Machine
from benchmarks.vector_index import bars, daemon_cell, daemon_report, data, libraries, planning, searching, upkeep
from benchmarks.vector_index.data import Dataset
from benchmarks.vector_index.indexes import Index, Int8Scan, Sealed, SignScan
from benchmarks.vector_index.measure import pin
from benchmarks.vector_index.peers import Annoy, Faiss, Hnswlib, Numpy, SqliteVec
from benchmarks.vector_index.results import Corpus, VectorReport
from benchmarks.vector_index.shelf import Shelf
from lucastrad.storage.vectors import _kernel

ROWS = {"10k": 10_000, "50k": 50_000, "100k": 100_000, "200k": 200_000, "400k": 400_000, "1m": 1_000_000}
_DAEMON = "daemon"


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to measure; `name:rows:dimensions` on the command line."""

    name: str
    rows: str
    dimensions: int
    run: Callable[[Shelf], None]

    @property
    def id(self) -> str:
        return f"{self.name}:{self.rows}:{self.dimensions}"

    def chosen(self, only: Sequence[str]) -> bool:
        """Whether one of `only` names it."""
        return named(self.id, only)


def named(cell: str, only: Sequence[str]) -> bool:
    """Whether one of `only` is the first parts of a cell's id, or nothing at all is asked for."""
    return not only or any(f"{cell}:".startswith(f"{one.strip().lower()}:") for one in only)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is repeated."""

    queries: int
    rounds: int


QUICK = Effort(queries=500, rounds=3)
FULL = Effort(queries=data.QUERIES, rounds=5)


def cells(*, quick: bool, cache: Path) -> list[Cell]:
    """Everything there is to measure; cells over the same rows stand together and share their indexes."""
    graphs, scans = searching.graphs, searching.scans
    pair, few = (Sealed, Hnswlib), (Int8Scan, SignScan, Numpy)
    kept: tuple[type[Index], ...] = (Sealed, Hnswlib, Annoy) if quick else (*searching.GRAPHS, Annoy, Numpy, SqliteVec)
    first = [
        Cell("inserts", "50k", 256, partial(_inserts, peers=not quick)),
        Cell("hnsw", "10k", 256, partial(graphs, kinds=searching.GRAPHS)),
        Cell("scan", "10k", 256, partial(scans, kinds=searching.SCANS)),
        Cell("hnsw", "100k", 256, partial(graphs, kinds=pair if quick else searching.GRAPHS)),
        Cell("annoy", "100k", 256, searching.annoy),
        Cell("scan", "100k", 256, partial(scans, kinds=few if quick else searching.SCANS)),
        Cell("levels", "100k", 256, partial(upkeep.levels, names=_kernel.cpu_levels())),
        Cell("tombstones", "100k", 256, upkeep.tombstones),
        Cell("planner", "100k", 256, planning.planned),
        Cell("memory", "100k", 256, partial(upkeep.memory, kinds=kept, cache=cache)),
    ]
    last = [
        Cell("hnsw", "10k", 384, partial(graphs, kinds=pair)),
        Cell("scan", "10k", 384, partial(scans, kinds=few)),
    ]
    if quick:
        return [*first, Cell("open", "100k", 256, upkeep.opening), *last]
    return [
        *first,
        Cell("filter", "100k", 256, planning.filtered),
        Cell("hnsw", "200k", 256, partial(graphs, kinds=(*pair, Faiss))),
        Cell("annoy", "200k", 256, searching.annoy),
        Cell("scan", "200k", 256, partial(scans, kinds=few)),
        Cell("planner", "200k", 256, planning.planned),
        Cell("open", "200k", 256, upkeep.opening),
        Cell("thresholds", "400k", 256, _thresholds),
        Cell("hnsw", "1m", 256, partial(graphs, kinds=pair)),
        Cell("scan", "1m", 256, partial(scans, kinds=few)),
        Cell("planner", "1m", 256, planning.planned),
        Cell("inserts", "50k", 384, partial(_inserts, peers=False)),
        *last,
        Cell("hnsw", "100k", 384, partial(graphs, kinds=pair)),
        Cell("scan", "100k", 384, partial(scans, kinds=few)),
        Cell("planner", "100k", 384, planning.planned),
        Cell("hnsw", "200k", 384, partial(graphs, kinds=pair)),
        Cell("scan", "200k", 384, partial(scans, kinds=few)),
        Cell("hnsw", "1m", 384, partial(graphs, kinds=pair)),
        Cell("scan", "1m", 384, partial(scans, kinds=few)),
        Cell("planner", "1m", 384, planning.planned),
    ]


def measure(cache: Path, scratch: Path, *, quick: bool, only: Sequence[str]) -> VectorReport:
    """Run the chosen cells, all but the daemon's pinned to one core. Raises BenchmarkError."""
    chosen = [cell for cell in cells(quick=quick, cache=cache) if cell.chosen(only)]
    sizes = [] if quick else [size for size in daemon_cell.CHUNKS if named(f"{_DAEMON}:{size}", only)]
    if not chosen and not sizes:
        known = [cell.id for cell in cells(quick=quick, cache=cache)]
        known += [] if quick else [f"{_DAEMON}:{size}" for size in daemon_cell.CHUNKS]
        raise BenchmarkError(f"no cell is named {', '.join(only)}; there are: {' '.join(known)}")
    report = VectorReport(Machine.here(), None, _kernel.cpu_levels(), quick, libraries.versions())
    for size in sizes:  # first: a daemon has all cores
        with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
            report.daemons.append(daemon_cell.measure(size, cache, Path(folder)))
        report.verdicts += daemon_report.verdicts(report.daemons[-1])
    if chosen:
        _measure_pinned(cache, scratch, chosen, report)
    return report


def _measure_pinned(cache: Path, scratch: Path, chosen: Sequence[Cell], report: VectorReport) -> None:
    quick = report.quick
    datasets = _datasets(cache, chosen, quick=quick)
    report.core = pin()
    effort = QUICK if quick else FULL
    report.corpora += [
        Corpus(size, found.real, len(found.rows), effort.queries, found.packages) for size, found in datasets.items()
    ]
    for (rows, dimensions), group in groupby(chosen, key=lambda cell: (cell.rows, cell.dimensions)):
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            shelf = Shelf(datasets[dimensions], ROWS[rows], effort.queries, effort.rounds, Path(folder), report)
            for cell in group:
                cell.run(shelf)
    report.held += bars.held(report)
    report.verdicts += bars.verdicts(report.held)


def _datasets(cache: Path, chosen: Sequence[Cell], *, quick: bool) -> dict[int, Dataset]:
    """By number of dimensions, with as many rows as the largest cell wants: smaller ones take the first of them."""
    sizes: dict[int, int] = {}
    for cell in chosen:
        sizes[cell.dimensions] = max(ROWS[cell.rows], sizes.get(cell.dimensions, 0))
    return {size: data.load(cache, dimensions=size, rows=rows, quick=quick) for size, rows in sizes.items()}


def _inserts(shelf: Shelf, *, peers: bool) -> None:
    upkeep.inserts(shelf.data, shelf.report, peers=peers)


def _thresholds(shelf: Shelf) -> None:
    planning.pathways(shelf.data, shelf.folder, shelf.report, most=shelf.rows)
