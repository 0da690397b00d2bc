"""A server that speaks real HTTP over a loopback socket and answers as a test says, faults among them.

It counts its connections: one that a client has left is seen at once, also while an answer is being sent.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import h11
import msgspec
import trio
from dialects import Dialect

from lucastrad.llm.protocol import Provider


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Any
    at: float
    """Seconds of Trio's clock."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class ConnectionCut(Exception):
    """The handler has cut the connection."""


class Reply:
    """What a handler answers with."""

    def __init__(self, stream: trio.SocketStream, connection: h11.Connection) -> None:
        self._stream = stream
        self._connection = connection

    async def json(self, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """A whole reply."""
        await self.whole(msgspec.json.encode(value), status=status, headers=headers)

    async def whole(
        self,
        body: bytes,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        fields = {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        await self._send(h11.Response(status_code=status, headers=list(fields.items())))
        await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def start(self, *, kind: str = "text/event-stream") -> None:
        """The head of a streamed reply."""
        fields = [("content-type", kind), ("transfer-encoding", "chunked")]
        await self._send(h11.Response(status_code=200, headers=fields))

    async def start_until_closed(self, *, kind: str = "text/event-stream") -> None:
        """The head of a reply that ends with its connection, as in HTTP/1.0: a cut looks like an end."""
        await self._stream.send_all(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode())

    async def raw(self, data: bytes) -> None:
        """Bytes that are no part of HTTP's framing."""
        await self._stream.send_all(data)

    async def send(self, data: bytes) -> None:
        if data:
            await self._send(h11.Data(data=data))

    async def end(self) -> None:
        await self._send(h11.EndOfMessage())

    async def stream(self, pieces: Iterable[bytes], *, kind: str = "text/event-stream") -> None:
        """A whole streamed reply."""
        await self.start(kind=kind)
        for piece in pieces:
            await self.send(piece)
        await self.end()

    def cut(self) -> None:
        """Close the connection where it stands."""
        raise ConnectionCut

    async def _send(self, event: h11.Event) -> None:
        data = self._connection.send(event)
        if data:
            await self._stream.send_all(data)


Handler = Callable[[Received, Reply], Awaitable[None]]


@dataclass
class ReplayServer:
    """What a test knows of the server."""

    handler: Handler
    origin: str = ""
    received: list[Received] = field(default_factory=list)
    accepted: int = 0
    open_connections: int = 0
    left: int = 0
    """Requests whose client went away before the answer was complete."""
    _all_closed: trio.Event = field(default_factory=trio.Event)

    _providers: list[Provider] = field(default_factory=list)

    def provider(self, dialect: Dialect, **settings: Any) -> Provider:
        """A provider of that API that asks this server; closed with it."""
        provider = dialect.provider(self.origin, **settings)
        self._providers.append(provider)
        return provider

    async def close_providers(self) -> None:
        for provider in self._providers:
            await provider.aclose()

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        while self.open_connections:
            self._all_closed = trio.Event()
            await self._all_closed.wait()

    async def serve(self, stream: trio.SocketStream) -> None:
        self.accepted += 1
        self.open_connections += 1
        try:
            await self._requests(stream)
        except (ConnectionCut, trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass
        finally:
            self.open_connections -= 1
            if not self.open_connections:
                self._all_closed.set()
            with trio.CancelScope(shield=True):
                await stream.aclose()

    async def _requests(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        while (request := await self._read(stream, connection)) is not None:
            self.received.append(request)
            if not await self._answer(request, stream, connection):
                return
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _read(self, stream: trio.SocketStream, connection: h11.Connection) -> Received | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match connection.next_event():
                case h11.Request() as event:
                    head = event
                case h11.Data() as event:
                    body += event.data
                case h11.EndOfMessage():
                    assert head is not None
                    return Received(
                        head.method.decode(),
                        head.target.decode(),
                        {name.decode(): value.decode() for name, value in head.headers},
                        msgspec.json.decode(bytes(body)) if body else None,
                        trio.current_time(),
                    )
                case h11.ConnectionClosed():
                    return None
                case _:
                    connection.receive_data(await stream.receive_some(65_536))

    async def _answer(self, request: Received, stream: trio.SocketStream, connection: h11.Connection) -> bool:
        """Run the handler, and end it where the client goes away; whether the connection can be used again."""
        gone = False
        cut = False

        async def watch(scope: trio.CancelScope) -> None:
            nonlocal gone
            try:
                data = await stream.receive_some(65_536)
            except trio.BrokenResourceError:
                data = b""
            if data:
                connection.receive_data(data)
                return
            gone = True
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            try:
                await self.handler(request, Reply(stream, connection))
            except ConnectionCut:
                cut = True
            except trio.BrokenResourceError:
                gone = True
            nursery.cancel_scope.cancel()
        unfinished = connection.our_state not in {h11.DONE, h11.MUST_CLOSE}
        if gone and unfinished:
            self.left += 1
        return not gone and not cut


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[ReplayServer]:
    """Serve on a loopback port of the system's choice until the block ends."""
    server = ReplayServer(handler)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, server.serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        server.origin = f"http://127.0.0.1:{port}"
        try:
            yield server
        finally:
            with trio.CancelScope(shield=True):
                await server.close_providers()
        nursery.cancel_scope.cancel()
