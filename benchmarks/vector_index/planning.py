"""What the daemon's planner chooses by itself, and what its thresholds would be by what this machine measures."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import step
from benchmarks.vector_index import indexes
from benchmarks.vector_index.data import SEED, Asked, Dataset
from benchmarks.vector_index.indexes import Index, Int8Scan, Sealed, Search, SignScan
from benchmarks.vector_index.measure import in_turns
from benchmarks.vector_index.results import Filtered, Pathway, Planned, VectorReport
from benchmarks.vector_index.searching import TARGETS
from benchmarks.vector_index.shelf import Shelf
from benchmarks.vector_index.truth import LIMIT, exact
from lucastrad.storage.vectors import _kernel, planner

KINDS = {Asked.QUESTION: planner.QueryKind.QUESTION, Asked.CHUNK: planner.QueryKind.PASSAGE}
THRESHOLD_ROWS = (10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000)
FILTERED_ROWS = 100_000
SHARES = (0.5, 0.25, 0.1, 0.05, 0.01)
SIGN_TARGET = 0.99
_FEW_QUERIES = 300


def planned(shelf: Shelf) -> None:
    """Ask as the daemon does: with the planner's default thresholds over a sealed segment."""
    sealed = shelf.index(Sealed)
    step(f"{shelf.name}: the planner's own choice")
    for asked, kind in KINDS.items():
        choice = planner.plan(
            planner.Thresholds(),
            rows=shelf.rows,
            dead=0,
            eligible=None,
            graph=True,
            kind=kind,
            exact=False,
            limit=LIMIT,
        )
        search = _carried_out(choice, sealed.graph)
        found, search_us = _timed(search, shelf.asked(asked), shelf.rounds)
        shelf.report.planned.append(
            Planned(shelf.rows, shelf.dimensions, asked, str(choice), shelf.truth(asked).recall(found), search_us)
        )


def _carried_out(choice: planner.Plan, graph: _kernel.Graph) -> Search:
    rows = graph.rows
    match choice:
        case planner.GraphSearch(ef):
            return lambda query: graph.search(query, LIMIT, ef)
        case planner.SignScan(candidates):
            return lambda query: rows.scan(query, LIMIT, sign_candidates=candidates)
        case planner.Scan() | planner.ScanRows():
            return lambda query: rows.scan(query, LIMIT)


def pathways(data: Dataset, folder: Path, report: VectorReport, *, most: int) -> None:
    """Each way of searching at growing sizes of one graph: the thresholds in rows."""
    _kernel.set_cpu_level(_kernel.cpu_levels()[0])
    graph = indexes.live_graph(data, most)
    for rows in THRESHOLD_ROWS:
        if rows > most:
            return
        step(f"thresholds at {rows:,} rows")
        indexes.append(graph, data, len(graph), rows)
        shelf = Shelf(data, rows, _FEW_QUERIES, 3, folder, report)
        ways: list[tuple[Index, float]] = [(Int8Scan(graph.rows), 0.0), (SignScan(graph.rows), SIGN_TARGET)]
        ways += [(Sealed(graph), target) for target in TARGETS]
        for asked in Asked:
            _compare_ways(shelf, asked, ways)


def _compare_ways(shelf: Shelf, asked: Asked, ways: Sequence[tuple[Index, float]]) -> None:
    names, works, efforts, recalls = [], [], [], []
    for index, target in ways:
        effort = shelf.effort(index, asked, target)
        if effort is None:
            continue
        names.append(f"{index.name} at {target:.2f}" if target else index.name)
        works.append(shelf.pass_over(index, asked, effort))
        efforts.append(effort)
        recalls.append(shelf.recall(index, asked, effort))
    count = len(shelf.asked(asked))
    for name, effort, recall, seconds in zip(names, efforts, recalls, in_turns(works, shelf.rounds), strict=True):
        search_us = statistics.median(seconds) / count * 1e6
        shelf.report.pathways.append(Pathway(shelf.rows, asked, name, effort or None, recall, search_us))


def filtered(shelf: Shelf) -> None:
    """Each way of searching when a filter leaves some rows, drawn at random."""
    graph = shelf.index(Sealed).graph
    _kernel.set_cpu_level(_kernel.cpu_levels()[0])
    thresholds = planner.Thresholds()
    chance = np.random.default_rng(SEED)
    for share in SHARES:
        step(f"{shelf.name}: a filter that leaves {share:.0%}")
        eligible = np.zeros(shelf.rows, np.bool_)
        eligible[chance.permutation(shelf.rows)[: int(shelf.rows * share)]] = True
        bitmap = _bitmap(eligible)
        names = np.flatnonzero(eligible).astype(np.uint32)
        for asked, ef in ((Asked.QUESTION, thresholds.question_ef), (Asked.CHUNK, thresholds.passage_ef)):
            queries = shelf.asked(asked)[:_FEW_QUERIES]
            truth = exact(shelf.data.rows[: shelf.rows], queries, eligible)
            for way, search in _filtered_ways(graph, ef, bitmap, names).items():
                found, search_us = _timed(search, queries, shelf.rounds)
                recall = truth.recall(found)
                shelf.report.filtered.append(Filtered(shelf.rows, asked, share, way, recall, search_us))


def _filtered_ways(
    graph: _kernel.Graph, ef: int, bitmap: NDArray[np.uint64], names: NDArray[np.uint32]
) -> dict[str, Search]:
    return {
        f"graph, ef {ef}": lambda query: graph.search(query, LIMIT, ef, eligible=bitmap),
        "scan, bitmap": lambda query: graph.rows.scan(query, LIMIT, eligible=bitmap),
        "scan of the rows": lambda query: graph.rows.scan_rows(query, LIMIT, names),
    }


def _timed(search: Search, queries: NDArray[np.float32], rounds: int) -> tuple[NDArray[np.int64], float]:
    """(rows found, median processor microseconds of one query)."""
    prepared = list(queries)

    def run() -> None:
        for query in prepared:
            search(query)

    passes: list[Callable[[], object]] = [run]
    (seconds,) = in_turns(passes, rounds)
    return indexes.one_by_one(search, queries), statistics.median(seconds) / len(queries) * 1e6


def _bitmap(mask: NDArray[np.bool_]) -> NDArray[np.uint64]:
    whole = np.zeros(-(-len(mask) // 64) * 64, np.bool_)
    whole[: len(mask)] = mask
    return np.packbits(whole, bitorder="little").view(np.uint64)
