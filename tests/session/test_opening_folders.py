"""What an editor's start brings along: its folders, how they are indexed, and its process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from fakes import Fakes
from peer import Peer, serving

from lucastrad.server import parent
from lucastrad.types import IndexProgress, WorkspaceState

pytestmark = pytest.mark.trio

FOLDER = {"uri": "file:///projects/project", "name": "project"}
OTHER = {"uri": "file:///projects/other", "name": "other"}
SHOWS_PROGRESS = {"window": {"workDoneProgress": True}}


def progress_of(peer: Peer) -> list[str]:
    values = [message["params"]["value"] for message in peer.received if message.get("method") == "$/progress"]
    return [value.get("title") or value.get("message") or value["kind"] for value in values]


async def test_an_editor_is_shown_how_its_folder_is_indexed() -> None:
    fakes = Fakes()
    fakes.workspaces.progress = [
        IndexProgress(WorkspaceState.SCANNING, 0, 0, 0, 0),
        IndexProgress(WorkspaceState.INDEXING, 20, 40, 100, 0),
        IndexProgress(WorkspaceState.READY, 40, 40, 200, 200),
    ]
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=[FOLDER], capabilities=SHOWS_PROGRESS)
        request = await peer.until_method("window/workDoneProgress/create")
        await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": None})
        while "end" not in progress_of(peer):
            await peer.receive()
        assert progress_of(peer) == [
            "Indexing project",
            "indexing: 20 of 40 files",
            "ready: 40 of 40 files",
            "end",
        ]
        begin = (await peer.until_method("$/progress"))["params"]["value"]
        assert begin["cancellable"] is False, "other editors may wait for the same index"


async def test_a_folder_that_is_indexed_already_shows_nothing() -> None:
    fakes = Fakes()
    fakes.workspaces.progress = [IndexProgress(WorkspaceState.READY, 40, 40, 200, 200)]
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=[FOLDER], capabilities=SHOWS_PROGRESS)
        await trio.testing.wait_all_tasks_blocked()
        await peer.ask("lucastra/status")
        assert fakes.workspaces.followed == [Path("/projects/project")]
        assert all("method" not in message for message in peer.received)


async def test_indexing_does_not_hold_up_later_notifications() -> None:
    fakes = Fakes()
    fakes.workspaces.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=[FOLDER], capabilities=SHOWS_PROGRESS)
        event = {"added": [OTHER], "removed": []}
        await peer.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await trio.testing.wait_all_tasks_blocked()
        assert fakes.workspaces.attached == [Path("/projects/project"), Path("/projects/other")]


async def test_commands_cover_the_folders_that_are_open_now() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=[FOLDER])
        for event, folders in (
            ({"added": [OTHER], "removed": []}, ("/projects/project", "/projects/other")),
            ({"added": [], "removed": [FOLDER]}, ("/projects/other",)),
            ({"added": [], "removed": [FOLDER]}, ("/projects/other",)),
        ):
            await peer.notify("workspace/didChangeWorkspaceFolders", {"event": event})
            arguments = {"command": "lucastra.search", "arguments": [{"query": "x", "show": False}]}
            await peer.ask("workspace/executeCommand", arguments)
            assert fakes.search.queries[-1].folders == folders


@pytest.mark.parametrize("polled", [False, True])
async def test_a_session_ends_with_its_editors_process(polled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if polled:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
        monkeypatch.setattr(parent, "POLL_SECONDS", 0.01)
    editor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    async with serving() as (peer, _):
        await peer.initialize(processId=editor.pid)
        editor.kill()
        editor.communicate()
        await peer.until_closed()


async def test_a_process_of_another_machine_ends_nothing() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    async with serving() as (peer, _):
        await peer.initialize(processId=gone.pid)
        await trio.testing.wait_all_tasks_blocked()
        await peer.ask("lucastra/status")


async def test_the_end_of_a_process_that_is_none_of_the_clients_ends_nothing() -> None:
    foreign = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    async with serving(owns=lambda pid: pid != foreign.pid) as (peer, _):
        await peer.initialize(processId=foreign.pid)
        foreign.kill()
        foreign.communicate()
        await trio.testing.wait_all_tasks_blocked()
        await peer.ask("lucastra/status")


CONNECTS = """
import socket, sys, time
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
sys.stdin.read()
"""
STARTS_IT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="only Linux tells which process is connected")
async def test_a_clients_process_is_the_one_that_is_connected_or_has_started_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listening = trio.socket.socket(socket.AF_UNIX)
    await listening.bind(str(path))
    listening.listen()
    # An editor that starts a relay, which connects; and something else of this user's.
    editor = subprocess.Popen([sys.executable, "-c", STARTS_IT, CONNECTS, str(path)], stdin=subprocess.PIPE)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        connection, _ = await listening.accept()
        with connection:
            assert parent.may_be_of(connection, editor.pid)
            assert parent.may_be_of(connection, os.getpid()), "which has started the editor"
            assert not parent.may_be_of(connection, other.pid)
            editor.communicate()
            assert not parent.may_be_of(connection, editor.pid), "it is gone, and its number may be another's"
    finally:
        listening.close()
        for process in (editor, other):
            process.kill()
            process.communicate()


async def test_over_tcp_no_process_is_known_to_be_the_clients() -> None:
    with trio.socket.socket(socket.AF_INET) as connection:
        assert not parent.may_be_of(connection, os.getpid())
