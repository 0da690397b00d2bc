"""Many clients of one daemon, its idle exit, and what stays behind of an editor that is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from lucastra_protocol.connect import connect
from lucastra_protocol.framing import frame
from real_daemon import PATIENCE_SECONDS, RealDaemon, all_gone, is_alive, until, write

pytestmark = [pytest.mark.slow, pytest.mark.trio]

CLIENTS = 50
SEARCHES = 100
MODES = ("hybrid", "keyword", "vector")


def project(daemon: RealDaemon) -> Path:
    return write(
        daemon.folder / "project",
        {f"module{n}.py": f"def function{n}(value):\n    return value * {n}\n" for n in range(50)},
    )


async def test_fifty_clients_with_a_hundred_searches_each_are_all_answered(daemon: RealDaemon) -> None:
    root = project(daemon)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
    answered = 0

    async def ask(number: int) -> None:
        nonlocal answered
        async with daemon.client() as client:
            for search in range(SEARCHES):
                mode = MODES[search % 3]
                result = await client.search(f"function{number}", mode=mode, limit=3)
                assert result.hits
                if mode != "vector":
                    assert result.hits[0].path == f"module{number}.py"
                answered += 1

    with trio.fail_after(100):
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(ask, number)
            nursery.start_soon(_killed_in_mid_request, daemon)
    assert answered == CLIENTS * SEARCHES
    async with daemon.client() as client:
        status = await client.status()
        assert (status.pid, status.problems) == (daemon.pid, [])

        async def alone() -> bool:
            return (await client.status()).clients == 1

        await until(alone)


async def _killed_in_mid_request(daemon: RealDaemon) -> None:
    """A client process that dies with a hundred requests on their way, the last of them cut short."""
    request = b'{"jsonrpc":"2.0","id":%d,"method":"lucastra/search","params":{"query":"function"}}'
    hello = (
        b'{"jsonrpc":"2.0","id":0,"method":"lucastra/hello",'
        b'"params":{"clientName":"doomed","clientVersion":"1","protocolVersion":1}}'
    )
    data = frame(hello) + b"".join(frame(request % number) for number in range(1, 100)) + frame(request % 100)[:-9]
    program = (
        "import os, signal, socket, sys\n"
        "peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])\n"
        "peer.sendall(sys.stdin.buffer.read())\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for _ in range(5):
        done = await trio.run_process(
            [sys.executable, "-c", program, os.fspath(daemon.paths.socket)], stdin=data, check=False
        )
        assert done.returncode == -9


async def test_the_daemon_leaves_when_nobody_has_needed_it_for_long_enough(daemon: RealDaemon) -> None:
    root = project(daemon)
    await daemon.start("--idle-exit-minutes", "0.02")
    async with daemon.client() as client:
        await client.index(root)
        workers = daemon.workers()
    assert await daemon.left() == 0
    await all_gone(workers, PATIENCE_SECONDS)
    assert not daemon.paths.socket.exists()


async def test_a_killed_editor_leaves_no_relay_and_disturbs_nobody(daemon: RealDaemon) -> None:
    """The editor's own children hold its pipes open, as language servers and terminals do."""
    await daemon.start()
    editor = (
        "import subprocess, sys, time\n"
        "relay = subprocess.Popen([sys.executable, '-P', '-m', 'lucastrad', '--stdio'],\n"
        "                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(relay.pid, flush=True)\n"
        "child = subprocess.Popen(['sleep', '300'], pass_fds=[relay.stdin.fileno(), relay.stdout.fileno()])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(300)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", editor], stdout=subprocess.PIPE, env=daemon.environment)
    assert process.stdout is not None
    relay = int(await trio.to_thread.run_sync(process.stdout.readline))
    child = int(await trio.to_thread.run_sync(process.stdout.readline))
    try:
        async with daemon.client() as client:

            async def connected() -> bool:
                return (await client.status()).clients == 2

            await until(connected)
            process.kill()
            process.wait()
            await until(lambda: not is_alive(relay), 5.0)
            assert (await client.status()).pid == daemon.pid
    finally:
        os.kill(child, 9)
        process.stdout.close()


async def test_a_stop_answers_what_runs_and_leaves_nothing_behind(daemon: RealDaemon) -> None:
    root = project(daemon)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        workers = daemon.workers()
        await client.stop()
    assert await daemon.left() == 0
    assert await connect(daemon.paths) is None
    await all_gone(workers, PATIENCE_SECONDS)
