"""VS Code, Neovim and a shell on one project at once: one daemon, one index, and each finds what another has typed."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from beside import Beside, neovim_beside
from nvim_home import environment_of
from nvim_session import Editor
from playwright.sync_api import Browser, expect
from processes import processes_of, until
from shop import SHOP
from toolchain import Toolchain
from vscode_session import VSCode, vscode
from vscode_views import SEARCH, open_search, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# In a browser, VS Code saves a second after the last key unless it is told not to.
UNSAVED = {"files.autoSave": "off"}


@pytest.fixture(scope="module")
def window(tools: Toolchain, vsix: Path, browser: Browser) -> Iterator[VSCode]:
    """VS Code on a small project that it has had indexed."""
    with vscode(tools, vsix, browser, settings=UNSAVED) as window:
        wait_until_indexed(window)
        yield window


@pytest.fixture(scope="module")
def neovim(window: VSCode) -> Iterator[Beside]:
    """Neovim in the same project of the same user."""
    with neovim_beside(window.folder, environment_of(window.home)) as beside:
        beside.do(lambda editor: editor.command("edit shop/retry.py"))
        beside.do(Editor.connected)
        yield beside


def shell(window: VSCode, *arguments: str) -> Any:
    """The document that `lucastra-client` prints in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lucastra_client.cli", *arguments, "--json"],
        cwd=window.folder, env=environment_of(window.home), capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def unsaved_hits(window: VSCode, name: str) -> list[str]:
    """The files in whose unsaved text a shell finds `name`."""
    hits = shell(window, "search", "--mode", "keyword", name)["hits"]
    return [Path(hit["file_path"]).name for hit in hits if hit["unsaved"] and name in hit["content"]]


def listed(editor: Editor, name: str) -> list[str]:
    """The files of Neovim's quickfix list once it has been searched for `name`, a word that no file has."""
    editor.command(f"Lucastra! search --mode=keyword {name}")
    editor.until(lambda: editor.lua("return vim.bo.buftype") == "quickfix")
    paths = editor.lua("return vim.tbl_map(function(one) return vim.fn.bufname(one.bufnr) end, vim.fn.getqflist())")
    editor.command("cclose")
    return [Path(path).name for path in paths]


def embedded(home: Path) -> int:
    """How many vectors the embedding cache was ever given; one that is put in again counts again."""
    (cache,) = home.glob(".lucastra/embeddings/*.sqlite3")
    with closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True)) as connection:
        ((count,),) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'")
        return int(count)


def test_all_of_them_have_the_same_daemon(window: VSCode, neovim: Beside) -> None:
    status = shell(window, "status")
    assert status["pid"] == window.daemon_pid
    assert status["clients"] == len(["VS Code", "Neovim", "the shell"])
    assert len(window.relays()) == len(["VS Code's", "Neovim's"])
    assert len([pid for pid, command in processes_of(window.home) if "lucastrad serve" in command]) == 1
    neovim.do(lambda editor: editor.command("Lucastra status"))
    said = neovim.do(lambda editor: editor.until(lambda: "# LucAstra" in editor.lines()[0] and editor.lines()))
    assert any(f"process {status['pid']}," in line for line in said)
    neovim.do(lambda editor: editor.keys("q"))


def test_the_project_is_indexed_once_for_all(window: VSCode, neovim: Beside) -> None:
    neovim.do(lambda editor: editor.command("Lucastra index"))
    neovim.do(lambda editor: editor.until_told("is up to date"))
    assert shell(window, "index", ".")["workspace"]["root"] == str(window.folder)
    (workspace,) = shell(window, "status")["workspaces"]
    assert workspace["files"] == len(SHOP)
    assert embedded(window.home) == workspace["embedded"] == workspace["chunks"]


def test_neovim_and_the_shell_find_what_is_typed_in_vs_code(window: VSCode, neovim: Beside) -> None:
    window.open_file("shop/basket.py")
    window.page.keyboard.press("Control+End")
    window.page.keyboard.type("\ndef quokka_counter(): pass")
    until(lambda: unsaved_hits(window, "quokka_counter") == ["basket.py"])
    assert neovim.do(lambda editor: listed(editor, "quokka_counter")) == ["basket.py"]
    assert "quokka" not in (window.folder / "shop" / "basket.py").read_text()


def test_vs_code_and_the_shell_find_what_is_typed_in_neovim(window: VSCode, neovim: Beside) -> None:
    neovim.do(lambda editor: editor.keys("Godef wombat_counter(): pass<Esc>"))
    until(lambda: unsaved_hits(window, "wombat_counter") == ["retry.py"])
    search = open_search(window)
    search.locator(SEARCH).fill("wombat_counter")
    expect(search.locator(".hit").first).to_contain_text("def wombat_counter")
    assert "wombat" not in (window.folder / "shop" / "retry.py").read_text()
