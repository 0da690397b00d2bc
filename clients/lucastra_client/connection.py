"""One JSON-RPC connection to the daemon, shared by any number of concurrent requests.

Invariant: only the writer task writes to the stream and only the reader task reads from it, so a
cancelled request can neither cut a frame short nor lose the place in the stream.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

import msgspec
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.types import Envelope, ProgressToken, RawProgressParams, ResponseError, WorkDone

OnProgress = Callable[[WorkDone], None]
OnPartial = Callable[[msgspec.Raw], None]
OnNotification = Callable[[msgspec.Raw], None]
Result = TypeVar("Result", bound=msgspec.Struct)

_READ_BYTES = 64 * 1024
_OUTBOX_FRAMES = 64
_FLUSH_SECONDS = 0.5
"""How long a cancelled request, or a closing connection, waits for the daemon to take its bytes."""

_LOST = "the connection to lucastrad was lost; run it again, or see `lucastra-client logs` for why it ended"
_CLOSED = "this client is closed; open another one"


class _Request(msgspec.Struct, frozen=True):
    id: int
    method: str
    params: msgspec.Struct
    jsonrpc: str = "2.0"


class _CancelParams(msgspec.Struct, frozen=True):
    id: int


class _Cancel(msgspec.Struct, frozen=True):
    params: _CancelParams
    method: str = "$/cancelRequest"
    jsonrpc: str = "2.0"


class _Refusal(msgspec.Struct, frozen=True):
    """The reply to a request of the daemon's: this client serves none."""

    id: int | str | None
    error: ResponseError
    jsonrpc: str = "2.0"


class _Pending:
    """A request whose reply is still to come."""

    __slots__ = ("changed", "error", "on_partial", "reply", "settled")

    def __init__(self, on_partial: OnPartial | None) -> None:
        self.on_partial = on_partial
        self.settled = trio.Event()
        self.changed = trio.Event()
        self.reply: Envelope | None = None
        self.error: Exception | None = None

    def settle(self, *, reply: Envelope | None = None, error: Exception | None = None) -> None:
        """Wake the caller; the first outcome counts."""
        if not self.settled.is_set():
            self.reply, self.error = reply, error
            self.settled.set()
            self.announce()

    def announce(self) -> None:
        """Wake who waits for whatever comes next."""
        self.changed.set()
        self.changed = trio.Event()


