"""Other processes: whether they run, which are of a home, and how they all end."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PATIENCE_SECONDS = 120.0
"""No wait of a test takes longer; on an idle machine each takes a fraction of it."""


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that nobody has waited for yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for what nothing announces, asking again and again; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def processes_of(home: Path) -> list[tuple[int, str]]:
    """The processes that were started with this HOME: their ids and command lines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()))
    return found


def end_processes_of(home: Path) -> None:
    """Leave nothing behind: the daemon serves others, and so outlives its editor."""
    for pid, _ in processes_of(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    with suppress(AssertionError):
        until(lambda: not processes_of(home), seconds=10)
    for pid, _ in processes_of(home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
