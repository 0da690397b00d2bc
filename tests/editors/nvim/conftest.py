"""Fixtures of the tests in a real Neovim: a home with one daemon for all of them, a project, a model and editors."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from model_server import ModelServer, model_server
from nvim_home import Home, environment_of
from nvim_session import Editor
from shop import SHOP


@pytest.fixture(autouse=True, scope="session")
def _wanted() -> None:
    if os.environ.get("LUCASTRA_SKIP_EDITORS"):
        pytest.skip("LUCASTRA_SKIP_EDITORS is set")


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """A new home, whose daemon is gone when the last test ends, whatever the tests did."""
    # Not tmp_path: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="nv-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        user = Home(root, environment_of(root))
        yield user
        stop = [sys.executable, "-P", "-m", "lucastrad", "stop"]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(stop, env=user.environment, cwd="/", timeout=30, check=False, capture_output=True)
        if (pid := user.daemon_pid) is not None:  # a daemon that stops clears its lock
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def served_model(home: Home) -> Iterator[ModelServer]:
    """The scripted model that the daemon answers and completes with."""
    with model_server() as server:
        home.configure(llm=server.configuration, completion={"debounce_ms": 0})
        yield server


@pytest.fixture
def model(served_model: ModelServer) -> ModelServer:
    """The same, with nothing left of another test's script."""
    served_model.answer, served_model.fill, served_model.gate = ModelServer.answer, ModelServer.fill, None
    served_model.requests.clear()
    return served_model


@pytest.fixture(scope="session")
def project(home: Home) -> Path:
    """A small git repository in the home folder."""
    root = home.folder / "shop"
    for name, text in SHOP.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".git").mkdir()
    return root


@pytest.fixture
def start(home: Home, project: Path, model: ModelServer) -> Iterator[Callable[..., Editor]]:
    """Start an editor in the project; all are closed when the test ends."""
    editors: list[Editor] = []

    def start_one(**options: object) -> Editor:
        editors.append(Editor(project, home.environment, **options))  # type: ignore[arg-type]
        return editors[-1]

    yield start_one
    for one in editors:
        one.close()


@pytest.fixture
def editor(start: Callable[..., Editor]) -> Editor:
    """An editor with a file of the project open, connected to the daemon, the project indexed."""
    one = start()
    one.command("edit shop/retry.py")
    one.connected()
    one.command("Lucastra index")
    one.until_told("is up to date")
    return one
