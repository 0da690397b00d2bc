"""Ghost text in a real Neovim: shown while typing, accepted whole or by words, withdrawn when it does not fit."""

from typing import Any

import pytest
from model_server import ModelServer
from nvim_session import Editor

pytestmark = pytest.mark.slow

SHOWN = """
local space = vim.api.nvim_get_namespaces()["lucastra.ghost"]
local marks = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })
if #marks == 0 then return nil end
local details = marks[1][4]
local lines = { details.virt_text[1][1] }
for _, line in ipairs(details.virt_lines or {}) do table.insert(lines, line[1][1]) end
return table.concat(lines, "\\n")
"""
KEYS = """
vim.keymap.set("i", "<Tab>", function() return require("lucastra").accept() and "" or "<Tab>" end, { expr = true })
vim.keymap.set("i", "<C-l>", "<Plug>(lucastra-accept-word)")
vim.keymap.set("i", "<C-e>", "<Plug>(lucastra-dismiss)")
vim.keymap.set("i", "<C-n>", "<Plug>(lucastra-next)")
"""


def ghost(editor: Editor) -> Any:
    return editor.lua(SHOWN)


def counts(editor: Editor, language: str, names: list[str]) -> dict[str, int]:
    """What the daemon has counted of a language."""
    status = editor.lua("""
        local client = vim.lsp.get_clients({ name = "lucastra" })[1]
        return client:request_sync("lucastra/status", vim.empty_dict(), 30000).result
    """)
    found = [one for one in status.get("completions", []) if one["language"] == language]
    return {name: found[0][name] for name in names if found and name in found[0]}


@pytest.fixture
def typing(editor: Editor, model: ModelServer) -> Editor:
    """A new file, and the mappings of a user."""
    editor.lua(KEYS)
    editor.command("edit shop/new.py")
    editor.lua("vim.bo.expandtab = true")
    editor.until(lambda: editor.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'lucastra' })") == 1)
    return editor


def test_ghost_text_appears_and_tab_writes_it(typing: Editor, model: ModelServer) -> None:
    model.fill = "sum(prices)"
    typing.keys("idef total(prices):<CR>return ")
    typing.until(lambda: ghost(typing) == "sum(prices)")
    typing.keys("<Tab>")
    typing.until(lambda: typing.line() == "    return sum(prices)")
    assert typing.cursor() == (2, len("    return sum(prices)"))
    assert "def total(prices):\n    return " in model.requests[-1].values()


def test_typing_what_is_offered_keeps_it_and_anything_else_withdraws_it(typing: Editor, model: ModelServer) -> None:
    model.fill = "alpha + beta"
    typing.keys("itotal = ")
    typing.until(lambda: ghost(typing) == "alpha + beta")
    asked = len(model.requests)
    typing.keys("alp")
    typing.until(lambda: ghost(typing) == "ha + beta")
    assert len(model.requests) == asked
    model.fill = ""
    typing.keys("x")
    typing.until(lambda: ghost(typing) is None)
    assert typing.line() == "total = alpx"


def test_words_are_accepted_one_by_one(typing: Editor, model: ModelServer) -> None:
    model.fill = "first + second"
    typing.keys("itotal = ")
    typing.until(lambda: ghost(typing) == "first + second")
    typing.keys("<C-l>")
    typing.until(lambda: typing.line() == "total = first")
    typing.until(lambda: ghost(typing) == " + second")
    typing.keys("<C-l><C-l>")
    typing.until(lambda: typing.line() == "total = first + second")


def test_the_daemon_counts_what_is_shown_and_what_is_taken(typing: Editor, model: ModelServer) -> None:
    typing.command("edit! shop/new.rb")  # of a language that no other test writes
    typing.until(lambda: typing.lua("return #vim.lsp.get_clients({ bufnr = 0, name = 'lucastra' })") == 1)
    typing.command("Lucastra completion off")  # else a slow machine offers, and counts, between two of the letters
    model.fill = "one + two"
    typing.keys("itotal = <C-n>")
    typing.until(lambda: ghost(typing) == "one + two")
    typing.keys("<C-l>")
    typing.until(lambda: ghost(typing) == " + two")
    typing.keys("<Tab>")
    typing.until(lambda: typing.line() == "total = one + two")
    count = {"shown": 1, "partiallyAccepted": 1, "accepted": 1}
    typing.until(lambda: counts(typing, "ruby", list(count)) == count)


def test_several_lines_are_drawn_and_written(typing: Editor, model: ModelServer) -> None:
    model.fill = "\n    for item in items:\n        yield item"
    typing.keys("idef walk(items):")
    typing.until(lambda: (ghost(typing) or "").count("\n") == 2)
    typing.keys("<Tab>")
    typing.until(lambda: len(typing.lines()) == 3)
    assert typing.lines() == ["def walk(items):", "    for item in items:", "        yield item"]
    typing.keys("<Esc>u")
    typing.until(lambda: typing.lines() == ["def walk(items):"])


def test_dismissed_ghost_text_is_gone_and_can_be_asked_for_again(typing: Editor, model: ModelServer) -> None:
    model.fill = "alpha"
    typing.keys("itotal = ")
    typing.until(lambda: ghost(typing) == "alpha")
    typing.keys("<C-e>")
    typing.until(lambda: ghost(typing) is None)
    typing.keys("<C-n>")
    typing.until(lambda: ghost(typing) == "alpha")
    typing.keys("<Esc>")
    typing.until(lambda: ghost(typing) is None)


def test_without_an_offer_tab_is_tab(typing: Editor, model: ModelServer) -> None:
    typing.command("Lucastra completion off")
    typing.keys("ix<Tab>y")
    typing.until(lambda: typing.line().endswith("y"))
    assert typing.line().split() == ["x", "y"]
    assert not model.requests
