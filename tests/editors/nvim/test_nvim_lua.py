"""The plugin's own Lua: its specs within Neovim, its style, its help."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from lucastra_protocol.version import __version__
from nvim_session import PLUGIN, binary

pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path = PLUGIN, environment: dict[str, str] | None = None) -> str:
    """What a command prints; it must succeed."""
    env = dict(os.environ) | (environment or {})
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_specs_hold(tmp_path: Path) -> None:
    if shutil.which("busted") is None:
        pytest.fail("busted is missing: apt-get install lua-busted")
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    assert " 0 failures / 0 errors" in run(binary(), "--clean", "--headless", "-l", "spec/run.lua", environment=homes)


def test_the_plugin_is_of_this_release() -> None:
    say = "lua io.stdout:write(require('lucastra.version').PLUGIN)"
    said = run(binary(), "--clean", "--headless", "--cmd", f"set rtp^={PLUGIN}", "-c", say, "-c", "qall!")
    assert said == __version__


def test_luacheck_finds_nothing() -> None:
    if shutil.which("luacheck") is None:
        pytest.fail("luacheck is missing: apt-get install lua-check")
    assert "0 warnings / 0 errors" in run("luacheck", "--no-color", ".")


def test_the_help_has_tags_for_everything_it_names(tmp_path: Path) -> None:
    shutil.copytree(PLUGIN / "doc", tmp_path / "doc")
    run(binary(), "--clean", "--headless", "-c", "helptags doc", "-c", "qall!", cwd=tmp_path)
    tags = {line.split("\t")[0] for line in (tmp_path / "doc" / "tags").read_text().splitlines()}
    text = (PLUGIN / "doc" / "lucastra.txt").read_text()
    subcommands = run(
        binary(), "--clean", "--headless", "--cmd", f"set rtp^={PLUGIN}", "-c",
        "lua io.stdout:write(table.concat(vim.tbl_keys(require('lucastra.command').subcommands), ' '))", "-c", "qall!",
    ).split()  # fmt: skip
    assert {f":Lucastra-{name}" for name in subcommands} <= tags
    assert {name for name in tags if name.startswith(":Lucastra-")} <= {f":Lucastra-{name}" for name in subcommands}
    mappings = (PLUGIN / "plugin" / "lucastra.lua").read_text()
    assert "<Plug>(lucastra-accept)" in text
    assert 'plug("n", "search"' in mappings
