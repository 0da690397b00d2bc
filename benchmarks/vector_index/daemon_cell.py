"""One size end to end: a private daemon indexes, seals, compacts and restarts while a client searches."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import getloadavg
from pathlib import Path
from time import perf_counter

import trio
from lucastra_client import Client

from benchmarks.command import step
from benchmarks.daemon import PrivateDaemon, open_daemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError, within
from benchmarks.indexing.searching import MODES
from benchmarks.machine import CpuTime
from benchmarks.processes import MemorySampler
from benchmarks.queries import sample_queries
from benchmarks.vector_index.corpus_copies import CopiedCode
from benchmarks.vector_index.daemon_probe import probing, watch_merges
from benchmarks.vector_index.daemon_results import AtRest, DaemonReport, Indexed, MergeSeen, Paced, Restarted
from benchmarks.vector_index.daemon_store import DaemonStore
from benchmarks.vector_index.data import FIRST, FURTHER

CHUNKS = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
SEALED_FROM = 50_000
"""Fewer rows stay in the log: there is nothing to seal or compact."""

_QUERIES = 400
"""In each mode; another set goes at a fixed pace."""
_WARM_UP = 20
_FILTERS = ("", "Django/", "copy-0/")
"""None, a narrow and a wide one."""
_SERIES_SECONDS = 30.0
"""A slow series is cut short; how many searches it was is part of the report."""
_PACED_SECONDS = 45.0
_QUIET_SECONDS = 15.0
"""The daemon looks after its index 5 s after a change."""
_SETTLED_SECONDS = 5.0
_GROWTH = 60_000
_DELETED_SHARE = 0.36
"""Of a segment; it is compacted from 30 % on."""
_COMPACTED_ROWS = 100_000
_RESTARTS = 3
_INDEX_SECONDS = 7_200.0
_READY_SECONDS = 600.0
_POLL_SECONDS = 0.02


def measure(size: str, cache: Path, scratch: Path) -> DaemonReport:
    """Measure one of CHUNKS, with everything in `scratch`. Raises BenchmarkError."""
    return trio.run(_Measurement(size, cache, scratch.resolve()).run)


@dataclass(frozen=True, slots=True)
class _Queries:
    """Half questions, half names, none asked twice but under another filter."""

    at_rest: list[list[str]]
    paced: list[str]

    @classmethod
    def of(cls, tree: Path) -> "_Queries":
        found = sample_queries(tree, _QUERIES * (len(MODES) + 1))
        parts = [found[start : start + _QUERIES] for start in range(0, len(found), _QUERIES)]
        return cls(parts[:-1], parts[-1])


class _Measurement:
    """One size; what comes out beside the steps' results is kept here."""

    def __init__(self, size: str, cache: Path, scratch: Path) -> None:
        self._size = size
        self._chunks = CHUNKS[size]
        self._cache = cache
        self._scratch = scratch
        self._loads: list[float] = []
        self._began = CpuTime.now()

    async def run(self) -> DaemonReport:
        """All steps, in their order."""
        self._step("writing the corpus")
        sources = FIRST if self._chunks <= CHUNKS["100k"] else FIRST + FURTHER
        corpus = await trio.to_thread.run_sync(CopiedCode, self._cache, sources, self._scratch / "corpus")
        await trio.to_thread.run_sync(corpus.grow, self._chunks)
        queries = await trio.to_thread.run_sync(_Queries.of, corpus.root)
        async with open_daemon(self._scratch) as daemon:
            async with daemon.client() as client:
                self._step(f"indexing about {corpus.chunks:,} chunks")
                indexed = await _index(daemon, client, corpus.root)
                store = DaemonStore(daemon)
                merges = await self._merges(daemon, store, queries)
                occupancy = await trio.to_thread.run_sync(store.occupancy)
                self._step("searching at rest")
                rest = await _at_rest(client, queries)
                paced = await _paced(daemon, queries)
                if self._chunks >= SEALED_FROM:
                    await self._grow(client, corpus)
                    merges += await self._merges(daemon, store, queries)
                    await self._shrink(store, corpus.root)
                    merges += await self._merges(daemon, store, queries)
                last_occupancy = await trio.to_thread.run_sync(store.occupancy)
            self._step(f"{_RESTARTS} restarts")
            restarts = [await _restart(daemon, queries.at_rest[0]) for _ in range(_RESTARTS)]
            return DaemonReport(
                size=self._size,
                indexed=indexed,
                occupancy=occupancy,
                last_occupancy=last_occupancy,
                rest=rest,
                paced=paced,
                merges=merges,
                merge_seconds=store.merge_seconds(),
                restarts=restarts,
                load_averages=self._loads,
                stolen=CpuTime.now().stolen_since(self._began),
                complaints=store.complaints(),
            )

    async def _merges(self, daemon: PrivateDaemon, store: DaemonStore, queries: _Queries) -> list[MergeSeen]:
        self._step("searching while vectors are merged")
        seen = await watch_merges(daemon, store, queries.paced, quiet_seconds=_QUIET_SECONDS)
        await trio.sleep(_SETTLED_SECONDS)
        return seen

    async def _grow(self, client: Client, corpus: CopiedCode) -> None:
        """Add files enough for a seal."""
        self._step(f"adding about {_GROWTH:,} chunks")
        await trio.to_thread.run_sync(corpus.grow, _GROWTH)
        with within(_INDEX_SECONDS, "indexing more files"):
            await client.index(corpus.root)

    async def _shrink(self, store: DaemonStore, root: Path) -> None:
        """Delete so many files of one segment that it is compacted."""
        segments = sorted(store.segments(), key=lambda one: one.rows)
        large = [one for one in segments if one.rows >= _COMPACTED_ROWS]
        segment = (large or segments[::-1])[0]
        files = await trio.to_thread.run_sync(store.files_of, segment, _DELETED_SHARE)
        self._step(f"deleting {len(files):,} files, {_DELETED_SHARE:.0%} of a segment of {segment.rows:,} rows")
        await trio.to_thread.run_sync(_delete, root, files)

    def _step(self, text: str) -> None:
        self._loads.append(getloadavg()[0])
        step(f"daemon, {self._size}: {text} (load {self._loads[-1]:.2f})")


