"""What the daemon costs when nothing happens, and how soon it is back after a restart."""

from time import perf_counter

import trio
from lucastra_protocol.types import SearchResult

from benchmarks.daemon import PrivateDaemon
from benchmarks.errors import BenchmarkError, within
from benchmarks.indexing.results import Restart
from benchmarks.processes import cpu_seconds
from benchmarks.repository import Repository

SETTLE_SECONDS = 5.0
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.005

Place = tuple[str, int, int]
"""(path, first line, last line)."""


async def idle_cpu_percent(pid: int, seconds: float) -> float:
    """Processor time of the daemon and its workers as a share of one core, over `seconds` without any request."""
    await trio.sleep(SETTLE_SECONDS)
    before, began = await trio.to_thread.run_sync(cpu_seconds, pid), perf_counter()
    await trio.sleep(seconds)
    used = await trio.to_thread.run_sync(cpu_seconds, pid) - before
    return 100 * used / (perf_counter() - began)


async def restart(daemon: PrivateDaemon, repository: Repository, query: str) -> Restart:
    """Stop and start the daemon, and ask until `query` is answered as it was before."""
    async with daemon.client() as client:
        expected = best_place(await client.search(query))
    if expected is None:
        raise BenchmarkError(f"nothing is found for {query!r} in {repository.root}; choose another query")
    embedded = daemon.vectors_embedded()
    stopping = perf_counter()
    await daemon.stop()
    began = perf_counter()
    await daemon.spawn()
    with within(_READY_SECONDS, "restarting the daemon"):
        async with daemon.client() as client:
            while best_place(await client.search(query)) != expected:  # noqa: ASYNC110 (only asking tells)
                await trio.sleep(_POLL_SECONDS)
            ready = perf_counter() - began
            (workspace,) = await client.workspaces()
            settled = await client.index(repository.root)
    return Restart(
        stop_seconds=began - stopping,
        ready_seconds=ready,
        embedded=max(settled.embedded_chunks, daemon.vectors_embedded() - embedded),
        unembedded=workspace.chunks - workspace.embedded,
    )


def best_place(result: SearchResult) -> Place | None:
    """Where the best hit is; None without one."""
    if not result.hits:
        return None
    hit = result.hits[0]
    return (hit.path, *hit.range.lines())
