"""The other end of a session: a client that says exactly what a test wants said."""

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
import trio.testing
from fakes import Fakes
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.version import PROTOCOL_VERSION, __version__

from lucastrad.server.lifetime import Lifetime
from lucastrad.server.outbox import Outbox
from lucastrad.server.session import Session

Message = dict[str, Any]


class Peer:
    """One client."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.received: list[Message] = []
        """Everything that came, in order."""
        self._frames = FrameReader()
        self._ids = itertools.count(1)

    async def send(self, message: Any) -> None:
        await self.stream.send_all(frame(msgspec.json.encode(message)))

    async def notify(self, method: str, params: Any = None) -> None:
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def start(self, method: str, params: Any = None, *, msg_id: int | str | None = None) -> int | str:
        """Send a request and do not wait; return its id."""
        msg_id = next(self._ids) if msg_id is None else msg_id
        message = {"jsonrpc": "2.0", "id": msg_id, "method": method}
        await self.send(message if params is None else {**message, "params": params})
        return msg_id

    async def reply(self, msg_id: int | str) -> Message:
        """The reply to a request, as it is or as it comes."""
        while True:
            for message in self.received:
                if message.get("id") == msg_id and "method" not in message:
                    return message
            if not await self.receive():
                raise AssertionError(f"the connection closed before request {msg_id!r} was answered")

    async def ask(self, method: str, params: Any = None) -> Any:
        """The result of a request."""
        reply = await self.reply(await self.start(method, params))
        assert "error" not in reply, reply
        return reply["result"]

    async def fail(self, method: str, params: Any = None) -> Message:
        """The error of a request."""
        reply = await self.reply(await self.start(method, params))
        assert "result" not in reply, reply
        error: Message = reply["error"]
        return error

    async def receive(self) -> bool:
        """Take what comes next; False once the connection is closed."""
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            return False
        self.received.extend(msgspec.json.decode(body) for body in self._frames.feed(bytes(data)))
        return bool(data)

    async def until_closed(self) -> list[Message]:
        while await self.receive():
            pass
        return self.received

    async def until_method(self, method: str) -> Message:
        """The first message of the daemon's own with this method."""
        while True:
            for message in self.received:
                if message.get("method") == method:
                    return message
            assert await self.receive(), f"the connection closed before {method} came"

    async def hello(self, **changes: Any) -> Message:
        params = {"clientName": "test", "clientVersion": __version__, "protocolVersion": PROTOCOL_VERSION}
        return await self.reply(await self.start("lucastra/hello", {**params, **changes}))

    async def initialize(self, **params: Any) -> Any:
        result = await self.ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}, **params})
        await self.notify("initialized", {})
        return result


@asynccontextmanager
async def serving(
    fakes: Fakes | None = None,
    *,
    lifetime: Lifetime | None = None,
    token: str | None = None,
    greet: bool = True,
    lockstep: bool = False,
    owns: Callable[[int], bool] = lambda pid: True,
    **outbox_limits: Any,
) -> AsyncIterator[tuple[Peer, Session]]:
    """A running session and the client at its other end, connected in memory."""
    pair = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
    ours, theirs = pair()
    session = Session(
        theirs,
        (fakes or Fakes()).services(),
        lifetime or Lifetime(),
        token=token,
        outbox=Outbox(theirs, **outbox_limits),
        owns=owns,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        peer = Peer(ours)
        if greet:
            await peer.hello()
        yield peer, session
        nursery.cancel_scope.cancel()
