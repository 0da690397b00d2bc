"""Real processes: starting, relaying, being orphaned, stopping. The services behind are fakes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from lucastra_protocol import connect as connecting
from lucastra_protocol.connect import EXIT_STORE_OWNED, connect, connect_or_start, open_session, stop_daemon
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import HelloResult
from lucastra_protocol.version import __version__
from peer import Peer

from lucastrad.server.relay import EXIT_SILENT
from lucastrad.server.relay import relay as relay_between

pytestmark = [pytest.mark.slow, pytest.mark.trio]

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def processes(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the processes that a test starts find the test's home and fakes; end the daemons among them."""
    monkeypatch.setenv("LUCASTRA_HOME", str(paths.home))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    path = [HERE / "launcher", HERE, *(Path(entry).absolute() for entry in sys.path if entry)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(entry) for entry in path))
    yield
    for pid in _started(paths):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _started(paths: Paths) -> list[int]:
    """The process ids of every daemon that has owned the store."""
    starts = paths.home / "starts"
    return [int(line) for line in starts.read_text().split()] if starts.exists() else []


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "lucastrad", *arguments]


@asynccontextmanager
async def _relay(paths: Paths) -> AsyncIterator[tuple[trio.Process, Peer]]:
    relay = await trio.lowlevel.open_process(
        _command("--stdio"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert relay.stdio is not None
    try:
        yield relay, Peer(relay.stdio)
    finally:
        relay.kill()
        await relay.wait()


async def _stderr(process: trio.Process) -> str:
    assert process.stderr is not None
    return b"".join([bytes(data) async for data in process.stderr]).decode()


async def test_twenty_starts_at_once_make_one_daemon(paths: Paths) -> None:
    pids: list[int] = []

    async def client() -> None:
        stream, hello = await open_session(paths, client_name="test")
        pids.append(hello.pid)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(client)
    assert pids == _started(paths) * 20


async def test_twenty_processes_at_once_share_one_daemon(paths: Paths) -> None:
    program = (
        "import trio; from lucastra_protocol.connect import open_session; from lucastra_protocol.paths import Paths\n"
        "print(trio.run(lambda: open_session(Paths.from_environment(), client_name='test'))[1].pid)"
    )
    clients = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(20)]
    answers = [int((await trio.to_thread.run_sync(client.communicate))[0]) for client in clients]
    assert answers == _started(paths) * 20


async def test_a_killed_daemon_is_succeeded(paths: Paths) -> None:
    for round_number in range(1, 4):
        stream, hello = await open_session(paths, client_name="test")
        assert len(_started(paths)) == round_number
        os.kill(hello.pid, signal.SIGKILL)
        assert await Peer(stream).until_closed() == []
        await stream.aclose()


async def test_a_second_daemon_leaves_and_names_the_first(paths: Paths) -> None:
    stream, hello = await open_session(paths, client_name="test")
    second = await trio.run_process(_command("serve"), capture_stderr=True, check=False)
    assert second.returncode == EXIT_STORE_OWNED
    assert f"process {hello.pid}".encode() in second.stderr
    await Peer(stream).ask("lucastra/status")
    await stream.aclose()


async def test_a_daemon_that_cannot_start_is_quoted(paths: Paths) -> None:
    with pytest.raises(LucAstraError, match="the test's store is broken; mend it") as refused:
        await connect_or_start(paths, extra_env={"LUCASTRA_TEST_BROKEN": "1"})
    assert refused.value.code == ErrorCode.DAEMON_UNREACHABLE
    assert "lucastrad serve" in refused.value.message


async def test_modules_in_the_users_folder_are_not_run(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for name in ("trio", "msgspec", "argparse", "lucastrad"):
        (workspace / f"{name}.py").write_text("raise SystemExit('a hostile workspace ran')")
    monkeypatch.chdir(workspace)
    stream, _ = await open_session(paths, client_name="test")
    await stream.aclose()


async def test_stop_returns_when_the_store_is_free(paths: Paths) -> None:
    assert not await stop_daemon(paths)
    await (await connect_or_start(paths)).aclose()
    assert await stop_daemon(paths)
    assert await connect(paths) is None
    again = await trio.run_process(_command("stop"), capture_stdout=True)
    assert again.stdout == b"lucastrad is not running\n"


async def test_a_newer_client_replaces_the_daemon(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await connect_or_start(paths)).aclose()
    asked: list[str] = []
    say_hello = connecting.say_hello

    async def hello_of_an_old_daemon(stream: trio.abc.Stream, **options: str) -> HelloResult:
        hello = await say_hello(stream, **options)
        asked.append(hello.daemon_version)
        if len(asked) > 1:
            return hello
        return HelloResult(daemon_version="1.0.0", protocol_version=1, pid=hello.pid, uptime_seconds=0.0, home="")

    monkeypatch.setattr(connecting, "say_hello", hello_of_an_old_daemon)
    stream, hello = await open_session(paths, client_name="test")
    await stream.aclose()
    first, second = _started(paths)
    assert hello.pid == second != first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_daemon_cleanly(paths: Paths, number: signal.Signals) -> None:
    daemon = await trio.lowlevel.open_process(_command("serve"))
    while (stream := await connect(paths)) is None:  # noqa: ASYNC110 (another process makes the socket)
        await trio.sleep(0.02)
    daemon.send_signal(number)
    assert await daemon.wait() == 0
    assert await Peer(stream).until_closed() == []
    assert not paths.socket.exists()


async def test_the_relay_serves_an_editor_from_start_to_exit(paths: Paths) -> None:
    async with _relay(paths) as (relay, editor):
        result = await editor.initialize()
        assert result["serverInfo"]["name"] == "lucastrad"
        assert (await editor.ask("lucastra/search", {"query": "x"}))["hits"]
        await editor.ask("shutdown")
        await editor.notify("exit")
        assert await relay.wait() == 0


async def test_exit_without_shutdown_makes_the_relay_exit_with_1(paths: Paths) -> None:
    async with _relay(paths) as (relay, editor):
        await editor.initialize()
        await editor.notify("exit")
        assert await relay.wait() == 1


async def test_a_daemon_on_a_terminal_tells_what_it_serves(paths: Paths) -> None:
    ours, theirs = os.openpty()
    daemon = await trio.lowlevel.open_process(_command("serve"), stderr=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as screen:
        told = await trio.to_thread.run_sync(screen.readline)
        daemon.kill()
        await daemon.wait()
    assert told.decode() == f"lucastrad {__version__} serves {paths.home}; Ctrl-C stops it\r\n"


async def test_the_relay_leaves_when_the_editor_closes_its_pipe(paths: Paths) -> None:
    async with _relay(paths) as (relay, editor):
        await editor.initialize()
        assert relay.stdin is not None
        await relay.stdin.aclose()
        assert await relay.wait() == 0
    await (await connect_or_start(paths)).aclose()
    assert len(_started(paths)) == 1


async def test_the_relay_says_that_the_daemon_died(paths: Paths) -> None:
    async with _relay(paths) as (relay, editor):
        await editor.initialize()
        os.kill(_started(paths)[0], signal.SIGKILL)
        assert "the daemon closed the connection" in await _stderr(relay)
        assert await relay.wait() == 1


async def test_the_relay_says_why_it_cannot_reach_a_daemon(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCASTRA_TEST_BROKEN", "1")
    async with _relay(paths) as (relay, _):
        assert "the test's store is broken; mend it" in await _stderr(relay)
        assert await relay.wait() == 1


async def test_the_relay_exits_with_a_status_of_its_own_where_a_daemon_runs_and_says_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connecting, "HELLO_SECONDS", 0.05)
    paths.run.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(paths.socket))
        silent.listen()
        (to_relay, from_editor), (from_relay, to_editor) = os.pipe(), os.pipe()
        assert await relay_between(paths, to_relay, to_editor) == EXIT_SILENT
    os.close(from_editor)
    os.close(from_relay)
    assert "said nothing" in capfd.readouterr().err


async def test_the_relay_leaves_when_its_parent_is_killed_and_the_pipes_stay_open(paths: Paths) -> None:
    """The editor's pipes are ours here, and stay open; the editor itself is a process that is killed."""
    await (await connect_or_start(paths)).aclose()
    to_relay, from_editor = os.pipe()
    from_relay, to_editor = os.pipe()
    editor = (
        "import subprocess, sys, time\n"
        f"relay = subprocess.Popen({_command('--stdio')!r}, stdin={to_relay}, stdout={to_editor})\n"
        "print(relay.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", editor], stdout=subprocess.PIPE, pass_fds=[to_relay, to_editor])
    os.close(to_relay)
    os.close(to_editor)
    assert process.stdout is not None
    relay = int(await trio.to_thread.run_sync(process.stdout.readline))
    async with trio.lowlevel.FdStream(from_editor) as sending, trio.lowlevel.FdStream(from_relay) as receiving:
        peer = Peer(trio.StapledStream(sending, receiving))
        await peer.initialize()
        process.kill()
        process.wait()
        assert (await peer.until_closed())[-1]["id"] == 1
    process.stdout.close()
    with pytest.raises(ProcessLookupError):
        while True:
            os.kill(relay, 0)
            await trio.sleep(0.01)


async def test_starting_is_cheap_to_import() -> None:
    heavy = "numpy pygls lsprotocol cattrs tantivy tokenizers trio"
    program = f"import sys, lucastrad.cli; print([name for name in {heavy.split()} if name in sys.modules])"
    result = await trio.run_process([sys.executable, "-c", program], capture_stdout=True)
    assert result.stdout == b"[]\n"
