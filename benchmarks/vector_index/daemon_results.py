"""What the daemon cell measures: a daemon from its first file to its restart, as a client sees it."""

from dataclasses import dataclass
from enum import StrEnum

from lucastra_protocol.types import SearchMode

from benchmarks.distribution import Distribution
from benchmarks.processes import Footprint


class MergeKind(StrEnum):
    """What a merge turned into a new segment."""

    SEAL = "seal"
    COMPACTION = "compaction"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A first index."""

    files: int
    chunks: int
    seconds: float
    peak: Footprint


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Bytes at one moment, after nothing was asked for some seconds."""

    resident: int
    anonymous: int
    mapped: int
    """File pages, which the system can take back."""
    store: int
    """All of the workspace on disk."""
    vectors: int
    """The part of it that is the vector index."""
    segments: int
    segment_rows: int


@dataclass(frozen=True, slots=True)
class AtRest:
    """Searches one after the other, nothing else going on."""

    mode: SearchMode
    filter: str
    """Pattern of paths; empty for none."""
    latency_ms: Distribution


@dataclass(frozen=True, slots=True)
class Paced:
    """Searches at fixed intervals over some time; a stall counts for the searches that were due meanwhile."""

    latency_ms: dict[SearchMode, Distribution]
    failed: int
    problem: str
    """The first failure's message."""


@dataclass(frozen=True, slots=True)
class MergeSeen:
    """One merge, and the searches while it ran."""

    kind: MergeKind
    rows: int
    """Of the new segment."""
    seconds: float
    searches: Paced
    peak: Footprint


@dataclass(frozen=True, slots=True)
class Restarted:
    """Seconds from spawning the daemon."""

    answered_seconds: float
    """Until a vector search finds something."""
    ready_seconds: float
    """Until the status says so: the files were compared with the catalog."""


@dataclass(frozen=True, slots=True)
class DaemonReport:
    """One size."""

    size: str
    indexed: Indexed
    occupancy: Occupancy
    last_occupancy: Occupancy
    """After the merges."""
    rest: list[AtRest]
    paced: Paced
    """What the searches during a merge are held against."""
    merges: list[MergeSeen]
    """Those that were under way while nothing was being indexed."""
    merge_seconds: list[float]
    """Of all, with those during the first index."""
    restarts: list[Restarted]
    stolen: float
    """The share of the CPU time wanted that the machine's host gave to others."""
    load_averages: list[float]
    """Of one minute, at the start of each step."""
    complaints: list[str]
    """Warnings and errors in the daemon's log."""
