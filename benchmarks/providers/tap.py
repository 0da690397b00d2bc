"""The upstream's side of a model server: a relay before it, which notes when requests came and when they were done.

Client and relay are one process, so that their times are of one clock.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

_BYTES = 64 * 1024
_LOST = (trio.BrokenResourceError, trio.ClosedResourceError)


@dataclass(slots=True)
class Exchange:
    """One request of the daemon's and its answer; times are those of Trio's clock."""

    asked_at: float
    """The last byte of the request so far."""
    answered_at: float | None = None
    """The last byte of the answer so far."""
    closed_at: float | None = None
    """When the daemon closed the connection, if it did so before another request."""

    @property
    def upstream_ms(self) -> float:
        """From the whole request to the last byte that the daemon read; NaN where there was none."""
        return float("nan") if self.answered_at is None else (self.answered_at - self.asked_at) * 1000


@dataclass
class Tap:
    """What passed through."""

    address: str = ""
    """What the daemon is given as the server's address."""
    exchanges: list[Exchange] = field(default_factory=list)
    _changed: trio.Event = field(default_factory=trio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what was noted fulfils `condition`."""
        while not condition():
            await self._changed.wait()

    def request(self, now: float, current: Exchange | None) -> Exchange:
        """Note bytes of a request; those that follow an answer begin another."""
        if current is None or current.answered_at is not None:
            current = Exchange(now)
            self.exchanges.append(current)
        current.asked_at = now
        self._note()
        return current

    def answer(self, now: float, current: Exchange) -> None:
        """Note bytes of an answer."""
        current.answered_at = now
        self._note()

    def closed(self, now: float, current: Exchange) -> None:
        """Note that the daemon closed the connection."""
        current.closed_at = now
        self._note()

    def _note(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@asynccontextmanager
async def tap_before(origin: str) -> AsyncIterator[Tap]:
    """A relay on a loopback port before the server at `origin`."""
    place = urlsplit(origin)
    assert place.hostname is not None and place.port is not None
    host, port = place.hostname, place.port
    async with _listening(lambda tap, daemon: _relay(tap, daemon, host, port)) as tap:
        yield tap


@asynccontextmanager
async def instant(pieces: list[bytes]) -> AsyncIterator[Tap]:
    """A server that answers every request at once with `pieces`, each an event of a stream."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + body
    async with _listening(lambda tap, daemon: _answer(tap, daemon, answer)) as tap:
        yield tap


@asynccontextmanager
async def _listening(serve: Callable[[Tap, trio.SocketStream], Awaitable[None]]) -> AsyncIterator[Tap]:
    tap = Tap()

    async def handle(daemon: trio.SocketStream) -> None:
        with suppress(*_LOST):
            await serve(tap, daemon)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        tap.address = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        yield tap
        nursery.cancel_scope.cancel()


async def _relay(tap: Tap, daemon: trio.SocketStream, host: str, port: int) -> None:
    current: Exchange | None = None
    async with daemon, await trio.open_tcp_stream(host, port) as server, trio.open_nursery() as nursery:

        async def answers() -> None:
            with suppress(*_LOST):
                while data := await server.receive_some(_BYTES):
                    if current is not None:
                        tap.answer(trio.current_time(), current)
                    await daemon.send_all(data)
            nursery.cancel_scope.cancel()

        nursery.start_soon(answers)
        with suppress(*_LOST):
            while data := await daemon.receive_some(_BYTES):
                current = tap.request(trio.current_time(), current)
                await server.send_all(data)
        if current is not None:
            tap.closed(trio.current_time(), current)
        nursery.cancel_scope.cancel()


async def _answer(tap: Tap, daemon: trio.SocketStream, answer: bytes) -> None:
    current: Exchange | None = None
    received = b""
    async with daemon:
        while data := await daemon.receive_some(_BYTES):
            received += data
            current = tap.request(trio.current_time(), current)
            if is_whole(received):
                received = b""
                tap.answer(trio.current_time(), current)  # before, for the client may have its reply first
                await daemon.send_all(answer)


def is_whole(received: bytes) -> bool:
    """Whether a request's head and body have come; its length must be told in the head."""
    head, blank, body = received.partition(b"\r\n\r\n")
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
    return bool(blank) and len(body) >= length
