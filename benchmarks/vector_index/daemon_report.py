"""The daemon cell as text, and its bars."""

from collections.abc import Iterator, Sequence

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.distribution import Distribution
from benchmarks.vector_index.daemon_cell import CHUNKS
from benchmarks.vector_index.daemon_results import DaemonReport, Occupancy, Paced

SMALL_P99 = Bar("search p99, any mode", Demand.BELOW, 10, "ms")
MERGING = Bar("search p99 while vectors are merged / at rest, worst mode", Demand.AT_MOST, 2)
FAILED = Bar("searches that failed", Demand.AT_MOST, 0)


def lines(reports: Sequence[DaemonReport]) -> list[str]:
    """All sizes."""
    return [line for report in reports for line in _one(report)]


def verdicts(report: DaemonReport) -> list[Verdict]:
    """What a size has to reach."""
    name = f"daemon, {report.size}"
    held: list[Verdict] = []
    if report.indexed.chunks <= 1.1 * CHUNKS["10k"]:
        held.append(SMALL_P99.hold(max(one.latency_ms.p99 for one in report.rest), name))
    for merge in report.merges:
        held.append(
            MERGING.hold(_worst_ratio(merge.searches, report.paced), f"{name}, {_rows(merge.kind, merge.rows)}")
        )
    failed = report.paced.failed + sum(merge.searches.failed for merge in report.merges)
    return [*held, FAILED.hold(failed, name)]


def _one(report: DaemonReport) -> Iterator[str]:
    indexed = report.indexed
    loads = " ".join(f"{load:.1f}" for load in report.load_averages)
    yield from ("", f"daemon, {indexed.chunks:,} chunks in {indexed.files:,} files (load at each step: {loads})")
    yield f"  stolen                  {report.stolen:.0%} of the CPU time wanted went to other guests of the host"
    rate = indexed.chunks / indexed.seconds
    peak = indexed.peak
    yield f"  first index             {indexed.seconds:,.1f} s, {rate:,.0f} chunks/s; peak RSS: daemon " + (
        f"{_mb(peak.daemon_rss)}, largest worker {_mb(peak.largest_worker_rss)}"
    )
    yield f"  at rest                 {_occupancy(report.occupancy)}"
    yield f"  after the last merge    {_occupancy(report.last_occupancy)}"
    for one in report.rest:
        what = f"{one.mode} search" + (f" in {one.filter}" if one.filter else "")
        yield f"  {what:<24}{_latency(one.latency_ms)}"
    for mode, latency in report.paced.latency_ms.items():
        yield f"  {f'paced, {mode}':<24}{_latency(latency)}"
    if report.merge_seconds:
        yield f"  merges took             {', '.join(f'{seconds:,.1f}' for seconds in report.merge_seconds)} s"
    for merge in report.merges:
        searches = merge.searches
        yield f"  {_rows(merge.kind, merge.rows)}: {merge.seconds:,.1f} s; peak RSS: daemon " + (
            f"{_mb(merge.peak.daemon_rss)}, workers {_mb(merge.peak.workers_rss)}; {searches.failed} searches failed"
        )
        if searches.problem:
            yield f"    {searches.problem}"
        for mode, latency in searches.latency_ms.items():
            yield f"    {mode:<22}{_latency(latency)}"
    for restart in report.restarts:
        yield f"  restart                 first answer after {restart.answered_seconds:.2f} s, ready after " + (
            f"{restart.ready_seconds:.2f} s"
        )
    for complaint in report.complaints:
        yield f"  the daemon's log        {complaint}"


def _worst_ratio(merging: Paced, rest: Paced) -> float:
    return max(latency.p99 / rest.latency_ms[mode].p99 for mode, latency in merging.latency_ms.items())


def _rows(kind: str, rows: int) -> str:
    return f"{kind} of {rows:,} rows"


def _occupancy(at: Occupancy) -> str:
    return (
        f"RSS {_mb(at.resident)}: {_mb(at.anonymous)} anonymous, {_mb(at.mapped)} of mapped files; on disk "
        f"{_mb(at.store)}, {_mb(at.vectors)} of it vectors; {at.segments} segments of {at.segment_rows:,} rows"
    )


def _latency(latency: Distribution) -> str:
    return f"p50 {latency.p50:.2f} ms, p99 {latency.p99:.2f}, max {latency.maximum:.2f} ({latency.count:,} measured)"


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"
