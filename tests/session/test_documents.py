"""Editors' side: initialize, folders, document sync in order and in every position encoding."""

from typing import Any

import pytest
import trio
from fakes import Fakes
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp
from peer import Peer, serving
from pygls.workspace import PositionCodec

from lucastrad.server.documents import Document
from lucastrad.server.session import MAX_WAITING_NOTIFICATIONS, Session

URI = "file:///projects/project/a.py"


def _change(text: str, start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    return {
        "text": text,
        "range": {
            "start": {"line": start[0], "character": start[1]},
            "end": {"line": end[0], "character": end[1]},
        },
    }


async def _open(peer: Peer, text: str) -> None:
    await peer.notify(
        "textDocument/didOpen", {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": text}}
    )


def _text(session: Session) -> str:
    return session.engine.workspace.get_text_document(URI).source


@pytest.mark.trio
@pytest.mark.parametrize(
    ("offered", "chosen", "after_the_smile"),
    [(["utf-8", "utf-16"], "utf-8", 5), (["utf-32"], "utf-32", 2), (["utf-16"], "utf-16", 3), (None, "utf-16", 3)],
)
async def test_every_position_encoding(offered: list[str] | None, chosen: str, after_the_smile: int) -> None:
    async with serving() as (peer, session):
        capabilities = {"general": {"positionEncodings": offered}} if offered else {}
        result = await peer.initialize(capabilities=capabilities)
        assert result["capabilities"]["positionEncoding"] == chosen
        assert result["serverInfo"]["name"] == "lucastrad"
        assert result["capabilities"]["textDocumentSync"]["change"] == 2
        await _open(peer, "ok\na😀b\n")
        change = _change("|", (1, after_the_smile), (1, after_the_smile))
        await peer.notify(
            "textDocument/didChange", {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change]}
        )
        await trio.testing.wait_all_tasks_blocked()
        assert _text(session) == "ok\na😀|b\n"


@pytest.mark.trio
async def test_a_burst_of_edits_is_applied_in_order() -> None:
    async with serving() as (peer, session):
        await peer.initialize()
        await _open(peer, "")
        for number in range(300):
            await peer.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": URI, "version": number + 2},
                    "contentChanges": [_change(f"{number},", (0, 99_999), (0, 99_999))],
                },
            )
        await peer.ask("lucastra/status")
        assert _text(session) == "".join(f"{number}," for number in range(300))
        await peer.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await peer.ask("lucastra/status")
        assert URI not in session.engine.workspace.text_documents


@pytest.mark.trio
async def test_a_change_of_a_document_that_is_not_open_is_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        await peer.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": "hunter2"}]},
        )
        await peer.ask("lucastra/status")
        assert all("method" not in message for message in peer.received)
    assert "a notification failed: KeyError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.trio
async def test_folders_become_workspaces_in_order_and_bad_ones_are_told() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        from pathlib import Path

        fakes.workspaces.refused.add(Path("/projects/gone"))
        folders = [
            {"uri": "file:///projects/one", "name": "one"},
            {"uri": "file:///projects/gone", "name": "gone"},
            {"uri": "untitled:x", "name": "x"},
            {"uri": "file:///projects/tw%20o", "name": "two"},
        ]
        await peer.initialize(workspaceFolders=folders)
        added = {"event": {"added": [{"uri": "file:///projects/three", "name": "three"}], "removed": folders[:1]}}
        await peer.notify("workspace/didChangeWorkspaceFolders", added)
        await trio.testing.wait_all_tasks_blocked()
        attached = [str(path) for path in fakes.workspaces.attached]
        assert attached == ["/projects/one", "/projects/tw o", "/projects/three"]
        await peer.until_method("window/showMessage")
        await peer.ask("lucastra/status")
        warnings = [m["params"]["message"] for m in peer.received if m.get("method") == "window/showMessage"]
        assert warnings[0] == "/projects/gone is no folder"
        assert "untitled:x" in warnings[1]


@pytest.mark.trio
async def test_the_root_stands_in_for_missing_folders() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        await peer.initialize(rootUri="file:///projects/one")
        await trio.testing.wait_all_tasks_blocked()
        assert [str(path) for path in fakes.workspaces.attached] == ["/projects/one"]


@pytest.mark.trio
async def test_many_folder_changes_are_read_no_faster_than_they_are_handled() -> None:
    fakes = Fakes()
    total = MAX_WAITING_NOTIFICATIONS * 2
    async with serving(fakes) as (peer, _):
        await peer.initialize()
        for number in range(total):
            added = {"added": [{"uri": f"file:///projects/{number}", "name": ""}], "removed": []}
            await peer.notify("workspace/didChangeWorkspaceFolders", {"event": added})
        await trio.testing.wait_all_tasks_blocked()
        assert [path.name for path in fakes.workspaces.attached] == [str(number) for number in range(total)]


def _document(text: str, encoding: str = "utf-16") -> Document:
    return Document(URI, text, position_codec=PositionCodec(encoding))


def _edited(text: str, insert: str, start: tuple[int, int], end: tuple[int, int], encoding: str = "utf-16") -> str:
    document = _document(text, encoding)
    document.apply_change(
        lsp.TextDocumentContentChangePartial(lsp.Range(lsp.Position(*start), lsp.Position(*end)), insert)
    )
    return document.source


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("abc", (0, 99), (0, 99), "abcX"),
        ("abc\n", (0, 99), (0, 99), "abcX\n"),
        ("abc\r\nd", (0, 99), (0, 99), "abcX\r\nd"),
        ("abc", (7, 0), (7, 0), "abcX"),
        ("abc\n", (1, 0), (1, 0), "abc\nX"),
        ("", (0, 0), (0, 0), "X"),
        ("a\x0cb\u2028c\nd", (1, 0), (1, 1), "a\x0cb\u2028c\nX"),
        ("a\rb\r\nc\nd", (3, 0), (3, 1), "a\rb\r\nc\nX"),
        ("a\nb\nc", (0, 1), (2, 0), "aXc"),
        ("a\nb", (1, 1), (0, 0), "a\nbX"),
    ],
)
def test_edits_at_the_edges(text: str, start: tuple[int, int], end: tuple[int, int], expected: str) -> None:
    assert _edited(text, "X", start, end) == expected


def test_a_position_inside_a_character_means_its_start() -> None:
    assert _edited("😀", "X", (0, 1), (0, 1)) == "X😀"
    assert _edited("é", "X", (0, 1), (0, 1), "utf-8") == "Xé"


_TEXT = st.text(st.sampled_from("ab\n\r\u2028\x0cé😀"), max_size=30)


@given(_TEXT, st.integers(0, 8), st.integers(0, 8), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_offsets_agree_with_the_lines(text: str, line: int, character: int, encoding: str) -> None:
    document = _document(text, encoding)
    lines = [part.rstrip("\r\n") for part in document.lines]
    if text == "" or text[-1] in "\r\n":
        lines.append("")
    offset = document.offset_at_position(lsp.Position(line, character))
    assert "".join(document.lines) == text
    if line >= len(lines):
        assert offset == len(text)
        return
    start = sum(len(part) for part in document.lines[:line])
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    before = text[start:offset]
    encoded = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]
    assert lines[line].startswith(before)
    assert len(before.encode(encoded)) // width <= character
    if before != lines[line]:
        following = lines[line][: len(before) + 1]
        assert len(following.encode(encoded)) // width > character
