"""What is measured, and the bars."""

from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine

UNANSWERED = Bar("requests unanswered", Demand.AT_MOST, 0)
ERRORS = Bar("errors", Demand.AT_MOST, 0)
RESTARTED = Bar("daemon processes ended", Demand.AT_MOST, 0)
ABANDONED = Bar("sessions of killed clients left open", Demand.AT_MOST, 0)


class Request(StrEnum):
    """What each client repeats."""

    HELLO = "hello"
    """Connect, say hello, close."""
    STATUS = "status"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Load:
    """Concurrent clients, each on a connection of its own, each sending its next request on the reply to the last."""

    request: Request
    clients: int
    requests: int
    answered: int
    errors: dict[str, int]
    """By message."""
    seconds: float
    latency_ms: Distribution | None
    """Of the answered ones; None when there are none."""

    @property
    def subject(self) -> str:
        """What the bars call it."""
        return f"{self.request} by {self.clients} client{'s' if self.clients > 1 else ''}"

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds

    def __str__(self) -> str:
        latency = (
            "" if self.latency_ms is None else f", p50 {self.latency_ms.p50:.2f} ms, p99 {self.latency_ms.p99:.2f}"
        )
        failed = f"; errors: {self.errors}" if self.errors else ""
        return f"{self.answered:,} of {self.requests:,} answered, {self.per_second:,.0f} a second{latency}{failed}"


@dataclass(frozen=True, slots=True)
class Kills:
    """Clients killed with requests under way while others search."""

    killed: int
    others: Load
    daemon_ended: bool
    sessions_left: int
    """Sessions of killed clients that the daemon still counted a while later."""


@dataclass(slots=True)
class RpcReport:
    """The whole run."""

    machine: Machine
    quick: bool
    corpus: str
    loads: list[Load] = field(default_factory=list)
    kills: Kills | None = None
    verdicts: list[Verdict] = field(default_factory=list)

    def judge(self) -> None:
        """Hold what was measured against the bars."""
        loads = {load.subject: load for load in self.loads}
        if self.kills is not None:
            others = f"{self.kills.others.subject} beside killed ones"
            loads[others] = self.kills.others
            self.verdicts.append(RESTARTED.hold(int(self.kills.daemon_ended), others))
            self.verdicts.append(ABANDONED.hold(self.kills.sessions_left, others))
        for subject, load in loads.items():
            self.verdicts.append(UNANSWERED.hold(load.requests - load.answered, subject))
            self.verdicts.append(ERRORS.hold(sum(load.errors.values()), subject))

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        text = [str(self.machine), f"{self.corpus} indexed", ""]
        text += [f"  {load.subject:<24}{load}" for load in self.loads]
        if self.kills is not None:
            text.append(
                f"  {f'{self.kills.killed} clients killed':<24}{self.kills.others.subject}: {self.kills.others}"
            )
        return text
