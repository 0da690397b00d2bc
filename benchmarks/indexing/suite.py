"""All measures of one corpus, in the order in which they may share a daemon."""

import random
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import trio
from lucastra_client import Client
from lucastra_protocol.types import SearchMode

from benchmarks.command import step
from benchmarks.corpora import Corpus, warm
from benchmarks.daemon import PrivateDaemon, open_daemon
from benchmarks.distribution import Distribution
from benchmarks.indexing import changes, cold, peer, resting, searching
from benchmarks.indexing.results import BranchSwitch, ColdIndex, CorpusReport, LoadedSearch, Peer, Restart, Saves
from benchmarks.processes import Footprint, footprint
from benchmarks.queries import SEED, sample_queries
from benchmarks.repository import Repository


@dataclass(frozen=True, slots=True)
class Effort:
    """How often each thing is measured."""

    cold_runs: int
    queries: int
    saves: int
    restarts: int
    idle_seconds: float


FULL = Effort(cold_runs=3, queries=1_000, saves=100, restarts=5, idle_seconds=20.0)
QUICK = Effort(cold_runs=1, queries=300, saves=30, restarts=3, idle_seconds=10.0)


@dataclass(frozen=True, slots=True)
class _Subject:
    """A corpus made ready."""

    name: str
    repository: Repository
    queries: list[str]
    scratch: Path


@dataclass(frozen=True, slots=True)
class _Warm:
    """What is measured on the daemon that has just indexed the corpus."""

    indexed_bytes: int
    settled: Footprint
    search_ms: dict[SearchMode, Distribution]
    switches: tuple[BranchSwitch, BranchSwitch]
    saves: Saves
    idle_cpu_percent: float
    idle: Footprint
    restarts: list[Restart]


async def measure_corpus(corpus: Corpus, effort: Effort, *, cache: Path, scratch: Path) -> CorpusReport:
    """Measure everything on one corpus, whose working copy is made in `scratch`. Raises BenchmarkError."""
    step(f"{corpus.name}: preparing")
    tree = await trio.to_thread.run_sync(corpus.tree, cache)
    repository = await trio.to_thread.run_sync(Repository.copy, tree, scratch / "work")
    size = await trio.to_thread.run_sync(warm, tree)
    await trio.to_thread.run_sync(warm, repository.root)
    queries = await trio.to_thread.run_sync(sample_queries, tree, effort.queries)
    subject = _Subject(corpus.name, repository, queries, scratch)

    step(f"{corpus.name}: semble {peer.VERSION}")
    other = await _measure_peer(cache, tree, effort.cold_runs)
    step(f"{corpus.name}: searching while indexing")
    loaded = await _measure_loaded(subject)
    runs: list[ColdIndex] = []
    async with AsyncExitStack() as stack:
        for number in range(effort.cold_runs):
            step(f"{corpus.name}: cold index {number + 1} of {effort.cold_runs}")
            await stack.aclose()
            spawned = trio.current_time()
            daemon = await stack.enter_async_context(open_daemon(scratch))
            runs.append(await cold.cold_index(daemon, repository, queries, spawned=spawned))
        found = await _measure_warm(subject, daemon, effort)

    rate = statistics.median(run.chunks_per_second for run in runs)
    return CorpusReport(
        corpus=corpus.name,
        tree=size,
        indexed_bytes=found.indexed_bytes,
        cold=runs,
        ready_seconds=statistics.median(run.ready_seconds for run in runs),
        first_answer_seconds=statistics.median(run.first_answer_seconds for run in runs),
        chunks_per_second=rate,
        settled=found.settled,
        search_ms=found.search_ms,
        loaded=loaded,
        switch_there=found.switches[0],
        switch_back=found.switches[1],
        saves=found.saves,
        idle_cpu_percent=found.idle_cpu_percent,
        idle=found.idle,
        restarts=found.restarts,
        restart_seconds=statistics.median(one.ready_seconds for one in found.restarts),
        peer=other,
        peer_ratio=rate / other.chunks_per_second,
    )


async def _measure_peer(cache: Path, tree: Path, runs: int) -> Peer:
    python = await trio.to_thread.run_sync(peer.install, cache)
    return await trio.to_thread.run_sync(peer.measure, python, tree, runs)


async def _measure_loaded(subject: _Subject) -> LoadedSearch:
    async with open_daemon(subject.scratch) as daemon:
        return await cold.search_while_indexing(daemon, subject.repository, subject.queries)


async def _measure_warm(subject: _Subject, daemon: PrivateDaemon, effort: Effort) -> _Warm:
    name, repository, queries = subject.name, subject.repository, subject.queries
    chance = random.Random(SEED)
    await trio.sleep(resting.SETTLE_SECONDS)
    settled = await trio.to_thread.run_sync(footprint, daemon.pid)
    async with daemon.client() as client:
        step(f"{name}: {effort.queries:,} searches in each mode")
        search_ms = {mode: await searching.search_latency(client, queries, mode) for mode in searching.MODES}
        files = await changes.indexed_files(client, repository.root)
        step(f"{name}: branch switch")
        switched = changes.sources_to_edit(files, changes.SWITCHED_FILES, chance)
        switches = await changes.switch_branches(daemon, client, repository, switched, subject.scratch / "side")
        step(f"{name}: {effort.saves} saves")
        saved = changes.sources_to_edit(files, effort.saves, chance)
        saves = await changes.save_to_searchable(client, repository.root, saved, chance)
        query = await _answered(client, queries)
        step(f"{name}: idle for {effort.idle_seconds:.0f} s")
        idle_cpu = await resting.idle_cpu_percent(daemon.pid, effort.idle_seconds)
    idle = await trio.to_thread.run_sync(footprint, daemon.pid)
    step(f"{name}: {effort.restarts} restarts")
    restarts = [await resting.restart(daemon, repository, query) for _ in range(effort.restarts)]
    return _Warm(
        indexed_bytes=sum(file.size_bytes for file in files),
        settled=settled,
        search_ms=search_ms,
        switches=switches,
        saves=saves,
        idle_cpu_percent=idle_cpu,
        idle=idle,
        restarts=restarts,
    )


async def _answered(client: Client, queries: Sequence[str]) -> str:
    """A query that finds something, to tell a correct answer by."""
    for query in queries:
        if (await client.search(query)).hits:
            return query
    return queries[0]  # `restart` says what is wrong with it
