"""The listening side in one process: sockets, permissions, sessions beside each other, stopping."""

import errno
import json
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from fakes import Fakes
from lucastra_protocol import connect as connecting
from lucastra_protocol.connect import connect, connect_tcp, open_session, peer_uid, say_hello, tcp_token
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths
from peer import Peer

from lucastrad.server import daemon
from lucastrad.server.daemon import serve_clients
from lucastrad.server.lifetime import Lifetime

pytestmark = pytest.mark.trio


@asynccontextmanager
async def daemon_running(paths: Paths, fakes: Fakes | None = None, **options: Any) -> AsyncIterator[Lifetime]:
    async with trio.open_nursery() as nursery:

        async def serve(*, task_status: trio.TaskStatus[Lifetime]) -> None:
            await serve_clients((fakes or Fakes()).services(), paths, task_status=task_status, **options)

        lifetime: Lifetime = await nursery.start(serve)
        yield lifetime
        lifetime.stop("the test is over")


async def _connected(paths: Paths) -> Peer:
    stream = await connect(paths)
    assert stream is not None
    return Peer(stream)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_this_user_can_reach_the_socket(paths: Paths) -> None:
    paths.run.mkdir(mode=0o755, parents=True)
    async with daemon_running(paths):
        assert (_mode(paths.socket.parent), _mode(paths.socket)) == (0o700, 0o600)
        assert stat.S_ISSOCK(paths.socket.stat().st_mode)
        assert list(paths.run.iterdir()) == [paths.socket]
    assert list(paths.run.iterdir()) == []


async def test_no_tcp_port_is_open_by_default(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a TCP port was opened")

    monkeypatch.setattr(trio, "open_tcp_listeners", refuse)
    async with daemon_running(paths):
        assert not paths.tcp_endpoint.exists()


async def test_the_peers_user_is_known() -> None:
    left, right = socket.socketpair()
    with left, right:
        assert peer_uid(trio.socket.from_stdlib_socket(left)) == os.getuid()


async def test_another_users_process_is_turned_away(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async with daemon_running(paths):
        monkeypatch.setattr(daemon, "peer_uid", lambda _: os.getuid() + 1)
        stranger = await _connected(paths)
        assert await stranger.until_closed() == []


async def test_another_users_daemon_is_not_spoken_to(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async with daemon_running(paths):
        monkeypatch.setattr(connecting, "peer_uid", lambda _: os.getuid() + 1)
        with pytest.raises(LucAstraError, match="not you"):
            await connect(paths)


async def test_a_stale_socket_is_replaced(paths: Paths) -> None:
    paths.run.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(paths.socket))
    assert await connect(paths) is None
    async with daemon_running(paths):
        await (await _connected(paths)).hello()


async def test_a_run_folder_that_is_a_link_is_refused(paths: Paths, tmp_path: Path) -> None:
    paths.home.mkdir()
    (tmp_path / "elsewhere").mkdir()
    paths.run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LucAstraError, match="not a folder of yours"):
        await serve_clients(Fakes().services(), paths)


async def test_a_socket_that_cannot_be_made_is_told(paths: Paths) -> None:
    paths.home.mkdir()
    paths.run.write_text("a file is in the way")
    with pytest.raises(LucAstraError) as refused:
        await serve_clients(Fakes().services(), paths)
    assert refused.value.code == ErrorCode.STORE_UNAVAILABLE


async def test_a_long_home_still_has_a_short_socket(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(paths.home))
    deep = paths.home / ("x" * 120)
    paths = Paths(home=deep, run=deep / "run")
    async with daemon_running(paths):
        await (await _connected(paths)).hello()


async def test_nobody_listens_where_there_is_no_daemon(paths: Paths) -> None:
    assert await connect(paths) is None
    assert await connect_tcp(paths) is None
    assert tcp_token(paths) is None


async def test_a_daemon_too_busy_to_accept_is_waited_for(paths: Paths) -> None:
    paths.run.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(os.fspath(paths.socket))
        busy.listen(0)
        assert await connect(paths) is not None
        connected: list[trio.SocketStream | None] = []

        async def client() -> None:
            connected.append(await connect(paths))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client)
            await trio.testing.wait_all_tasks_blocked()
            assert connected == []
            busy.accept()
        assert isinstance(connected[0], trio.SocketStream)


async def test_fifty_clients_get_their_own_answers(paths: Paths) -> None:
    fakes = Fakes()
    async with daemon_running(paths, fakes) as lifetime:

        async def client(number: int) -> None:
            peer = await _connected(paths)
            async with peer.stream:
                await peer.hello()
                for _ in range(20):
                    folder = f"/projects/{number}"
                    assert await peer.ask("lucastra/removeWorkspace", {"path": folder}) == {"root": folder}
                assert lifetime.clients <= 50

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(client, number)


