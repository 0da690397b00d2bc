"""What the benchmark ran on."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware and the software below LucAstra."""

    cpu: str
    cores: int
    """Those that this process may use."""
    memory_bytes: int
    python: str
    kernel: str
    load_average: tuple[float, float, float]
    """Of the last 1, 5 and 15 minutes before the benchmark: a busy machine measures others' work too."""

    @classmethod
    def here(cls) -> "Machine":
        """This machine, now."""
        return cls(
            cpu=cpu_model(Path("/proc/cpuinfo").read_text("utf-8", "replace")) or platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            python=f"{platform.python_implementation()} {platform.python_version()}",
            kernel=f"{platform.system()} {platform.release()}",
            load_average=os.getloadavg(),
        )

    def __str__(self) -> str:
        loads = " ".join(f"{load:.2f}" for load in self.load_average)
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_bytes / 2**30:.1f} GiB; {self.python}; "
            f"{self.kernel}; load {loads}"
        )


@dataclass(frozen=True, slots=True)
class CpuTime:
    """What the kernel has counted over all cores, in ticks."""

    used: int
    stolen: int
    """Wanted, while the host of a virtual machine let others run."""

    @classmethod
    def now(cls) -> "CpuTime":
        """Since the start of the machine; nothing is stolen where the kernel does not tell."""
        try:
            return cpu_time(Path("/proc/stat").read_text("ascii"))
        except (OSError, ValueError):
            return cls(0, 0)

    def stolen_since(self, before: "CpuTime") -> float:
        """The share of the time that was wanted."""
        used, stolen = self.used - before.used, max(0, self.stolen - before.stolen)  # some hosts take it back
        return stolen / (used + stolen) if stolen else 0.0


def cpu_time(stat: str) -> CpuTime:
    """Read the first line of /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, stat.split()[1:9])
    return CpuTime(user + nice + system + irq + softirq, stolen)


def cpu_model(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo; empty where it has none (ARM)."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return ""
