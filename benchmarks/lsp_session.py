"""The least of an editor: LSP over the daemon's socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import trio
from lucastra_protocol.connect import connect
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.paths import Paths

from benchmarks.errors import BenchmarkError, within

_RECEIVE_BYTES = 64 * 1024
_REPLY_SECONDS = 120.0


class LspSession:
    """Requests and notifications of one client, which reads while it waits for a reply."""

    def __init__(self, stream: trio.abc.Stream, heard: Callable[[str, Any], None]) -> None:
        """`heard` is told the method and params of whatever the daemon says unasked."""
        self._stream = stream
        self._heard = heard
        self._frames = FrameReader()
        self._ids = count(1)
        self._replies: dict[int, tuple[float, Any]] = {}

    async def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def start(self, method: str, params: Any) -> int:
        """Send a request; returns its id."""
        number = next(self._ids)
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    async def reply(self, number: int) -> tuple[float, Any]:
        """When the reply to a request came, on Trio's clock, and its result. Raises BenchmarkError for an error."""
        with within(_REPLY_SECONDS, "a reply of the daemon"):
            while number not in self._replies:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
                if not data:
                    raise BenchmarkError("the daemon closed the connection")
                for body in self._frames.feed(bytes(data)):
                    self._take(msgspec.json.decode(body))
        at, message = self._replies.pop(number)
        if "error" in message:
            raise BenchmarkError(f"a request was answered by {message['error']['message']}")
        return at, message["result"]

    async def ask(self, method: str, params: Any) -> Any:
        """The result of a request. Raises BenchmarkError for an error."""
        return (await self.reply(await self.start(method, params)))[1]

    def _take(self, message: Any) -> None:
        if "method" in message:
            self._heard(message["method"], message.get("params"))
        else:
            self._replies[message["id"]] = trio.current_time(), message

    async def _send(self, message: Any) -> None:
        await self._stream.send_all(frame(msgspec.json.encode(message)))


@asynccontextmanager
async def open_lsp_session(
    paths: Paths,
    root: Path,
    *,
    trace: str = "off",
    heard: Callable[[str, Any], None] = lambda method, params: None,
) -> AsyncIterator[LspSession]:
    """An initialized session with the folder `root` open. Raises BenchmarkError where the daemon refuses it."""
    stream = await connect(paths)
    if stream is None:
        raise BenchmarkError("the daemon refused a connection")
    async with stream:
        session = LspSession(stream, heard)
        params = {"processId": None, "rootUri": root.as_uri(), "capabilities": {}, "trace": trace}
        await session.ask("initialize", params)
        await session.tell("initialized", {})
        yield session
