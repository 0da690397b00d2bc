"""What a command needs of the process that it runs in, so that tests can hand it another.

Invariant: imports no Trio, which loads with the first use of the daemon.
"""

import getpass
import os
import select
import stat
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.keys import SystemKeyring
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import IndexResult

from lucastra_client.arguments import PROGRAM, Arguments
from lucastra_client.progress import progress
from lucastra_client.rendering import Renderer, View, renderer
from lucastra_client.rendering.text import printable_line

if TYPE_CHECKING:
    from lucastra_client.client import Client

_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Shell:
    """One command line and its surroundings."""

    arguments: Arguments
    cwd: Path
    paths: Paths
    out: TextIO
    err: TextIO
    show: Renderer
    open: "Callable[[], AbstractAsyncContextManager[Client]]"
    """Opens the daemon, starting it if need be."""
    open_running: "Callable[[], AbstractAsyncContextManager[Client]]"
    """Opens the daemon if it runs; raises LucAstraError (DAEMON_UNREACHABLE) otherwise."""
    stop: Callable[[], Awaitable[bool]]
    """Stops the daemon and waits until its store is free; False when none runs."""
    piped: Callable[[], str] = lambda: ""
    """What is piped into the command, read to its end; empty where nothing is."""
    ask_secret: Callable[[str], str] = getpass.getpass
    """Asks the user, at their terminal, for what is not shown while it is typed."""
    keyring: SystemKeyring = field(default_factory=SystemKeyring)

    @classmethod
    def of_process(cls, arguments: Arguments, cwd: Path, out: TextIO, err: TextIO) -> "Shell":
        """The shell of the user's own daemon, writing to `out` and `err`."""
        paths = Paths.from_environment()

        def open_daemon(*, start: bool = True) -> "AbstractAsyncContextManager[Client]":
            from lucastra_client.client import open_client

            return open_client(paths, start=start)

        async def stop() -> bool:
            from lucastra_protocol.connect import stop_daemon

            return await stop_daemon(paths)

        return cls(
            arguments,
            cwd,
            paths,
            out,
            err,
            show=renderer_for(arguments, cwd, out),
            open=open_daemon,
            open_running=lambda: open_daemon(start=False),
            stop=stop,
            piped=lambda: piped_text(sys.stdin, err),
        )

    @property
    def for_programs(self) -> bool:
        """Whether the result is a document, which holds the daemon's notices itself."""
        return self.arguments.json or getattr(self.arguments, "jsonl", False)

    def note(self, text: str) -> None:
        """Tell the user something beside the result."""
        if not self.arguments.quiet:
            print(f"{PROGRAM}: {printable_line(text)}", file=self.err, flush=True)

    async def index(self, client: "Client", folder: Path, *, title: str | None = None) -> IndexResult:
        """Index a folder, with progress on standard error under its name or another `title`."""
        with progress(
            self.err, f"indexing {title or folder}", quiet=self.arguments.quiet, color=self.arguments.color
        ) as show:
            return await client.index(folder, on_progress=show)


def renderer_for(arguments: Arguments, cwd: Path, out: TextIO) -> Renderer:
    """The renderer that the command line asks for."""
    view = View(cwd, full=getattr(arguments, "full", False), explain=getattr(arguments, "explain", False))
    events = getattr(arguments, "jsonl", False)
    return renderer(out, view, json=arguments.json, color=arguments.color, events=events)


def piped_text(stdin: TextIO | None, err: TextIO) -> str:
    """All of a pipe or a file at standard input; empty for a terminal, a device, and where there is none.

    A pipe that nobody writes to and nobody closes, as some programs leave it, is waited for, and that is told.
    Raises LucAstraError for what is no UTF-8.
    """
    try:
        if stdin is None or not _is_pipe_or_file(stdin.fileno()):
            return ""
    except (OSError, ValueError):  # closed, or replaced by an object without a descriptor
        return ""
    if not select.select([stdin.fileno()], [], [], _PATIENCE_SECONDS)[0]:
        print(f"{PROGRAM}: waiting for standard input; `< /dev/null` leaves it out", file=err, flush=True)
    data = stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise LucAstraError("standard input is not UTF-8 text; leave it out with `< /dev/null`") from None


def _is_pipe_or_file(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
