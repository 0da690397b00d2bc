"""The extension in a real VS Code, with a real daemon: what its user sees, and what is left when things die."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import ModelServer, model_server
from playwright.sync_api import Browser, Page, expect
from processes import is_alive, until
from toolchain import Toolchain
from vscode_session import StartVSCode, VSCode, vscode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROBE = Path(__file__).parent / "vscode_probe"


def test_works_inside_the_extension_host(tools: Toolchain, vsix: Path, browser: Browser) -> None:
    exits: list[int] = []
    log: list[str] = []

    def listen(page: Page) -> None:
        # A lambda: Playwright sets an attribute on what it is given, and `append` takes none.
        page.expose_function("codeAutomationExit", lambda code: exits.append(code))  # noqa: PLW0108
        page.expose_function("codeAutomationLog", lambda kind, arguments: log.append(f"{kind}: {arguments}"))

    place = f"vscode-remote://127.0.0.1:{{port}}{PROBE}"
    payload = json.dumps([["extensionDevelopmentPath", place], ["extensionTestsPath", f"{place}/index.js"]])
    with vscode(tools, vsix, browser, prepare=listen, query={"payload": payload}) as window:
        until(lambda: exits or window.page.wait_for_timeout(50))
    assert exits == [0], "\n".join(log[-20:])


@pytest.fixture(scope="module")
def window(tools: Toolchain, vsix: Path, browser: Browser) -> Iterator[tuple[VSCode, ModelServer]]:
    """One window for the tests that leave it as they found it, and the model of its daemon."""
    with model_server() as model, vscode(tools, vsix, browser, configuration={"llm": model.configuration}) as window:
        window.wait_until_ready()
        yield window, model


def test_shows_in_the_status_bar_that_the_folder_is_indexed(window: tuple[VSCode, ModelServer]) -> None:
    shown, _ = window
    expect(shown.status).to_contain_text("LucAstra")
    shown.status.hover()
    expect(shown.page.locator(".workbench-hover").filter(has_text="3 files").first).to_be_visible()
    shown.page.keyboard.press("Escape")


def test_accepts_an_inline_completion_with_tab(window: tuple[VSCode, ModelServer]) -> None:
    shown, model = window
    model.fill = "item.price * item.count for item in self.items)"
    editor = shown.open_file("shop/basket.py")
    shown.page.keyboard.press("Control+End")
    shown.page.keyboard.type("\n    def value(self):\nreturn sum(")
    expect(editor.locator(".ghost-text-decoration").first).to_be_visible()
    shown.picture("completion")
    shown.page.keyboard.press("Tab")
    expect(editor).to_contain_text("item.price * item.count")
    until(lambda: _counted(shown, "accepted") == 1)
    assert _counted(shown, "shown") >= 1


def _counted(shown: VSCode, what: str) -> int:
    """How many completions the daemon was told of."""
    client = Path(sys.executable).parent / "lucastra-client"
    environment = {"HOME": str(shown.home), "PATH": os.environ["PATH"]}
    if python_path := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] = python_path
    status = subprocess.run([client, "status", "--json"], env=environment, cwd="/", capture_output=True, check=True)
    return sum(count.get(what, 0) for count in json.loads(status.stdout).get("completions", []))


def test_asks_for_no_completion_while_it_is_snoozed(window: tuple[VSCode, ModelServer]) -> None:
    shown, model = window
    shown.run_command("LucAstra: Snooze Inline Completion")
    expect(shown.status.locator(".codicon-bell-slash")).to_be_visible()
    shown.open_file("shop/retry.py")
    model.requests.clear()
    shown.page.keyboard.press("Control+End")
    shown.page.keyboard.type("\n\ndef again():\n    return ")
    shown.run_command("LucAstra: Resume Inline Completion")
    shown.wait_until_ready()
    assert model.requests == []


def test_shows_what_the_daemon_finds_of_itself(window: tuple[VSCode, ModelServer]) -> None:
    shown, _ = window
    shown.run_command("LucAstra: Check Installation (Doctor)")
    expect(shown.page.locator(".tab.active")).to_contain_text("LucAstra Doctor")
    expect(shown.editor).to_contain_text("Server:")


def test_says_that_the_daemon_went_away_and_reconnects(window: tuple[VSCode, ModelServer]) -> None:
    shown, _ = window
    killed = shown.daemon_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    expect(shown.notifications.filter(has_text="was started again")).to_be_visible()
    shown.wait_until_ready()
    assert shown.daemon_pid != killed
    assert len(shown.relays()) == 1


def test_leaves_no_relay_and_keeps_the_daemon_when_the_editor_is_killed(window: tuple[VSCode, ModelServer]) -> None:
    """The last test of this window."""
    shown, _ = window
    (relay,) = shown.relays()
    shown.kill_editor()
    until(lambda: not is_alive(relay))
    assert shown.daemon_pid is not None


def test_says_how_to_install_a_missing_server_and_connects_once_the_setting_names_it(start_vscode: StartVSCode) -> None:
    shown = start_vscode(path="/usr/bin:/bin")
    expect(shown.status).to_contain_text("not installed")
    expect(shown.notifications.filter(has_text="pipx install")).to_be_visible()
    shown.set_setting("lucastra.server.path", str(Path(sys.executable).parent / "lucastrad"))
    shown.wait_until_ready()
