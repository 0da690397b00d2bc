"""Daemons of the benchmark's own: a store, a home and a socket that no user's daemon shares."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import trio
from lucastra_client import Client, LucAstraError, open_client
from lucastra_protocol.connect import Unanswered, connect, say_hello
from lucastra_protocol.paths import Paths

from benchmarks.errors import BenchmarkError

_LISTEN_SECONDS = 30.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.005
_IDLE_EXIT_MINUTES = "30"
"""A daemon whose benchmark was killed leaves by itself."""
_TAIL_LINES = 10
_LEFT_OUT = ("LUCASTRA_", "GIT_", "XDG_", "OMP_", "OPENBLAS_", "MKL_")


class PrivateDaemon:
    """A daemon in a folder of its own; `open_daemon` makes one and ends it."""

    def __init__(self, folder: Path, run: Path) -> None:
        # LUCASTRA_* would reconfigure it, the user's git settings change what is ignored, and a benchmark's own limits
        # on numeric libraries are not the daemon's.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        environment |= {
            "HOME": str(folder),
            "LUCASTRA_HOME": str(folder / ".lucastra"),
            "XDG_RUNTIME_DIR": str(run),  # short: the kernel takes socket paths of at most 107 bytes
        }
        if "PYTHONPATH" in environment:  # the daemon stands in another folder
            places = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(place).absolute()) for place in places)
        self.paths = Paths.from_environment(environment)
        self.environment = environment
        """What a process needs to be a client of this daemon."""
        self._output = folder / "output.log"
        self._process: trio.Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the daemon that runs."""
        assert self._process is not None, "spawn it first"
        return self._process.pid

    async def spawn(self) -> None:
        """Start the process; `client` waits until it listens."""
        with self._output.open("ab") as output:
            self._process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", "lucastrad", "serve", "--idle-exit-minutes", _IDLE_EXIT_MINUTES],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=self.environment,
                start_new_session=True,  # Ctrl-C is the benchmark's, which then stops the daemon
            )

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client on a connection of its own, as soon as the daemon answers."""
        stream = await self._session()
        async with open_client(stream=stream) as client:
            yield client

    async def _session(self) -> trio.SocketStream:
        deadline = trio.current_time() + _LISTEN_SECONDS
        while trio.current_time() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            stream = await connect(self.paths)
            if stream is not None:
                try:
                    await say_hello(stream, client_name="benchmark")
                    return stream
                except Unanswered:
                    await trio.aclose_forcefully(stream)
            await trio.sleep(_POLL_SECONDS)
        said = self._output.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:]
        raise BenchmarkError("the daemon does not listen; it said:\n" + "\n".join(said))

    async def stop(self) -> None:
        """Ask the daemon to stop, and wait until its process has ended; kill it if it does not."""
        if self._process is None:
            return
        with trio.move_on_after(_STOP_SECONDS, shield=True):
            with suppress(LucAstraError, BenchmarkError, OSError):
                async with self.client() as client:
                    await client.stop()
            await self._process.wait()
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # it leads the group of its workers
            with trio.CancelScope(shield=True):
                await self._process.wait()
            raise BenchmarkError(f"the daemon did not stop within {_STOP_SECONDS:.0f} s; see {self.paths.log}")
        self._process = None

    def vectors_embedded(self) -> int:
        """How many vectors this store's embedding cache was ever given, which is how many chunks were embedded.

        The cache numbers its rows with AUTOINCREMENT, so a vector put in again counts again. The caller checks this
        against what the daemon itself reports (`IndexResult.embedded_chunks`), which covers one request only.
        """
        total = 0
        for cache in (self.paths.home / "embeddings").glob("*.sqlite3"):
            with closing(sqlite3.connect(f"{cache.as_uri()}?mode=ro", uri=True)) as connection:
                rows = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'").fetchall()
                total += sum(int(seq) for (seq,) in rows)
        return total


@asynccontextmanager
async def open_daemon(
    scratch: Path, configure: Callable[[PrivateDaemon], None] | None = None
) -> AsyncIterator[PrivateDaemon]:
    """A running daemon with an empty store in `scratch`; it is stopped and its store deleted at the end.

    `configure` is called before it is spawned.
    """
    folder = Path(tempfile.mkdtemp(prefix="daemon-", dir=scratch))
    run = Path(tempfile.mkdtemp(prefix="lb-"))
    daemon = PrivateDaemon(folder, run)
    try:
        if configure is not None:
            configure(daemon)
        await daemon.spawn()
        yield daemon
    finally:
        try:
            await daemon.stop()
        finally:
            shutil.rmtree(run, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
