"""Reach the daemon, start it where none runs, and agree on a version with it.

Shared by the relay and the clients. Invariant: of any number of processes that start the daemon at
once, one spawns it and all connect to it.
"""

import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import trio

from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameError, FrameReader, frame
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import HELLO, STOP, Empty, Envelope, HelloParams, HelloResult, ResponseError
from lucastra_protocol.version import PROTOCOL_VERSION, __version__

START_SECONDS = 15.0
"""How long a daemon may take until it listens."""
HELLO_SECONDS = 10.0
STOP_SECONDS = 20.0
EXIT_STORE_OWNED = 75
"""The exit status of a daemon that found the store owned by another (EX_TEMPFAIL of sysexits.h)."""
_BACKOFF_SECONDS = (0.02, 0.04, 0.08, 0.15)
_TAIL_LINES = 8


class DaemonSilent(LucAstraError):
    """A daemon runs and does not answer: its process is to be ended."""

    code = ErrorCode.DAEMON_UNREACHABLE


class Unanswered(Exception):
    """The daemon closed the connection before it answered: it is about to leave."""


async def connect(paths: Paths) -> trio.SocketStream | None:
    """A connection to the daemon of `paths`, or None when none listens.

    Raises:
        LucAstraError: NOT_AUTHORISED when another user's process listens there, or the socket is not
            ours to use.
        DaemonSilent: The daemon accepts nobody for HELLO_SECONDS.
    """
    if not hasattr(socket, "AF_UNIX"):
        return await connect_tcp(paths)
    with trio.move_on_after(HELLO_SECONDS):
        while True:
            try:
                return await _connect_unix(paths.socket)
            except BlockingIOError:
                await trio.sleep(_BACKOFF_SECONDS[0])
    raise DaemonSilent(
        f"the daemon on {paths.socket} has accepted nobody for {HELLO_SECONDS:.0f} s; end its process and try again"
    )


async def _connect_unix(path: Path) -> trio.SocketStream | None:
    """Raises BlockingIOError when the daemon has more connections waiting than it accepts."""
    connection = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await connection.connect(os.fspath(path))
        try:
            connection.getpeername()
        except OSError:
            # A full backlog answers EAGAIN, which Trio takes for a connection under way.
            raise BlockingIOError from None
        uid = peer_uid(connection)
        if uid not in (None, os.getuid()):
            raise LucAstraError(
                f"user {uid} listens on {path}, not you; remove that file", code=ErrorCode.NOT_AUTHORISED
            )
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        return None
    except PermissionError as error:
        connection.close()
        raise LucAstraError(
            f"{path} may not be opened: {error.strerror}; it must belong to you", code=ErrorCode.NOT_AUTHORISED
        ) from error
    except BaseException:
        connection.close()
        raise
    return trio.SocketStream(connection)


