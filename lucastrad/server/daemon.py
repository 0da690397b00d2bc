"""The daemon's listening side: it accepts clients until it is asked to stop.

Invariant: the caller owns the store (`storage.lock.own_store`), so whatever stands where our socket
belongs is stale and ours to replace. Only this user's processes are served.
"""

import json
import logging
import os
import secrets
import signal
import socket
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import trio
from lucastra_protocol.connect import peer_uid
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.server.engine import place_of
from lucastrad.server.lifetime import Lifetime
from lucastrad.server.parent import may_be_of
from lucastrad.server.services import Services
from lucastrad.server.session import Session

MAX_SESSIONS = 256
"""Each costs a file descriptor; the indexer needs the rest of the usual 1,024."""
_BACKLOG = 128
_CLOSE_SECONDS = 5.0

logger = logging.getLogger(__name__)


async def serve_clients(
    services: Services,
    paths: Paths,
    *,
    tcp: bool = False,
    idle_exit_seconds: float = 0.0,
    on_stop: Callable[[], None] = lambda: None,
    task_status: trio.TaskStatus[Lifetime] = trio.TASK_STATUS_IGNORED,
) -> str:
    """Serve clients until stopped by a request, SIGTERM, SIGINT, SIGHUP or idleness; return the reason.

    Args:
        services: What handlers may ask.
        paths: Where the socket belongs; its store is owned by this process.
        tcp: Listen on loopback too; clients must present the token of `paths.tcp_endpoint`.
        idle_exit_seconds: Stop after so long without a client; 0 means never.
        on_stop: Called when the stop was asked, before sessions are closed: long work should end now.
        task_status: Started with the Lifetime once clients can connect.

    Raises:
        LucAstraError: NOT_AUTHORISED when the run folder is another user's, STORE_UNAVAILABLE when
            the socket cannot be made.
    """
    # Before there is a socket: whoever finds it may send a signal at once.
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        lifetime = Lifetime()
        sessions: set[Session] = set()
        listeners: list[tuple[trio.SocketListener, str | None]] = [(await listen_unix(paths.socket), None)]
        try:
            if tcp:
                listeners.append(await _listen_tcp(paths.tcp_endpoint))
            async with trio.open_nursery() as serving:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(_stop_on_signals, lifetime, signals)
                    for listener, token in listeners:
                        accept = partial(_serve_client, services, lifetime, sessions, token)
                        # trio.serve_listeners waits and goes on when file descriptors run out.
                        accepting.start_soon(partial(trio.serve_listeners, accept, [listener], handler_nursery=serving))
                    if idle_exit_seconds > 0:
                        accepting.start_soon(lifetime.leave_when_idle, idle_exit_seconds)
                    task_status.started(lifetime)
                    await lifetime.until_stopped()
                    accepting.cancel_scope.cancel()
                logger.info("stopping: %s", lifetime.stop_reason)
                _remove_endpoints(paths)
                on_stop()
                for session in list(sessions):
                    session.close()
                serving.cancel_scope.deadline = trio.current_time() + _CLOSE_SECONDS
        finally:
            _remove_endpoints(paths)
            for listener, _ in listeners:
                listener.socket.close()
        return lifetime.stop_reason


async def _stop_on_signals(lifetime: Lifetime, signals: AsyncIterator[int]) -> None:
    async for number in signals:
        lifetime.stop(signal.Signals(number).name)


async def _serve_client(
    services: Services, lifetime: Lifetime, sessions: set[Session], token: str | None, stream: trio.SocketStream
) -> None:
    if (reason := _unwelcome(stream, lifetime, len(sessions))) is not None:
        logger.warning("turned a client away: %s", reason)
        await trio.aclose_forcefully(stream)
        return
    session = Session(stream, services, lifetime, token=token, owns=partial(may_be_of, stream.socket))
    sessions.add(session)
    try:
        with lifetime.client():
            await session.run()
    # The last boundary: what goes wrong in one session must not end the others.
    except Exception as error:
        logger.error("a session failed: %s", place_of(error))
    finally:
        sessions.discard(session)


def _unwelcome(stream: trio.SocketStream, lifetime: Lifetime, sessions: int) -> str | None:
    if lifetime.stopping:
        return "the daemon is stopping"
    if sessions >= MAX_SESSIONS:
        return f"{MAX_SESSIONS} clients are connected"
    if stream.socket.family != socket.AF_UNIX:
        return None  # the token decides
    uid = peer_uid(stream.socket)
    return None if uid in (None, os.getuid()) else f"it runs as user {uid}"


async def listen_unix(path: Path) -> trio.SocketListener:
    """Listen at `path`, folder 0700 and socket 0600, in place of a socket that a dead daemon left.

    Raises:
        LucAstraError: NOT_AUTHORISED when the folder is another user's, STORE_UNAVAILABLE when it
            cannot be made or written.
    """
    try:
        _make_private(path.parent)
        # Bound under another name, closed to others and then renamed: nobody ever meets it half made.
        unfinished = path.with_name(path.name + "~")
        unfinished.unlink(missing_ok=True)
        listening = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            await listening.bind(os.fspath(unfinished))
            unfinished.chmod(0o600)
            listening.listen(_BACKLOG)
            unfinished.rename(path)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise LucAstraError(
            f"cannot listen on {path}: {error.strerror or error}; make its folder writable",
            code=ErrorCode.STORE_UNAVAILABLE,
        ) from error
    return trio.SocketListener(listening)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise LucAstraError(
            f"{folder} is not a folder of yours; remove it, or set XDG_RUNTIME_DIR or LUCASTRA_HOME to another",
            code=ErrorCode.NOT_AUTHORISED,
        )
    if stat.S_IMODE(state.st_mode) != 0o700:
        folder.chmod(0o700)


async def _listen_tcp(endpoint: Path) -> tuple[trio.SocketListener, str]:
    """Listen on a free loopback port and write port and token, for this user only, to `endpoint`."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=_BACKLOG))[0]
    token = secrets.token_urlsafe(32)
    _make_private(endpoint.parent)
    unfinished = endpoint.with_name(endpoint.name + "~")
    unfinished.unlink(missing_ok=True)
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"port": listener.socket.getsockname()[1], "token": token}, file)
    unfinished.rename(endpoint)
    return listener, token


def _remove_endpoints(paths: Paths) -> None:
    paths.socket.unlink(missing_ok=True)
    paths.tcp_endpoint.unlink(missing_ok=True)
