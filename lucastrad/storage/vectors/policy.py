"""When rows are sealed, compacted or rewritten: a pure function of the parts' sizes.

Invariant: no I/O; one piece of work at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lucastrad.storage.vectors.planner import Thresholds


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds of the index, in rows unless named otherwise."""

    seal_rows: int = 50_000
    """A graph of fewer rows would save 0.1 ms a search, and its build takes seconds."""
    seal_rows_busy: int = 250_000
    """While files are being indexed, building graphs would take a core from them."""
    log_records: int = 1 << 20
    """A log that is full is frozen, and a new one begun."""
    rewrite_records: int = 4096
    """Logs this long are rewritten once over half of their records are of no use any more."""
    dead_share: float = 0.3
    """Segments with more dead rows than this are compacted."""
    segments: int = 4
    """Above this many, the two smallest are merged."""
    search: Thresholds = field(default_factory=Thresholds)
    annoy_trees: int = 20
    m: int = 16
    ef_construction: int = 200


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """What decides about a segment."""

    rows: int
    alive: int
    broken: bool
    """It has no usable graph, and one could be built."""


@dataclass(frozen=True, slots=True)
class LogSize:
    """What decides about the logs, taken together."""

    records: int
    alive: int
    needed: int
    """Records that a rewritten log would hold."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Turn all logs into a segment."""


@dataclass(frozen=True, slots=True)
class RewriteLogs:
    """Write what is of use in the logs to a new one."""


@dataclass(frozen=True, slots=True)
class Compact:
    """Turn these segments (by position) into one."""

    segments: tuple[int, ...]


Work = Seal | RewriteLogs | Compact


def choose(policy: Policy, logs: LogSize, segments: Sequence[SegmentSize], *, busy: bool) -> Work | None:
    """The most urgent piece of work, or None."""
    if logs.alive >= (policy.seal_rows_busy if busy else policy.seal_rows):
        return Seal()
    # While busy, too, once they are very long: a folder that never rests must not fill the disk.
    longest = policy.log_records if busy else policy.rewrite_records
    if logs.records > longest and logs.records > 2 * logs.needed:
        return RewriteLogs()
    if busy:
        return None
    for position, segment in enumerate(segments):
        if segment.broken or segment.rows - segment.alive > policy.dead_share * segment.rows:
            return Compact((position,))
    if len(segments) > policy.segments:
        smallest = sorted(range(len(segments)), key=lambda position: (segments[position].alive, position))[:2]
        return Compact(tuple(sorted(smallest)))
    return None
