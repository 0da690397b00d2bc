"""VS Code in a headless Chromium: a code-server with the extension in it, and a page that a test drives.

A test takes the fixture `start_vscode` and gets a `VSCode`. Its `page` is Playwright's; what each test of a view
would do again is here: run a command, open a file, read the status item, take a picture for the documentation.
Everything is below a private home in /tmp, with a daemon of its own; all of it ends with the test.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect
from processes import PATIENCE_SECONDS, end_processes_of, processes_of, until
from shop import SHOP
from toolchain import EXTENSION, Toolchain

DOCS = EXTENSION / "docs"
PICTURES = "LUCASTRA_EDITOR_PICTURES"
"""The environment variable that asks for new pictures in the extension's documentation."""


@dataclass
class VSCode:
    """One window on `folder`."""

    page: Page
    folder: Path
    """The folder that is open."""
    home: Path
    """The private home; LucAstra's own folder is `.lucastra` in it."""
    server_pid: int

    def run_command(self, title: str) -> None:
        """Run a command of the palette by its whole title, such as `LucAstra: Show Logs`."""
        self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input")
        box.fill(f">{title}")
        # The palette's rows are told apart by their labels: a substring would also find `Restart Extension Host`.
        row = self.page.locator(".quick-input-widget .monaco-list-row").filter(
            has=self.page.locator(".label-name", has_text=re.compile(rf"^{re.escape(title)}$"))
        )
        row.first.click()

    def open_file(self, path: str) -> Locator:
        """Open a file of the folder; returns its editor, which has the focus."""
        self.page.keyboard.press("Control+P")
        self.page.locator(".quick-input-widget input").fill(path)
        # By name: until the list has been filtered, its first row is the file that was open last.
        row = self.page.locator(".quick-input-widget .monaco-list-row")
        row.filter(has=self.page.locator(".label-name", has_text=Path(path).name)).first.click()
        expect(self.page.locator(f".tab.active[data-resource-name='{Path(path).name}']")).to_be_visible()
        editor = self.editor
        editor.locator(".view-lines").click()
        return editor

    @property
    def editor(self) -> Locator:
        """The text editor that is shown last."""
        return self.page.locator(".editor-instance .monaco-editor[role=code]").last

    @property
    def status(self) -> Locator:
        """LucAstra's item in the status bar."""
        return self.page.locator(".statusbar-item[id='lucastra.lucastra.lucastra.status']")

    @property
    def notifications(self) -> Locator:
        """The messages that are shown."""
        return self.page.locator(".notifications-toasts .notification-list-item")

    def wait_until_ready(self) -> None:
        """Wait until the folder is indexed: the status item has its check mark."""
        expect(self.status.locator(".codicon-check")).to_be_visible()

    def kill_editor(self) -> None:
        """SIGKILL the extension host, and all of code-server with it."""
        for pid, command in processes_of(self.home):
            if "code-server" in command:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's process id, where one runs."""
        try:
            return int((self.home / ".lucastra" / "lucastrad.lock").read_text())
        except (FileNotFoundError, ValueError):  # it has not started yet, or has stopped
            return None

    def set_setting(self, name: str, value: object) -> None:
        """Set one of the machine's settings, those of where the server runs; the editor sees the file change."""
        folder = self.home / "data" / "Machine"
        folder.mkdir(exist_ok=True)
        (folder / "settings.new").write_text(json.dumps({name: value}))
        (folder / "settings.new").rename(folder / "settings.json")

    def relays(self) -> list[int]:
        """The process ids of the relays of this home."""
        return [pid for pid, command in processes_of(self.home) if "--stdio" in command]

    def picture(self, name: str) -> None:
        """Write what is shown to the extension's documentation, where the environment asks for that."""
        if os.environ.get(PICTURES):
            DOCS.mkdir(exist_ok=True)
            self.page.screenshot(path=DOCS / f"{name}.png")


StartVSCode = Callable[..., VSCode]
"""`start_vscode(files=…, configuration=…, settings=…, query=…)`, all optional; see `vscode`."""


