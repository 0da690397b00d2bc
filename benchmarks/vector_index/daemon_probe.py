"""Searches at fixed intervals beside whatever the daemon does, and the merges that went on meanwhile."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

import trio
from lucastra_client import Client, LucAstraError
from lucastra_protocol.types import SearchMode

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution, with_omitted
from benchmarks.indexing.searching import MODES
from benchmarks.processes import Footprint, descendants, resident_only
from benchmarks.vector_index.daemon_results import MergeKind, MergeSeen, Paced
from benchmarks.vector_index.daemon_store import DaemonStore

_INTERVAL_SECONDS = 0.025
_LOOK_SECONDS = 0.1
_AFTER_SECONDS = 2.0
"""A merge's end is taken in, and its inputs are dropped, when its folder has its last name already."""


@dataclass(frozen=True, slots=True)
class _Sample:
    mode: SearchMode
    sent: float
    latency: float
    problem: str


@dataclass(slots=True)
class Probe:
    """What was searched so far."""

    samples: list[_Sample] = field(default_factory=list)

    async def run(self, client: Client, queries: Sequence[str]) -> None:
        """Search until cancelled, each mode in turn."""
        due = trio.current_time()
        for query, mode in zip(cycle(queries), cycle(MODES), strict=False):
            await trio.sleep_until(due)
            sent = trio.current_time()
            problem = ""
            try:
                await client.search(query, mode=mode)
            except LucAstraError as error:
                problem = error.message
            replied = trio.current_time()
            self.samples.append(_Sample(mode, sent, replied - sent, problem))
            due = max(due + _INTERVAL_SECONDS, replied)  # no pile-up: one user waits for an answer

    def between(self, first: float, last: float) -> Paced:
        """The searches under way from `first` to `last`, in trio's time."""
        chosen = [one for one in self.samples if one.sent <= last and one.sent + one.latency >= first]
        failed = [one.problem for one in chosen if one.problem]
        latencies: dict[SearchMode, list[float]] = {}
        for one in chosen:
            milliseconds = (1000 * latency for latency in with_omitted(one.latency, _INTERVAL_SECONDS))
            latencies.setdefault(one.mode, []).extend(milliseconds)
        return Paced(
            {mode: Distribution.of(latencies[mode]) for mode in MODES if mode in latencies},
            failed=len(failed),
            problem=next(iter(failed), ""),
        )


@asynccontextmanager
async def probing(daemon: PrivateDaemon, queries: Sequence[str]) -> AsyncIterator[Probe]:
    """Search on a connection of its own while the body runs."""
    probe = Probe()
    async with daemon.client() as client, trio.open_nursery() as nursery:
        nursery.start_soon(probe.run, client, queries)
        yield probe
        nursery.cancel_scope.cancel()


async def watch_merges(
    daemon: PrivateDaemon, store: DaemonStore, queries: Sequence[str], *, quiet_seconds: float
) -> list[MergeSeen]:
    """Search until no merge has been under way for `quiet_seconds`; returns those that were."""
    seen: list[MergeSeen] = []
    async with probing(daemon, queries) as probe:
        last = trio.current_time()
        while trio.current_time() - last < quiet_seconds:
            if store.merging():
                seen.append(await _one_merge(daemon, store, probe))
                last = trio.current_time()
            await trio.sleep(_LOOK_SECONDS)
    return seen


async def _one_merge(daemon: PrivateDaemon, store: DaemonStore, probe: Probe) -> MergeSeen:
    before, merged = store.segments(), len(store.merge_seconds())
    workers = await trio.to_thread.run_sync(descendants, daemon.pid)
    peak = Footprint()
    began = trio.current_time()
    while store.merging():
        # RSS alone: PSS walks the page tables, which would hold up the searches that are being measured.
        peak = peak.peak(resident_only(daemon.pid, workers))
        await trio.sleep(_LOOK_SECONDS)
    ended = trio.current_time()
    await trio.sleep(_AFTER_SECONDS)
    after, seconds = store.segments(), store.merge_seconds()
    names = {one.folder.name for one in before}
    return MergeSeen(
        kind=MergeKind.SEAL if len(after) > len(before) else MergeKind.COMPACTION,
        rows=sum(one.rows for one in after if one.folder.name not in names),
        seconds=seconds[-1] if len(seconds) > merged else ended - began,
        searches=probe.between(began, ended + _AFTER_SECONDS),
        peak=peak,
    )
