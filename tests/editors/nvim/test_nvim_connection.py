"""What becomes of the connection: the daemon killed, the editor killed, the program missing, and no plugin at all."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from lucastra_protocol.version import PROTOCOL_VERSION
from model_server import ModelServer
from nvim_home import Home
from nvim_session import Editor
from other_version import COMPLETION, RELEASE, install

pytestmark = pytest.mark.slow

SHOWN = """
local space = vim.api.nvim_get_namespaces()["lucastra.ghost"]
local marks = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })
return marks[1] and marks[1][4].virt_text[1][1]
"""


def relays_of(pid: int) -> list[int]:
    """The relays that a process has started."""
    children = [int(one) for file in Path("/proc").glob(f"{pid}/task/*/children") for one in file.read_text().split()]
    return [child for child in children if b"--stdio" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_killed_daemon_is_started_again_and_the_user_is_told(editor: Editor, home: Home) -> None:
    killed = home.daemon_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    editor.until_told("lost the connection")
    editor.until_told("connected to the daemon again")
    editor.command("Lucastra! search backoff")
    editor.until(lambda: editor.lua("return vim.bo.buftype") == "quickfix")
    assert home.daemon_pid not in {None, killed}
    assert editor.lua("return #vim.lsp.get_clients({ name = 'lucastra' })") == 1


def test_a_restart_attaches_the_open_files_again(editor: Editor) -> None:
    before = editor.lua("return require('lucastra.client').current().id")
    editor.command("Lucastra restart")
    editor.until_told("connected to the daemon again")
    attached = "return (vim.lsp.get_clients({ bufnr = 0, name = 'lucastra' })[1] or {}).id"
    assert editor.until(lambda: editor.lua(attached)) != before
    assert not [told for told in editor.messages if "lost" in told]


def test_a_restart_with_a_bang_starts_another_daemon(editor: Editor, home: Home) -> None:
    before = home.daemon_pid
    editor.command("Lucastra! restart")
    editor.until_told("connected to the daemon again")
    assert home.daemon_pid not in {None, before}
    assert not [told for told in editor.messages if "lost" in told]


def test_a_restart_ends_the_requests_to_a_daemon_that_hangs_and_offers_to_end_its_process(
    editor: Editor, home: Home
) -> None:
    hung, (relay,) = home.daemon_pid, relays_of(editor.pid)
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    editor.command("Lucastra search backoff")
    editor.command("Lucastra restart")
    editor.until_told("restarted before the daemon had answered")
    editor.until_gone(lambda: not is_alive(relay))
    editor.until_told("connected to the daemon again")
    assert editor.lua("return _G.offered[1]") == f"end process {hung}, and start another"
    assert home.daemon_pid not in {None, hung}
    assert len(relays_of(editor.pid)) == 1


def test_a_daemon_that_hangs_from_the_beginning_is_named_and_ended_when_the_user_wants(
    start: Callable[..., Editor], home: Home
) -> None:
    first = start()
    first.command("edit shop/retry.py")
    first.connected()
    first.close()
    hung = home.daemon_pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    editor = start()
    editor.command("edit shop/retry.py")
    assert f"process {hung}, which `:Lucastra! restart` ends" in editor.until_told("cannot reach the daemon")
    editor.command("Lucastra! restart")
    editor.until_told("connected to the daemon again")
    assert home.daemon_pid not in {None, hung}


def test_a_restart_with_a_bang_connects_first_where_nothing_is_connected(
    editor: Editor, start: Callable[..., Editor], home: Home
) -> None:
    before = home.daemon_pid
    other = start()
    other.command("Lucastra! restart")
    other.until(lambda: home.daemon_pid not in {None, before})
    other.connected()
    assert other.lua("return _G.offered") is None
    editor.until_told("connected to the daemon again")


@pytest.mark.parametrize("status", [1, 69])
def test_the_end_of_a_daemon_is_offered_only_where_the_relay_found_it_silent(
    editor: Editor, start: Callable[..., Editor], home: Home, tmp_path: Path, status: int
) -> None:
    relay = tmp_path / "lucastrad"
    relay.write_text(f"#!/bin/sh\necho 'lucastrad: as the relay says' >&2\nexit {status}\n")
    relay.chmod(0o700)
    before, is_silent = home.daemon_pid, status == 69
    settings = f"{{ cmd = {{ '{relay}', '--stdio' }}, reconnect = {{ first_ms = 60000, longest_ms = 60000 }} }}"
    other = start(lua=f"vim.g.lucastra = {settings} _G.choose = 2")
    other.command("edit shop/retry.py")
    told = other.until_told("cannot reach the daemon")
    assert ("`:Lucastra! restart` ends" in told) is is_silent
    other.command("Lucastra! restart")
    if is_silent:
        offered = other.until(lambda: other.lua("return _G.offered"))
        assert offered[0] == f"end process {before}, and start another"
    else:
        other.until(lambda: "LucAstra: as the relay says" in other.messages)
        assert other.lua("return _G.offered") is None
    assert home.daemon_pid == before


def test_an_older_server_asks_for_a_newer_one_and_still_completes(start: Callable[..., Editor], tmp_path: Path) -> None:
    program = install(tmp_path, PROTOCOL_VERSION - 1)
    editor = start(lua=f"vim.g.lucastra = {{ cmd = {{ '{program}', '--stdio' }} }}")
    editor.command("edit shop/plain.py")
    told = editor.until_told("is too old")
    assert RELEASE in told
    assert "`:Lucastra restart`" in told
    assert editor.lua("return require('lucastra').statusline()") == "LucAstra: update needed"
    editor.keys("itotal = ")
    editor.until(lambda: editor.lua(SHOWN) == COMPLETION)
    editor.keys("<Esc>")
    editor.command("Lucastra search backoff")
    editor.until(lambda: len([one for one in editor.messages if "is too old" in one]) == 2)
    editor.command("Lucastra! restart")
    editor.until_told("asked for lucastra/stop all the same")
    assert editor.lua("return require('lucastra').statusline()") == "LucAstra: update needed"


def test_the_relay_goes_with_a_killed_editor(editor: Editor) -> None:
    (relay,) = relays_of(editor.pid)
    os.kill(editor.pid, signal.SIGKILL)
    editor.until_gone(lambda: not is_alive(relay))


def test_two_editors_share_one_daemon(editor: Editor, start: Callable[..., Editor], home: Home) -> None:
    other = start()
    other.command("edit shop/basket.py")
    other.connected()
    other.command("Lucastra status")
    other.until(lambda: other.lines()[0].startswith("# LucAstra"))
    assert any(f"process {home.daemon_pid}," in line for line in other.lines())


def test_a_second_project_is_added_to_the_same_client(editor: Editor, home: Home) -> None:
    other = home.folder / "garden"
    (other / ".git").mkdir(parents=True)
    (other / "spade.py").write_text("def dig(depth_in_spades):\n    return depth_in_spades\n")
    editor.command(f"edit {other / 'spade.py'}")
    editor.command("Lucastra index")
    editor.until_told(f"{other} is up to date")
    editor.command("Lucastra! search depth_in_spades")
    editor.until(lambda: editor.lua("return vim.bo.buftype") == "quickfix")
    assert editor.lua("return #vim.lsp.get_clients()") == 1
    assert len(relays_of(editor.pid)) == 1


def test_a_missing_program_is_named_with_its_cure(start: Callable[..., Editor]) -> None:
    editor = start(lua="vim.g.lucastra = { cmd = { 'lucastrad-that-is-not-there', '--stdio' } }")
    editor.command("edit shop/retry.py")
    assert "pipx install ." in editor.until_told("was not found")
    editor.command("Lucastra search cache")
    editor.until(lambda: len(editor.messages) == 2)
    assert editor.lua("return require('lucastra').statusline()") == "LucAstra: not installed"


def test_a_daemon_that_cannot_start_is_reported_in_its_own_words(
    start: Callable[..., Editor], home: Home, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    editor = start(lua=f"vim.g.lucastra = {{ env = {{ LUCASTRA_HOME = '{blocked}/home' }} }}")
    editor.command("edit shop/retry.py")
    assert "LUCASTRA_HOME" in editor.until_told("cannot reach the daemon")


def test_neovims_own_client_needs_no_plugin(start: Callable[..., Editor], model: ModelServer, project: Path) -> None:
    editor = start(plugin=False)
    model.fill = "sum(prices)"
    editor.command("edit shop/plain.py")
    editor.lua("vim.lsp.start({ name = 'plain', cmd = { 'lucastrad', '--stdio' }, root_dir = ... })", str(project))
    ready = "local client = vim.lsp.get_clients({ bufnr = 0 })[1] return client and client.initialized or false"
    editor.until(lambda: editor.lua(ready))
    editor.keys("idef total(prices):<CR>return ")
    editor.until(lambda: editor.line() == "    return ")
    offered = editor.lua("""
        local client = vim.lsp.get_clients({ bufnr = 0 })[1]
        local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
        params.context = { triggerKind = 1 }
        local bufnr = vim.api.nvim_get_current_buf()
        return client:request_sync("textDocument/inlineCompletion", params, 30000, bufnr).result
    """)
    assert [item["insertText"] for item in offered["items"]] == ["sum(prices)"]


def test_nothing_is_left_when_the_editor_is_closed(editor: Editor) -> None:
    (relay,) = relays_of(editor.pid)
    editor.close()
    editor.until_gone(lambda: not is_alive(relay))
    editor.until_gone(lambda: not is_alive(editor.pid))
