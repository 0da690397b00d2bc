"""The relays of editors that are killed: when they have ended, from the kernel and not by looking again and again."""

import os
import select
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.processes import PROC, descendants

_WAIT_SECONDS = 10.0


def ms_until_gone(pid: int, kill: Callable[[], None]) -> float | None:
    """Milliseconds from the call of `kill` until the process `pid` has ended; None when it stays."""
    descriptor = os.pidfd_open(pid)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        began = perf_counter()
        kill()
        return (perf_counter() - began) * 1000 if ended.poll(_WAIT_SECONDS * 1000) else None
    finally:
        os.close(descriptor)


def relays_below(pid: int, proc: Path = PROC) -> list[int]:
    """The relays that a process has started."""
    return [child for child in descendants(pid, proc) if b"--stdio" in _command(child, proc)]


def _command(pid: int, proc: Path) -> bytes:
    try:
        return (proc / str(pid) / "cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""
