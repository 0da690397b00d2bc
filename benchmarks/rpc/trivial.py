"""Requests that take no work: what framing, decoding, dispatch and the reply cost, beside stock pygls and a bare loop.

`lucastra/hello` stands for LucAstra's own methods, `textDocument/inlineCompletion` of a document that is not open for
those of the standard. One client on a blocking socket asks them, so that its own time is small and the same for all
servers: an event loop of the client's takes as long as the server.
"""

import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import trio
from lucastra_protocol.connect import connect
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.types import HELLO, HelloParams
from lucastra_protocol.version import PROTOCOL_VERSION

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError, within
from benchmarks.rpc.results import Paced, Trivial

_STOCK = Path(__file__).with_name("stock_server.py")
_BARE = Path(__file__).with_name("bare_server.py")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.02
_SECONDS = 300.0
_RECEIVE_BYTES = 64 * 1024
_HELLO = HelloParams("benchmark", "1", PROTOCOL_VERSION)
_INITIALIZE: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}
_INLINE_COMPLETION = "textDocument/inlineCompletion"
_NOTHING_OPEN = {
    "textDocument": {"uri": "file:///not/open.py"},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 1},
}


class Requests:
    """One client's requests and replies as bytes."""

    def __init__(self) -> None:
        self._reader = FrameReader()
        self._next = 0
        self._asked = ""

    def ask(self, method: str, params: Any) -> bytes:
        """What to send."""
        self._next += 1
        self._asked = method
        message = {"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}
        return frame(msgspec.json.encode(message))

    def answered(self, received: bytes) -> bool:
        """Whether `received` ends the reply. Raises BenchmarkError for an error and for the end of the connection."""
        if not received:
            raise BenchmarkError("the server closed the connection")
        replies = [body for body in self._reader.feed(received) if b'"id"' in body and b'"method"' not in body]
        for body in replies:
            if b'"error"' in body:
                raise BenchmarkError(f"{self._asked} was answered by {body.decode()}")
        return bool(replies)


class BlockingClient:
    """Asks one request after the other."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_SECONDS)
        self._connection = connection
        self._requests = Requests()

    def own(self) -> None:
        """The trivial request of LucAstra's own methods."""
        self._ask(HELLO.name, _HELLO)

    def initialize(self) -> None:
        """What the standard's methods ask for first."""
        self._ask("initialize", _INITIALIZE)
        self._connection.sendall(frame(b'{"jsonrpc": "2.0", "method": "initialized", "params": {}}'))

    def standard(self) -> None:
        """The trivial request of the standard's methods."""
        self._ask(_INLINE_COMPLETION, _NOTHING_OPEN)

    def _ask(self, method: str, params: Any) -> None:
        self._connection.sendall(self._requests.ask(method, params))
        while not self._requests.answered(self._connection.recv(_RECEIVE_BYTES)):
            pass


async def measure_trivial(daemon: PrivateDaemon, scratch: Path, rounds: int, each: int) -> Trivial:
    """One client of each server, one request after the other, in turns."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    bare_socket = scratch / "bare.sock"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_server(_STOCK, str(port)))
        await stack.enter_async_context(_server(_BARE, str(bare_socket)))
        ours = await stack.enter_async_context(_client(socket.AF_UNIX, str(daemon.paths.socket)))
        stock = await stack.enter_async_context(_client(socket.AF_INET, ("127.0.0.1", port)))
        bare = await stack.enter_async_context(_client(socket.AF_UNIX, str(bare_socket)))

        def run() -> Trivial:
            ours.own()
            ours.initialize()
            stock.initialize()
            asked = (ours.own, bare.own, ours.standard, stock.standard)
            taken: list[list[float]] = [[] for _ in asked]
            for number in range(rounds + 1):
                for request, kept in zip(asked, taken, strict=True):
                    times = _times(request, each)
                    if number:  # the first round warms up
                        kept.extend(times)
            return Trivial(*map(Distribution.of, taken))

        return await trio.to_thread.run_sync(run)


def _times(request: Callable[[], None], count: int) -> list[float]:
    times: list[float] = []
    for _ in range(count):
        began = perf_counter()
        request()
        times.append((perf_counter() - began) * 1000)
    return times


@asynccontextmanager
async def _server(script: Path, address: str) -> AsyncIterator[None]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-P", str(script), address], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@asynccontextmanager
async def _client(family: socket.AddressFamily, address: Any) -> AsyncIterator[BlockingClient]:
    """A client of the server at `address`, as soon as that listens."""
    with within(_START_SECONDS, f"a server at {address}"):
        while True:
            connection = socket.socket(family)
            try:
                connection.connect(address)
                break
            except OSError:
                connection.close()
                await trio.sleep(_POLL_SECONDS)
    with connection:
        if family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        yield BlockingClient(connection)


async def measure_paced(daemon: PrivateDaemon, clients: int, per_second: float, seconds: float) -> Paced:
    """`clients` send `per_second` requests together, each at its own times, which are spread evenly.

    A latency counts from the time at which the request was due, so that waiting behind others, and a late timer of
    the client's, are part of it.
    """
    latencies: list[float] = []
    interval = clients / per_second

    async def one(stream: trio.SocketStream, began: float, number: int) -> None:
        requests = Requests()
        due = began + interval * number / clients
        while due < began + seconds:
            await trio.sleep(max(0.0, due - perf_counter()))
            await stream.send_all(requests.ask(HELLO.name, _HELLO))
            while not requests.answered(await stream.receive_some(_RECEIVE_BYTES)):
                pass
            latencies.append((perf_counter() - due) * 1000)
            due += interval

    async with AsyncExitStack() as stack:
        opened: list[trio.SocketStream] = []
        for _ in range(clients):
            stream = await connect(daemon.paths)
            if stream is None:
                raise BenchmarkError("the daemon refused a connection")
            opened.append(await stack.enter_async_context(stream))
        began = perf_counter() + _POLL_SECONDS
        with within(_SECONDS, f"{clients} paced clients"):
            async with trio.open_nursery() as nursery:
                for number, stream in enumerate(opened):
                    nursery.start_soon(one, stream, began, number)
    return Paced(clients, per_second, Distribution.of(latencies))
