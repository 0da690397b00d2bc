"""`python -m benchmarks.rpc [--quick] [--check] [--json FILE]`"""

import sys
from pathlib import Path

import trio

from benchmarks.command import Options, main, step
from benchmarks.corpora import DJANGO
from benchmarks.daemon import open_daemon
from benchmarks.machine import Machine
from benchmarks.queries import sample_queries
from benchmarks.rpc.buffers import measure_typing
from benchmarks.rpc.loads import kill_clients, measure_load
from benchmarks.rpc.results import Request, RpcReport
from benchmarks.rpc.trivial import measure_paced, measure_trivial

CLIENTS = (1, 50)
PACE = 400.0
"""Trivial requests a second, of all clients together."""
SEARCHES = 100
"""By each client, in quick runs too: that all are answered is the bar."""


def measure(options: Options) -> RpcReport:
    """Measure every kind of request with one client and with many, then kill clients."""
    report = RpcReport(Machine.here(), options.quick, DJANGO.name)
    others = SEARCHES // 5 if options.quick else SEARCHES
    each = {Request.HELLO: others, Request.STATUS: others, Request.SEARCH: SEARCHES}

    async def run(scratch: Path) -> None:
        step(f"{DJANGO.name}: indexing")
        tree = await trio.to_thread.run_sync(DJANGO.tree, options.cache)
        queries = await trio.to_thread.run_sync(sample_queries, tree, 1_000)
        async with open_daemon(scratch) as daemon:
            async with daemon.client() as client:
                await client.index(tree)
            step("trivial requests, beside stock pygls")
            report.trivial = await measure_trivial(daemon, scratch, 3 if options.quick else 10, 1_000)
            for clients in CLIENTS:
                report.paced.append(await measure_paced(daemon, clients, PACE, 5.0 if options.quick else 20.0))
            step("typing into an open buffer")
            report.typed = await measure_typing(daemon, tree, 50 if options.quick else 200)
            for request in Request:
                for clients in CLIENTS:
                    step(f"{request}: {clients} at once, {each[request]} each")
                    report.loads.append(await measure_load(daemon, request, clients, each[request], queries))
            step("killing clients")
            report.kills = await kill_clients(daemon, 2 if options.quick else 10, SEARCHES, queries)

    options.run(run)
    report.judge()
    return report


if __name__ == "__main__":
    sys.exit(main("benchmarks.rpc", "Measure many concurrent clients, and clients that are killed.", measure))
