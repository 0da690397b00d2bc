"""One client's connection: frames in, messages out, and the tasks between.

Invariant: every task of a session lives in its one nursery and ends with it. What a client can make
wait is bounded: requests by count, ordered notifications by not reading on, output by the outbox.
A handler's failure is answered and logged; it ends neither the session nor the daemon.
"""

import hmac
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache, partial
from typing import Any

import cattrs
import msgspec
import trio
from lsprotocol import types as lsp
from lucastra_protocol.answers import CONVERSATION_CHANGED, ConversationChangedParams
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameError, FrameReader
from lucastra_protocol.types import HELLO, STOP, HelloParams
from lucastra_protocol.version import PROTOCOL_VERSION, __version__
from pygls.protocol import default_converter

from lucastrad.conversation.service import Change
from lucastrad.server.engine import Engine, TrioFuture, place_of
from lucastrad.server.feed import ConversationFeed
from lucastrad.server.handlers import COMMANDS, HANDLERS
from lucastrad.server.handlers.configuration import EditorSettings
from lucastrad.server.lifetime import Lifetime
from lucastrad.server.outbox import Outbox, SlowClient
from lucastrad.server.services import Services

MAX_RUNNING_REQUESTS = 64
MAX_WAITING_REQUESTS = 1024
MAX_WAITING_NOTIFICATIONS = 256
_RECEIVE_BYTES = 64 * 1024
_HELLO_SECONDS = 10.0
_FLUSH_SECONDS = 2.0

logger = logging.getLogger(__name__)


@cache
def _converter() -> cattrs.Converter:
    converter: cattrs.Converter = default_converter()  # type: ignore[no-untyped-call]
    return converter


