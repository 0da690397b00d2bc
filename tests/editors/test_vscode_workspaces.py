"""Windows with several folders, and with one that is not trusted: a real VS Code, and a real daemon."""

import json
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect
from processes import until
from shop import SHOP
from vscode_session import StartVSCode, VSCode
from vscode_views import open_search, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GARDEN = {
    "tools/spade.py": (
        "def dig_with_patience(soil, attempts=5):\n"
        '    """Dig again after a failure, waiting twice as long each time."""\n'
        "    return any(soil.dig() for _ in range(attempts))\n"
    )
}
QUERY = "again after a failure, waiting twice as long each time"


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    """Write a project; returns its folder."""
    (folder / ".git").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def open_folders(window_file: Path, *folders: Path) -> None:
    """Let the window have these folders; an editor that has it open sees the file change."""
    new = window_file.with_suffix(".new")
    new.write_text(json.dumps({"folders": [{"path": str(folder)} for folder in folders]}))
    new.rename(window_file)


def expect_indexed(window: VSCode, name: str, files: int) -> None:
    """Wait until a folder of the window is up to date."""
    label = f"{name}: {files} files, "
    until(lambda: label in (window.status.get_attribute("aria-label") or "") or window.page.wait_for_timeout(50))
    window.wait_until_ready()


def test_searches_all_folders_of_a_window_and_follows_those_that_come_and_go(
    start_vscode: StartVSCode, tmp_path: Path
) -> None:
    shop, garden = lay_out(tmp_path / "shop", SHOP), lay_out(tmp_path / "garden", GARDEN)
    window_file = tmp_path / "both.code-workspace"
    open_folders(window_file, shop)
    window = start_vscode(folder=window_file)
    wait_until_indexed(window)
    search = open_search(window)
    search.locator("#query").fill(QUERY)
    expect(search.locator(".hit", has_text="retry_with_backoff")).to_be_visible()
    expect(search.locator(".file", has_text="retry.py").locator(".folder")).to_have_text("shop")

    open_folders(window_file, shop, garden)
    expect(search.locator(".hit", has_text="dig_with_patience")).to_be_visible()
    expect(search.locator(".file", has_text="spade.py").locator(".folder")).to_have_text("garden · tools")
    expect(search.locator(".file", has_text="retry.py").locator(".folder")).to_have_text("shop · shop")
    search.locator(".hit", has_text="dig_with_patience").locator(".open").click()
    expect(window.page.locator(".tab.active[data-resource-name='spade.py']")).to_be_visible()
    expect_indexed(window, "garden", 1)
    expect_indexed(window, "shop", len(SHOP))

    open_folders(window_file, shop)
    expect(search.locator(".file", has_text="spade.py")).to_have_count(0)
    expect(search.locator(".hit", has_text="retry_with_backoff")).to_be_visible()


def test_starts_nothing_of_a_folder_until_it_is_trusted(start_vscode: StartVSCode, tmp_path: Path) -> None:
    shop, marker = lay_out(tmp_path / "shop", SHOP), tmp_path / "the folder's own was run"
    own = f'#!/bin/sh\ntouch "{marker}"\nexec "{Path(sys.executable).parent}/lucastrad" "$@"\n'
    for program in (".venv/bin/lucastrad", "bin/lucastrad"):
        (shop / program).parent.mkdir(parents=True)
        (shop / program).write_text(own)
        (shop / program).chmod(0o755)
    (shop / ".vscode").mkdir()
    (shop / ".vscode" / "settings.json").write_text(
        json.dumps({"lucastra.server.path": str(shop / "bin" / "lucastrad"), "lucastra.server.extraEnv": {"A": "1"}})
    )
    settings = {"security.workspace.trust.enabled": True, "security.workspace.trust.startupPrompt": "never"}
    window = start_vscode(folder=shop, settings=settings, trust_everything=False)
    expect(window.page.locator(".statusbar-item[id='status.workspaceTrust']")).to_contain_text("Restricted Mode")
    window.wait_until_ready()
    search = open_search(window)
    search.locator("#query").fill(QUERY)
    expect(search.locator(".hit", has_text="retry_with_backoff")).to_be_visible()
    assert not marker.exists()

    window.run_command("Workspaces: Manage Workspace Trust")
    window.page.locator(".workspace-trust-editor").get_by_role("button", name="Trust", exact=True).first.click()
    until(lambda: marker.exists() or window.page.wait_for_timeout(50))
    window.wait_until_ready()
