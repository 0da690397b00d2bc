"""The VS Code extension's own checks: format, lint, strict types, and its unit tests."""

import json
from pathlib import Path

import pytest
from lucastra_protocol.version import __version__
from toolchain import EXTENSION, Toolchain, copy_of_extension

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("script", ["check", "test"])
def test_sources_pass_their_own(script: str, tools: Toolchain, tmp_path: Path) -> None:
    tools.node.npm("run", script, folder=copy_of_extension(tools, tmp_path))


def test_the_extension_is_of_this_release() -> None:
    assert json.loads((EXTENSION / "package.json").read_text())["version"] == __version__
