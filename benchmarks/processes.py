"""Memory and processor time of a process and its descendants, read from Linux's /proc.

A process that ends while it is read counts as absent.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import trio

PROC = Path("/proc")
SAMPLE_SECONDS = 0.1
_FULL_SAMPLE_EVERY = 10
"""PSS takes the kernel a walk of all page tables (2.6 ms for 250 MB) and finding the workers a look at every process:
at 10 Hz that is a tenth of a core, taken from what is measured. RSS costs microseconds."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory at one moment, or the peaks of several moments, each taken for itself. Bytes."""

    daemon_rss: int = 0
    daemon_pss: int = 0
    """Pages that several processes share are split between them, so PSS of processes may be added up."""
    workers_rss: int = 0
    largest_worker_rss: int = 0
    tree_pss: int = 0
    processes: int = 0

    def peak(self, other: "Footprint") -> "Footprint":
        """The larger of each."""
        return Footprint(
            max(self.daemon_rss, other.daemon_rss),
            max(self.daemon_pss, other.daemon_pss),
            max(self.workers_rss, other.workers_rss),
            max(self.largest_worker_rss, other.largest_worker_rss),
            max(self.tree_pss, other.tree_pss),
            max(self.processes, other.processes),
        )


def footprint(pid: int, proc: Path = PROC) -> Footprint:
    """Memory of the daemon `pid` and of everything below it."""
    daemon_rss, daemon_pss = _memory(pid, proc) or (0, 0)
    workers = [memory for child in descendants(pid, proc) if (memory := _memory(child, proc)) is not None]
    resident = [rss for rss, _ in workers]
    return Footprint(
        daemon_rss=daemon_rss,
        daemon_pss=daemon_pss,
        workers_rss=sum(resident),
        largest_worker_rss=max(resident, default=0),
        tree_pss=daemon_pss + sum(pss for _, pss in workers),
        processes=1 + len(workers),
    )


def resident_only(pid: int, workers: Iterable[int], proc: Path = PROC) -> Footprint:
    """RSS of the daemon and of workers that are known already; PSS is left at 0."""
    resident = [_resident(worker, proc) for worker in workers]
    return Footprint(
        daemon_rss=_resident(pid, proc), workers_rss=sum(resident), largest_worker_rss=max(resident, default=0)
    )


def descendants(pid: int, proc: Path = PROC) -> list[int]:
    """Every process below `pid`."""
    children = defaultdict(list)
    for child, fields in _stats(proc):
        children[int(fields[1])].append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return found


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """User and system time of `pid` and everything below it, processes that have ended included.

    What an ended process used is in its parent's account once the parent has waited for it.
    """
    wanted = {pid, *descendants(pid, proc)}
    # proc(5): fields 14 to 17 are utime, stime, cutime, cstime; `fields` starts at the third.
    ticks = sum(sum(map(int, fields[11:15])) for process, fields in _stats(proc) if process in wanted)
    return ticks / _TICKS_PER_SECOND


class MemorySampler:
    """Keeps the peak footprint of a process tree while `run` runs: RSS at 10 Hz, PSS at 1 Hz."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak = Footprint()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.peak = self.peak.peak(await trio.to_thread.run_sync(footprint, self._pid))
            workers = await trio.to_thread.run_sync(descendants, self._pid)
            for _ in range(_FULL_SAMPLE_EVERY - 1):
                await trio.sleep(SAMPLE_SECONDS)
                self.peak = self.peak.peak(resident_only(self._pid, workers))
            await trio.sleep(SAMPLE_SECONDS)


def _resident(pid: int, proc: Path) -> int:
    try:
        return int((proc / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _memory(pid: int, proc: Path) -> tuple[int, int] | None:
    """(RSS, PSS) in bytes."""
    try:
        lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return (sizes["Rss"], sizes["Pss"]) if "Rss" in sizes else None


def _stats(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """(pid, fields of its `stat` from the third on) of every process."""
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line = (folder / "stat").read_text("utf-8", "replace")
        except OSError:
            continue
        # The second field is the program's name in parentheses, which may hold both spaces and parentheses.
        yield int(folder.name), line.rpartition(")")[2].split()
