"""`python -m benchmarks.providers [--quick] [--check] [--json FILE]`"""

import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from benchmarks.command import Options, main, step
from benchmarks.daemon import open_daemon
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine
from benchmarks.providers import loads
from benchmarks.providers.results import BARE_CLIENT, Burst, First, ProvidersReport

LATENCY_MS = 100.0
PIECES = 20
STREAMS = 200
CONNECTIONS = 10
"""Clients of the daemon among which the streams are shared out."""
THROUGH = "through the daemon"


def measure(options: Options) -> ProvidersReport:
    """Measure the first words one by one, then rounds of many streams, the daemon and httpx alone in turns."""
    report = ProvidersReport(Machine.here(), options.quick, LATENCY_MS, PIECES)
    requests, rounds = (100, 5) if options.quick else (500, 15)

    async def run(scratch: Path) -> None:
        async with AsyncExitStack() as stack:
            fast = await stack.enter_async_context(loads.upstream(5.0, PIECES))
            await _firsts(report, scratch, fast, requests)
        async with AsyncExitStack() as stack:
            address = await stack.enter_async_context(loads.upstream(LATENCY_MS, PIECES))
            step("blocking calls in sequence")
            report.sequence_per_second = await trio.to_thread.run_sync(loads.sequence, address, 20)
            await _bursts(report, scratch, address, rounds)

    options.run(run)
    report.judge()
    return report


async def _firsts(report: ProvidersReport, scratch: Path, address: str, requests: int) -> None:
    async with open_daemon(scratch, partial(loads.configure, address=address)) as daemon, daemon.client() as client:
        step(f"{requests} requests one by one")
        ours = await loads.lateness(partial(loads.through, client, PIECES), requests)
        async with loads.bare_client() as bare:
            theirs = await loads.lateness(partial(loads.bare, bare, address, PIECES), requests)
    report.firsts += [First(BARE_CLIENT, Distribution.of(theirs)), First(THROUGH, Distribution.of(ours))]


async def _bursts(report: ProvidersReport, scratch: Path, address: str, rounds: int) -> None:
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(open_daemon(scratch, partial(loads.configure, address=address)))
        clients = [await stack.enter_async_context(daemon.client()) for _ in range(CONNECTIONS)]
        through = [partial(loads.through, client, PIECES) for client in clients]
        httpx_alone = await stack.enter_async_context(loads.bare_client())
        bare = [partial(loads.bare, httpx_alone, address, PIECES)]
        ours: list[Burst] = []
        theirs: list[Burst] = []
        for number in range(rounds + 1):
            step(f"{STREAMS} streams at once, round {number} of {rounds}")
            round_of_ours = await loads.burst(THROUGH, through, STREAMS)
            round_of_theirs = await loads.burst(BARE_CLIENT, bare, STREAMS)
            if number:  # the first round opens the connections
                ours.append(round_of_ours)
                theirs.append(round_of_theirs)
    report.daemon, report.bare = loads.joined(ours), loads.joined(theirs)


if __name__ == "__main__":
    sys.exit(main("benchmarks.providers", "Measure what the daemon adds to a language-model provider.", measure))
