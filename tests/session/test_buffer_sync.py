"""What an editor holds reaches the overlay exactly, in order, and leaves with the editor."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from fakes import Fakes
from peer import Peer, serving
from real_services import real_services, write_workspace

from lucastrad.server.lifetime import Lifetime
from lucastrad.server.services import Services
from lucastrad.server.session import Session

pytestmark = pytest.mark.trio

PATH = "/projects/project/a.py"
URI = f"file://{PATH}"


def _range(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }


async def _open(peer: Peer, text: str, *, uri: str = URI) -> None:
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    await peer.notify("textDocument/didOpen", {"textDocument": document})


async def _change(peer: Peer, *changes: dict[str, Any], uri: str = URI, version: int = 2) -> None:
    document = {"uri": uri, "version": version}
    await peer.notify("textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)})


async def test_the_overlay_is_told_of_every_document_of_the_disk() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        await _open(peer, "one\n")
        await trio.testing.wait_all_tasks_blocked()
        await _change(
            peer, {"text": "two ", "range": _range((0, 0), (0, 0))}, {"text": "!", "range": _range((1, 0), (1, 0))}
        )
        await peer.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
        await _open(peer, "nowhere", uri="untitled:Untitled-1")
        await _change(peer, {"text": "nowhere at all"}, uri="untitled:Untitled-1")
        await peer.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await trio.testing.wait_all_tasks_blocked()
        assert fakes.buffers.told == [
            ("opened", PATH, "one\n"),
            ("changed", PATH, "two one\n!"),
            ("saved", PATH),
            ("closed", PATH),
        ]
    assert fakes.buffers.told[-1] == ("left",)


async def test_a_document_is_taken_once_its_folder_is_a_workspace_and_as_it_is_by_then() -> None:
    fakes = Fakes()
    attaching = trio.Event()
    attach = fakes.workspaces.attach

    async def slowly(path: Path) -> None:
        await attaching.wait()
        await attach(path)

    fakes.workspaces.attach = slowly  # type: ignore[method-assign]
    async with serving(fakes) as (peer, _):
        await peer.initialize(rootUri="file:///projects/project")
        await _open(peer, "one")
        await _change(peer, {"text": "two"})
        await _open(peer, "three", uri="file:///projects/project/b.py")
        await peer.notify("textDocument/didClose", {"textDocument": {"uri": "file:///projects/project/b.py"}})
        await trio.testing.wait_all_tasks_blocked()
        attaching.set()
        await trio.testing.wait_all_tasks_blocked()
        assert fakes.buffers.told == [
            ("changed", PATH, "two"),
            ("closed", "/projects/project/b.py"),
            ("opened", PATH, "two"),
        ]


async def test_saves_are_asked_for() -> None:
    async with serving() as (peer, _):
        result = await peer.initialize()
        assert result["capabilities"]["textDocumentSync"]["save"]


# --- two editors ------------------------------------------------------------------------------


@asynccontextmanager
async def _session(services: Services) -> AsyncIterator[Peer]:
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Session(theirs, services, Lifetime()).run)
        peer = Peer(ours)
        await peer.hello()
        yield peer
        await ours.aclose()


async def _found(peer: Peer, query: str) -> list[tuple[str, bool]]:
    result = await peer.ask("lucastra/search", {"query": query, "mode": "keyword"})
    return [(hit["path"], hit.get("unsaved", False)) for hit in result.get("hits", [])]


async def _until_found(peer: Peer, query: str, expected: list[tuple[str, bool]]) -> None:
    """Ask until the answer is `expected`: nothing announces that a buffer was cut."""
    with trio.fail_after(30):
        while True:
            if await _found(peer, query) == expected:
                return
            await trio.sleep(0.01)


async def test_what_one_editor_has_not_saved_is_found_by_all_sessions_until_that_editor_leaves(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "sample"
    write_workspace(root)
    uri = (root / "src/config.py").as_uri()
    async with real_services(tmp_path / "home", model_says=None) as services, _session(services) as reader:
        await reader.ask("lucastra/index", {"path": str(root)})
        async with _session(services) as writer:
            await writer.initialize(rootUri=root.as_uri())
            await _open(writer, (root / "src/config.py").read_text(), uri=uri)
            await _change(writer, {"text": "zebra_crossing", "range": _range((4, 4), (4, 15))}, uri=uri)
            await _until_found(reader, "zebra_crossing", [("src/config.py", True)])
            assert "def load_config" not in str(await reader.ask("lucastra/search", {"query": "load_config"}))
            result = await reader.ask("lucastra/ask", {"question": "where is zebra_crossing?"})
            assert result["citations"][0]["hit"]["unsaved"] is True
            place = {"path": str(root / "src/config.py"), "line": 4}
            related = await reader.ask("lucastra/related", place)
            assert all("zebra_crossing" not in hit["content"] for hit in related.get("hits", []))
        await _until_found(reader, "zebra_crossing", [])
        assert ("src/config.py", False) in await _found(reader, "load_config")


# --- a long day ---------------------------------------------------------------------------------

_PIECES = (
    "a",
    "bc ",
    "é",
    "\u4e16",
    "😀",
    "e\u0301",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\x0c",
    "\u2028",
    "\x85",
    "\x0b",
    "\t",
    "",
)
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


@dataclass
class Model:
    """An editor's own idea of a text: lines that end at `\\n`, `\\r\\n` or `\\r`, and positions in its units."""

    text: str
    encoding: str

    def lines(self) -> list[tuple[int, int]]:
        """Where each line starts and ends, its line end not counted."""
        found, start, at = [], 0, 0
        while at < len(self.text):
            if self.text[at] in "\r\n":
                found.append((start, at))
                at += 2 if self.text.startswith("\r\n", at) else 1
                start = at
            else:
                at += 1
        return [*found, (start, len(self.text))]

    def place(self, choice: random.Random) -> tuple[int, tuple[int, int]]:
        """A place as an offset and as a position; now and then the position is past the end of the line or the text."""
        lines = self.lines()
        if choice.random() < 0.05:
            return len(self.text), (len(lines) + choice.randrange(3), choice.randrange(9))
        number = choice.randrange(len(lines))
        start, end = lines[number]
        offset = choice.randint(start, end)
        codec, width = _UNITS[self.encoding]
        units = len(self.text[start:offset].encode(codec)) // width
        past = choice.randrange(1, 99) if offset == end and choice.random() < 0.3 else 0
        return offset, (number, units + past)

    def edit(self, choice: random.Random) -> dict[str, Any]:
        """Change something, and say so as LSP does."""
        text = "".join(choice.choices(_PIECES, k=choice.choice((0, 1, 1, 2, 8))))
        if choice.random() < 0.01:
            self.text = text
            return {"text": text}
        (start, first), (end, last) = sorted(self.place(choice) for _ in range(2))
        if end - start > 40 and len(self.text) < 1500:
            end, last = start, first
        self.text = self.text[:start] + text + self.text[end:]
        return {"text": text, "range": _range(first, last)}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", _UNITS)
async def test_after_10_000_edits_the_buffer_is_the_editors_own(encoding: str) -> None:
    choice = random.Random(f"a long day in {encoding}")
    fakes, model, edits = Fakes(), Model("first\r\nsecond\rthird\n", encoding), 0
    async with serving(fakes) as (peer, session):
        await peer.initialize(capabilities={"general": {"positionEncodings": [encoding]}})
        await _open(peer, model.text)
        while edits < 10_000:
            for _ in range(20):
                changes = [model.edit(choice) for _ in range(choice.choice((1, 1, 1, 3)))]
                edits += len(changes)
                await _change(peer, *changes, version=edits + 1)
            await peer.ask("lucastra/status")
            assert session.engine.workspace.get_text_document(URI).source == model.text, f"after {edits} edits"
            assert fakes.buffers.told[-1] == ("changed", PATH, model.text)
            fakes.buffers.told.clear()
            peer.received.clear()
            if choice.random() < 0.02:
                await peer.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
                await _open(peer, model.text)
