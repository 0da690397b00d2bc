"""Many clients at once, and clients that die."""

import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import trio
from lucastra_client import Client, LucAstraError
from lucastra_protocol.connect import Unanswered, connect, say_hello

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError, within
from benchmarks.rpc.results import Kills, Load, Request

_REPLY_SECONDS = 60.0
_LOAD_SECONDS = 600.0
_GONE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_VICTIM = Path(__file__).with_name("victim.py")
_VICTIM_REQUESTS = 50
_OTHERS = 10

Ask = Callable[[int], Awaitable[object]]
"""Sends the request of this number."""


async def measure_load(
    daemon: PrivateDaemon, request: Request, clients: int, each: int, queries: Sequence[str]
) -> Load:
    """`clients` at once send `each` requests one after the other; the clock starts when all are connected.

    A request without a reply within a minute, and one whose reply is an error, counts as such; the load goes on.
    """
    latencies: list[float] = []
    errors: Counter[str] = Counter()
    ready = trio.Event()
    connected = 0

    async def client(number: int) -> None:
        nonlocal connected
        async with _asking(daemon, request, queries, first=number * each) as ask:
            connected += 1
            if connected == clients:
                ready.set()
            await ready.wait()
            for turn in range(each):
                began = perf_counter()
                try:
                    with trio.fail_after(_REPLY_SECONDS):
                        await ask(turn)
                except trio.TooSlowError:
                    errors[f"no reply within {_REPLY_SECONDS:.0f} s"] += 1
                except (LucAstraError, BenchmarkError, Unanswered, OSError) as error:
                    errors[str(error) or type(error).__name__] += 1
                else:
                    latencies.append((perf_counter() - began) * 1000)

    with within(_LOAD_SECONDS, f"{clients} clients with {each} {request} requests each"):
        async with trio.open_nursery() as nursery:
            for number in range(clients):
                nursery.start_soon(client, number)
            await ready.wait()
            began = perf_counter()
        seconds = perf_counter() - began
    return Load(
        request=request,
        clients=clients,
        requests=clients * each,
        answered=len(latencies),
        errors=dict(errors),
        seconds=seconds,
        latency_ms=Distribution.of(latencies) if latencies else None,
    )


@asynccontextmanager
async def _asking(daemon: PrivateDaemon, request: Request, queries: Sequence[str], *, first: int) -> AsyncIterator[Ask]:
    """How one client sends its requests: on one connection, except that each hello opens its own."""
    if request is Request.HELLO:

        async def hello(turn: int) -> None:
            stream = await connect(daemon.paths)
            if stream is None:
                raise BenchmarkError("the daemon refused a connection")
            async with stream:
                await say_hello(stream, client_name="benchmark")

        yield hello
        return
    async with daemon.client() as client:

        async def ask(turn: int) -> object:
            if request is Request.STATUS:
                return await client.status()
            return await client.search(queries[(first + turn) % len(queries)])

        yield ask


async def kill_clients(daemon: PrivateDaemon, killed: int, each: int, queries: Sequence[str]) -> Kills:
    """Kill one client after the other, each with searches under way, while others search."""
    pid = daemon.pid
    async with daemon.client() as watcher:
        before = await _clients(watcher)
        loads: list[Load] = []

        async def others() -> None:
            loads.append(await measure_load(daemon, Request.SEARCH, _OTHERS, each, queries))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            for number in range(killed):
                await _kill_one(daemon, list(itertools.islice(itertools.cycle(queries), number, number + 10)))
        left = await _clients(watcher) - before
        with trio.move_on_after(_GONE_SECONDS):
            while left > 0:
                await trio.sleep(_POLL_SECONDS)
                left = await _clients(watcher) - before
        ended = (await watcher.status()).pid != pid
    return Kills(killed=killed, others=loads[0], daemon_ended=ended, sessions_left=left)


async def _clients(client: Client) -> int:
    return (await client.status()).clients


async def _kill_one(daemon: PrivateDaemon, queries: Sequence[str]) -> None:
    victim = await trio.lowlevel.open_process(
        [sys.executable, "-P", str(_VICTIM), str(_VICTIM_REQUESTS), *queries],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=daemon.environment,
    )
    assert victim.stdout is not None
    async with victim.stdout:
        try:
            said = await victim.stdout.receive_some()
        finally:
            victim.kill()
            with trio.CancelScope(shield=True):
                await victim.wait()
    if not said:
        raise BenchmarkError("the client that was to be killed could not send its searches; see its message above")
