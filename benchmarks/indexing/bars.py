"""What indexing, searching and keeping fresh have to reach on two cores."""

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.corpora import DJANGO
from benchmarks.indexing.results import CorpusReport

COLD_RATE = Bar("cold indexing rate", Demand.AT_LEAST, 4_000, "chunks/s")
COLD_READY = Bar("cold index", Demand.BELOW, 20, "s")
FIRST_ANSWER = Bar("first keyword answer", Demand.BELOW, 2, "s")
MEMORY = Bar("daemon memory, settled and idle", Demand.BELOW, 200, "MB")
HYBRID_P50 = Bar("hybrid search p50", Demand.BELOW, 5, "ms")
HYBRID_P99 = Bar("hybrid search p99", Demand.BELOW, 25, "ms")
LOADED_P99 = Bar("search p99 during a cold index", Demand.BELOW, 50, "ms")
SAVE_P50 = Bar("save to searchable p50", Demand.BELOW, 300, "ms")
SAVES_LOST = Bar("saves not found", Demand.AT_MOST, 0)
SWITCH_BACK = Bar("chunks embedded by the branch switch back", Demand.AT_MOST, 0)
SWITCH_MISSING = Bar("files shown wrongly after a branch switch", Demand.AT_MOST, 0)
RESTART = Bar("restart to ready", Demand.BELOW, 1, "s")
RESTART_EMBEDDED = Bar("chunks embedded or unembedded after a restart", Demand.AT_MOST, 0)
IDLE_CPU = Bar("idle CPU", Demand.BELOW, 0.5, "%")


def verdicts(report: CorpusReport) -> list[Verdict]:
    """Hold one corpus's measures against the bars; those set for Django's size hold for Django only."""
    name = report.corpus
    hybrid = report.search_ms["hybrid"]
    held = [
        HYBRID_P50.hold(hybrid.p50, name),
        HYBRID_P99.hold(hybrid.p99, name),
        LOADED_P99.hold(report.loaded.latency_ms.p99, name),
        SAVE_P50.hold(report.saves.keyword_ms.p50, name),
        SAVES_LOST.hold(report.saves.lost, name),
        SWITCH_BACK.hold(report.switch_back.embedded, name),
        SWITCH_MISSING.hold(report.switch_there.missing + report.switch_back.missing, name),
        RESTART.hold(report.restart_seconds, name),
        RESTART_EMBEDDED.hold(sum(one.embedded + one.unembedded for one in report.restarts), name),
        IDLE_CPU.hold(report.idle_cpu_percent, name),
    ]
    if name != DJANGO.name:
        return held
    return [
        COLD_RATE.hold(report.chunks_per_second, name),
        COLD_READY.hold(report.ready_seconds, name),
        FIRST_ANSWER.hold(report.first_answer_seconds, name),
        MEMORY.hold(max(report.settled.daemon_rss, report.idle.daemon_rss) / 1e6, name),
        *held,
    ]
