"""What the vector index has to reach beside its peers, and what it aims at."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.vector_index.data import Asked
from benchmarks.vector_index.indexes import OURS, Int8Scan
from benchmarks.vector_index.results import Held, Missed, Searched, VectorReport

BAR_ROWS = 100_000
BAR_DIMENSIONS = 256
WITHOUT_VNNI = 1.5
"""Where the processor has no AVX-512 VNNI, the first four bars drop to this."""
BEST_LEVEL = "avx512vnni"


@dataclass(frozen=True, slots=True)
class Aim:
    """A bar, and the value that good work reaches."""

    bar: Bar
    target: float

    def relaxed(self, levels: list[str]) -> "Aim":
        """As it holds on a machine with these levels."""
        if BEST_LEVEL in levels:
            return self
        return Aim(Bar(self.bar.name, self.bar.demand, WITHOUT_VNNI, self.bar.unit), self.target)


GRAPH_95 = Aim(Bar("HNSW / hnswlib queries a second, chunk queries, recall .95", Demand.AT_LEAST, 2.0), 2.7)
GRAPH_99 = Aim(Bar("HNSW / hnswlib queries a second, chunk queries, recall .99", Demand.AT_LEAST, 2.0), 2.7)
QUESTIONS_95 = Aim(Bar("HNSW / hnswlib queries a second, questions, recall .95", Demand.AT_LEAST, 2.0), 2.7)
INSERTS = Aim(Bar("inserts / hnswlib", Demand.AT_LEAST, 2.0), 2.8)
AVX2 = Aim(Bar("AVX2 / AVX-512 graph searches", Demand.AT_LEAST, 0.75), 0.9)
SCAN = Aim(Bar("int8 scan / numpy float32", Demand.AT_LEAST, 4), 6)
SCAN_RECALL = Aim(Bar("int8 scan recall@10, worst kind of query and size", Demand.AT_LEAST, 0.995), 0.998)
PLANNED = Aim(Bar("planner's own choice, recall@10 of questions", Demand.AT_LEAST, 0.98), 0.99)
OPENING = Aim(Bar("warm open of a mapped graph", Demand.AT_MOST, 5, "ms"), 1)
SEALED = Aim(Bar("sealed HNSW / Annoy queries a second, recall .95", Demand.AT_LEAST, 30), 80)
TOMBSTONES = Aim(Bar("recall with half of the rows dead, against none", Demand.AT_LEAST, -0.01), 0)


def held(report: VectorReport) -> list[Held]:
    """Every bar whose cell was measured; one that could not reach its recall is NaN, which meets no bar."""
    found = [*_ratios(report), *_scans(report)]
    for planned in report.planned:
        if planned.asked is Asked.QUESTION:
            found.append(_hold(PLANNED, planned.recall, _at(planned.rows, planned.dimensions)))
    for opened in report.opened:
        found.append(_hold(OPENING, opened.open_ms, _at(opened.rows, opened.dimensions)))
    for tombstoned in report.tombstoned:
        subject = f"{_at(tombstoned.rows, tombstoned.dimensions)}, {tombstoned.asked} queries"
        found.append(_hold(TOMBSTONES, tombstoned.change, subject))
    return found


def _ratios(report: VectorReport) -> list[Held]:
    found: list[Held] = []
    subject = _at(BAR_ROWS, BAR_DIMENSIONS)
    if any(map(_is_bars, report.searched)) or any(map(_is_bars, report.missed)):
        ours = {(one.asked, one.target): one for one in report.searched if one.index == OURS and _is_bars(one)}
        wanted = ((GRAPH_95, Asked.CHUNK, 0.95), (GRAPH_99, Asked.CHUNK, 0.99), (QUESTIONS_95, Asked.QUESTION, 0.95))
        for aim, asked, target in wanted:
            mine = ours.get((asked, target))
            found.append(_hold(aim.relaxed(report.cpu_levels), mine.ratio if mine else math.nan, subject))
    for one in report.against_annoy:
        if one.index == OURS:
            # An Annoy that does not reach the recall at all is no reference: then the ratio is without bound.
            value = math.inf if math.isnan(one.ratio) else one.ratio
            found.append(_hold(SEALED, value, _at(one.rows, one.dimensions)))
    for inserted in report.inserted:
        if inserted.index == OURS:
            aim = INSERTS.relaxed(report.cpu_levels)
            found.append(_hold(aim, inserted.ratio, _at(inserted.rows, inserted.dimensions)))
    for level in report.levels:
        if level.level == "avx2" and BEST_LEVEL in report.cpu_levels:
            subject = f"{_at(level.rows, level.dimensions)}, {level.asked} queries"
            found.append(_hold(AVX2, level.graph_ratio, subject))
    return found


def _scans(report: VectorReport) -> list[Held]:
    int8 = [one for one in report.scanned if one.index == Int8Scan.name]
    found = [
        _hold(SCAN, one.ratio, f"{_at(one.rows, one.dimensions)}, {one.asked} queries")
        for one in int8
        if one.rows == 10_000
    ]
    if int8:
        worst = min(int8, key=lambda one: one.recall)
        found.append(_hold(SCAN_RECALL, worst.recall, f"{_at(worst.rows, worst.dimensions)}, {worst.asked} queries"))
    return found


def _is_bars(one: Searched | Missed) -> bool:
    return (one.rows, one.dimensions) == (BAR_ROWS, BAR_DIMENSIONS)


def _hold(aim: Aim, value: float, subject: str) -> Held:
    return Held(aim.bar.hold(value, subject), aim.target)


def _at(rows: int, dimensions: int) -> str:
    return f"{rows:,} rows, {dimensions} dimensions"


def verdicts(found: Iterable[Held]) -> list[Verdict]:
    """Without the targets."""
    return [one.verdict for one in found]