async def _index(daemon: PrivateDaemon, client: Client, root: Path) -> Indexed:
    sampler = MemorySampler(daemon.pid)
    began = perf_counter()
    with within(_INDEX_SECONDS, f"indexing {root}"):
        async with trio.open_nursery() as sampling:
            sampling.start_soon(sampler.run)
            workspace = (await client.index(root)).workspace
            sampling.cancel_scope.cancel()
    if workspace.state != "ready" or workspace.embedded != workspace.chunks:
        raise BenchmarkError(f"{root} was not indexed completely: {workspace}")
    return Indexed(workspace.files, workspace.chunks, perf_counter() - began, sampler.peak)


async def _at_rest(client: Client, queries: _Queries) -> list[AtRest]:
    measured: list[AtRest] = []
    for pattern in _FILTERS:
        for mode, asked in zip(MODES, queries.at_rest, strict=True):
            milliseconds: list[float] = []
            deadline = perf_counter() + _SERIES_SECONDS
            for number, query in enumerate((*asked[:_WARM_UP], *asked)):
                began = perf_counter()
                await client.search(query, mode=mode, paths=[pattern] if pattern else [])
                if number >= _WARM_UP:
                    milliseconds.append((perf_counter() - began) * 1000)
                    if perf_counter() > deadline:
                        break
            measured.append(AtRest(mode, pattern, Distribution.of(milliseconds)))
    return measured


async def _paced(daemon: PrivateDaemon, queries: _Queries) -> Paced:
    async with probing(daemon, queries.paced) as probe:
        began = trio.current_time()
        await trio.sleep(_PACED_SECONDS)
        return probe.between(began, trio.current_time())


def _delete(root: Path, files: Sequence[str]) -> None:
    for name in files:
        (root / name).unlink()


async def _restart(daemon: PrivateDaemon, queries: Sequence[str]) -> Restarted:
    """Stop and start; one client asks for an answer meanwhile, another for the status."""
    await daemon.stop()
    began = perf_counter()
    await daemon.spawn()
    answered = 0.0

    async def ask() -> None:
        nonlocal answered
        async with daemon.client() as client:
            while not (await client.search(queries[0], mode="vector")).hits:  # noqa: ASYNC110 (only asking tells)
                await trio.sleep(_POLL_SECONDS)
        answered = perf_counter() - began

    with within(_READY_SECONDS, "restarting the daemon"):
        async with trio.open_nursery() as nursery, daemon.client() as client:
            nursery.start_soon(ask)
            while any(one.state != "ready" for one in await client.workspaces()):  # noqa: ASYNC110 (the same)
                await trio.sleep(_POLL_SECONDS)
            ready = perf_counter() - began
    return Restarted(answered, ready)