async def connect_tcp(paths: Paths) -> trio.SocketStream | None:
    """A connection to a daemon started with `--tcp`, or None when none listens."""
    try:
        port = int(json.loads(paths.tcp_endpoint.read_bytes())["port"])
        return await trio.open_tcp_stream("127.0.0.1", port)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def tcp_token(paths: Paths) -> str | None:
    """The token that a daemon started with `--tcp` asks for, if there is such a daemon."""
    try:
        return str(json.loads(paths.tcp_endpoint.read_bytes())["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def peer_uid(connection: trio.socket.SocketType) -> int | None:
    """The user id of the process at the other end of a unix socket; None where the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(uid)
    if hasattr(socket, "LOCAL_PEERCRED"):  # macOS and BSD: struct xucred, its level is SOL_LOCAL = 0
        _, uid = struct.unpack_from("II", connection.getsockopt(0, socket.LOCAL_PEERCRED, 76))
        return int(uid)
    return None


async def connect_or_start(paths: Paths, *, extra_env: Mapping[str, str] | None = None) -> trio.SocketStream:
    """A connection to the daemon, which is started when none listens.

    Raises:
        LucAstraError: DAEMON_UNREACHABLE, quoting what the daemon said, when none listens within START_SECONDS.
    """
    deadline = trio.current_time() + START_SECONDS
    spawned: subprocess.Popen[bytes] | None = None
    attempt = 0
    with _StartTurn(paths) as turn:
        while trio.current_time() < deadline:
            if (stream := await connect(paths)) is not None:
                if spawned is not None:
                    spawned.returncode = 0  # it outlives us: Popen must neither wait for it nor warn
                return stream
            status = spawned.poll() if spawned is not None else EXIT_STORE_OWNED
            if status not in (None, EXIT_STORE_OWNED):
                break
            # Another daemon that owned the store may be on its way out: then it is our turn again.
            if status == EXIT_STORE_OWNED and turn.taken():
                spawned = _spawn(paths, extra_env or {})
            await trio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
            attempt += 1
    said = _tail(paths.startup_log)
    raise LucAstraError(
        f"no daemon listens on {paths.socket}"
        + (f"; the one that was started said:\n{said}\n" if said else ", and the one that was started said nothing. ")
        + "Run `lucastrad serve` to see it start",
        code=ErrorCode.DAEMON_UNREACHABLE,
    )


class _StartTurn:
    """Whose turn it is to spawn: held with flock, so that a starter that dies passes it on."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.home / "start.lock"
        self._fd: int | None = None

    def __enter__(self) -> "_StartTurn":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def taken(self) -> bool:
        """Whether the turn is ours now."""
        if self._fd is None:
            try:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise LucAstraError(
                    f"cannot write in {self._path.parent}: {error.strerror}; make it writable, "
                    "or set LUCASTRA_HOME to another folder",
                    code=ErrorCode.DAEMON_UNREACHABLE,
                ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _spawn(paths: Paths, extra_env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, **extra_env}
    if "LUCASTRA_HOME" in environment:
        environment["LUCASTRA_HOME"] = os.fspath(paths.home)  # it may be relative, and the daemon stands elsewhere
    paths.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(paths.startup_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        # -P and the neutral folder: `python -m` would import modules from the folder it stands in,
        # which here is whatever workspace the user has open.
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "lucastrad", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise LucAstraError(
            f"cannot start {sys.executable}: {error.strerror}; install lucastra again",
            code=ErrorCode.DAEMON_UNREACHABLE,
        ) from error
    finally:
        os.close(log)
    return daemon


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:])
    except OSError:
        return ""


async def open_session(
    paths: Paths, *, client_name: str, extra_env: Mapping[str, str] | None = None
) -> tuple[trio.SocketStream, HelloResult]:
    """A connection to a daemon of this very version, hello said; an older daemon is replaced.

    Raises:
        LucAstraError: DAEMON_UNREACHABLE when none can be started or none answers, VERSION_MISMATCH
            when the daemon is newer than this client or will not make room for it.
    """
    deadline = trio.current_time() + START_SECONDS + STOP_SECONDS
    while trio.current_time() < deadline:
        stream = await connect_or_start(paths, extra_env=extra_env)
        try:
            hello = await say_hello(stream, client_name=client_name, token=_token_for(stream, paths))
            if (refusal := _newer_daemon(hello)) is not None:
                raise refusal
            if (hello.protocol_version, hello.daemon_version) == (PROTOCOL_VERSION, __version__):
                return stream, hello
            await ask_to_stop(stream)
        except Unanswered:
            await trio.sleep(_BACKOFF_SECONDS[-1])
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        await trio.aclose_forcefully(stream)
    raise LucAstraError(
        f"the daemon on {paths.socket} keeps closing the connection; see {paths.log}",
        code=ErrorCode.DAEMON_UNREACHABLE,
    )


async def say_hello(stream: trio.abc.Stream, *, client_name: str, token: str | None = None) -> HelloResult:
    """Open a session on `stream`; whatever the daemon sends later is still to be read from it.

    Raises:
        LucAstraError: The daemon's refusal.
        DaemonSilent: It said nothing for HELLO_SECONDS.
        Unanswered: The daemon closed the connection.
    """
    hello = HelloParams(
        client_name=client_name, client_version=__version__, protocol_version=PROTOCOL_VERSION, token=token
    )
    with trio.move_on_after(HELLO_SECONDS):
        return msgspec.json.decode(await _ask(stream, HELLO.name, hello), type=HelloResult)
    raise DaemonSilent(
        f"the daemon accepted the connection and said nothing for {HELLO_SECONDS:.0f} s; "
        "end its process (`lucastrad stop`, else kill it) and try again"
    )


async def ask_to_stop(stream: trio.abc.Stream) -> None:
    """Ask the daemon at the other end to stop, and return once it has closed the connection.

    Raises:
        LucAstraError: VERSION_MISMATCH when it will not.
    """
    with trio.move_on_after(STOP_SECONDS):
        try:
            await _ask(stream, STOP.name, Empty())
            while await stream.receive_some(4096):
                pass
        except (Unanswered, trio.BrokenResourceError):
            pass
        except LucAstraError as error:
            raise LucAstraError(
                f"a daemon of another version runs and will not stop: {error.message}; end its process",
                code=ErrorCode.VERSION_MISMATCH,
            ) from error
        return
    raise LucAstraError(
        f"the daemon has not stopped within {STOP_SECONDS:.0f} s; end its process", code=ErrorCode.VERSION_MISMATCH
    )


async def stop_daemon(paths: Paths) -> bool:
    """Stop the daemon and return once its store is free; False when none runs.

    Raises:
        DaemonSilent: It does not answer, or does not end.
    """
    stream = await connect(paths)
    if stream is None:
        return False
    async with stream:
        try:
            await say_hello(stream, client_name="stop", token=_token_for(stream, paths))
            await ask_to_stop(stream)
        except Unanswered:
            pass
    with trio.move_on_after(STOP_SECONDS):
        while not store_is_free(paths):  # noqa: ASYNC110 (a lock gives no notice)
            await trio.sleep(_BACKOFF_SECONDS[0])
        return True
    raise DaemonSilent(
        f"the daemon closed its socket and still owns {paths.home} after {STOP_SECONDS:.0f} s; end its process"
    )


def store_is_free(paths: Paths) -> bool:
    """Whether no daemon owns the store now."""
    try:
        fd = os.open(paths.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _token_for(stream: trio.SocketStream, paths: Paths) -> str | None:
    return tcp_token(paths) if stream.socket.family == socket.AF_INET else None


async def _ask(stream: trio.abc.Stream, method: str, params: msgspec.Struct) -> msgspec.Raw:
    """The result of one request on a connection where nothing else is under way."""
    request = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
    frames = FrameReader()
    try:
        await stream.send_all(frame(msgspec.json.encode(request)))
        while data := await stream.receive_some(4096):
            for body in frames.feed(bytes(data)):
                reply = msgspec.json.decode(body, type=Envelope)
                if reply.id != method:
                    continue
                if isinstance(reply.error, msgspec.Raw):
                    error = msgspec.json.decode(reply.error, type=ResponseError)
                    raise _refused(error)
                if isinstance(reply.result, msgspec.Raw):
                    return reply.result
    except trio.BrokenResourceError:
        pass
    except (FrameError, msgspec.MsgspecError) as error:
        raise LucAstraError(
            f"what listens there is no LucAstra daemon: {error}", code=ErrorCode.DAEMON_UNREACHABLE
        ) from error
    raise Unanswered


def _refused(error: ResponseError) -> LucAstraError:
    try:
        return LucAstraError(error.message, code=ErrorCode(error.code))
    except ValueError:
        return LucAstraError(error.message)


def _newer_daemon(hello: HelloResult) -> LucAstraError | None:
    daemon = (hello.protocol_version, *_precedence(hello.daemon_version))
    if daemon <= (PROTOCOL_VERSION, *_precedence(__version__)):
        return None
    return LucAstraError(
        f"the daemon that runs is version {hello.daemon_version}, this client is {__version__}; "
        "update this client (`pip install -U lucastra`), or run `lucastrad stop` to use the older version",
        code=ErrorCode.VERSION_MISMATCH,
    )


def _precedence(version: str) -> tuple[tuple[int, ...], bool, str]:
    """A key that orders versions: the release, then its pre-releases before it."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    if release is None:
        return (), False, version
    rest = version[release.end() :].partition("+")[0]
    return tuple(int(part) for part in release[0].split(".")), not rest, rest
