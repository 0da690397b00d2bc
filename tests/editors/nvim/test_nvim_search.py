"""Searching in a real Neovim, against a real daemon."""

from pathlib import Path

import pytest
from nvim_session import Editor

pytestmark = pytest.mark.slow


def test_a_search_fills_the_quickfix_list_and_a_hit_opens(editor: Editor, project: Path) -> None:
    editor.command("Lucastra! search sum of the prices in the basket")
    editor.until(lambda: editor.lua("return vim.bo.buftype") == "quickfix")
    entries = editor.lua("return vim.fn.getqflist()")
    paths = [editor.lua("return vim.fn.bufname(...)", entry["bufnr"]) for entry in entries]
    assert paths[0].endswith("shop/basket.py")
    assert "Basket" in entries[0]["text"]
    editor.command("cc 1")
    assert editor.file() == str(project / "shop" / "basket.py")
    assert editor.cursor()[0] == entries[0]["lnum"]


def test_a_picked_hit_opens_at_its_passage(editor: Editor, project: Path) -> None:
    editor.command("Lucastra search --mode=keyword --lang=python total_price")
    editor.until(lambda: editor.file() == str(project / "shop" / "basket.py"))
    assert any("shop/basket.py" in label for label in editor.lua("return _G.offered"))


def test_related_code_is_found_from_the_cursor(editor: Editor) -> None:
    editor.move(6, 0)
    editor.command("Lucastra! related")
    editor.until(lambda: editor.lua("return vim.bo.buftype") == "quickfix")
    assert editor.lua("return #vim.fn.getqflist()") >= 1
    assert "retry.py:6" in editor.lua("return vim.fn.getqflist({ title = 0 }).title")


def test_text_that_is_not_saved_is_found_and_marked(editor: Editor) -> None:
    editor.lua("vim.api.nvim_buf_set_lines(0, -1, -1, false, { '', 'def quokka_counter():', '    return 7' })")

    def unsaved_hit() -> bool:
        editor.command("Lucastra search --mode=keyword quokka_counter")
        return any("(unsaved)" in label for label in editor.lua("return _G.offered or {}"))

    editor.until(unsaved_hit)


def test_progress_of_indexing_comes_as_lsp_progress(editor: Editor) -> None:
    editor.lua("""
        _G.kinds = {}
        vim.api.nvim_create_autocmd("LspProgress", { callback = function(event)
          table.insert(_G.kinds, event.data.params.value.kind)
        end })
    """)
    editor.command("Lucastra index")
    editor.until(lambda: "end" in editor.lua("return _G.kinds"))
    assert editor.lua("return _G.kinds[1]") == "begin"


def test_a_query_without_hits_says_so(editor: Editor) -> None:
    editor.command("Lucastra search --mode=keyword zyzzyvazyzzyva")
    editor.until_told("nothing was found")


def test_a_mode_that_there_is_not_is_named(editor: Editor) -> None:
    editor.command("Lucastra search --mode=magic cache")
    assert "hybrid, keyword or vector" in editor.until_told("magic")


def test_the_daemon_reports_its_state_and_its_checks(editor: Editor, project: Path) -> None:
    editor.command("Lucastra status")
    editor.until(lambda: editor.lines()[0].startswith("# LucAstra "))
    assert any(str(project) in line for line in editor.lines())
    editor.keys("q")
    editor.until(lambda: editor.file().endswith("retry.py"))
    editor.command("Lucastra doctor")
    editor.until(lambda: editor.lines()[0] == "# LucAstra doctor")
    assert any("store" in line for line in editor.lines())
    editor.keys("q")
    editor.command("Lucastra log")
    editor.until(lambda: editor.file().endswith("lucastrad.log"))


def test_checkhealth_finds_everything_in_order(editor: Editor) -> None:
    editor.command("checkhealth lucastra")
    report = "\n".join(editor.lines())
    assert "ERROR" not in report, report
    assert "lucastrad 1." in report or "lucastrad" in report
    assert "completions are drawn by" in report
