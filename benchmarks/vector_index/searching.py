"""Queries a second at a recall: graphs against graphs, scans against scans."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import step
from benchmarks.vector_index.data import Asked
from benchmarks.vector_index.indexes import Index, Int8Scan, Sealed, SignScan
from benchmarks.vector_index.measure import Pace, in_turns
from benchmarks.vector_index.peers import Annoy, Faiss, Hnswlib, Numpy, SqliteVec, Usearch, UsearchHalf, Voyager
from benchmarks.vector_index.results import Missed, Searched
from benchmarks.vector_index.shelf import Shelf

TARGETS = (0.95, 0.99)
SCAN_TARGET = 0.95
"""Scans are exact or nearly so: this only has to tell a broken one, the bar is on the recall itself."""

GRAPHS: tuple[type[Index], ...] = (Sealed, Hnswlib, Faiss, UsearchHalf, Usearch, Voyager)
SCANS: tuple[type[Index], ...] = (Int8Scan, SignScan, Numpy, SqliteVec)


@dataclass(frozen=True, slots=True)
class _Entry:
    index: Index
    effort: int


def graphs(shelf: Shelf, kinds: Sequence[type[Index]]) -> None:
    """Compare indexes with hnswlib at both recalls and on both kinds of queries."""
    indexes = [shelf.index(kind) for kind in kinds]
    for asked in Asked:
        for target in TARGETS:
            shelf.report.searched += compare(shelf, indexes, Hnswlib, asked, target)


def annoy(shelf: Shelf) -> None:
    """Compare the sealed graph with Annoy, on chunk queries at the lower recall: others would take it too long."""
    indexes = [shelf.index(Sealed), shelf.index(Annoy)]
    shelf.report.against_annoy += compare(shelf, indexes, Annoy, Asked.CHUNK, TARGETS[0])


def scans(shelf: Shelf, kinds: Sequence[type[Index]]) -> None:
    """Compare scans with numpy's product."""
    indexes = [shelf.index(kind) for kind in kinds]
    for asked in Asked:
        shelf.report.scanned += compare(shelf, indexes, Numpy, asked, SCAN_TARGET)


def compare(
    shelf: Shelf, indexes: Sequence[Index], reference: type[Index], asked: Asked, target: float
) -> list[Searched]:
    """Time those that reach the target, in turns; the others are reported as missed."""
    step(f"{shelf.name}: {asked} queries at recall {target:.2f}")
    entries: list[_Entry] = []
    for index in indexes:
        effort = shelf.effort(index, asked, target)
        if effort is None:
            best = shelf.recall(index, asked, index.most_effort)
            shelf.report.missed.append(Missed(index.name, shelf.rows, shelf.dimensions, asked, target, best))
        else:
            entries.append(_Entry(index, effort))
    single = _paces(shelf, asked, entries, batch=False)
    at_once = _paces(shelf, asked, [entry for entry in entries if entry.index.batches], batch=True)
    batch = [at_once.pop(0) if entry.index.batches else None for entry in entries]
    base = next((n for n, entry in enumerate(entries) if isinstance(entry.index, reference)), None)
    return [
        Searched(
            index=entry.index.name,
            rows=shelf.rows,
            dimensions=shelf.dimensions,
            asked=asked,
            target=target,
            effort=entry.effort or None,
            recall=shelf.recall(entry.index, asked, entry.effort),
            queries=len(shelf.asked(asked, entry.index)),
            per_second=single[n].median,
            batch_per_second=_median(batch[n]),
            ratio=math.nan if base is None else single[n].over(single[base]),
            batch_ratio=math.nan if base is None else _over(batch[n], batch[base]),
        )
        for n, entry in enumerate(entries)
    ]


def _paces(shelf: Shelf, asked: Asked, entries: Sequence[_Entry], *, batch: bool) -> list[Pace]:
    def all_at_once(entry: _Entry) -> NDArray[np.int64]:
        return entry.index.many(shelf.asked(asked, entry.index), entry.effort)

    works: list[Callable[[], object]] = [
        partial(all_at_once, entry) if batch else shelf.pass_over(entry.index, asked, entry.effort) for entry in entries
    ]
    counts = [len(shelf.asked(asked, entry.index)) for entry in entries]
    times = in_turns(works, shelf.rounds)
    return [Pace.of(count, seconds) for count, seconds in zip(counts, times, strict=True)]


def _median(pace: Pace | None) -> float:
    return math.nan if pace is None else pace.median


def _over(pace: Pace | None, base: Pace | None) -> float:
    return math.nan if pace is None or base is None else pace.over(base)
