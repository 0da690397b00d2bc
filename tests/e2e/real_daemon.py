"""A daemon of a test's own: a real process over a private home, and the client library connected to it."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import trio
from lucastra_client import Client, open_client
from lucastra_protocol.connect import connect
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import FileStatus, SearchMode, WorkspaceStatus

PATIENCE_SECONDS = 60.0
"""No wait of a test takes longer; on an idle machine each takes a fraction of it."""


class RealDaemon:
    """One home, and the daemon that is started, stopped and killed over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = Paths(home=folder / ".lucastra", run=folder / ".lucastra" / "run")
        self.environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        self.environment |= {"HOME": str(folder), "LUCASTRA_HOME": str(self.paths.home)}
        self._process: subprocess.Popen[bytes] | None = None
        self._said = folder / "stderr.txt"

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None, "start it first"
        return self._process.pid

    async def start(self, *options: str, at_once: bool = False) -> None:
        """Start the daemon, and return when it listens; with `at_once`, as soon as its process exists."""
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command(*options), env=self.environment, cwd="/", stderr=said)
        if not at_once:
            await until(self._listens)

    async def refused(self) -> str:
        """What a daemon says that cannot start and leaves."""
        with trio.fail_after(PATIENCE_SECONDS):
            done = await trio.run_process(self._command(), env=self.environment, capture_stderr=True, check=False)
        assert done.returncode
        return done.stderr.decode()

    @staticmethod
    def _command(*options: str) -> list[str]:
        # -P: `-m` would import modules from the folder that the test stands in.
        return [sys.executable, "-P", "-m", "lucastrad", "serve", *options]

    async def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (
            f"the daemon left with status {self._process.returncode}: {self._said.read_text()}"
        )
        stream = await connect(self.paths)
        if stream is not None:
            await stream.aclose()
        return stream is not None

    async def stop(self) -> None:
        """Ask it to stop, and wait until it has: without a word in the terminal that it was started from."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            await self.left()
            assert self._said.read_text() == ""

    async def left(self) -> int:
        """Wait until the daemon has left; its exit status."""
        assert self._process is not None
        with trio.fail_after(PATIENCE_SECONDS):
            return await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)

    async def restart(self) -> None:
        """Stop it cleanly, and start it again."""
        await self.stop()
        await self.start()

    def kill(self) -> list[int]:
        """SIGKILL; returns the workers that it leaves behind."""
        orphans = self.workers()
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        return orphans

    def workers(self) -> list[int]:
        """The process ids of the daemon's children."""
        return [
            int(pid) for file in Path("/proc").glob(f"{self.pid}/task/*/children") for pid in file.read_text().split()
        ]

    def end(self) -> None:
        """Whatever happened, leave no process behind, and show what the daemons said in their terminal."""
        if self._said.exists() and (said := self._said.read_text()):
            print(said, file=sys.stderr)
        if self._process is not None and self._process.poll() is None:
            for pid in self.kill():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of the daemon that runs."""
        async with open_client(self.paths, start=False) as client:
            yield client

    def cached_vectors(self) -> dict[bytes, int]:
        """The embedding cache's row number of each key: a passage that is embedded again gets a new one."""
        (cache,) = self.paths.home.glob("embeddings/*.sqlite3")
        with closing(sqlite3.connect(f"file:{cache}?mode=ro", uri=True)) as connection:
            return dict(connection.execute("SELECT key, rowid FROM vectors").fetchall())

    def stores(self) -> list[Path]:
        """The folders of the workspaces' stores."""
        return sorted(path.parent for path in self.paths.home.glob("workspaces/*/workspace.json"))


@contextmanager
def private_home() -> Iterator[RealDaemon]:
    """A home folder; its daemon and its files are gone when the block ends."""
    # Below /tmp and not pytest's own folder: the kernel takes socket paths of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lc-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = RealDaemon(Path(folder).resolve())
        try:
            yield daemon
        finally:
            daemon.end()


async def until(condition: "Callable[[], object]", seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for what nothing announces, asking again and again; fail after `seconds`. Conditions may be async."""
    with trio.fail_after(seconds):
        while True:
            answer = condition()
            if hasattr(answer, "__await__"):
                answer = await answer
            if answer:
                return
            await trio.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that nobody has waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def all_gone(pids: list[int], seconds: float) -> None:
    """Wait until none of the processes runs."""
    try:
        await until(lambda: not any(map(is_alive, pids)), seconds)
    except trio.TooSlowError:
        alive = [pid for pid in pids if is_alive(pid)]
        raise AssertionError(f"still there after {seconds} s: {[(pid, _command(pid)) for pid in alive]}") from None


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


async def workspace(client: Client, root: Path) -> WorkspaceStatus:
    """What the daemon says of one workspace."""
    (found,) = [status for status in await client.workspaces() if status.root == str(root)]
    return found


async def is_ready(client: Client, root: Path) -> bool:
    """Whether everything known of a workspace is searchable."""
    status = await workspace(client, root)
    return status.state == "ready" and status.freshness == "fresh"


async def found(client: Client, query: str, *, mode: SearchMode = "hybrid", **options: object) -> list[str]:
    """The workspace-relative paths of the hits, best first."""
    return [hit.path for hit in (await client.search(query, mode=mode, **options)).hits]


async def indexed(client: Client, root: Path, **options: bool) -> dict[str, FileStatus]:
    """Every file that the index knows, by path."""
    return {file.path: file for file in (await client.files(root, limit=10_000, **options)).files}


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write a tree; returns its root."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root
