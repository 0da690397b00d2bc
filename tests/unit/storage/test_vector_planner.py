"""Which search suits a query, and which maintenance the parts: both are tables."""

from dataclasses import replace

import pytest

from lucastrad.storage.vectors.planner import (
    GraphSearch,
    Plan,
    QueryKind,
    Scan,
    ScanRows,
    SignScan,
    Thresholds,
    plan,
)
from lucastrad.storage.vectors.policy import Compact, LogSize, Policy, RewriteLogs, Seal, SegmentSize, Work, choose

QUESTION, PASSAGE = QueryKind.QUESTION, QueryKind.PASSAGE
AT = Thresholds(scan_rows=1000, sign_candidates=800, few_rows_share=0.25, passage_ef=96, question_ef=600)

AT_TEN_PERCENT = replace(AT, scan_rows=100, dead_share=0.1)


@pytest.mark.parametrize(
    ("rows", "eligible", "graph", "kind", "exact", "limit", "expected"),
    [
        # Few rows: no graph is as fast as comparing all.
        (1000, None, True, QUESTION, False, 10, Scan()),
        (1000, None, True, PASSAGE, False, 10, Scan()),
        # More: the graph, walked wider for a question than for a passage.
        (1001, None, True, PASSAGE, False, 10, GraphSearch(96)),
        (1001, None, True, QUESTION, False, 10, GraphSearch(600)),
        # Without a graph there is only the sign scan.
        (5001, None, False, PASSAGE, False, 10, SignScan(800)),
        # Exact means every row, however many.
        (5_000_000, None, True, QUESTION, True, 10, Scan()),
        # A filter that leaves few rows: only those are looked at; one that leaves many: never a walk, which it blocks.
        (5001, 1250, True, PASSAGE, False, 10, ScanRows()),
        (5001, 1251, True, PASSAGE, False, 10, SignScan(800)),
        (5001, 1250, True, PASSAGE, True, 10, ScanRows()),
        (800, 700, True, QUESTION, False, 10, Scan()),
        (20, 15, True, QUESTION, False, 15, ScanRows()),
        # Asking for many results widens the search.
        (5001, None, True, PASSAGE, False, 100, GraphSearch(200)),
        (5001, None, False, QUESTION, False, 200, SignScan(1600)),
        (1500, None, False, QUESTION, False, 200, Scan()),
    ],
)
def test_the_way_of_searching(  # noqa: PLR0917
    rows: int, eligible: int | None, graph: bool, kind: QueryKind, exact: bool, limit: int, expected: Plan
) -> None:
    assert plan(AT, rows=rows, dead=0, eligible=eligible, graph=graph, kind=kind, exact=exact, limit=limit) == expected


@pytest.mark.parametrize(("dead", "expected"), [(100, GraphSearch(96)), (101, SignScan(800))])
def test_a_graph_with_many_dead_rows_is_not_walked(dead: int, expected: Plan) -> None:
    """They may lie together, around the query."""
    assert plan(
        AT_TEN_PERCENT, rows=900, dead=dead, eligible=None, graph=True, kind=PASSAGE, exact=False, limit=10
    ) == (expected)


POLICY = Policy(seal_rows=100, seal_rows_busy=500, log_records=1000, rewrite_records=40, dead_share=0.3, segments=2)
NO_LOGS = LogSize(records=2, alive=0, needed=2)
FULL, SMALL = SegmentSize(100, 100, broken=False), SegmentSize(50, 50, broken=False)


@pytest.mark.parametrize(
    ("logs", "segments", "busy", "expected"),
    [
        (NO_LOGS, [], False, None),
        # Live rows are sealed; while files are being indexed, only when there are very many.
        (LogSize(102, 99, 100), [], False, None),
        (LogSize(102, 100, 101), [], False, Seal()),
        (LogSize(502, 499, 500), [], True, None),
        (LogSize(502, 500, 501), [], True, Seal()),
        # Logs that are mostly of no use are rewritten, unless that would not make them much shorter.
        (LogSize(41, 19, 20), [], False, RewriteLogs()),
        (LogSize(41, 19, 20), [], True, None),
        (LogSize(1001, 400, 401), [], True, RewriteLogs()),
        (LogSize(41, 19, 21), [], False, None),
        (LogSize(40, 1, 2), [], False, None),
        # Segments with many dead rows are compacted, and the smallest merged when they are too many.
        (NO_LOGS, [FULL, SegmentSize(100, 70, broken=False)], False, None),
        (NO_LOGS, [FULL, SegmentSize(100, 69, broken=False)], False, Compact((1,))),
        (NO_LOGS, [FULL, SegmentSize(100, 69, broken=False)], True, None),
        (NO_LOGS, [FULL, SMALL, FULL], False, Compact((0, 1))),
        (NO_LOGS, [FULL, FULL, SMALL], False, Compact((0, 2))),
        # One without its graph is built anew.
        (NO_LOGS, [FULL, SegmentSize(100, 100, broken=True)], False, Compact((1,))),
    ],
)
def test_the_most_urgent_work(logs: LogSize, segments: list[SegmentSize], busy: bool, expected: Work | None) -> None:
    assert choose(POLICY, logs, segments, busy=busy) == expected
