"""What one editor holds and has not saved is found by every client of its user, marked, and gone with the editor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from lucastra_client import Client
from lucastra_protocol.connect import connect
from lucastra_protocol.framing import FrameReader, frame
from real_daemon import PATIENCE_SECONDS, RealDaemon, until, write

pytestmark = [pytest.mark.slow, pytest.mark.trio]


class Editor:
    """An LSP client with one document."""

    def __init__(self, stream: trio.abc.Stream, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._version = 0

    async def attach(self, root: Path) -> None:
        params = {"processId": None, "rootUri": root.as_uri(), "capabilities": {}}
        await self._send("initialize", params, id=1)
        frames = FrameReader()
        with trio.fail_after(PATIENCE_SECONDS):
            while data := await self._stream.receive_some(65536):
                if any(msgspec.json.decode(body).get("id") == 1 for body in frames.feed(bytes(data))):
                    break
        await self._send("initialized", {})
        document = {"languageId": "python", "text": self._path.read_text()}
        await self._send("textDocument/didOpen", {"textDocument": {**self._document(), **document}})

    async def replace(self, line: int, text: str) -> None:
        """Put `text` in the place of the 0-based line."""
        span = {"start": {"line": line, "character": 0}, "end": {"line": line + 1, "character": 0}}
        changes = [{"range": span, "text": text}]
        await self._send("textDocument/didChange", {"textDocument": self._document(), "contentChanges": changes})

    async def close(self) -> None:
        await self._send("textDocument/didClose", {"textDocument": {"uri": self._path.as_uri()}})

    def _document(self) -> dict[str, Any]:
        self._version += 1
        return {"uri": self._path.as_uri(), "version": self._version}

    async def _send(self, method: str, params: Any, **fields: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params, **fields}
        await self._stream.send_all(frame(msgspec.json.encode(message)))


@asynccontextmanager
async def editing(daemon: RealDaemon, root: Path, name: str) -> AsyncIterator[Editor]:
    """An editor with a document open; when the block ends, its connection is cut without a word."""
    stream = await connect(daemon.paths)
    assert stream is not None
    try:
        editor = Editor(stream, root / name)
        await editor.attach(root)
        yield editor
    finally:
        await trio.aclose_forcefully(stream)


async def finds(client: Client, query: str, *expected: tuple[str, bool]) -> None:
    """Wait until the keyword hits are these: (path, whether it is unsaved)."""

    async def does() -> bool:
        hits = (await client.search(query, mode="keyword")).hits
        return [(hit.path, hit.unsaved) for hit in hits] == list(expected)

    await until(does)


async def nearest_is(client: Client, query: str, expected: tuple[str, bool, int]) -> None:
    """Wait until the nearest passage is this: (path, whether it is unsaved, first line). Vectors come after words."""

    async def is_so() -> bool:
        best = (await client.search(query, mode="vector")).hits[0]
        return (best.path, best.unsaved, best.range.start.line) == expected

    await until(is_so)


async def test_unsaved_text_is_found_by_others_and_gone_when_the_editor_closes_or_dies(daemon: RealDaemon) -> None:
    source = "def yellow_lamp():\n    return 1\n\n\ndef purple_chair():\n    return 2\n"
    root = write(daemon.folder / "project", {"room.py": source, "other.py": "def green_door(): pass\n"})
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        async with editing(daemon, root, "room.py") as editor:
            await editor.replace(0, "def zebra_crossing():\n")
            await finds(client, "zebra_crossing", ("room.py", True))
            await finds(client, "yellow_lamp")
            await finds(client, "green_door", ("other.py", False))
            await nearest_is(client, "where is the zebra crossing", ("room.py", True, 0))
            await editor.close()
            await finds(client, "zebra_crossing")
            await finds(client, "yellow_lamp", ("room.py", False))
        async with editing(daemon, root, "room.py") as editor:
            await editor.replace(0, "def giraffe_gate():\n")
            await finds(client, "giraffe_gate", ("room.py", True))
        await finds(client, "giraffe_gate")
        await finds(client, "yellow_lamp", ("room.py", False))
        assert (root / "room.py").read_text() == source
        async with editing(daemon, root, "room.py") as editor:
            await editor.replace(0, "def zebra_crossing():\n")
            await finds(client, "zebra_crossing", ("room.py", True))
            (root / "room.py").write_text(source.replace("yellow_lamp", "zebra_crossing"))
            await finds(client, "zebra_crossing", ("room.py", False))
    await daemon.stop()
    for file in daemon.paths.home.rglob("*"):
        assert not file.is_file() or b"giraffe_gate" not in file.read_bytes(), f"unsaved text was written to {file}"


async def test_an_open_document_is_left_out_when_its_path_is_ignored_and_nobody_types(daemon: RealDaemon) -> None:
    root = write(daemon.folder / "project", {"room.py": "def yellow_lamp():\n    return 1\n", ".gitignore": "*.tmp\n"})
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        async with editing(daemon, root, "room.py") as editor:
            await editor.replace(0, "def zebra_crossing():\n")
            await finds(client, "zebra_crossing", ("room.py", True))
            (root / ".gitignore").write_text("room.py\n")
            await finds(client, "zebra_crossing")
            (root / ".gitignore").unlink()
            await finds(client, "zebra_crossing", ("room.py", True))
            write(daemon.paths.home, {"config.json": '{"indexing": {"ignore": ["room.py"]}}'})
            await finds(client, "zebra_crossing")
