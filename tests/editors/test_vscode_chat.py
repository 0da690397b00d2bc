"""The chat view and `@lucastra` in a real VS Code, with a real daemon and a scripted model."""

import threading

import pytest
from model_server import ModelServer
from playwright.sync_api import Frame, expect
from vscode_session import StartVSCode, VSCode
from vscode_views import chat_view, fold, open_chat, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ANSWER = (
    "A failed call is made again by `retry_with_backoff`, ",
    "which waits **twice as long** each time [1]:\n\n",
    "```python\ntime.sleep(2**attempt)\n```\n\n",
    "After the last attempt it raises `TimeoutError` [1].",
)


def ask(chat: Frame, question: str = "How are failed calls repeated?") -> None:
    chat.locator("#question").fill(question)
    chat.locator("#question").press("Enter")


def with_half_an_answer(start_vscode: StartVSCode, model: ModelServer) -> tuple[VSCode, Frame]:
    """A window whose chat shows the first words of `ANSWER`; the rest waits for `model.gate`."""
    model.answer = ANSWER
    model.gate = threading.Event()
    window = start_vscode(configuration={"llm": model.configuration})
    wait_until_indexed(window)
    chat = open_chat(window)
    ask(chat)
    expect(chat.locator(".answer")).to_contain_text("is made again")
    return window, chat


def test_streams_an_answer_after_its_passages_and_a_citation_opens_the_lines(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    window, chat = with_half_an_answer(start_vscode, model)
    expect(chat.locator(".passages")).to_contain_text("retry.py")
    expect(chat.get_by_title("Stop (Escape)")).to_be_visible()
    model.gate.set()
    expect(chat.locator(".answer strong")).to_have_text("twice as long")
    expect(chat.locator(".footer")).to_contain_text("scripted-1")
    fold(window, "Search")
    chat.locator(".answer .citation").first.click()
    expect(window.page.locator(".tab.active[data-resource-name='retry.py']")).to_be_visible()
    window.picture("chat")


def test_stop_keeps_what_had_arrived_and_the_question_can_be_asked_again(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    window, chat = with_half_an_answer(start_vscode, model)
    chat.get_by_title("Stop (Escape)").click()
    expect(chat.locator(".failure")).to_contain_text("Stopped")
    expect(chat.locator(".answer")).to_contain_text("is made again")
    model.gate.set()
    chat.locator(".failure").get_by_text("Try Again").click()
    expect(chat.locator(".turn")).to_have_count(2)
    expect(chat.locator(".turn").last).to_contain_text("After the last attempt")
    window.run_command("View: Show Explorer")
    expect(open_chat(window).locator(".turn")).to_have_count(2)


def test_a_new_conversation_stops_the_answer_of_the_one_before_and_takes_nothing_of_it(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    window, chat = with_half_an_answer(start_vscode, model)
    window.run_command("LucAstra: New Conversation")
    expect(chat.locator(".turn")).to_have_count(0)
    model.gate.set()
    model.answer, model.gate = ("Seven.",), None
    ask(chat, "What does total_price add up?")
    expect(chat.locator(".answer")).to_have_text("Seven.")
    expect(chat.locator(".turn")).to_have_count(1)
    window.run_command("LucAstra: Open Conversation…")
    window.page.locator(".quick-input-widget .monaco-list-row", has_text="How are failed calls").click()
    expect(chat.locator(".turn")).to_have_count(1)
    expect(chat.locator(".answer")).to_contain_text("is made again")
    expect(chat.locator(".answer")).not_to_contain_text("TimeoutError")


def test_shows_the_passages_where_no_model_is_configured(start_vscode: StartVSCode) -> None:
    window = start_vscode()
    wait_until_indexed(window)
    chat = open_chat(window)
    expect(chat.locator(".model")).to_have_text("No model: passages only")
    ask(chat)
    expect(chat.locator(".notice")).to_contain_text("No language model is configured")
    chat.locator(".passage", has_text="retry.py").first.click()
    expect(window.page.locator(".tab.active[data-resource-name='retry.py']")).to_be_visible()


def test_code_of_an_answer_goes_into_the_editor_and_a_selection_into_the_question(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    model.answer = ("```python\nlimit = 7\n```\n",)
    window = start_vscode(configuration={"llm": model.configuration})
    wait_until_indexed(window)
    editor = window.open_file("shop/retry.py")
    window.page.keyboard.press("Control+Home")
    window.page.keyboard.press("Shift+ArrowDown")
    window.run_command("LucAstra: Attach Selection to Chat")
    chat = chat_view(window)
    expect(chat.locator(".attachments")).to_contain_text("shop/retry.py:1")
    ask(chat, "What is it?")
    chat.locator(".answer").get_by_text("Insert").click()
    expect(editor).to_contain_text("limit = 7")
    (request,) = [one for one in model.requests if one["path"].endswith("/chat/completions")]
    assert "import time" in request["messages"][-1]["content"]


def test_a_conversation_is_renamed_and_opened_again_from_the_list(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    window = start_vscode(configuration={"llm": model.configuration})
    wait_until_indexed(window)
    chat = open_chat(window)
    chat.locator("#question").fill("How are failed calls repeated?")
    chat.get_by_title("Ask (Enter)").click()
    expect(chat.locator(".answer")).to_have_text("It runs.")
    window.run_command("LucAstra: Rename Conversation…")
    window.page.locator(".quick-input-widget input").fill("Running")
    window.page.keyboard.press("Enter")
    expect(window.page.locator(".pane-header", has_text="Running")).to_be_visible()
    window.run_command("LucAstra: New Conversation")
    chat = chat_view(window)
    expect(chat.locator(".turn")).to_have_count(0)
    expect(chat.locator("#question")).to_be_focused()  # which closes a palette that was opened before
    window.run_command("LucAstra: Open Conversation…")
    window.page.locator(".quick-input-widget .monaco-list-row", has_text="Running").click()
    expect(chat.locator(".turn")).to_have_count(1)


def test_the_participant_answers_with_links_without_a_sign_in(start_vscode: StartVSCode, model: ModelServer) -> None:
    model.answer = ANSWER
    window = start_vscode(configuration={"llm": model.configuration})
    wait_until_indexed(window)
    window.run_command("Chat: Open Chat")
    box = window.page.locator(".interactive-session .chat-editor-container .view-lines").first
    box.click()
    window.page.keyboard.type("@lucastra How are failed calls repeated?")
    window.page.keyboard.press("Escape")
    window.page.keyboard.press("Enter")
    answer = window.page.locator(".interactive-response")
    expect(answer).to_contain_text("waits twice as long each time")
    answer.locator(".chat-inline-anchor-widget, a[data-href*='retry.py']").first.click()
    expect(window.page.locator(".tab.active[data-resource-name='retry.py']")).to_be_visible()
