"""VS Code and Neovim with a real model on a real llama.cpp server: a cited answer and a completion in each.

So small a model does not cite by itself, so it is told what to say; what it offers to write is not judged, but that it
is written.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from beside import Beside, neovim_beside
from llama_server import KEY, Unavailable, llama_server
from nvim_home import environment_of
from nvim_session import Editor
from playwright.sync_api import Browser, expect
from toolchain import Toolchain
from vscode_session import VSCode, vscode
from vscode_views import CHAT, fold, open_chat, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SENTENCE = "retry_with_backoff waits twice as long each time [1]."
QUESTION = f"Say again, with its number in brackets: {SENTENCE}"
MODEL_KEY = {"TEST_MODEL_KEY": KEY}


@pytest.fixture(scope="module")
def window(tools: Toolchain, vsix: Path, browser: Browser) -> Iterator[VSCode]:
    """VS Code on a small project, whose daemon has the real model."""
    try:
        with llama_server("qwen") as server:
            llm: dict[str, Any] = {"provider": "llamafile", "endpoint": server.origin, "api_key": "${TEST_MODEL_KEY}"}
            configuration = {
                "llm": llm | {"max_tokens": 64, "temperature": 0.0, "timeout_secs": 300},
                "conversation": {"max_context_tokens": 1500},
                "completion": {"deadline_secs": 120},
            }
            with vscode(tools, vsix, browser, configuration=configuration, environment=MODEL_KEY) as window:
                wait_until_indexed(window)
                yield window
    except Unavailable as reason:
        pytest.skip(f"ran without a real llama.cpp server: {reason}")


@pytest.fixture(scope="module")
def neovim(window: VSCode) -> Iterator[Beside]:
    """Neovim in the same project, with the same daemon."""
    with neovim_beside(window.folder, environment_of(window.home) | MODEL_KEY) as beside:
        beside.do(lambda editor: editor.command("edit shop/retry.py"))
        beside.do(Editor.connected)
        yield beside


def test_vs_code_shows_an_answer_whose_citation_opens(window: VSCode) -> None:
    chat = open_chat(window)
    chat.locator(CHAT).fill(QUESTION)
    chat.locator(CHAT).press("Enter")
    expect(chat.locator(".footer")).to_contain_text("tokens")
    fold(window, "Search")
    chat.locator(".answer .citation").first.click()
    expect(window.page.locator(".tab.active[data-resource-name='retry.py']")).to_be_visible()


def test_vs_code_writes_what_the_model_offers(window: VSCode) -> None:
    editor = window.open_file("shop/basket.py")
    window.page.keyboard.press("Control+End")
    window.page.keyboard.type("\n    def cheapest_item(self):\nreturn min(")
    ghost = editor.locator(".ghost-text-decoration").first
    expect(ghost).to_be_visible()
    offered = ghost.inner_text()
    window.page.keyboard.press("Tab")
    expect(ghost).to_have_count(0)
    expect(editor).to_contain_text(f"return min({offered}".replace("\N{NO-BREAK SPACE}", " "))


def test_neovim_shows_an_answer_whose_citation_opens(neovim: Beside, window: VSCode) -> None:
    def ask(editor: Editor) -> str:
        editor.command(f"Lucastra ask {QUESTION}")
        editor.until(lambda: any("tokens in" in line for line in editor.lines()))
        answered = editor.lines().index("## LucAstra")
        row = next(n for n, line in enumerate(editor.lines()) if n > answered and line[:1] != "-" and "[1]" in line)
        editor.move(row + 1, editor.lines()[row].index("[1]"))
        editor.keys("<CR>")
        editor.until(lambda: editor.file().startswith(str(window.folder)))
        return editor.file()

    assert neovim.do(ask) == str(window.folder / "shop" / "retry.py")


def test_neovim_writes_what_the_model_offers(neovim: Beside) -> None:
    def complete(editor: Editor) -> str:
        editor.command("edit shop/new.py")
        editor.until(lambda: editor.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'lucastra' })") == 1)
        editor.keys("idef doubled(number):<CR>return ")
        editor.until(lambda: editor.lua("return require('lucastra.ghost.extmarks').is_shown()"))
        assert editor.lua("return require('lucastra').accept()")
        return editor.line()

    assert neovim.do(complete).strip() not in {"", "return"}
