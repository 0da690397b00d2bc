"""Which way of searching suits a query: a pure function of a few counts.

Invariant: no I/O and no arrays; every threshold is a named number that `python -m benchmarks.vector_index` measures.
"""

from dataclasses import dataclass
from enum import StrEnum


class QueryKind(StrEnum):
    """Where the query vector comes from, which decides how wide a graph must be searched for the same recall."""

    QUESTION = "question"
    """Natural language: far from every chunk (180,000 rows, recall@10 at ef 100: .987)."""
    PASSAGE = "passage"
    """A chunk's own text: near its neighbours (the same: .9985)."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Compare every row."""


@dataclass(frozen=True, slots=True)
class ScanRows:
    """Compare the eligible rows only."""


@dataclass(frozen=True, slots=True)
class SignScan:
    """Compare the `candidates` rows that are nearest by the signs of their components."""

    candidates: int


@dataclass(frozen=True, slots=True)
class GraphSearch:
    """Walk the graph with a candidate list of `ef` rows."""

    ef: int


Plan = Scan | ScanRows | SignScan | GraphSearch


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where one way of searching gives way to the next. Times and recalls: `python -m benchmarks.vector_index --only
    thresholds`, 256 dimensions.
    """

    scan_rows: int = 10_000
    """Up to here every row is compared (0.12 ms): the sign scan would save half of that."""
    sign_candidates: int = 8_000
    """Recall@10 of questions .998 at 180,000 rows in 0.7 ms, where comparing every row takes 2 ms."""
    passage_ef: int = 200
    """Recall@10 .999, @100 .997 at 180,000 rows (0.2 ms)."""
    question_ef: int = 600
    """Recall@10 .998, @100 .996 at 180,000 rows (0.5 ms): better, and faster, than the sign scan."""
    dead_share: float = 0.1
    """Dead rows stand in the way of a walk where they lie together: 29% dead, around a query for them, cost .23 of
    recall@100."""
    few_rows_share: float = 0.25
    """Rows named one by one cost about four times as much each as rows in sequence."""


def plan(
    thresholds: Thresholds,
    *,
    rows: int,
    dead: int,
    eligible: int | None,
    graph: bool,
    kind: QueryKind,
    exact: bool,
    limit: int,
) -> Plan:
    """How to search a part of `rows` live rows beside `dead` ones; a filter leaves `eligible` (None: there is none)."""
    if eligible is not None and (eligible <= rows * thresholds.few_rows_share or eligible <= limit):
        return ScanRows()
    if exact or rows <= thresholds.scan_rows:
        return Scan()
    # A filter may leave only rows that a walk from the query never comes to: recall@10 .71 where a third was eligible.
    if graph and eligible is None and dead <= thresholds.dead_share * (rows + dead):
        ef = thresholds.passage_ef if kind is QueryKind.PASSAGE else thresholds.question_ef
        return GraphSearch(max(ef, 2 * limit))
    # A sign scan's candidates are drawn before the re-ranking: leave many to each result.
    candidates = max(thresholds.sign_candidates, 8 * limit)
    return SignScan(candidates) if candidates < rows else Scan()
