"""Fixtures of the tests that run real processes."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from shop import SHOP
from user_home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    """A new home, whose daemon is gone when the test ends, whatever the test did."""
    # Not tmp_path: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        environment |= {"HOME": str(root), "LUCASTRA_HOME": str(root / ".lucastra")}
        for name in ("NO_COLOR", "FORCE_COLOR", "LUCASTRA_DEBUG"):
            environment.pop(name, None)
        user = Home(root, environment)
        yield user
        with suppress(subprocess.TimeoutExpired):
            user.client("stop", cwd=root)
        if (pid := user.daemon_pid) is not None:  # a daemon that stops clears its lock
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def project(home: Home) -> Path:
    """A small git repository in the home folder."""
    root = home.folder / "shop"
    for name, text in (SHOP | {"shop/secrets.env": "TOKEN=1\n"}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    return root