class Connection:
    """Requests and their replies over one byte stream; made by `open_connection`."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._progress: dict[ProgressToken, _Pending] = {}
        self._listeners: dict[str, set[OnNotification]] = {}
        self._outbox_in, self._outbox_out = trio.open_memory_channel[bytes](_OUTBOX_FRAMES)
        self._flushed = trio.Event()
        # Shielded: a cancelled caller's $/cancelRequest still has to leave, so the tasks end
        # when `close` says so and not when something around them is cancelled.
        self._tasks = trio.CancelScope(shield=True)
        self._failure: str | None = None
        self._lost = trio.Event()

    def next_token(self) -> ProgressToken:
        """A progress token that no other request of this connection has."""
        return f"progress-{next(self._ids)}"

    async def request(
        self,
        method: str,
        params: msgspec.Struct,
        result: type[Result],
        *,
        token: ProgressToken | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Send one request and return its decoded result.

        `on_progress` gets what the daemon reports on `token`; an exception that it raises cancels the
        request and is raised here. Raises LucAstraError for an error reply, a reply that cannot be read,
        text that is not UTF-8 and a lost connection.
        """
        if self._failure is not None:
            raise LucAstraError(self._failure, code=ErrorCode.DAEMON_UNREACHABLE)
        request_id = next(self._ids)
        pending = self._pending[request_id] = _Pending(None if on_progress is None else _decoding(on_progress))
        if token is not None:
            self._progress[token] = pending
        sent = False
        try:
            await self._send(_Request(request_id, method, params))
            sent = True
            await pending.settled.wait()
        finally:
            if token is not None:
                self._progress.pop(token, None)
            if not sent:  # so no reply will come
                self._pending.pop(request_id, None)
            elif request_id in self._pending:  # cancelled, or its on_progress raised
                await self._cancel(request_id)
        if pending.error is not None:
            raise pending.error
        return _result(pending.reply, method, result)

    async def start(
        self, method: str, params: msgspec.Struct, result: type[Result], *, token: ProgressToken, on_partial: OnPartial
    ) -> "Started[Result]":
        """Send a request whose result comes in parts on `token`; wait for it with what is returned, and end that.

        `on_partial` gets each part as it comes, and must not block; its exception is that of the request.
        """
        if self._failure is not None:
            raise LucAstraError(self._failure, code=ErrorCode.DAEMON_UNREACHABLE)
        request_id = next(self._ids)
        pending = self._pending[request_id] = self._progress[token] = _Pending(on_partial)
        try:
            await self._send(_Request(request_id, method, params))
        except BaseException:
            self._pending.pop(request_id, None)
            self._progress.pop(token, None)
            raise

        async def end() -> None:
            self._progress.pop(token, None)
            if request_id in self._pending:
                await self._cancel(request_id)

        return Started(pending, method, result, end)

    def listen(self, method: str, listener: OnNotification) -> Callable[[], None]:
        """Call `listener`, which must neither block nor raise, with the params of each notification of `method`;
        returns what ends that."""
        self._listeners.setdefault(method, set()).add(listener)

        def end() -> None:
            listeners = self._listeners.get(method, set())
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(method, None)

        return end

    async def _cancel(self, request_id: int) -> None:
        """Tell the daemon to stop; the reader still takes the one reply that it owes."""
        with trio.move_on_after(_FLUSH_SECONDS, shield=True), suppress(LucAstraError):
            await self._send(_Cancel(_CancelParams(request_id)))

    async def _send(self, message: msgspec.Struct) -> None:
        try:
            await self._outbox_in.send(frame(msgspec.json.encode(message)))
        except UnicodeEncodeError as error:  # lone surrogates: how Python decodes stray bytes
            raise LucAstraError(
                f"{error.object!r} is not text; leave out what is not UTF-8", code=ErrorCode.INVALID_PARAMS
            ) from error
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise LucAstraError(self._failure or _LOST, code=ErrorCode.DAEMON_UNREACHABLE) from None

    async def run(self) -> None:
        """Read and write until the connection is closed or lost."""
        with self._tasks:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                nursery.start_soon(self._read)
        self._fail(_CLOSED)

    async def wait_lost(self) -> None:
        """Return once the daemon has hung up, or the connection is closed."""
        await self._lost.wait()

    async def close(self) -> None:
        """Send what is queued, close the stream and fail every request that still waits."""
        self._outbox_in.close()
        with trio.move_on_after(_FLUSH_SECONDS, shield=True):
            await self._flushed.wait()
        self._tasks.cancel()
        self._fail(_CLOSED)
        await trio.aclose_forcefully(self._stream)

    async def _write(self) -> None:
        try:
            async for data in self._outbox_out:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose(_LOST)
        finally:
            self._flushed.set()

    async def _read(self) -> None:
        frames = FrameReader()
        try:
            while data := await self._stream.receive_some(_READ_BYTES):
                for body in frames.feed(bytes(data)):
                    await self._receive(msgspec.json.decode(body, type=Envelope))
            self._lose(_LOST)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._lose(_LOST)
        except ValueError as error:  # FrameError, msgspec.DecodeError, UnicodeDecodeError
            self._lose(f"lucastrad sent a message that cannot be read ({error}); restart it with "
                       "`lucastra-client stop`")  # fmt: skip

    async def _receive(self, message: Envelope) -> None:
        if isinstance(message.method, str):
            if message.method == "$/progress" and isinstance(message.params, msgspec.Raw):
                self._report(msgspec.json.decode(message.params, type=RawProgressParams))
            elif message.method in self._listeners and isinstance(message.params, msgspec.Raw):
                for listener in tuple(self._listeners[message.method]):
                    listener(message.params)
            elif message.id is not msgspec.UNSET:
                error = ResponseError(ErrorCode.METHOD_NOT_FOUND, f"this client does not serve {message.method}")
                with suppress(LucAstraError):
                    await self._send(_Refusal(message.id, error))
        elif isinstance(message.id, int) and (pending := self._pending.pop(message.id, None)) is not None:
            pending.settle(reply=message)

    def _report(self, progress: RawProgressParams) -> None:
        pending = self._progress.get(progress.token)
        if pending is None or pending.on_partial is None or pending.settled.is_set():
            return
        try:
            pending.on_partial(progress.value)
            pending.announce()
        except Exception as error:  # belongs to the caller of the request, not to the reader
            pending.settle(error=error)

    def _lose(self, reason: str) -> None:
        self._fail(reason)
        self._tasks.cancel()

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = reason
        self._lost.set()
        self._outbox_in.close()
        for pending in self._pending.values():
            pending.settle(error=LucAstraError(self._failure, code=ErrorCode.DAEMON_UNREACHABLE))
        self._pending.clear()


