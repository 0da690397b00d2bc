"""Fixtures of the tests that run real editors. They are installed on first use, which takes about a minute."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from model_server import ModelServer, model_server
from toolchain import Toolchain, build_vsix, toolchain

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from vscode_session import StartVSCode

SKIP = "LUCASTRA_SKIP_EDITORS"

# What drives Neovim, and what starts a real model server.
sys.path += [str(Path(__file__).parent / "nvim"), str(Path(__file__).parents[1] / "providers")]


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    """The editors and what drives them."""
    if os.environ.get(SKIP):
        pytest.skip(f"{SKIP} is set")
    return toolchain()


@pytest.fixture(scope="session")
def vsix(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The VS Code extension, packaged."""
    return build_vsix(tools, tmp_path_factory.mktemp("vsix"))


@pytest.fixture(scope="module")
def browser(tools: Toolchain) -> Iterator["Browser"]:
    """A headless Chromium; each test opens pages of its own in it.

    For a module only: as long as it is open, no other asyncio loop can run in this thread.
    """
    from chromium import chromium

    with chromium(tools) as browser:
        yield browser


@pytest.fixture
def start_vscode(tools: Toolchain, vsix: Path, browser: "Browser") -> Iterator["StartVSCode"]:
    """Start VS Code with the extension on a small project: see `vscode_session.vscode` for what can be told to it."""
    from vscode_session import vscode

    with ExitStack() as windows:
        open_window = partial(vscode, tools, vsix, browser)
        yield lambda **options: windows.enter_context(open_window(**options))


@pytest.fixture
def model() -> Iterator[ModelServer]:
    """A scripted model server; `model.configuration` is the daemon's `llm`."""
    with model_server() as server:
        yield server