class Session:
    """Serves one connection until the client leaves or the daemon stops."""

    def __init__(
        self,
        stream: trio.abc.Stream,
        services: Services,
        lifetime: Lifetime,
        *,
        token: str | None = None,
        outbox: Outbox | None = None,
        owns: Callable[[int], bool] = lambda pid: True,
    ) -> None:
        """`token` is what the client must present in its hello before anything else is served; `owns` tells whether a
        process may be the client's own."""
        self.services = services
        self.lifetime = lifetime
        self.engine = Engine.create(self, version=__version__, converter=_converter())
        self.engine.add_handlers({method: partial(handler, self) for method, handler in HANDLERS.items()})
        self.engine.add_commands({name: partial(command, self) for name, command in COMMANDS.items()})
        self.owns = owns
        self.settings = EditorSettings()
        """What the editor's own settings say; see `handlers.configuration`."""
        self.buffers = services.buffers.editor()
        self.completer = services.completion.completer()
        self.feed = ConversationFeed(services.conversations, self._tell)
        self.stopping = False
        self._stream = stream
        self._outbox = outbox or Outbox(stream)
        self._token = token
        self._authorised = token is None
        self._greeted = trio.Event()
        self._peer_protocol = PROTOCOL_VERSION
        self._reading = trio.CancelScope()
        self._slots = trio.Semaphore(MAX_RUNNING_REQUESTS)
        self._requests: dict[TrioFuture, Coroutine[Any, Any, Any]] = {}
        self._requests_ended = trio.Event()
        self._notifications: deque[tuple[TrioFuture, Coroutine[Any, Any, Any]]] = deque()
        self._notifications_changed = trio.Event()
        self._nursery: trio.Nursery | None = None

    # --- life ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the client; return when it has left, was given up, or `close` was called."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write)
                nursery.start_soon(self._run_notifications)
                nursery.start_soon(self.feed.run)
                nursery.start_soon(self.completer.run)
                if not self._authorised:
                    nursery.start_soon(self._demand_hello)
                with self._reading:
                    await self._read()
                if self.stopping:
                    await self._answer_what_runs()
                with trio.move_on_after(_FLUSH_SECONDS):
                    await self._outbox.flush()
                nursery.cancel_scope.cancel()
        finally:
            self.buffers.close()
            self.feed.close()
            for _, work in self._notifications:
                work.close()
            await trio.aclose_forcefully(self._stream)

    def close(self) -> None:
        """Stop serving because the daemon stops: what runs is cancelled and answered, then the stream closes."""
        self.stopping = True
        self._reading.cancel()

    def end(self) -> None:
        """Stop serving because the client said `exit`."""
        self._reading.cancel()

    async def _read(self) -> None:
        frames = FrameReader()
        try:
            while data := await self._stream.receive_some(_RECEIVE_BYTES):
                for body in frames.feed(bytes(data)):
                    self.engine.feed(body)
                    if self._reading.cancel_called:
                        return
                    while len(self._notifications) >= MAX_WAITING_NOTIFICATIONS:
                        await self._notifications_changed.wait()
        except FrameError as error:
            logger.warning("closed a connection: %s", error)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.info("a client vanished")

    async def _write(self) -> None:
        try:
            await self._outbox.run()
        except SlowClient as error:
            logger.warning("dropped a client: %s", error)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.info("a client vanished")
        self._nursery_of_session().cancel_scope.cancel()

    async def _demand_hello(self) -> None:
        with trio.move_on_after(_HELLO_SECONDS):
            await self._greeted.wait()
            return
        logger.warning("closed a connection: no hello within %.0f s", _HELLO_SECONDS)
        self._reading.cancel()

    async def _answer_what_runs(self) -> None:
        for future in list(self._requests):
            future.cancel()
        with trio.move_on_after(_FLUSH_SECONDS):
            while self._requests:
                await self._requests_ended.wait()

    def _nursery_of_session(self) -> trio.Nursery:
        if self._nursery is None:
            raise RuntimeError("the session does not run")
        return self._nursery

    # --- who may ask what ------------------------------------------------------------------------

    def refusal(self, method: str) -> LucAstraError | None:
        """Why `method` is not served now, if it is not."""
        if self.stopping:
            return LucAstraError("the daemon is stopping", code=ErrorCode.SERVER_CANCELLED)
        if method == HELLO.name:
            return None
        if not self._authorised:
            return LucAstraError(
                f"send {HELLO.name} with the token of the daemon's run folder first", code=ErrorCode.NOT_AUTHORISED
            )
        if not method.startswith("lucastra/"):
            return None
        if not self._greeted.is_set() and not self.engine.initialized:
            return LucAstraError(f"send {HELLO.name} or initialize first", code=ErrorCode.SERVER_NOT_INITIALIZED)
        if self._peer_protocol != PROTOCOL_VERSION and method != STOP.name:
            return LucAstraError(
                f"this daemon ({__version__}) speaks protocol {PROTOCOL_VERSION}, the client {self._peer_protocol}; "
                "run `lucastra-client stop`, so that the next client starts its own version",
                code=ErrorCode.VERSION_MISMATCH,
            )
        return None

    def greet(self, hello: HelloParams) -> None:
        """Accept a hello.

        A client of another protocol version is let in to ask for `lucastra/stop`, and for nothing else.

        Raises:
            LucAstraError: NOT_AUTHORISED when the token is missing or wrong.
        """
        if self._token is not None and not hmac.compare_digest((hello.token or "").encode(), self._token.encode()):
            raise LucAstraError(
                "the token is missing or wrong; read it anew from tcp.json in the daemon's run folder",
                code=ErrorCode.NOT_AUTHORISED,
            )
        self._authorised = True
        self._peer_protocol = hello.protocol_version
        self._greeted.set()

    # --- work ------------------------------------------------------------------------------------

    def send(self, body: bytes) -> None:
        """Queue one message body."""
        self._outbox.send(body)

    async def drain(self) -> None:
        """Return once the client has taken enough of what was sent before."""
        await self._outbox.drain()

    async def notify(self, method: str, params: msgspec.Struct) -> None:
        """Send a notification once the client has taken enough of what was sent before."""
        await self.drain()
        self.engine.send_notification(method, params)

    async def _tell(self, change: Change) -> None:
        params = ConversationChangedParams(
            conversation=change.conversation, change=change.kind.value, turns=change.turns
        )
        await self.notify(CONVERSATION_CHANGED.name, params)

    def warn(self, message: str) -> None:
        """Show the user of an editor a warning; other clients have no place to show one."""
        if self.engine.initialized:
            self.engine.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Warning, message))

    def tell(self, message: str) -> None:
        """Show the user of an editor a message."""
        if self.engine.initialized:
            self.engine.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, message))

    def log(self, kind: lsp.MessageType, message: str) -> None:
        """Put a line into the editor's log of this server."""
        if self.engine.initialized:
            self.engine.server.window_log_message(lsp.LogMessageParams(kind, message))

    def run_request(self, future: TrioFuture, work: Coroutine[Any, Any, Any]) -> None:
        """Run a request's work beside that of others, as soon as one of the places is free."""
        if len(self._requests) >= MAX_WAITING_REQUESTS:
            work.close()
            future.set_exception(
                LucAstraError(
                    f"{MAX_WAITING_REQUESTS} requests of this client wait already; await replies before asking more",
                    code=ErrorCode.REQUEST_FAILED,
                )
            )
            return
        self._requests[future] = work
        self._nursery_of_session().start_soon(self._request, future, work)

    async def _request(self, future: TrioFuture, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await future.run(self._in_a_slot(work))
        finally:
            work.close()
            del self._requests[future]
            self._requests_ended.set()
            self._requests_ended = trio.Event()

    async def _in_a_slot(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            await self._slots.acquire()
        try:
            await self._outbox.drain()  # a client that does not read its replies is not worked for
            return await work
        finally:
            self._slots.release()

    def run_in_order(self, future: TrioFuture, work: Coroutine[Any, Any, Any]) -> None:
        """Run a notification's work after that of every earlier one.

        Trio starts tasks in random order (102 of 200 triples ran out of order), so one worker runs them all.
        """
        self._notifications.append((future, work))
        self._announce_notifications()

    async def _run_notifications(self) -> None:
        while True:
            while self._notifications:
                future, work = self._notifications.popleft()
                self._announce_notifications()
                await future.run(work)
            await self._notifications_changed.wait()

    def _announce_notifications(self) -> None:
        self._notifications_changed.set()
        self._notifications_changed = trio.Event()

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` in the order of notifications; its failure is shown as a warning."""
        future = TrioFuture()
        future.add_done_callback(self._warn_of_failure)
        self.run_in_order(future, work)

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` beside everything else, until it or the session ends; its failure is shown as a warning."""
        future = TrioFuture()
        future.add_done_callback(self._warn_of_failure)
        self._nursery_of_session().start_soon(future.run, work)

    def _warn_of_failure(self, future: Any) -> None:
        if future.cancelled() or (error := future.exception()) is None:
            return
        if isinstance(error, LucAstraError):
            self.warn(error.message)
        else:
            logger.error("background work of a session failed: %s", place_of(error))