@contextmanager
def vscode(
    tools: Toolchain,
    vsix: Path | None,
    browser: Browser,
    *,
    files: Mapping[str, str] = SHOP,
    configuration: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    path: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    trust_everything: bool = True,
    prepare: Callable[[Page], None] = lambda page: None,
    query: Mapping[str, str] | None = None,
) -> Iterator[VSCode]:
    """A window on a folder with `files`; the daemon reads `configuration`, and the editor `settings`.

    `vsix` is installed, where it is given. `path` is the editor's PATH instead of one with this environment's
    `lucastrad` on it. `folder`, or a `.code-workspace` file, is opened as it is, in place of one with `files`;
    `environment` is added to the editor's own, such as where the daemon of another home is. Without `trust_everything`
    the editor asks for trust as its settings say. `prepare` sees the page before it is opened, with `query` in its
    address.
    """
    # Not tmp_path: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lv-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
        home = Path(scratch).resolve()
        _configure(home, configuration, settings)
        folder = folder or _lay_out(home / "shop", files)
        variables = _environment(home, path) | dict(environment or {})
        if vsix is not None:
            tools_run = [tools.node.program, tools.code_server, *_folders(home), "--install-extension", vsix]
            subprocess.run(tools_run, env=variables, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
        # Without the driver a payload that names a test is ignored; with it no message is shown.
        options = ("--vscode-option", "enable-smoke-test-driver") if query else ()
        if trust_everything:
            options += ("--disable-workspace-trust",)
        with _code_server(home, tools, variables, folder, options) as (pid, port):
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            page = context.new_page()
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            prepare(page)
            opened = "workspace" if folder.suffix == ".code-workspace" else "folder"
            parameters = urllib.parse.urlencode({opened: str(folder), **_with_port(query or {}, port)})
            page.goto(f"http://127.0.0.1:{port}/?{parameters}")
            page.locator(".monaco-workbench .statusbar").wait_for()
            try:
                yield VSCode(page, folder, home, pid)
            finally:
                context.close()
                end_processes_of(home)


def _lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project; returns its folder."""
    (folder / ".git").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def _configure(home: Path, configuration: Mapping[str, Any] | None, settings: Mapping[str, Any] | None) -> None:
    """Write the daemon's configuration and the editor's."""
    user = home / "data" / "User"
    for place in (user, home / "extensions", home / "config", home / ".lucastra"):
        place.mkdir(parents=True)
    (home / ".lucastra").chmod(0o700)
    (home / ".lucastra" / "config.json").touch(mode=0o600)
    (home / ".lucastra" / "config.json").write_text(json.dumps(configuration or {}))
    (user / "settings.json").write_text(json.dumps(_EDITOR_SETTINGS | dict(settings or {})))


_EDITOR_SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.commandCenter.enabled": False,
    "chat.agentHost.enabled": False,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "git.openRepositoryInParentFolders": "never",
    "git.enabled": False,
    "extensions.ignoreRecommendations": True,
    "extensions.autoUpdate": False,
    "update.mode": "none",
}


def _environment(home: Path, path: str | None) -> dict[str, str]:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]) if path is None else path
    # Extensions get the PATH of a login shell, which the system's own profile sets anew.
    (home / ".profile").write_text(f"export PATH={shlex.quote(programs)}\n")
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return environment | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "config"),
        "PATH": programs,
        # No gallery: nothing of it is asked for, and nothing reaches out.
        "EXTENSIONS_GALLERY": json.dumps({"serviceUrl": "", "itemUrl": "", "resourceUrlTemplate": ""}),
    }


_LEFT_OUT = ("XDG_RUNTIME_DIR", "LUCASTRA_HOME", "NO_COLOR", "FORCE_COLOR", "VSCODE_IPC_HOOK_CLI")


def _folders(home: Path) -> list[str | Path]:
    return ["--user-data-dir", home / "data", "--extensions-dir", home / "extensions"]


@contextmanager
def _code_server(
    home: Path, tools: Toolchain, environment: dict[str, str], folder: Path, options: tuple[str, ...]
) -> Iterator[tuple[int, int]]:
    port = _free_port()
    command = [
        tools.node.program, tools.code_server, *_folders(home),
        "--auth", "none", "--bind-addr", f"127.0.0.1:{port}", "--disable-telemetry", "--disable-update-check",
        "--disable-getting-started-override", "--disable-proxy",
        *options, folder,
    ]  # fmt: skip
    log = home / "code-server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd="/", stdout=output, stderr=output)
    try:
        until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, f"code-server left:\n{log.read_text()}"
        yield process.pid, port
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _with_port(query: Mapping[str, str], port: int) -> dict[str, str]:
    return {name: value.replace("{port}", str(port)) for name, value in query.items()}
