"""pygls' protocol engine, running natively on Trio: one Engine per connection.

pygls brings the LSP life cycle, capabilities, document sync and the generated requests to the client;
this subclass replaces what stock pygls hands to asyncio, to threads or to the json module. The hooks
are private, so pyproject.toml pins pygls and tests/session/test_pygls_contract.py pins the hooks.

Invariant: every request is answered exactly once, and nothing that comes in raises out of `feed`
but FrameError. No source text is logged: errors are logged by type and place.
"""

import contextvars
import inspect
import logging
import re
import uuid
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Protocol

import cattrs
import msgspec
import trio
from cattrs.errors import BaseValidationError
from lsprotocol import types as lsp
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameError
from lucastra_protocol.methods import CLIENT_NOTIFICATIONS, METHODS
from lucastra_protocol.types import Envelope, ResponseError
from msgspec import UNSET
from pygls.capabilities import get_capability
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.progress import Progress
from pygls.protocol import LanguageServerProtocol, lsp_method

from lucastrad.server.documents import Documents
from lucastrad.server.trace import Trace

# pygls logs parameters, and so source text, at INFO and WARNING.
logging.getLogger("pygls").setLevel(logging.CRITICAL)
logger = logging.getLogger(__name__)

_ENVELOPE = msgspec.json.Decoder(Envelope)
_ENCODER = msgspec.json.Encoder()
_PARAMS = {method.name: msgspec.json.Decoder(method.params) for method in METHODS} | {
    notification.name: msgspec.json.Decoder(notification.params) for notification in CLIENT_NOTIFICATIONS
}
_ID_AHEAD = re.compile(
    rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(0|-?[1-9]\d{0,17}|"[ !#-\[\]-~]{0,200}")\s*,'
)
_ANSWERED_BEFORE_INITIALIZE = {lsp.CANCEL_REQUEST, lsp.EXIT, lsp.INITIALIZE, lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL}

MessageId = int | str


class _Reply(msgspec.Struct):
    id: MessageId
    result: Any
    jsonrpc: str = "2.0"


class _Refusal(msgspec.Struct):
    id: MessageId | None
    error: ResponseError
    jsonrpc: str = "2.0"


class _Notification(msgspec.Struct):
    method: str
    params: Any
    jsonrpc: str = "2.0"


class TrioFuture(Future[Any]):
    """A future whose work is a Trio task: cancelling it cancels the task's scope."""

    def __init__(self) -> None:
        super().__init__()
        self._scope = trio.CancelScope()

    def cancel(self) -> bool:
        """Cancel the work; the future is cancelled once the work has ended."""
        if self.done():
            return False
        self._scope.cancel()
        return True

    async def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do the work and keep its outcome: a result that was reached stands even if a cancel came late."""
        try:
            with self._scope:
                self.set_result(await work)
        # A handler's own nursery raises groups: they are caught here, outside the scope that strips Cancelled.
        except Exception as error:
            if not self._scope.cancel_called:
                self.set_exception(_leaf(error))
        finally:
            work.close()
        if not self.done():
            super().cancel()


class Host(Protocol):
    """What an engine asks of the session around it."""

    @property
    def stopping(self) -> bool:
        """Whether requests are being cancelled because the daemon stops."""
        ...

    def send(self, body: bytes) -> None:
        """Queue one message body."""
        ...

    def run_request(self, future: TrioFuture, work: Coroutine[Any, Any, Any]) -> None:
        """Run a request's work beside others."""
        ...

    def run_in_order(self, future: TrioFuture, work: Coroutine[Any, Any, Any]) -> None:
        """Run a notification's work after that of every earlier notification."""
        ...

    def refusal(self, method: str) -> LucAstraError | None:
        """Why the session does not serve `method` now, if it does not."""
        ...

    def end(self) -> None:
        """End the session after what is queued was sent."""
        ...


class _Server(LanguageServer):
    """The face that pygls' generated requests and notifications hang on."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log; stock pygls pops up a message box in the editor."""
        logger.error("a notification failed: %s", place_of(error))