async def test_a_client_that_vanishes_mid_request_disturbs_nobody(paths: Paths) -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with daemon_running(paths, fakes) as lifetime:
        doomed, other = await _connected(paths), await _connected(paths)
        await other.hello()
        await doomed.hello()
        await doomed.start("lucastra/search", {"query": "x"})
        while not fakes.search.running:
            await trio.testing.wait_all_tasks_blocked(0.001)
        await trio.aclose_forcefully(doomed.stream)
        while lifetime.clients == 2:
            await trio.testing.wait_all_tasks_blocked(0.001)
        assert fakes.search.running == 0
        assert (await other.ask("lucastra/status"))["clients"] == 1


async def test_running_out_of_file_descriptors_is_survived(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    accept, failures = trio.SocketListener.accept, 3

    async def starved(self: trio.SocketListener) -> trio.SocketStream:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return await accept(self)

    monkeypatch.setattr(trio.SocketListener, "accept", starved)
    async with daemon_running(paths):
        await (await _connected(paths)).hello()
    assert failures == 0


async def test_too_many_clients_are_turned_away(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "MAX_SESSIONS", 1)
    async with daemon_running(paths):
        first, second = await _connected(paths), await _connected(paths)
        await first.hello()
        assert await second.until_closed() == []
        await first.ask("lucastra/status")


async def test_stop_closes_every_session_and_tells_the_services_first(paths: Paths) -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    running_at_stop: list[int] = []
    async with daemon_running(paths, fakes, on_stop=lambda: running_at_stop.append(fakes.search.running)):
        waiting, asking = await _connected(paths), await _connected(paths)
        await waiting.hello()
        await asking.hello()
        search = await waiting.start("lucastra/search", {"query": "x"})
        while not fakes.search.running:
            await trio.testing.wait_all_tasks_blocked(0.001)
        assert await asking.ask("lucastra/stop") == {}
        await asking.until_closed()
        assert (await waiting.reply(search))["error"] == {"code": -32802, "message": "the daemon is stopping"}
        await waiting.until_closed()
        assert await connect(paths) is None
    assert running_at_stop == [1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_stop_the_daemon(paths: Paths, number: signal.Signals) -> None:
    async with daemon_running(paths) as lifetime:
        os.kill(os.getpid(), number)
        await lifetime.until_stopped()
    assert lifetime.stop_reason == number.name


async def test_an_idle_daemon_leaves(paths: Paths, autojump_clock: trio.testing.MockClock) -> None:
    reason = await serve_clients(Fakes().services(), paths, idle_exit_seconds=600)
    assert trio.current_time() == pytest.approx(600)
    assert reason == "no client for 10 minutes"


async def test_tcp_needs_the_token_that_only_this_user_can_read(paths: Paths) -> None:
    async with daemon_running(paths, tcp=True):
        assert _mode(paths.tcp_endpoint) == 0o600
        assert json.loads(paths.tcp_endpoint.read_text()).keys() == {"port", "token"}
        stream = await connect_tcp(paths)
        assert stream is not None
        assert stream.socket.getpeername()[0] == "127.0.0.1"
        async with stream:
            with pytest.raises(LucAstraError) as refused:
                await say_hello(stream, client_name="test")
            assert refused.value.code == ErrorCode.NOT_AUTHORISED
            assert (await say_hello(stream, client_name="test", token=tcp_token(paths))).pid == os.getpid()
    assert not paths.tcp_endpoint.exists()


async def test_a_client_of_the_same_version_is_let_in(paths: Paths) -> None:
    async with daemon_running(paths):
        stream, hello = await open_session(paths, client_name="test")
        async with stream:
            assert hello.pid == os.getpid()


async def test_an_older_client_is_told_to_update(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    async with daemon_running(paths) as lifetime:
        monkeypatch.setattr(connecting, "__version__", "1.0.9")
        with pytest.raises(LucAstraError, match="update this client") as refused:
            await open_session(paths, client_name="test")
        assert refused.value.code == ErrorCode.VERSION_MISMATCH
        assert not lifetime.stopping


async def test_a_newer_client_stops_the_daemon_and_starts_its_own(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "__version__", "9.0.0")
    started: list[bool] = []

    async def start(_: Paths, *, extra_env: object) -> trio.SocketStream:
        if (stream := await connect(paths)) is not None:
            return stream
        started.append(True)
        raise LucAstraError("the test starts none", code=ErrorCode.DAEMON_UNREACHABLE)

    monkeypatch.setattr(connecting, "connect_or_start", start)
    async with daemon_running(paths) as lifetime:
        with pytest.raises(LucAstraError, match="the test starts none"):
            await open_session(paths, client_name="test")
        assert lifetime.stop_reason == "a client asked"
    assert started == [True]


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1.0.9", "1.1.0"), ("1.9.0", "1.10.0"), ("1.1.0rc1", "1.1.0"), ("1.1.0.dev3", "1.1.0"), ("garbage", "0.1")],
)
async def test_versions_are_compared_as_versions(older: str, newer: str) -> None:
    assert connecting._precedence(older) < connecting._precedence(newer)
