"""A request that takes no work: what framing, decoding, dispatch and the reply cost, beside stock pygls.

It is `textDocument/inlineCompletion` of a document that is not open, sent as raw bytes and read as frames, so that the
client's own time is small and the same for both.
"""

import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import trio
from lucastra_protocol.connect import connect, say_hello
from lucastra_protocol.framing import FrameReader, frame

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError, within
from benchmarks.rpc.results import Paced, Trivial

_STOCK = Path(__file__).with_name("stock_server.py")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.02
_SECONDS = 300.0
_INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {}}
_NOTHING_OPEN = {
    "textDocument": {"uri": "file:///not/open.py"},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 1},
}


class RawClient:
    """Requests as bytes, one at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._reader = FrameReader()
        self._next = 0

    async def ask(self, method: str, params: Any) -> bytes:
        """The body of the reply. Raises BenchmarkError where the connection ends, or for an error."""
        self._next += 1
        message = {"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}
        await self._stream.send_all(frame(msgspec.json.encode(message)))
        while True:
            received = await self._stream.receive_some()
            if not received:
                raise BenchmarkError("the server closed the connection")
            for body in self._reader.feed(received):
                if b'"error"' in body:
                    raise BenchmarkError(f"{method} was answered by {body.decode()}")
                if b'"id"' in body and b'"method"' not in body:
                    return body

    async def tell(self, method: str, params: Any) -> None:
        await self._stream.send_all(frame(msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params})))

    async def initialize(self) -> None:
        await self.ask("initialize", _INITIALIZE)
        await self.tell("initialized", {})

    async def nothing(self) -> None:
        """The trivial request."""
        await self.ask("textDocument/inlineCompletion", _NOTHING_OPEN)


@asynccontextmanager
async def of_daemon(daemon: PrivateDaemon) -> AsyncIterator[RawClient]:
    """A client of the daemon."""
    stream = await connect(daemon.paths)
    if stream is None:
        raise BenchmarkError("the daemon refused a connection")
    async with stream:
        await say_hello(stream, client_name="benchmark")
        client = RawClient(stream)
        await client.initialize()
        yield client


@asynccontextmanager
async def of_stock_pygls() -> AsyncIterator[RawClient]:
    """A client of a stock server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-P", str(_STOCK), str(port)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        async with await _connected(port) as stream:
            client = RawClient(stream)
            await client.initialize()
            yield client
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _connected(port: int) -> trio.SocketStream:
    with within(_START_SECONDS, "the start of stock pygls"):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(_POLL_SECONDS)
            else:
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                return stream


async def measure_trivial(daemon: PrivateDaemon, rounds: int, each: int) -> Trivial:
    """One client, one request after the other, of both servers in turns."""
    ours: list[float] = []
    stock: list[float] = []
    with within(_SECONDS, "the trivial requests"):
        async with of_daemon(daemon) as mine, of_stock_pygls() as theirs:
            for number in range(rounds + 1):
                for client, kept in ((mine, ours), (theirs, stock)):
                    times = await _times(client, each)
                    if number:  # the first round warms up
                        kept.extend(times)
    return Trivial(Distribution.of(ours), Distribution.of(stock))


async def _times(client: RawClient, requests: int) -> list[float]:
    times: list[float] = []
    for _ in range(requests):
        began = perf_counter()
        await client.nothing()
        times.append((perf_counter() - began) * 1000)
    return times


async def measure_paced(daemon: PrivateDaemon, clients: int, per_second: float, seconds: float) -> Paced:
    """`clients` send `per_second` requests together, each at its own times, which are spread evenly.

    A latency counts from the time at which the request was due, so that waiting behind others, and a late timer of
    the client's, are part of it.
    """
    latencies: list[float] = []
    interval = clients / per_second

    async def one(client: RawClient, began: float, number: int) -> None:
        due = began + interval * number / clients
        while due < began + seconds:
            await trio.sleep(max(0.0, due - perf_counter()))
            await client.nothing()
            latencies.append((perf_counter() - due) * 1000)
            due += interval

    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(of_daemon(daemon)) for _ in range(clients)]
        began = perf_counter() + _POLL_SECONDS
        with within(_SECONDS, f"{clients} paced clients"):
            async with trio.open_nursery() as nursery:
                for number, client in enumerate(opened):
                    nursery.start_soon(one, client, began, number)
    return Paced(clients, per_second, Distribution.of(latencies))
