"""Cold indexing: how long, how much memory, and how search fares meanwhile."""

from collections.abc import Sequence

import trio
from lucastra_client import Client

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution, with_omitted
from benchmarks.errors import BenchmarkError, within
from benchmarks.indexing.results import ColdIndex, LoadedSearch
from benchmarks.processes import MemorySampler
from benchmarks.repository import Repository

_INDEX_SECONDS = 1_800.0
_PROBE_SECONDS = 0.01
_SEARCH_INTERVAL_SECONDS = 0.05


async def cold_index(
    daemon: PrivateDaemon, repository: Repository, queries: Sequence[str], *, spawned: float
) -> ColdIndex:
    """Index with a daemon whose store is empty, `spawned` at that trio time.

    Memory is sampled, and one other client asks until it is answered, as someone who cannot wait does.
    """
    async with daemon.client() as client, daemon.client() as impatient:
        began = trio.current_time()
        sampler = MemorySampler(daemon.pid)
        first_answer: list[float] = []

        async def probe() -> None:
            await first_hit(impatient, queries)
            first_answer.append(trio.current_time() - began)

        with within(_INDEX_SECONDS, f"indexing {repository.root}"):
            async with trio.open_nursery() as sampling:
                sampling.start_soon(sampler.run)
                async with trio.open_nursery() as probing:
                    probing.start_soon(probe)
                    # With progress, as `lucastra-client index` asks for it.
                    result = await client.index(repository.root, on_progress=lambda _: None)
                    ready = trio.current_time() - began
                sampling.cancel_scope.cancel()
        workspace = result.workspace
        if workspace.state != "ready" or workspace.embedded != workspace.chunks:
            raise BenchmarkError(f"{repository.root} was not indexed completely: {workspace}")
        if (counted := daemon.vectors_embedded()) != result.embedded_chunks:
            raise BenchmarkError(
                f"the daemon says that it embedded {result.embedded_chunks} chunks, its cache was given {counted}: "
                "bring `PrivateDaemon.vectors_embedded` up to date with the cache"
            )
    return ColdIndex(
        start_seconds=began - spawned,
        ready_seconds=ready,
        first_answer_seconds=first_answer[0],
        files=workspace.files,
        chunks=workspace.chunks,
        skipped=workspace.skipped,
        embedded=result.embedded_chunks,
        problems=workspace.problems,
        peak=sampler.peak,
    )


async def search_while_indexing(daemon: PrivateDaemon, repository: Repository, queries: Sequence[str]) -> LoadedSearch:
    """Index cold while another client searches at a fixed rate, from the first hit to the end."""
    latencies: list[float] = []
    async with daemon.client() as client, daemon.client() as searcher:
        with within(_INDEX_SECONDS, f"indexing {repository.root}"):
            async with trio.open_nursery() as nursery:

                async def search() -> None:
                    await first_hit(searcher, queries)
                    await search_at_intervals(searcher, queries, latencies)

                nursery.start_soon(search)
                began = trio.current_time()
                await client.index(repository.root, on_progress=lambda _: None)
                ready = trio.current_time() - began
                nursery.cancel_scope.cancel()
    if not latencies:
        raise BenchmarkError(f"{repository.root} was indexed before a search could be made; take a larger corpus")
    return LoadedSearch(Distribution.of(latencies), ready)


async def first_hit(client: Client, queries: Sequence[str]) -> None:
    """Ask one keyword query after the other until one finds something."""
    while True:
        for query in queries:
            if (await client.search(query, mode="keyword")).hits:
                return
            await trio.sleep(_PROBE_SECONDS)


async def search_at_intervals(client: Client, queries: Sequence[str], latencies_ms: list[float]) -> None:
    """Search at fixed intervals until cancelled; a stall counts for the searches that were due meanwhile."""
    due = trio.current_time()
    while True:
        for query in queries:
            await trio.sleep_until(due)
            sent = trio.current_time()
            await client.search(query)
            replied = trio.current_time()
            latencies_ms += (latency * 1000 for latency in with_omitted(replied - sent, _SEARCH_INTERVAL_SECONDS))
            due = max(due + _SEARCH_INTERVAL_SECONDS, replied)  # no pile-up: one user waits for an answer
