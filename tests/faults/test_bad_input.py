"""Bad input over the real socket: each a clear message, nothing lost, nothing hung."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from lucastra_protocol.connect import connect
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.version import PROTOCOL_VERSION, __version__
from real_daemon import RealDaemon, found, indexed, private_home, until, write

pytestmark = [pytest.mark.slow, pytest.mark.trio]

ANSWER_SECONDS = 15.0
"""Nothing below may take longer, on a machine that does other things as well."""


@pytest.fixture(scope="module")
def running() -> Iterator[RealDaemon]:
    """One daemon for all that it must survive, with one good workspace."""
    with private_home() as daemon:
        write(daemon.folder / "good", {"basket.py": "def total_price(basket):\n    return sum(basket)\n"})

        async def start() -> None:
            await daemon.start()
            async with daemon.client() as client:
                await client.index(daemon.folder / "good")

        trio.run(start)
        yield daemon


@pytest.fixture(autouse=True)
def still_serves(running: RealDaemon) -> Iterator[None]:
    """Whatever a test sent: afterwards the same daemon answers."""
    pid = running.pid
    yield

    async def check() -> None:
        with trio.fail_after(ANSWER_SECONDS):
            async with running.client() as client:
                assert (await client.status()).pid == pid
                assert "basket.py" in await found(client, "total_price")

    trio.run(check)


async def test_odd_files_are_named_with_their_reason_and_the_rest_is_indexed(running: RealDaemon) -> None:
    root = running.folder / "odd"
    write(
        root,
        {
            "plain.py": "def plain_function():\n    return 1\n",
            "empty.py": b"",
            "blank.py": "\n\n   \n",
            "latin1.py": "# größer\ndef latin_function():\n    return 1\n".encode("latin-1"),
            "noise.py": bytes(range(256)) * 8,
            "nul.txt": b"text\0text\n",
            "long_line.py": "value = '" + "x" * 2_000_000 + "'\n",
            "long_line.json": "[" + ",".join(["1"] * 450_000) + "]\n",
            "deep.py": "(\n" * 100_000 + ")\n" * 100_000,
            "deep.json": "[\n" * 100_000 + "]\n" * 100_000,
            "sub/inner.py": "def inner_function():\n    return 2\n",
        },
    )
    os.mkfifo(root / "pipe.py")
    (root / "to_root").symlink_to("/")
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "sub" / "up").symlink_to("..")
    (root / "sub" / "outside.py").symlink_to("/etc/passwd")
    (root / os.fsdecode(b"caf\xe9.py")).write_text("def cafe(): pass\n")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.fspath(root / "socket.py"))
    with (root / "huge.log").open("wb") as file:
        file.truncate(10 * 1024**3)
    with trio.fail_after(ANSWER_SECONDS):
        async with running.client() as client:
            result = await client.index(root)
            files = await indexed(client, root)
            assert result.workspace.problems == []
            for query, path in {"plain_function": "plain.py", "inner_function": "sub/inner.py"}.items():
                assert (await found(client, query, workspaces=[root]))[0] == path
            assert "latin1.py" in await found(client, "latin_function größer", workspaces=[root])
    listening.close()
    skipped = {path: file.reason for path, file in files.items() if file.status == "skipped"}
    expected = {
        "empty.py": "empty",
        "blank.py": "blank",
        "noise.py": "binary",
        "nul.txt": "binary",
        "long_line.py": "larger than 1,048,576 bytes",
        "pipe.py": "not a regular file",
        "socket.py": "not a regular file",
        "to_root": "symbolic link",
        "one": "symbolic link",
        "two": "symbolic link",
        "sub/up": "symbolic link",
        "sub/outside.py": "symbolic link",
        "caf\\xe9.py": "name is not UTF-8",
    }
    assert {path: skipped.get(path) for path in expected} == expected
    assert skipped["huge.log"]
    assert {path for path, file in files.items() if file.status == "failed"} == set()
    assert {"plain.py", "latin1.py", "deep.py", "deep.json", "sub/inner.py"} <= files.keys() - skipped.keys()


async def test_a_folder_with_a_name_that_is_no_utf8_is_a_workspace_like_any_other(running: RealDaemon) -> None:
    root = running.folder / os.fsdecode(b"na\xefve")
    write(root, {"inside.py": "def inside_function():\n    return 3\n"})
    with trio.fail_after(ANSWER_SECONDS):
        async with running.client() as client:
            await client.index(root)
            (hit,) = (await client.search("inside_function", workspaces=[root], limit=1)).hits
            assert hit.uri.endswith("na%EFve/inside.py")
            (root / os.fsdecode(b"\xfftra.py")).write_text("y = 1\n")  # hinted at while the daemon runs
            (root / "later.py").write_text("def later_function():\n    return 4\n")

            async def finds_it() -> bool:
                return "later.py" in await found(client, "later_function", workspaces=[root])

            await until(finds_it)
            await client.index(root)
            assert (await indexed(client, root, skipped_only=True))["\\xfftra.py"].reason == "name is not UTF-8"
            await client.remove(root)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/nowhere/at/all", "not a folder that exists"),
        ("good/basket.py", "not a folder that exists"),
        ("file://elsewhere/home", "names the host"),
        ("file:///nul%00inside", "not an absolute path"),
    ],
)
async def test_a_folder_that_cannot_be_indexed_is_refused_with_the_reason(
    running: RealDaemon, path: str, says: str
) -> None:
    with trio.fail_after(ANSWER_SECONDS):
        async with running.client() as client:
            with pytest.raises(LucAstraError, match=says):
                await client.index(path if ":" in path else running.folder / path)


async def test_a_search_in_a_folder_of_no_workspace_names_the_command_that_adds_it(running: RealDaemon) -> None:
    (running.folder / "unknown").mkdir()
    with trio.fail_after(ANSWER_SECONDS):
        async with running.client() as client:
            with pytest.raises(LucAstraError, match="lucastra-client index") as refused:
                await client.search("x", workspaces=[running.folder / "unknown"])
    assert refused.value.code == ErrorCode.WORKSPACE_NOT_FOUND


async def test_a_file_that_may_not_be_read_is_skipped_with_the_reason() -> None:
    """As another user, since nothing is closed to root."""
    if os.getuid() == 0:
        pytest.skip("root may read everything: see the next test")
    with private_home() as daemon:
        await _unreadable(daemon, daemon.folder / "project")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_a_file_that_may_not_be_read_is_skipped_by_a_scan_of_another_user(running: RealDaemon) -> None:
    root = running.folder / "closed"
    write(root, {"open.py": "x = 1\n", "closed.py": "y = 2\n", "folder/inner.py": "z = 3\n"})
    running.folder.chmod(0o755)
    (root / "closed.py").chmod(0)
    (root / "folder").chmod(0)
    program = (
        "import os, sys\n"
        "from lucastrad.workspace.scanner import ScanRules, scan\n"
        "from lucastrad.workspace.reader import read_file\n"
        "b'x'.decode('utf-8-sig')  # imported here: the other user may not reach the interpreter's library\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "root = sys.argv[1]\n"
        "for entry in scan(root, ScanRules()):\n"
        "    read = read_file(root, entry.path, ScanRules()) if not hasattr(entry, 'reason') else entry\n"
        "    print(entry.path, getattr(read, 'reason', 'read'), sep=': ')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)], capture_output=True, text=True, timeout=30, check=True
    )
    assert sorted(done.stdout.splitlines()) == [
        "closed.py: not readable: permission denied",
        "folder/: not readable: permission denied",
        "open.py: read",
    ]


async def _unreadable(daemon: RealDaemon, root: Path) -> None:
    write(root, {"open.py": "def open_function(): pass\n", "closed.py": "y = 2\n", "folder/inner.py": "z = 3\n"})
    (root / "closed.py").chmod(0)
    (root / "folder").chmod(0)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        files = await indexed(client, root)
        assert {path: file.reason for path, file in files.items() if file.status == "skipped"} == {
            "closed.py": "not readable: permission denied",
            "folder/": "not readable: permission denied",
        }
        (root / "closed.py").chmod(0o600)
        await client.index(root)
        assert (await indexed(client, root))["closed.py"].status == "indexed"


# --- messages --------------------------------------------------------------------------------------

HELLO = {
    "jsonrpc": "2.0",
    "id": "hello",
    "method": "lucastra/hello",
    "params": {"clientName": "test", "clientVersion": __version__, "protocolVersion": PROTOCOL_VERSION},
}


class Wire:
    """A connection on which a test says what it likes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._frames = FrameReader()

    async def reply(self) -> dict[str, Any] | None:
        """The next message; None once the daemon has hung up."""
        try:
            while data := await self.stream.receive_some(65536):
                for body in self._frames.feed(bytes(data)):
                    return msgspec.json.decode(body)
        except trio.BrokenResourceError:
            pass
        return None

    async def ask(self, message: object) -> dict[str, Any] | None:
        await self.stream.send_all(frame(msgspec.json.encode(message)))
        return await self.reply()


