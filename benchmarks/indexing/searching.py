"""Search latency as a client sees it."""

from collections.abc import Sequence
from time import perf_counter

from lucastra_client import Client
from lucastra_protocol.types import SearchMode

from benchmarks.distribution import Distribution

MODES: tuple[SearchMode, ...] = ("hybrid", "vector", "keyword")
_WARM_UP = 20


async def search_latency(client: Client, queries: Sequence[str], mode: SearchMode) -> Distribution:
    """Milliseconds from request to decoded result, one search at a time over one connection."""
    for query in queries[:_WARM_UP]:
        await client.search(query, mode=mode)
    latencies = []
    for query in queries:
        began = perf_counter()
        await client.search(query, mode=mode)
        latencies.append((perf_counter() - began) * 1000)
    return Distribution.of(latencies)
