"""What the benchmark measures: times in the unit that their names end in, and processor time unless they say so."""

from dataclasses import dataclass, field

from benchmarks.bars import Bar, Verdict
from benchmarks.machine import Machine
from benchmarks.vector_index.daemon_results import DaemonReport
from benchmarks.vector_index.data import Asked


@dataclass(frozen=True, slots=True)
class Corpus:
    """The rows and queries of one number of dimensions."""

    dimensions: int
    real_rows: int
    largest_rows: int
    """Those beyond `real_rows` are real ones with noise."""
    queries: int
    """Of each kind."""
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """Queries answered one call at a time, at the least effort that reaches `target`."""

    index: str
    rows: int
    dimensions: int
    asked: Asked
    target: float
    """Recall@10 that was asked for."""
    effort: int | None
    """ef, search_k or candidates; None for an index that compares everything."""
    recall: float
    queries: int
    per_second: float
    """Median of the rounds."""
    batch_per_second: float
    """With all queries in one call, still on one thread; NaN for an index that has no such call."""
    ratio: float
    """To the reference, as the median of the rounds' ratios; NaN where the reference missed the target."""
    batch_ratio: float


@dataclass(frozen=True, slots=True)
class Missed:
    """An index that reached a recall at no effort."""

    index: str
    rows: int
    dimensions: int
    asked: Asked
    target: float
    recall: float
    """The best that it did."""


@dataclass(frozen=True, slots=True)
class Built:
    """An index over all rows at once, on one thread."""

    index: str
    rows: int
    dimensions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Inserted:
    """Rows added in slices, by turns with the others."""

    index: str
    rows: int
    dimensions: int
    per_second: float
    """Over all slices."""
    ratio: float
    """To hnswlib: the median over the slices."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A saved graph that is in the page cache, mapped."""

    rows: int
    dimensions: int
    open_ms: float
    """Wall-clock time, median."""
    first_search_ms: float
    """The same for the first query after it."""
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Occupied:
    """What an index that was loaded from its file takes in a process of its own, after some queries."""

    index: str
    rows: int
    dimensions: int
    anonymous_bytes: int
    """Growth of memory that only this process has."""
    mapped_bytes: int
    """Growth of resident file pages, which processes share and the system can take back."""
    file_bytes: int


@dataclass(frozen=True, slots=True)
class Level:
    """The same graph and effort with other instructions."""

    level: str
    rows: int
    dimensions: int
    asked: Asked
    graph_per_second: float
    scan_per_second: float
    graph_ratio: float
    """To the best level."""
    scan_ratio: float


@dataclass(frozen=True, slots=True)
class Tombstoned:
    """Recall of a graph at one effort before and after half of its rows died."""

    rows: int
    dimensions: int
    asked: Asked
    effort: int
    recall_none: float
    recall_half: float

    @property
    def change(self) -> float:
        return self.recall_half - self.recall_none


@dataclass(frozen=True, slots=True)
class Planned:
    """What the daemon's planner chooses by itself."""

    rows: int
    dimensions: int
    asked: Asked
    plan: str
    recall: float
    search_us: float


@dataclass(frozen=True, slots=True)
class Pathway:
    """One way of searching at one size, for the planner's thresholds."""

    rows: int
    asked: Asked
    way: str
    effort: int | None
    recall: float
    search_us: float


@dataclass(frozen=True, slots=True)
class Filtered:
    """One way of searching when a filter leaves a share of the rows."""

    rows: int
    asked: Asked
    share: float
    way: str
    recall: float
    search_us: float


@dataclass(frozen=True, slots=True)
class Held:
    """A bar's verdict, and the target beside it."""

    verdict: Verdict
    target: float

    @property
    def reached(self) -> bool:
        """Whether the target is."""
        verdict = self.verdict
        return Bar(verdict.name, verdict.demand, self.target).hold(verdict.value, verdict.subject).met


@dataclass(slots=True)
class VectorReport:
    """The whole run."""

    machine: Machine
    core: int | None
    """The one that the process was pinned to; None where only daemons were measured."""
    cpu_levels: list[str]
    quick: bool
    versions: list[str]
    corpora: list[Corpus] = field(default_factory=list)
    built: list[Built] = field(default_factory=list)
    searched: list[Searched] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    against_annoy: list[Searched] = field(default_factory=list)
    scanned: list[Searched] = field(default_factory=list)
    inserted: list[Inserted] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    occupied: list[Occupied] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    tombstoned: list[Tombstoned] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)
    pathways: list[Pathway] = field(default_factory=list)
    filtered: list[Filtered] = field(default_factory=list)
    daemons: list[DaemonReport] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        from benchmarks.vector_index.report import lines

        return lines(self)
