"""`python -m benchmarks.providers [--quick] [--check] [--json FILE]`"""

import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import trio

from benchmarks.command import Options, main, step
from benchmarks.corpora import DJANGO
from benchmarks.daemon import open_daemon
from benchmarks.distribution import Distribution
from benchmarks.editors.harness import real_model
from benchmarks.machine import Machine
from benchmarks.providers import completing, loads
from benchmarks.providers.results import BARE_CLIENT, INSTANT, REAL, Burst, First, ProvidersReport
from benchmarks.providers.tap import instant, tap_before

LATENCY_MS = 100.0
PIECES = 20
STREAMS = 200
CONNECTIONS = 10
"""Clients of the daemon among which the streams are shared out."""
THROUGH = "through the daemon"
EVENTS = [
    b'data: {"content": "self.value", "stop": false, "model": "instant"}\n\n',
    b'data: {"content": "", "stop": true, "stop_type": "eos", "model": "instant"}\n\n',
]
"""What llama.cpp's `/infill` streams."""


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

        await _completions(report, scratch, options)

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


async def _completions(report: ProvidersReport, scratch: Path, options: Options) -> None:
    tree = await trio.to_thread.run_sync(DJANGO.tree, options.cache)
    at_once, by_model, superseded = (200, 20, 10) if options.quick else (1_000, 100, 100)
    where = await trio.to_thread.run_sync(completing.places, tree, max(at_once, by_model + superseded + 1) + 1)
    with real_model() as (server, key):
        async with instant(EVENTS) as at_once_tap, tap_before(server.origin) as tap:
            configure = partial(completing.configure, address=at_once_tap.address, key=key, completion={})
            async with open_daemon(scratch, configure) as daemon, daemon.client() as client:
                step(f"{DJANGO.name}: indexing")
                await client.index(tree)
                step(f"{at_once} inline completions by a model server that answers at once")
                async with completing.editor(daemon, tree) as one:
                    measured = await completing.measure_completions(INSTANT, one, at_once_tap, where[: at_once + 1])
                report.completions.append(measured)
                step(f"{by_model} inline completions by a real model, and {superseded} that are superseded")
                completing.configure(daemon, tap.address, key, completing.SMALL)
                await completing.in_force(client, tap.address)
                async with completing.editor(daemon, tree) as one:
                    measured = await completing.measure_completions(REAL, one, tap, where[: by_model + 1])
                    freed = await completing.measure_superseded(one, tap, where[by_model + 1 :][: superseded + 1])
                report.completions.append(measured)
                report.freed_ms = Distribution.of(freed)


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
