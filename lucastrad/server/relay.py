"""`lucastrad --stdio`: what editors start. It pipes bytes between the editor and the daemon.

Invariant: the relay is gone when the editor is, also when another process holds the editor's pipes
open; and what anything prints to standard output reaches standard error, never the editor.
"""

import os
import re
import sys
from contextlib import suppress

import trio
from lucastra_protocol.connect import DaemonSilent, open_session
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.server.parent import until_gone

EXIT_SILENT = 69
"""A daemon runs and does not answer (EX_UNAVAILABLE of sysexits.h)."""
_LEAVE_SECONDS = 2.0
_CHUNK_BYTES = 64 * 1024
_EXIT = re.compile(rb'"method"\s*:\s*"exit"')
_SHUTDOWN = re.compile(rb'"method"\s*:\s*"shutdown"')
_TAIL_BYTES = 256


def main(paths: Paths) -> int:
    """Relay until the editor or the daemon leaves; return the exit status."""
    editor_in, editor_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return trio.run(relay, paths, editor_in, editor_out)


async def relay(paths: Paths, editor_in: int, editor_out: int) -> int:
    """Relay between two file descriptors, which are then closed, and the daemon of `paths`.

    Returns 0 when the editor left, 1 when it said `exit` without `shutdown` (LSP 3.18, "Exit Notification"),
    or the daemon could not be reached or left first; EXIT_SILENT when one runs that does not answer.
    """
    editor = os.getppid()
    async with (
        trio.lowlevel.FdStream(editor_in) as source,
        trio.lowlevel.FdStream(editor_out) as sink,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_leave_with_parent, editor, nursery.cancel_scope)
        try:
            daemon, _ = await open_session(paths, client_name="lucastrad --stdio")
        except LucAstraError as error:
            _say(error.message)
            nursery.cancel_scope.cancel()
            return EXIT_SILENT if isinstance(error, DaemonSilent) else 1
        async with daemon:
            pipe = _Pipe()
            nursery.start_soon(pipe.editor_to_daemon, source, daemon)
            await pipe.daemon_to_editor(daemon, sink)
        nursery.cancel_scope.cancel()
        if not pipe.editor_left:
            _say(f"the daemon closed the connection; see {paths.log}")
            return 1
    return 1 if pipe.exited and not pipe.shut_down else 0


class _Pipe:
    """The bytes of one editor and one daemon."""

    def __init__(self) -> None:
        self.editor_left = False
        self.shut_down = False
        self.exited = False
        self._receiving = trio.CancelScope()

    async def editor_to_daemon(self, editor: trio.abc.ReceiveStream, daemon: trio.SocketStream) -> None:
        """Pipe until the editor closes its end; then the daemon may say its last words."""
        tail = b""
        try:
            while data := await editor.receive_some(_CHUNK_BYTES):
                recent = tail + data
                tail = recent[-_TAIL_BYTES:]
                self.shut_down = self.shut_down or _SHUTDOWN.search(recent) is not None
                self.exited = _EXIT.search(tail) is not None
                # After `exit` it is the daemon that closes the connection, and rightly.
                self.editor_left = self.exited
                await daemon.send_all(data)
            self.editor_left = True
            await daemon.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the other direction sees the end
        if self.editor_left:
            self._receiving.deadline = trio.current_time() + _LEAVE_SECONDS

    async def daemon_to_editor(self, daemon: trio.abc.ReceiveStream, editor: trio.abc.SendStream) -> None:
        """Pipe until the daemon closes its end, or the editor no longer listens."""
        with self._receiving:
            try:
                while data := await daemon.receive_some(_CHUNK_BYTES):
                    await _send_to_editor(editor, data)
            except trio.BrokenResourceError:
                return
            except _EditorGone:
                self.editor_left = True


class _EditorGone(Exception):
    pass


async def _send_to_editor(editor: trio.abc.SendStream, data: bytes | bytearray) -> None:
    try:
        await editor.send_all(data)
    except trio.BrokenResourceError:
        raise _EditorGone from None


async def _leave_with_parent(parent: int, relaying: trio.CancelScope) -> None:
    """Cancel when the parent dies: its pipes stay open as long as any child of its own holds them."""
    if not parent:  # it is of another container, and cannot be watched
        return
    with suppress(ProcessLookupError):  # it has died before this began
        await until_gone(parent)
    relaying.cancel()


def _say(message: str) -> None:
    print(f"lucastrad: {message}", file=sys.stderr, flush=True)
