"""The end of an editor: of the process that a client names as its own (`processId` of LSP's initialize), and of the
one that has started a relay.

A client in a container counts its processes anew: its number may be that of any process here. So a process is believed
to be a client's only if it is at the other end of the socket, or has started what is."""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import trio

POLL_SECONDS = 1.0
_MOST_ANCESTORS = 64


def may_be_of(connection: trio.socket.SocketType, pid: int) -> bool:
    """Whether process `pid` of this system may be the one that a client calls its own."""
    if connection.family != socket.AF_UNIX:
        return False  # nobody tells which process that is
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # macOS, where processes are counted once
    peer, _, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid in _with_ancestors(peer)


def _with_ancestors(pid: int) -> Iterator[int]:
    for _ in range(_MOST_ANCESTORS):
        if pid <= 0:  # where it is none of ours
            return
        yield pid
        try:
            # "pid (name) state parent …": a name may hold anything, brackets too (proc(5)).
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except OSError:
            return


async def until_gone(pid: int) -> None:
    """Return when process `pid` has ended.

    Raises:
        ProcessLookupError: There is none now: the client counts its processes elsewhere, such as in a container.
    """
    if not hasattr(os, "pidfd_open"):  # macOS
        await _poll(pid)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel before 5.3, or a sandbox that does not let it through
        await _poll(pid)
        return
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def _poll(pid: int) -> None:
    if not _exists(pid):
        raise ProcessLookupError(pid)
    while _exists(pid):  # noqa: ASYNC110 (without a pidfd no event tells of another process's end)
        await trio.sleep(POLL_SECONDS)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
