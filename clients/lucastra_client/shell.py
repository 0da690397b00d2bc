"""What a command needs of the process that it runs in, so that tests can hand it another."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from lucastra_protocol.connect import stop_daemon
from lucastra_protocol.paths import Paths
from lucastra_protocol.types import IndexResult

from lucastra_client.arguments import PROGRAM, Arguments
from lucastra_client.client import Client, open_client
from lucastra_client.progress import progress
from lucastra_client.rendering import Renderer, View, renderer
from lucastra_client.rendering.text import printable_line


@dataclass(frozen=True, slots=True)
class Shell:
    """One command line and its surroundings."""

    arguments: Arguments
    cwd: Path
    paths: Paths
    out: TextIO
    err: TextIO
    show: Renderer
    open: Callable[[], AbstractAsyncContextManager[Client]]
    """Opens the daemon, starting it if need be."""
    open_running: Callable[[], AbstractAsyncContextManager[Client]]
    """Opens the daemon if it runs; raises LucAstraError (DAEMON_UNREACHABLE) otherwise."""
    stop: Callable[[], Awaitable[bool]]
    """Stops the daemon and waits until its store is free; False when none runs."""

    @classmethod
    def of_process(cls, arguments: Arguments, cwd: Path, out: TextIO, err: TextIO) -> "Shell":
        """The shell of the user's own daemon, writing to `out` and `err`."""
        paths = Paths.from_environment()
        return cls(
            arguments,
            cwd,
            paths,
            out,
            err,
            show=renderer_for(arguments, cwd, out),
            open=partial(open_client, paths),
            open_running=partial(open_client, paths, start=False),
            stop=partial(stop_daemon, paths),
        )

    def note(self, text: str) -> None:
        """Tell the user something beside the result."""
        if not self.arguments.quiet:
            print(f"{PROGRAM}: {printable_line(text)}", file=self.err, flush=True)

    async def index(self, client: Client, root: Path, *, wait: bool = True) -> IndexResult:
        """Index a folder, with progress on standard error."""
        arguments = self.arguments
        if not wait:
            return await client.index(root, wait=False)
        with progress(self.err, f"indexing {root}", quiet=arguments.quiet, color=arguments.color) as show:
            return await client.index(root, on_progress=show)


def renderer_for(arguments: Arguments, cwd: Path, out: TextIO) -> Renderer:
    """The renderer that the command line asks for."""
    view = View(cwd, full=getattr(arguments, "full", False), explain=getattr(arguments, "explain", False))
    return renderer(out, view, json=arguments.json, color=arguments.color)
