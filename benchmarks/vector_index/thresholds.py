"""The planner's constants beside what was measured: where one way of searching overtakes another."""

from collections.abc import Iterator

from benchmarks.vector_index.data import Asked
from benchmarks.vector_index.results import Pathway, VectorReport
from lucastrad.storage.vectors.planner import Thresholds


def suggestions(report: VectorReport) -> Iterator[str]:
    """One line for each constant that this run says something about."""
    now = Thresholds()
    if report.pathways:
        for asked in Asked:
            ways = dict.fromkeys(one.way for one in report.pathways if one.asked is asked)
            scan = next(way for way in ways if "int8" in way)
            for way in ways:
                if way != scan:
                    crossing = _overtakes(report.pathways, asked, way, scan)
                    yield f"{asked} queries: {way} is faster than {scan} {crossing}; scan_rows = {now.scan_rows:,}"
            sign = next((way for way in ways if "sign" in way), None)
            for way in ways:
                if sign is not None and way not in (scan, sign):
                    crossing = _overtakes(report.pathways, asked, way, sign)
                    yield f"{asked} queries: {way} is faster than {sign} {crossing}; a graph always goes first"
        yield from _efforts(report, now)
    if report.filtered:
        yield from _shares(report, now)


def _overtakes(pathways: list[Pathway], asked: Asked, way: str, other: str) -> str:
    """From which number of rows on `way` takes less time than `other`, at every larger size too."""
    took = {(one.rows, one.way): one.search_us for one in pathways if one.asked is asked}
    sizes = sorted({rows for rows, _ in took})
    from_rows = None
    for rows in reversed(sizes):
        if took.get((rows, way), float("inf")) >= took[rows, other]:
            break
        from_rows = rows
    return f"from {from_rows:,} rows on" if from_rows else f"at no size up to {sizes[-1]:,} rows"


def _efforts(report: VectorReport, now: Thresholds) -> Iterator[str]:
    largest = max(one.rows for one in report.pathways)
    constants = {Asked.QUESTION: f"question_ef = {now.question_ef}", Asked.CHUNK: f"passage_ef = {now.passage_ef}"}
    for one in report.pathways:
        if one.rows == largest and one.effort:
            constant = f"sign_candidates = {now.sign_candidates:,}" if "sign" in one.way else constants[one.asked]
            yield f"{one.asked} queries, {one.rows:,} rows: {one.way} takes an effort of {one.effort:,}; {constant}"


def _shares(report: VectorReport, now: Thresholds) -> Iterator[str]:
    for asked in Asked:
        same = [one for one in report.filtered if one.asked is asked]
        for share in dict.fromkeys(one.share for one in same):
            good = [one for one in same if one.share == share and one.recall >= 0.95]
            best = min(good, key=lambda one: one.search_us, default=None)
            if best is not None:
                yield f"{asked} queries, {share:.0%} eligible: {best.way} is the fastest; " + (
                    f"few_rows_share = {now.few_rows_share:.0%}"
                )
