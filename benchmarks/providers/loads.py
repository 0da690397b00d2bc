"""The same requests through the daemon, through httpx alone on Trio, and one after the other by blocking calls."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import httpx
import msgspec
import trio
from lucastra_client import Client, LucAstraError
from lucastra_protocol.answers import DeltaEvent

from benchmarks.daemon import PrivateDaemon
from benchmarks.errors import BenchmarkError, within
from benchmarks.providers.results import Burst

_UPSTREAM = Path(__file__).with_name("upstream.py")
_ANSWER_SECONDS = 60.0
_TIMEOUT = httpx.Timeout(_ANSWER_SECONDS)
_LIMITS = httpx.Limits(max_connections=1_000, max_keepalive_connections=1_000)
_decode = msgspec.json.decode

Late = Callable[[], Awaitable[float]]
"""Asks once, and returns by how many milliseconds the first words were late."""


class Failed(Exception):
    """An answer that is not what the provider sent."""


@asynccontextmanager
async def upstream(latency_ms: float, pieces: int) -> AsyncIterator[str]:
    """The base address of a provider of the benchmark's own."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-P", str(_UPSTREAM), str(latency_ms), str(pieces)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        with within(30.0, "the start of the provider"):
            port = int(await process.stdout.receive_some())
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def configure(daemon: PrivateDaemon, address: str) -> None:
    """Let the daemon answer from the provider at `address`; before it is spawned."""
    daemon.paths.config.parent.mkdir(parents=True, exist_ok=True)
    llm = {"provider": "openai", "endpoint": address, "model": "benchmark", "max_concurrent": 1_000}
    daemon.paths.config.write_text(json.dumps({"llm": llm}), "utf-8")


def bare_client() -> httpx.AsyncClient:
    """What the daemon is compared with."""
    return httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS, trust_env=False)


def _body(prompt: str) -> dict[str, object]:
    return {
        "model": "benchmark",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": prompt}],
    }


async def bare(client: httpx.AsyncClient, address: str, pieces: int) -> float:
    """One streamed request: by how many milliseconds its first token was late. Raises Failed."""
    late, seen = 0.0, 0
    async with client.stream("POST", f"{address}/chat/completions", json=_body("Say something.")) as reply:
        async for line in reply.aiter_lines():
            if not line.startswith("data: {"):
                continue
            choices = _decode(line[6:])["choices"]
            if choices and (text := choices[0]["delta"].get("content")):
                late = late or _lateness(text)
                seen += 1
    if seen != pieces:
        raise Failed
    return late


async def through(client: Client, pieces: int) -> float:
    """The same through the daemon. Raises Failed or LucAstraError."""
    late, words = 0.0, 0
    async with client.complete_stream("Say something.") as stream:
        async for event in stream:
            if isinstance(event, DeltaEvent):
                late = late or _lateness(event.text)
                words += event.text.count(" ")
    if words != pieces:
        raise Failed
    return late


def sequence(address: str, requests: int) -> float:
    """Blocking calls, one after the other: how many a second."""
    with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
        began = perf_counter()
        for _ in range(requests):
            client.post(f"{address}/chat/completions", json=_body("Say something.")).raise_for_status()
        return requests / (perf_counter() - began)


async def lateness(ask: Late, requests: int) -> list[float]:
    """Milliseconds, one request after the other; the first one, which connects, is left out."""
    with within(_ANSWER_SECONDS * 4, f"{requests} requests"):
        await ask()
        return [await ask() for _ in range(requests)]


async def burst(subject: str, asks: Sequence[Late], streams: int) -> Burst:
    """One round: `streams` requests at once, shared out over `asks`."""
    failed = 0

    async def one(ask: Late) -> None:
        nonlocal failed
        try:
            await ask()
        except (Failed, LucAstraError, httpx.HTTPError):
            failed += 1

    with within(_ANSWER_SECONDS * 2, f"{streams} streams at once"):
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(streams):
                nursery.start_soon(one, asks[number % len(asks)])
        return Burst(subject, streams, [perf_counter() - began], failed)


def joined(rounds: Sequence[Burst]) -> Burst:
    """Several rounds as one."""
    if not rounds:
        raise BenchmarkError("no round was measured")
    seconds = [second for one in rounds for second in one.seconds]
    return Burst(rounds[0].subject, rounds[0].streams, seconds, sum(one.failed for one in rounds))


def _lateness(text: str) -> float:
    return (time.monotonic_ns() - int(text.split(" ", 1)[0])) / 1e6
