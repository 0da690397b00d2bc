"""What an index costs besides its searches: inserting, opening, memory; and what deletes and older processors do."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command import step
from benchmarks.errors import BenchmarkError
from benchmarks.vector_index import indexes
from benchmarks.vector_index.data import SEED, Asked, Dataset
from benchmarks.vector_index.indexes import OURS, Index, Int8Scan, Sealed
from benchmarks.vector_index.measure import Pace, cpu_seconds, in_turns
from benchmarks.vector_index.peers import Faiss, Hnswlib, Usearch
from benchmarks.vector_index.results import Inserted, Level, Occupied, Opened, Tombstoned, VectorReport
from benchmarks.vector_index.searching import TARGETS
from benchmarks.vector_index.shelf import Shelf
from benchmarks.vector_index.truth import exact

INSERTED = 50_000
_INSERT_SLICE = 2_500
_OPENINGS = 20
_MEMORY_SECONDS = 600


def inserts(data: Dataset, report: VectorReport, *, peers: bool) -> None:
    """Fill empty indexes up to INSERTED rows, slice by slice in turns."""
    step(f"{INSERTED:,} inserts, {data.dimensions} dimensions")
    fillers = {OURS: _ours(data), Hnswlib.name: _filler(data, Hnswlib.empty(data, INSERTED))}
    if peers:
        fillers[Faiss.name] = _filler(data, Faiss.empty(data, INSERTED))
        fillers[Usearch.name] = _filler(data, Usearch.empty(data, INSERTED))
    seconds: dict[str, list[float]] = {name: [] for name in fillers}
    for number, start in enumerate(range(0, INSERTED, _INSERT_SLICE)):
        for name in list(fillers)[:: 1 if number % 2 else -1]:
            seconds[name].append(cpu_seconds(partial(fillers[name], start, start + _INSERT_SLICE)))
    base = Pace.of(_INSERT_SLICE, seconds[Hnswlib.name])
    report.inserted += [
        Inserted(name, INSERTED, data.dimensions, INSERTED / sum(taken), Pace.of(_INSERT_SLICE, taken).over(base))
        for name, taken in seconds.items()
    ]


def _ours(data: Dataset) -> Callable[[int, int], None]:
    graph = indexes.live_graph(data, INSERTED)
    return lambda first, last: indexes.append(graph, data, first, last)


def _filler(data: Dataset, index: Hnswlib | Faiss | Usearch) -> Callable[[int, int], None]:
    return lambda first, last: index.add(np.ascontiguousarray(data.rows[first:last]), first)


def opening(shelf: Shelf) -> None:
    """Open the saved graph again and again, as a restart with a warm page cache does."""
    file = shelf.saved(Sealed)
    step(f"{shelf.name}: opening")
    query = shelf.asked(Asked.CHUNK)[0]
    opened: list[float] = []
    searched: list[float] = []
    for _ in range(_OPENINGS):
        began = time.perf_counter()
        graph = indexes.open_graph(shelf.data, file)
        there = time.perf_counter()
        graph.search(query, 10, 64)
        searched.append(time.perf_counter() - there)
        opened.append(there - began)
        del graph
    shelf.report.opened.append(
        Opened(
            rows=shelf.rows,
            dimensions=shelf.dimensions,
            open_ms=statistics.median(opened) * 1e3,
            first_search_ms=statistics.median(searched) * 1e3,
            file_bytes=file.stat().st_size,
        )
    )


def memory(shelf: Shelf, kinds: Sequence[type[Index]], cache: Path) -> None:
    """Load each saved index in a process of its own and ask it some queries."""
    for kind in kinds:
        index, file = shelf.index(kind), shelf.saved(kind)
        step(f"{shelf.name}: memory of {kind.name}")
        effort = shelf.effort(index, Asked.CHUNK, TARGETS[0])
        request = {
            "index": kind.name,
            "file": str(file),
            "rows": shelf.rows,
            "dimensions": shelf.dimensions,
            "effort": effort or 100,
            "cache": str(cache),
            "quick": shelf.report.quick,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.vector_index.memory", json.dumps(request)],
            capture_output=True,
            text=True,
            timeout=_MEMORY_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"{kind.name} could not be loaded in a process of its own:\n{done.stderr}")
        found = json.loads(done.stdout)
        shelf.report.occupied.append(
            Occupied(
                index=kind.name,
                rows=shelf.rows,
                dimensions=shelf.dimensions,
                anonymous_bytes=found["anonymous_bytes"],
                mapped_bytes=found["mapped_bytes"],
                file_bytes=file.stat().st_size + (shelf.rows * shelf.data.stride if kind is Sealed else 0),
            )
        )


@dataclass(frozen=True, slots=True)
class _AtLevel:
    name: str
    graph: Sealed
    scan: Int8Scan


def levels(shelf: Shelf, names: Sequence[str]) -> None:
    """The same searches with each set of instructions that this machine has."""
    step(f"{shelf.name}: {', '.join(names)}")
    sealed, scan = shelf.index(Sealed), shelf.index(Int8Scan)
    each = [_AtLevel(name, sealed.at(name), Int8Scan(scan.rows, name)) for name in names]
    for asked in Asked:
        effort = shelf.effort(sealed, asked, TARGETS[0]) or sealed.most_effort
        count = len(shelf.asked(asked))
        graphs = [
            Pace.of(count, seconds)
            for seconds in in_turns([shelf.pass_over(one.graph, asked, effort) for one in each], shelf.rounds)
        ]
        scans = [
            Pace.of(len(shelf.asked(asked, scan)), seconds)
            for seconds in in_turns([shelf.pass_over(one.scan, asked, 0) for one in each], shelf.rounds)
        ]
        shelf.report.levels += [
            Level(
                level=one.name,
                rows=shelf.rows,
                dimensions=shelf.dimensions,
                asked=asked,
                graph_per_second=graphs[n].median,
                scan_per_second=scans[n].median,
                graph_ratio=graphs[n].over(graphs[0]),
                scan_ratio=scans[n].over(scans[0]),
            )
            for n, one in enumerate(each)
        ]


def tombstones(shelf: Shelf) -> None:
    """Recall at one effort with no row dead, and with every second one, drawn at random, dead."""
    sealed = shelf.index(Sealed)
    step(f"{shelf.name}: half of the rows dead")
    graph = indexes.open_graph(shelf.data, shelf.saved(Sealed))
    dead = np.random.default_rng(SEED).permutation(shelf.rows)[: shelf.rows // 2].astype(np.uint32)
    graph.rows.kill(dead)
    alive = np.ones(shelf.rows, np.bool_)
    alive[dead] = False
    for asked in Asked:
        effort = shelf.effort(sealed, asked, TARGETS[0]) or sealed.most_effort
        truth = exact(shelf.data.rows[: shelf.rows], shelf.asked(asked), alive)
        shelf.report.tombstoned.append(
            Tombstoned(
                rows=shelf.rows,
                dimensions=shelf.dimensions,
                asked=asked,
                effort=effort,
                recall_none=shelf.recall(sealed, asked, effort),
                recall_half=truth.recall(Sealed(graph).many(shelf.asked(asked), effort)),
            )
        )