class Started(Generic[Result]):
    """A request that was sent."""

    def __init__(
        self, pending: _Pending, method: str, result: type[Result], end: Callable[[], Awaitable[None]]
    ) -> None:
        self._pending = pending
        self._method = method
        self._result = result
        self._end = end

    @property
    def settled(self) -> bool:
        """Whether the reply is there, or will never be."""
        return self._pending.settled.is_set()

    async def wait_changed(self) -> None:
        """Wait for the next part, or for the reply."""
        await self._pending.changed.wait()

    def result(self) -> Result:
        """The settled request's result; raises what the request failed with."""
        if self._pending.error is not None:
            raise self._pending.error
        return _result(self._pending.reply, self._method, self._result)

    async def end(self) -> None:
        """Take no more parts, and cancel the request unless it is settled."""
        await self._end()


def _decoding(on_progress: OnProgress) -> OnPartial:
    return lambda value: on_progress(msgspec.json.decode(value, type=WorkDone))


def _result(reply: Envelope | None, method: str, result: type[Result]) -> Result:
    """The result that a reply holds, or the error that it holds, raised."""
    unreadable = f"lucastrad's reply to {method} cannot be read"
    cure = "client and daemon may be of different versions: run `lucastra-client stop` and try again"
    try:
        if reply is not None and isinstance(reply.error, msgspec.Raw):
            error = msgspec.json.decode(reply.error, type=ResponseError)
        elif reply is not None and isinstance(reply.result, msgspec.Raw):
            return msgspec.json.decode(reply.result, type=result)
        else:
            raise LucAstraError(f"{unreadable}: it has no result; {cure}", code=ErrorCode.INTERNAL_ERROR)
    except ValueError as problem:  # msgspec.DecodeError, UnicodeDecodeError
        raise LucAstraError(f"{unreadable} ({problem}); {cure}", code=ErrorCode.INTERNAL_ERROR) from problem
    data = error.data if isinstance(error.data, dict) else None
    raise LucAstraError(error.message, code=_error_code(error.code), data=data)


def _error_code(code: int) -> ErrorCode:
    try:
        return ErrorCode(code)
    except ValueError:  # a newer daemon's
        return ErrorCode.REQUEST_FAILED


@asynccontextmanager
async def open_connection(stream: trio.abc.Stream) -> AsyncIterator[Connection]:
    """A connection over `stream`, which is closed with it.

    An exception of the `async with` body leaves it as it is, not wrapped in a group.
    """
    connection = Connection(stream)
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        try:
            yield connection
        except trio.Cancelled:
            raise
        except BaseException as error:
            raised = error
        finally:
            await connection.close()
    if raised is not None:
        raise raised
