"""Which way of searching suits a query: a pure function of a few counts.

Invariant: no I/O and no arrays; every threshold is a named number that `python -m benchmarks.vector_index` measures.
"""

from dataclasses import dataclass
from enum import StrEnum


class QueryKind(StrEnum):
    """Where the query vector comes from, which decides how wide a graph must be searched for the same recall."""

    QUESTION = "question"
    """Natural language: far from every chunk (recall@10 at ef 128: .945)."""
    PASSAGE = "passage"
    """A chunk's own text: near its neighbours (recall@10 at ef 128: above .99)."""


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
    """Where one way of searching gives way to the next, in rows."""

    scan_rows: int = 50_000
    """Up to here comparing every row (220 us) costs less than a graph does with its build."""
    sign_scan_rows: int = 300_000
    """Up to here the sign scan (about 1 ms) answers questions, at a recall that no graph width reaches."""
    sign_candidates: int = 8_000
    few_rows_share: float = 0.25
    """Rows named one by one cost about four times as much each as rows in sequence."""
    passage_ef: int = 96
    question_ef: int = 600


def plan(
    thresholds: Thresholds,
    *,
    rows: int,
    eligible: int | None,
    graph: bool,
    kind: QueryKind,
    exact: bool,
    limit: int,
) -> Plan:
    """How to search a part of `rows` rows, of which a filter leaves `eligible` (None: there is no filter)."""
    if eligible is not None and (eligible <= rows * thresholds.few_rows_share or eligible <= limit):
        return ScanRows()
    if exact or rows <= thresholds.scan_rows:
        return Scan()
    # A sign scan's candidates are drawn before the re-ranking: leave many to each result.
    candidates = max(thresholds.sign_candidates, 8 * limit)
    if graph and (kind is QueryKind.PASSAGE or rows > thresholds.sign_scan_rows):
        ef = thresholds.passage_ef if kind is QueryKind.PASSAGE else thresholds.question_ef
        return GraphSearch(max(ef, 2 * limit))
    return SignScan(candidates) if candidates < rows else Scan()
