"""Questions and their cited answers in a real Neovim: real daemon, scripted model."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from model_server import ModelServer
from nvim_session import Editor

pytestmark = pytest.mark.slow


def text(editor: Editor) -> str:
    return "\n".join(editor.lines())


def until_answered(editor: Editor) -> str:
    editor.until(lambda: not editor.lua("return require('lucastra.chat').current().running ~= nil"))
    return text(editor)


def put_cursor_on(editor: Editor, part: str, *, after: str) -> None:
    """On the first `part` below the line that begins with `after`."""
    lines = editor.lines()
    start = next(row for row, line in enumerate(lines) if line.startswith(after))
    row = next(row for row in range(start, len(lines)) if part in lines[row])
    editor.move(row + 1, lines[row].encode().index(part.encode()))


def test_an_answer_streams_below_its_passages_and_its_citation_opens(
    editor: Editor, model: ModelServer, project: Path
) -> None:
    model.answer, model.gate = ("It calls again ", "after a failure [1].\n"), threading.Event()
    editor.command("Lucastra ask How does retry_with_backoff wait between attempts?")
    editor.until(lambda: "It calls again" in text(editor))
    so_far = text(editor)
    assert so_far.index("- [1] shop/retry.py:") < so_far.index("It calls again")
    assert "after a failure" not in so_far
    assert editor.lua("return require('lucastra').statusline()") == "LucAstra: answering"
    assert not editor.lua("return vim.bo.modifiable")

    model.gate.set()
    whole = until_answered(editor)
    assert "It calls again after a failure [1]." in whole
    assert "*llm/scripted-1" in whole
    assert whole.endswith("## You\n\n")

    put_cursor_on(editor, "[1]", after="It calls again")
    editor.keys("<CR>")
    editor.until(lambda: editor.file() == str(project / "shop" / "retry.py"))
    assert "retry_with_backoff" in "\n".join(editor.lines()[editor.cursor()[0] - 1 :])


def test_a_listed_passage_opens_by_gf(editor: Editor, model: ModelServer, project: Path) -> None:
    editor.command("Lucastra ask What does total_price add up?")
    until_answered(editor)
    put_cursor_on(editor, "shop/basket.py", after="## LucAstra")
    editor.keys("gf")
    editor.until(lambda: editor.file() == str(project / "shop" / "basket.py"))


def test_a_stopped_answer_keeps_what_has_arrived_and_is_asked_again(editor: Editor, model: ModelServer) -> None:
    model.answer, model.gate = ("Half an ", "answer."), threading.Event()
    editor.command("Lucastra ask What does total_price return?")
    editor.until(lambda: "Half an" in text(editor))
    editor.keys("<C-c>")
    editor.until(lambda: "you stopped it" in text(editor))
    assert "Half an\n" in text(editor)
    model.gate.set()
    model.gate, model.answer = None, ("A whole one.",)
    editor.command("Lucastra chat retry")
    editor.until(lambda: "A whole one." in text(editor))
    assert until_answered(editor).count("What does total_price return?") == 2


def test_the_next_question_goes_on_with_the_conversation(editor: Editor, model: ModelServer) -> None:
    editor.command("Lucastra ask What is the class Basket?")
    until_answered(editor)
    editor.keys("GiAnd its total_price?<Esc><CR>")
    editor.until(lambda: text(editor).count("## LucAstra") == 2)
    until_answered(editor)
    asked = model.requests[-1]["messages"]
    assert any("What is the class Basket?" in message["content"] for message in asked)
    assert "And its total_price?" in asked[-1]["content"]


def test_selected_lines_become_part_of_the_question(editor: Editor, model: ModelServer) -> None:
    editor.command("4,5Lucastra ask What is this for?")
    until_answered(editor)
    assert "```python" in text(editor)
    assert "def retry_with_backoff" in model.requests[-1]["messages"][-1]["content"]


def test_a_kept_conversation_opens_with_its_citations(
    editor: Editor, start: Callable[..., Editor], model: ModelServer, project: Path
) -> None:
    model.answer = ("It sums the prices [1].",)
    editor.command("Lucastra ask Which function adds prices in the basket?")
    until_answered(editor)
    other = start()
    other.command("Lucastra chat list")
    other.until(lambda: "It sums the prices [1]." in text(other))
    assert "Which function adds prices" in other.lua("return _G.offered[1]")
    put_cursor_on(other, "[1]", after="It sums")
    other.keys("<CR>")
    other.until(lambda: other.file().startswith(str(project)))


def test_the_chosen_model_answers_the_next_question(editor: Editor, model: ModelServer) -> None:
    editor.lua("_G.choose = 2")
    editor.command("Lucastra chat model")
    chat = "local chat = require('lucastra.chat').current() return chat and chat.provider"
    assert editor.until(lambda: editor.lua(chat)) == "llm/scripted-1"
    editor.keys("iWhat is the class Basket?<C-s>")
    editor.until(lambda: "It runs." in text(editor))
    assert model.requests[-1]["model"] == "scripted-1"


def test_an_empty_question_is_not_sent(editor: Editor, model: ModelServer) -> None:
    editor.command("Lucastra chat")
    editor.keys("<CR>")
    editor.until_told("write a question")
    assert not model.requests


def test_a_chat_that_was_deleted_is_followed_by_a_whole_one(editor: Editor, model: ModelServer) -> None:
    editor.command("Lucastra chat")
    before = editor.lua("return vim.bo.filetype .. vim.bo.buftype")
    editor.command("bdelete")
    editor.until(lambda: editor.lua("return vim.fn.bufexists('lucastra://chat')") == 0)
    model.answer = ("After a failure [1].\n",)
    editor.command("Lucastra ask How does retry_with_backoff wait?")
    assert "After a failure [1]." in until_answered(editor)
    assert editor.lua("return vim.bo.filetype .. vim.bo.buftype") == before
    assert editor.lua("return #vim.api.nvim_buf_get_keymap(0, 'n')") > 0


def test_undo_stops_at_the_prompt(editor: Editor, model: ModelServer) -> None:
    model.answer = ("After a failure [1].\n",)
    editor.command("Lucastra ask How does retry_with_backoff wait?")
    whole = until_answered(editor)
    editor.keys("Ga draft<Esc>")
    editor.keys("uuuuu")
    assert text(editor).strip() == whole.strip()
    editor.command("Lucastra ask And then?")
    assert "And then?" in until_answered(editor)


def test_a_chat_stays_with_its_project(editor: Editor, model: ModelServer, project: Path) -> None:
    editor.command("Lucastra chat")
    root = editor.lua("return require('lucastra.chat').current().root")
    assert root == str(project)
    editor.command("cd /")
    editor.command("Lucastra chat new")
    assert editor.lua("return require('lucastra.chat').current().root") == root
