"""A daemon of real frames and no services: it answers what a test tells it to, and keeps what it was sent.

Params are decoded as the contract's Structs, so a client that sends anything else fails its test.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio
from lucastra_protocol.answers import AnswerEvent, PartialResultParams
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.methods import METHODS
from lucastra_protocol.types import (
    Envelope,
    Hit,
    IndexParams,
    Range,
    ResponseError,
    Wire,
    WorkDone,
    WorkspaceStatus,
)
from trio.testing import memory_stream_pair

Answer = Wire | LucAstraError | Callable[[Any], Awaitable[Wire]]
_METHODS = {method.name: method for method in METHODS}


class FakeDaemon:
    """One connection's daemon side; `answers` maps method names to a result, an error or a handler.

    `index_progress` are the messages that it reports before it answers an index request, `events` what it sends
    before any other answer that can come in parts.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        answers: Mapping[str, Answer],
        index_progress: Sequence[str] = (),
        events: Sequence[AnswerEvent] = (),
    ) -> None:
        self.stream = stream
        self.answers = answers
        self.index_progress = index_progress
        self.events = events
        self.requests: list[tuple[str, Any]] = []
        self.cancelled: list[int | str] = []
        self.replies_to_us: list[Envelope] = []
        self._sending = trio.Lock()
        self._scopes: dict[int | str, trio.CancelScope] = {}

    async def serve(self) -> None:
        """Answer until the client hangs up."""
        frames = FrameReader()
        async with trio.open_nursery() as nursery:
            while data := await self._receive():
                for body in frames.feed(bytes(data)):
                    self._dispatch(msgspec.json.decode(body, type=Envelope), nursery)
            nursery.cancel_scope.cancel()

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some(65536))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    def _dispatch(self, message: Envelope, nursery: trio.Nursery) -> None:
        if message.method is msgspec.UNSET:
            self.replies_to_us.append(message)
        elif message.method == "$/cancelRequest":
            request_id = msgspec.json.decode(message.params)["id"]
            self.cancelled.append(request_id)
            if (scope := self._scopes.get(request_id)) is not None:
                scope.cancel()
        else:
            nursery.start_soon(self._reply, message)

    async def _reply(self, message: Envelope) -> None:
        assert isinstance(message.method, str)
        assert isinstance(message.id, int | str)
        params = msgspec.json.decode(message.params, type=_METHODS[message.method].params)
        self.requests.append((message.method, params))
        if isinstance(params, IndexParams) and params.work_done_token is not None:
            for text in self.index_progress:
                await self.report(params.work_done_token, WorkDone(kind="report", message=text))
        if (token := getattr(params, "partial_result_token", None)) is not None:
            for event in self.events:
                await self.notify("$/progress", PartialResultParams(token, event))
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        try:
            with trio.CancelScope() as self._scopes[message.id]:
                reply["result"] = await self._answer(message.method, params)
            if "result" not in reply:
                raise LucAstraError("the request was cancelled", code=ErrorCode.REQUEST_CANCELLED)
        except LucAstraError as error:
            reply["error"] = ResponseError(int(error.code), error.message, error.data)
        await self.send(reply)

    async def _answer(self, method: str, params: Wire) -> Wire:
        answer = self.answers[method]
        if isinstance(answer, LucAstraError):
            raise answer
        return answer if isinstance(answer, Wire) else await answer(params)

    async def send(self, message: Any) -> None:
        """Send any message, well-formed or not."""
        async with self._sending:
            await self.stream.send_all(frame(msgspec.json.encode(message)))

    async def notify(self, method: str, params: msgspec.Struct) -> None:
        """Send any notification."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def report(self, token: int | str | None, value: WorkDone) -> None:
        """Send one work-done progress notification."""
        params = {"token": token, "value": value}
        await self.send({"jsonrpc": "2.0", "method": "$/progress", "params": params})


@asynccontextmanager
async def fake_daemon(
    answers: Mapping[str, Answer], index_progress: Sequence[str] = (), events: Sequence[AnswerEvent] = ()
) -> AsyncIterator[tuple[FakeDaemon, trio.abc.Stream]]:
    """A daemon that serves, and the client's end of its connection."""
    ours, theirs = memory_stream_pair()
    daemon = FakeDaemon(ours, answers, index_progress, events)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.serve)
        yield daemon, theirs
        nursery.cancel_scope.cancel()


def hit(
    path: str = "src/app.py",
    *,
    content: str = "def main():\n    run()\n",
    start_line: int = 10,
    end_line: int = 11,
    workspace: str = "/projects/project",
    symbol: str = "main",
    score: float = 0.5,
    components: dict[str, float] | None = None,
) -> Hit:
    """A hit as the daemon sends it."""
    return Hit(
        uri=f"file://{workspace}/{path}",
        path=path,
        workspace=workspace,
        range=Range.of_lines(start_line, end_line),
        content=content,
        score=score,
        language="python",
        symbol=symbol,
        kind="function" if symbol else "",
        components=components or {},
    )


def workspace(root: str, **fields: Any) -> WorkspaceStatus:
    """A workspace that is indexed and ready, but for `fields`."""
    ready = WorkspaceStatus(root=root, state="ready", freshness="fresh", files=3, chunks=12, embedded=12)
    return msgspec.structs.replace(ready, **fields)
