"""The end of an editor: of the process that a client names as its own (`processId` of LSP's initialize), and of the
one that has started a relay."""

import os

import trio

POLL_SECONDS = 1.0


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