@asynccontextmanager
async def wire(daemon: RealDaemon) -> AsyncIterator[Wire]:
    with trio.fail_after(ANSWER_SECONDS):
        stream = await connect(daemon.paths)
        assert stream is not None
        async with stream:
            opened = Wire(stream)
            greeting = await opened.ask(HELLO)
            assert greeting is not None
            assert "result" in greeting
            yield opened


def request(method: str, params: object = None) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


REFUSED: dict[str, tuple[object, ErrorCode, str]] = {
    "an unknown method": (request("lucastra/nonsense", {}), ErrorCode.METHOD_NOT_FOUND, "lucastra/nonsense"),
    "no parameters": (request("lucastra/search"), ErrorCode.INVALID_PARAMS, "query"),
    "an empty query": (request("lucastra/search", {"query": ""}), ErrorCode.INVALID_PARAMS, "query"),
    "a query too long": (request("lucastra/search", {"query": "x" * 5000}), ErrorCode.INVALID_PARAMS, "query"),
    "a number for a query": (request("lucastra/search", {"query": 5}), ErrorCode.INVALID_PARAMS, "query"),
    "a limit of none": (request("lucastra/search", {"query": "x", "limit": 0}), ErrorCode.INVALID_PARAMS, "limit"),
    "an unknown mode": (request("lucastra/search", {"query": "x", "mode": "no"}), ErrorCode.INVALID_PARAMS, "mode"),
    "a list for parameters": (request("lucastra/search", ["x"]), ErrorCode.INVALID_PARAMS, ""),
    "a relative path": (request("lucastra/index", {"path": "project"}), ErrorCode.INVALID_PARAMS, "absolute path"),
    "a line below 0": (request("lucastra/related", {"path": "/x", "line": -1}), ErrorCode.INVALID_PARAMS, "line"),
    "a place in no workspace": (request("lucastra/related", {"path": "/x"}), ErrorCode.WORKSPACE_NOT_FOUND, "/x"),
    "an unknown workspace": (
        request("lucastra/removeWorkspace", {"path": "/x"}), ErrorCode.WORKSPACE_NOT_FOUND, "not a workspace"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_a_wrong_request_is_answered_with_what_is_wrong(running: RealDaemon, name: str) -> None:
    message, code, says = REFUSED[name]
    async with wire(running) as peer:
        reply = await peer.ask(message)
        assert reply is not None
        assert (reply["id"], reply["error"]["code"]) == (7, code)
        assert says in reply["error"]["message"]
        assert "internal error" not in reply["error"]["message"]
        following = await peer.ask(request("lucastra/status", {}))
        assert following is not None
        assert "result" in following


BROKEN: dict[str, bytes] = {
    "no JSON": frame(b"{nonsense"),
    "JSON that is no message": frame(b"[1, 2]"),
    "an empty body": frame(b""),
    "no UTF-8": frame(b'{"jsonrpc": "2.0", "method": "\xff"}'),
    "deep nesting": frame(b'{"jsonrpc":"2.0","id":1,"method":"lucastra/search","params":' + b"[" * 100_000),
    "another version": frame(b'{"jsonrpc": "1.0", "id": 1, "method": "lucastra/status"}'),
    "no header": b"GET / HTTP/1.1\r\n\r\n",
    "a length below 0": b"Content-Length: -5\r\n\r\n",
    "a length without end": b"Content-Length: 99999999999\r\n\r\n",
    "a header without end": b"x" * 100_000,
    "half a message": b"Content-Length: 100\r\n\r\n{",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_message_is_answered_or_ends_its_own_connection_only(running: RealDaemon, name: str) -> None:
    async with wire(running) as neighbour, wire(running) as peer:
        try:
            await peer.stream.send_all(BROKEN[name])
            await peer.stream.send_eof()
        except trio.BrokenResourceError:
            pass  # it has hung up already
        while (reply := await peer.reply()) is not None:
            assert reply["error"]["code"] in (
                ErrorCode.PARSE_ERROR, ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_PARAMS
            )  # fmt: skip
        following = await neighbour.ask(request("lucastra/status", {}))
        assert following is not None
        assert "result" in following


async def test_a_second_daemon_is_refused_and_names_the_first(running: RealDaemon) -> None:
    assert f"the index is open in process {running.pid}" in await running.refused()
