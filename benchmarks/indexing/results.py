"""What the benchmark measures. Every time is in the unit that its name ends in."""

from dataclasses import dataclass, field

from lucastra_protocol.types import SearchMode

from benchmarks.bars import Verdict
from benchmarks.corpora import TreeSize
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine
from benchmarks.processes import Footprint


@dataclass(frozen=True, slots=True)
class ColdIndex:
    """Indexing with an empty store and an empty embedding cache, the daemon already running."""

    start_seconds: float
    """From spawning the daemon to its first answer; not part of the times below."""
    ready_seconds: float
    """From the index request to its result: everything read, embedded and searchable."""
    first_answer_seconds: float
    """From the index request to the first keyword search that finds something."""
    files: int
    chunks: int
    skipped: int
    embedded: int
    """Chunks that went through the model; fewer than `chunks` where chunks are alike."""
    problems: list[str]
    """What the daemon reports of the workspace, such as files that could not be indexed."""
    peak: Footprint

    @property
    def chunks_per_second(self) -> float:
        return self.chunks / self.ready_seconds


@dataclass(frozen=True, slots=True)
class LoadedSearch:
    """Hybrid searches while a cold index runs."""

    latency_ms: Distribution
    """Corrected for the searches that a stall kept from being sent (`distribution.with_omitted`)."""
    ready_seconds: float
    """How long indexing took with that company."""


@dataclass(frozen=True, slots=True)
class BranchSwitch:
    """One `git checkout` that changes many files."""

    files: int
    checkout_seconds: float
    """git's own time."""
    fresh_seconds: float
    """From the start of git to the first search that sees the new state and is reported fresh."""
    embedded: int
    missing: int
    """Files whose state a search showed wrongly although it was reported fresh; looked at once all was found."""


@dataclass(frozen=True, slots=True)
class Saves:
    """Files saved one after the other, each with a new function in it."""

    keyword_ms: Distribution
    """From before the write to a keyword search that finds the function."""
    embedded_ms: Distribution
    """… and to one that is reported fresh: vector and hybrid search cover the new passage then."""
    lost: int
    """Saves not found within the deadline, which is what they count with above."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Stopping the daemon and starting it again."""

    stop_seconds: float
    ready_seconds: float
    """From spawning the process to the first hybrid answer equal to the one before the stop."""
    embedded: int
    """Chunks that went through the model until the workspace was reported up to date."""
    unembedded: int
    """Chunks without a vector in the first status."""


@dataclass(frozen=True, slots=True)
class Peer:
    """semble without embeddings on the same tree: chunking and BM25, one process."""

    version: str
    files: int
    chunks: int
    text_bytes: int
    """UTF-8 text of all chunks."""
    seconds: list[float]
    chunks_per_second: float
    """Of the median run."""


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """Everything measured on one corpus."""

    corpus: str
    tree: TreeSize
    indexed_bytes: int
    """Size of the files that were indexed."""
    cold: list[ColdIndex]
    ready_seconds: float
    first_answer_seconds: float
    chunks_per_second: float
    """Medians of `cold`."""
    settled: Footprint
    """After indexing."""
    search_ms: dict[SearchMode, Distribution]
    """By mode, over one connection, one at a time."""
    loaded: LoadedSearch
    switch_there: BranchSwitch
    switch_back: BranchSwitch
    saves: Saves
    idle_cpu_percent: float
    """Of one core, by the daemon and its workers."""
    idle: Footprint
    """At the end of the idle time, after all searches, switches and saves."""
    restarts: list[Restart]
    restart_seconds: float
    """Median of `restarts`."""
    peer: Peer
    peer_ratio: float
    """Chunks per second of LucAstra, embeddings included, over those of the peer, without."""


@dataclass(slots=True)
class IndexingReport:
    """The whole run."""

    machine: Machine
    quick: bool
    corpora: list[CorpusReport] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        from benchmarks.indexing.report import lines

        return lines(self)