class _Progress(Progress):
    def end(self, token: int | str, value: lsp.WorkDoneProgressEnd) -> None:
        super().end(token, value)
        self.tokens.pop(token, None)  # stock pygls keeps every token for ever


class Engine(LanguageServerProtocol):
    """The protocol of one connection.

    A handler may be a plain function, or one that returns a coroutine. What a handler does before it
    returns its coroutine sees the documents as they were when the message arrived.
    """

    def __init__(self, server: LanguageServer, converter: cattrs.Converter, *, host: Host) -> None:
        super().__init__(server, converter)
        self._host = host
        self.progress = _Progress(self)
        self._tracing = Trace(self._log_to_client, lambda: self.trace)

    @classmethod
    def create(cls, host: Host, *, version: str, converter: cattrs.Converter) -> "Engine":
        """An engine with its pygls server; sessions share one converter, so that one costs 0.05 ms."""
        server = _Server(
            "lucastrad",
            version,
            protocol_cls=lambda server, converter: cls(server, converter, host=host),
            converter_factory=lambda: converter,
        )
        assert isinstance(server.protocol, cls)  # noqa: S101 (for the type checker)
        return server.protocol

    # --- state -----------------------------------------------------------------------------------

    @property
    def initialized(self) -> bool:
        """Whether an `initialize` request was accepted."""
        return self._workspace is not None

    @property
    def server(self) -> LanguageServer:
        """pygls' server object: the generated `*_async` requests and notifications to the client."""
        return self._server

    def add_handlers(self, handlers: dict[str, Callable[..., Any]]) -> None:
        """Serve `handlers`, method name to handler.

        They are bound already: pygls' own registration inspects each signature again for every session.
        """
        self.fm.features.update(handlers)

    def add_commands(self, commands: dict[str, Callable[[lsp.ExecuteCommandParams], Any]]) -> None:
        """Serve `commands`, name to handler, by `workspace/executeCommand`."""
        self.fm.commands.update(commands)

    def add_options(self, options: dict[str, Any]) -> None:
        """Announce `options`, method name to lsprotocol's options, in the capabilities."""
        self.fm.feature_options.update(options)

    def client_can(self, capability: str) -> bool:
        """Whether the client announced `capability`, such as `window.work_done_progress`."""
        return self.initialized and bool(get_capability(self.client_capabilities, capability, False))

    def keep_documents(self) -> None:
        """Replace pygls' workspace, which `initialize` has just made, by ours."""
        self._workspace = Documents.replacing(self.workspace)

    def cancel_by_progress_token(self, token: int | str) -> None:
        """Let `window/workDoneProgress/cancel` with `token` cancel the request that is being handled."""
        msg_id = self._ctx_msg_id.get()
        future = None if msg_id is None else self._request_futures.get(msg_id)
        if future is not None:
            self.progress.tokens[token] = future

    def trace_work(self, text: str) -> None:
        """Tell the client, if it asked for a verbose trace, what the request being handled took."""
        msg_id = self._ctx_msg_id.get()
        if msg_id is not None:
            self._tracing.work(msg_id, text)

    # --- incoming --------------------------------------------------------------------------------

    def feed(self, body: bytes) -> None:
        """Take one message body.

        Raises:
            FrameError: It cannot be told what the message is; the connection must close.
        """
        try:
            envelope = _ENVELOPE.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._reject_body(body, error)
            return
        msg_id = envelope.id
        if envelope.method is UNSET:
            if msg_id is UNSET:
                self._send_error(None, ErrorCode.INVALID_REQUEST, "a message has neither method nor id")
            elif msg_id is not None:
                self._take_response(msg_id, envelope)
        elif msg_id is UNSET:
            contextvars.copy_context().run(self._take_notification, envelope.method, envelope.params)
        elif msg_id is None:
            logger.warning("dropped a request whose id is null: no reply could reach it")
        else:
            contextvars.copy_context().run(self._take_request, msg_id, envelope.method, envelope.params)

    def _take_request(self, msg_id: MessageId, method: str, params: Any) -> None:
        self._tracing.request(msg_id, method)
        try:
            if msg_id in self._request_futures:
                raise LucAstraError(
                    f"request id {msg_id!r} is in use; give every request its own id", code=ErrorCode.INVALID_REQUEST
                )
            if (refusal := self._refusal(method)) is not None:
                raise refusal
            if method not in self.fm.builtin_features and method not in self.fm.features:
                raise LucAstraError(f"unknown method {method}", code=ErrorCode.METHOD_NOT_FOUND)
            decoded = self._decode_params(method, params)
        except LucAstraError as error:
            self._send_error(msg_id, error.code, error.message)
            return
        self._handle_request(msg_id, method, decoded)

    def _take_notification(self, method: str, params: Any) -> None:
        if self._refusal(method) is not None and method != lsp.EXIT:
            logger.info("dropped %s: not now", method)
            return
        if method != lsp.CANCEL_REQUEST and (method not in self.fm.builtin_features and method not in self.fm.features):
            return
        try:
            decoded = self._decode_params(method, params)
        except LucAstraError as error:
            logger.warning("dropped %s: %s", method, type(error.__cause__).__name__)
            return
        self._tracing.notification(method)
        self._handle_notification(method, decoded)

    def _take_response(self, msg_id: MessageId, envelope: Envelope) -> None:
        result_type = self._result_types.pop(msg_id, None)
        try:
            if envelope.error is not UNSET:
                error = msgspec.json.decode(envelope.error, type=ResponseError)
                self._handle_response(
                    msg_id, error=lsp.ResponseError(code=error.code, message=error.message, data=error.data)
                )
                return
            result = None if envelope.result is UNSET else msgspec.json.decode(envelope.result)
            if result_type is not None:
                message = {"jsonrpc": "2.0", "id": msg_id, "result": result}
                result = self._converter.structure(message, result_type).result
        except Exception as error:  # whatever the client's answer holds, the one who asked must hear of it
            logger.warning("the client's reply cannot be read: %s", place_of(error))
            self._handle_response(
                msg_id, error=lsp.ResponseError(code=ErrorCode.INTERNAL_ERROR, message="unreadable reply")
            )
            return
        self._handle_response(msg_id, result)

    def _refusal(self, method: str) -> LucAstraError | None:
        if self._shutdown and method != lsp.EXIT:
            return LucAstraError("the session was shut down; only exit may follow", code=ErrorCode.INVALID_REQUEST)
        if (refusal := self._host.refusal(method)) is not None:
            return refusal
        if method.startswith("lucastra/"):
            return None
        if method == lsp.INITIALIZE and self.initialized:
            return LucAstraError("the session is initialized already", code=ErrorCode.INVALID_REQUEST)
        if not self.initialized and method not in _ANSWERED_BEFORE_INITIALIZE:
            return LucAstraError("send initialize first", code=ErrorCode.SERVER_NOT_INITIALIZED)
        return None

    def _decode_params(self, method: str, params: Any) -> Any:
        """The method's parameters as their type.

        Raises:
            LucAstraError: INVALID_PARAMS, naming the place in the parameters.
        """
        absent = params is UNSET or bytes(params) == b"null"
        try:
            if (decoder := _PARAMS.get(method)) is not None:
                return decoder.decode(b"{}" if absent else params)
            raw = None if absent else msgspec.json.decode(params)
            params_type: Any = lsp.METHOD_TO_TYPES.get(method, (None, None, None))[2]
            return raw if params_type is None else self._converter.structure(raw, params_type)
        except BaseValidationError as error:
            detail = "; ".join(cattrs.transform_error(error)[:3])
            raise LucAstraError(f"{method}: {detail}", code=ErrorCode.INVALID_PARAMS) from error
        except RecursionError as error:
            raise LucAstraError(f"{method}: nested too deeply", code=ErrorCode.INVALID_PARAMS) from error
        except Exception as error:  # lsprotocol's hooks raise what they like on a wrong shape
            raise LucAstraError(f"{method}: {error}", code=ErrorCode.INVALID_PARAMS) from error

    def _reject_body(self, body: bytes, error: Exception) -> None:
        """Answer what can be answered: an invalid message keeps its stream, invalid JSON ends it.

        An id that is none, or none at all, is answered with `id: null`, as JSON-RPC 2.0 asks. Neovim and Helix
        report such a reply as a fault of the server's, but they send no such message; whoever does learns what
        is wrong with it. After broken JSON nothing is known of the sender, so there is no such reply.
        """
        try:
            msgspec.json.decode(body, type=msgspec.Raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # Every client known puts the id first, so it can be read although the JSON after it is broken.
            if (ahead := _ID_AHEAD.match(body)) is not None:
                broken_id = msgspec.json.decode(ahead[1], type=MessageId)
                self._send_error(broken_id, ErrorCode.PARSE_ERROR, "the message is not valid JSON")
            raise FrameError(f"a message of {len(body)} bytes is not JSON-RPC: {type(error).__name__}") from None
        logger.warning("refused an invalid request: %s", type(error).__name__)
        self._send_error(_readable_id(body), ErrorCode.INVALID_REQUEST, f"not a JSON-RPC message: {error}")

    # --- handlers --------------------------------------------------------------------------------

    def _execute_handler(
        self,
        msg_id: MessageId,
        handler: Callable[..., Any],
        callback: Callable[[Future[Any]], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        future = TrioFuture()
        future.add_done_callback(callback)
        try:
            outcome = handler(*(args or ()), **(kwargs or {}))
            if inspect.isgenerator(outcome):
                outcome = _advance(outcome)
        except Exception as error:
            future.set_exception(_leaf(error))
            return
        if not inspect.iscoroutine(outcome):
            future.set_result(outcome)
        elif self._ctx_msg_id.get() is None:
            self._host.run_in_order(future, outcome)
        else:
            self._request_futures[msg_id] = future
            self._host.run_request(future, outcome)

    def _send_handler_result(self, future: Future[Any], *, msg_id: MessageId) -> None:
        if self._request_futures.get(msg_id) is future:  # a cancelled one has left already
            del self._request_futures[msg_id]
        if future.cancelled():
            if self._host.stopping:
                self._send_error(msg_id, ErrorCode.SERVER_CANCELLED, "the daemon is stopping")
            else:
                self._send_error(msg_id, ErrorCode.REQUEST_CANCELLED, "the request was cancelled")
            return
        error = future.exception()
        if error is None:
            try:
                self._send_response(msg_id, future.result())
                return
            except Exception as unencodable:
                error = unencodable
        if isinstance(error, LucAstraError | JsonRpcException):
            self._send_error(msg_id, error.code, error.message, error.data)
            return
        place = place_of(error)
        logger.error("request %r failed: %s", msg_id, place, exc_info=error if logger.isEnabledFor(10) else None)
        self._send_error(msg_id, ErrorCode.INTERNAL_ERROR, f"internal error in lucastrad: {place}; please report it")

    def _check_handler_result(self, future: Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            logger.error("a notification failed: %s", place_of(error))

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        """End this session only; stock pygls ends the process. The relay's exit status tells of the shutdown."""
        self._host.end()

    @lsp_method(lsp.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(self, params: lsp.ExecuteCommandParams) -> Generator[Any, Any, Any]:
        """Run a command; its handler gets all parameters, of which stock pygls leaves out the progress token."""
        handler = self.fm.commands.get(params.command)
        if handler is None:
            known = ", ".join(sorted(self.fm.commands))
            raise LucAstraError(f"unknown command {params.command!r}; known: {known}", code=ErrorCode.INVALID_PARAMS)
        return (yield handler, (params,), None)

    # --- responses and outgoing ------------------------------------------------------------------

    def _handle_response(
        self, msg_id: MessageId, result: Any | None = None, error: lsp.ResponseError | None = None
    ) -> None:
        future = self._request_futures.get(msg_id)
        # A reply to a request of the client's own, or a second one, must not finish anything (pygls issue 621).
        if future is None or isinstance(future, TrioFuture) or future.done():
            logger.info("dropped a reply that nobody waits for")
            return
        super()._handle_response(msg_id, result, error)

    async def send_request_async(self, method: str, params: Any | None = None, msg_id: MessageId | None = None) -> Any:
        """Ask the client; when the wait is cancelled, so is the client's work.

        Raises:
            JsonRpcException: The client answered with an error.
        """
        msg_id = msg_id if msg_id is not None else str(uuid.uuid4())
        answered = trio.Event()
        future = self.send_request(method, params, msg_id=msg_id)
        future.add_done_callback(lambda _: answered.set())
        try:
            await answered.wait()
        finally:
            if not future.done():
                self._request_futures.pop(msg_id, None)
                self._result_types.pop(msg_id, None)
                self.notify(lsp.CANCEL_REQUEST, lsp.CancelParams(id=msg_id))
        return future.result()

    def send_notification(self, method: str, params: msgspec.Struct) -> None:
        """Queue a notification whose parameters are a Struct of the contract."""
        self._host.send(_ENCODER.encode(_Notification(method, params)))

    def _send_response(self, msg_id: MessageId, result: Any | None = None, error: Any | None = None) -> None:
        if error is not None:
            self._send_error(msg_id, error.code, error.message)
            return
        # msgspec would write lsprotocol's attrs classes itself, in snake_case.
        wire = result if isinstance(result, msgspec.Struct) else self._converter.unstructure(result)
        body = _ENCODER.encode(_Reply(msg_id, wire))
        self._host.send(body)
        self._tracing.result(msg_id, len(body))

    def _send_error(self, msg_id: MessageId | None, code: int, message: str, data: Any = None) -> None:
        text = message.encode("utf-8", "replace").decode()
        self._host.send(_ENCODER.encode(_Refusal(msg_id, ResponseError(code=int(code), message=text, data=data))))
        if msg_id is not None:
            self._tracing.error(msg_id, code, text)

    def _log_to_client(self, message: str) -> None:
        if self.initialized:
            self.notify(lsp.WINDOW_LOG_MESSAGE, lsp.LogMessageParams(lsp.MessageType.Log, message))

    def _send_data(self, data: Any) -> None:
        self._host.send(_ENCODER.encode(self._converter.unstructure(data)))

    # Stock pygls puts an lru_cache on these, which keeps every dead session alive.
    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        """lsprotocol's class of a request or notification."""
        return lsp.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        """lsprotocol's class of a response."""
        return lsp.METHOD_TO_TYPES.get(method, (None, None))[1]


def _readable_id(body: bytes) -> MessageId | None:
    """The id of a JSON text that is no message, if it has one."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        msg_id: MessageId = msgspec.json.decode(fields["id"], type=MessageId)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    return msg_id


def _advance(builtin: Generator[Any, Any, Any], value: Any = None) -> Any:
    """Run a builtin of pygls, which yields `(handler, args, kwargs)`, as far as it goes without waiting.

    Returns its result, or a coroutine for the rest.
    """
    while True:
        try:
            handler, args, kwargs = builtin.send(value)
        except StopIteration as stop:
            return stop.value
        value = handler(*(args or ()), **(kwargs or {}))
        if inspect.iscoroutine(value):
            return _finish(builtin, value)


async def _finish(builtin: Generator[Any, Any, Any], work: Coroutine[Any, Any, Any]) -> Any:
    outcome = _advance(builtin, await work)
    return await outcome if inspect.iscoroutine(outcome) else outcome


def _leaf(error: BaseException) -> BaseException:
    """What a group was raised for: what a user can act on, if there is such a one."""
    leaves: list[BaseException] = []
    pending = [error]
    while pending:
        current = pending.pop()
        if isinstance(current, BaseExceptionGroup):
            pending.extend(reversed(current.exceptions))
        else:
            leaves.append(current)
    return next((leaf for leaf in leaves if isinstance(leaf, LucAstraError)), leaves[0])


def place_of(error: BaseException) -> str:
    """An error by type and place, for logs and replies: its message may quote source text."""
    error = _leaf(error)
    traceback = error.__traceback__
    if traceback is None:
        return type(error).__name__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    file = traceback.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} at {file}:{traceback.tb_lineno}"
