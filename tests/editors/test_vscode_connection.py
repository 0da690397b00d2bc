"""The extension in a real VS Code, whose daemon hangs or is of another version."""

import os
import signal
from pathlib import Path

import pytest
from lucastra_protocol.version import PROTOCOL_VERSION
from model_server import ModelServer
from other_version import COMPLETION, RELEASE, install
from playwright.sync_api import expect
from processes import is_alive, until
from vscode_session import StartVSCode
from vscode_views import open_search, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_restart_ends_the_requests_to_a_daemon_that_hangs_and_offers_to_end_its_process(
    start_vscode: StartVSCode, model: ModelServer
) -> None:
    window = start_vscode(configuration={"llm": model.configuration})
    wait_until_indexed(window)
    hung, (relay,) = window.daemon_pid, window.relays()
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    search = open_search(window)
    search.locator("#query").fill("call again after a failure")
    expect(search.locator(".status")).to_contain_text("Searching")
    window.run_command("LucAstra: Restart Connection")
    expect(search.locator(".failure")).to_contain_text("ended before it had answered")
    until(lambda: not is_alive(relay))
    offer = window.notifications.filter(has_text=f"process {hung}, runs and could not be reached")
    offer.get_by_role("button", name=f"End Process {hung}").click()
    window.wait_until_ready()
    assert window.daemon_pid not in {None, hung}
    search.get_by_role("button", name="Try Again").click()
    expect(search.locator(".hit").first).to_contain_text("retry_with_backoff")


def test_a_newer_server_asks_for_a_newer_extension_and_still_completes(
    start_vscode: StartVSCode, tmp_path: Path
) -> None:
    install(tmp_path / "bin", PROTOCOL_VERSION + 1)
    window = start_vscode(path=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    expect(window.status).to_contain_text("update needed")
    expect(window.notifications.filter(has_text=RELEASE)).to_contain_text("Update the extension")
    editor = window.open_file("shop/retry.py")
    window.page.keyboard.press("Control+End")
    window.page.keyboard.type("\nresult = ")
    expect(editor.locator(".ghost-text-decoration").first).to_contain_text(COMPLETION)
    search = open_search(window)
    search.locator("#query").fill("call again after a failure")
    expect(search.locator(".failure")).to_contain_text("Update the extension")
