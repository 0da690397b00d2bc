"""The report as text."""

from benchmarks.distribution import Distribution
from benchmarks.indexing.results import BranchSwitch, CorpusReport, IndexingReport
from benchmarks.processes import Footprint

Row = tuple[str, str]


def lines(report: IndexingReport) -> list[str]:
    """The whole run."""
    text = [str(report.machine)]
    if report.quick:
        text.append("quick: fewer repetitions, Django only")
    for corpus in report.corpora:
        text += ["", *_corpus(corpus)]
    return text


def _corpus(report: CorpusReport) -> list[str]:
    rows = [*_cold(report), *_memory(report), *_searches(report), *_changes(report), *_resting(report)]
    return [report.corpus, *(f"  {name:<24}{value}" for name, value in rows)]


def _cold(report: CorpusReport) -> list[Row]:
    last, peer = report.cold[-1], report.peer
    runs = ", ".join(f"{run.ready_seconds:.2f}" for run in report.cold)
    own_mb = _mb_per_s(report.indexed_bytes, report.ready_seconds)
    peer_mb = _mb_per_s(peer.text_bytes, peer.chunks / peer.chunks_per_second)
    return [
        ("tree", f"{report.tree.files:,} files, {_mb(report.tree.size_bytes)}"),
        ("indexed", f"{last.files:,} files, {_mb(report.indexed_bytes)}; {last.skipped:,} skipped"),
        ("chunks", f"{last.chunks:,}, {last.embedded:,} of them embedded (the rest are alike)"),
        ("cold index", f"{report.ready_seconds:.2f} s (runs: {runs})"),
        ("cold rate", f"{report.chunks_per_second:,.0f} chunks/s, {own_mb}"),
        ("peer", f"{peer.version}: {peer.files:,} files, {peer.chunks:,} chunks"),
        ("peer rate", f"{peer.chunks_per_second:,.0f} chunks/s, {peer_mb}; ours is {report.peer_ratio:.2f} times that"),
        ("first keyword answer", f"{report.first_answer_seconds:.2f} s"),
        ("daemon start", f"{last.start_seconds:.2f} s, not part of the times above"),
        *(("problem", problem) for problem in last.problems),
    ]


def _memory(report: CorpusReport) -> list[Row]:
    return [
        ("peak memory", _footprint(_peak(report))),
        ("settled memory", _footprint(report.settled)),
        ("idle memory", _footprint(report.idle)),
    ]


def _searches(report: CorpusReport) -> list[Row]:
    return [
        *((f"search, {mode}", _latency(latency)) for mode, latency in report.search_ms.items()),
        ("search while indexing", _latency(report.loaded.latency_ms)),
        ("cold index meanwhile", f"{report.loaded.ready_seconds:.2f} s"),
    ]


def _changes(report: CorpusReport) -> list[Row]:
    return [
        ("save to keyword search", f"{_latency(report.saves.keyword_ms)}; {report.saves.lost} lost"),
        ("save to vector search", _latency(report.saves.embedded_ms)),
        ("branch switch", _switch(report.switch_there)),
        ("branch switch back", _switch(report.switch_back)),
    ]


def _resting(report: CorpusReport) -> list[Row]:
    embedded = sum(one.embedded for one in report.restarts)
    return [
        ("restart to ready", f"{report.restart_seconds:.2f} s (of {len(report.restarts)}), {embedded} chunks embedded"),
        ("idle CPU", f"{report.idle_cpu_percent:.2f} % of one core"),
    ]


def _peak(report: CorpusReport) -> Footprint:
    peak = Footprint()
    for run in report.cold:
        peak = peak.peak(run.peak)
    return peak


def _footprint(memory: Footprint) -> str:
    return (
        f"daemon {_mb(memory.daemon_rss)} RSS, {_mb(memory.daemon_pss)} PSS; workers {_mb(memory.workers_rss)} RSS, "
        f"the largest {_mb(memory.largest_worker_rss)}; all {_mb(memory.tree_pss)} PSS"
    )


def _switch(switch: BranchSwitch) -> str:
    return (
        f"{switch.files} files fresh after {switch.fresh_seconds:.2f} s, {switch.checkout_seconds:.2f} s of it git; "
        f"{switch.embedded} chunks embedded, {switch.missing} files wrong"
    )


def _latency(latency: Distribution) -> str:
    return (
        f"p50 {latency.p50:.2f} ms, p90 {latency.p90:.2f}, p99 {latency.p99:.2f}, "
        f"max {latency.maximum:.2f} ({latency.count:,} measured)"
    )


def _mb(size_bytes: float) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"


def _mb_per_s(size_bytes: float, seconds: float) -> str:
    return f"{size_bytes / 1e6 / seconds:,.1f} MB/s"
