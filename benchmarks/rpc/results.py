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


TRIVIAL = Bar("trivial request of our own, p50", Demand.AT_MOST, 0.072, "ms")
"""1.2 times what a prototype of pygls on Trio took."""
PYGLS = Bar("trivial request of the standard, p50 / stock pygls", Demand.BELOW, 1)
QUEUED = Bar("latency of many paced clients / of one that sends as much, p50", Demand.AT_MOST, 1.5)
TYPED = Bar("keystroke to found, p99", Demand.BELOW, 150, "ms")
BACKLOG = Bar("paced requests, p99", Demand.BELOW, 25, "ms")


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


@dataclass(frozen=True, slots=True)
class Trivial:
    """Requests that take no work, by one client."""

    own_ms: Distribution
    """One of LucAstra's methods."""
    bare_ms: Distribution
    """The same answered by nothing but a loop."""
    standard_ms: Distribution
    """One of the standard's."""
    stock_ms: Distribution
    """The same answered by stock pygls."""


@dataclass(frozen=True, slots=True)
class Paced:
    """Trivial requests at a fixed rate, from when each was due to its reply."""

    clients: int
    per_second: float
    latency_ms: Distribution

    @property
    def subject(self) -> str:
        """What the bars call it."""
        return f"{self.clients} client{'s' if self.clients > 1 else ''} at {self.per_second:,.0f} requests a second"


@dataclass(frozen=True, slots=True)
class Typed:
    """From a change of a buffer to the search that finds it."""

    mode: str
    latency_ms: Distribution

    @property
    def subject(self) -> str:
        """What the bars call it."""
        return f"{self.mode} search of what was typed"


@dataclass(slots=True)
class RpcReport:
    """The whole run."""

    machine: Machine
    quick: bool
    corpus: str
    trivial: Trivial | None = None
    paced: list[Paced] = field(default_factory=list)
    """By one client, and by many."""
    typed: list[Typed] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    kills: Kills | None = None
    verdicts: list[Verdict] = field(default_factory=list)

    def judge(self) -> None:
        """Hold what was measured against the bars."""
        if self.trivial is not None:
            taken = self.trivial
            self.verdicts.append(TRIVIAL.hold(taken.own_ms.p50, "one client"))
            self.verdicts.append(PYGLS.hold(taken.standard_ms.p50 / taken.stock_ms.p50, "one client"))
        if self.paced:
            one, many = self.paced[0], self.paced[-1]
            self.verdicts.append(QUEUED.hold(many.latency_ms.p50 / one.latency_ms.p50, many.subject))
            self.verdicts.append(BACKLOG.hold(many.latency_ms.p99, many.subject))
        self.verdicts += [TYPED.hold(typed.latency_ms.p99, typed.subject) for typed in self.typed]
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
        if self.trivial is not None:
            for name, one in (
                ("own method", self.trivial.own_ms),
                ("own, a bare loop", self.trivial.bare_ms),
                ("standard method", self.trivial.standard_ms),
                ("standard, stock pygls", self.trivial.stock_ms),
            ):
                text.append(f"  trivial, {name:<22} p50 {one.p50:.3f} ms, p99 {one.p99:.3f} ({one.count:,} requests)")
        for paced in self.paced:
            late = paced.latency_ms
            text.append(f"  {paced.subject}: p50 {late.p50:.2f} ms, p99 {late.p99:.2f}, worst {late.maximum:.2f}")
        for typed in self.typed:
            late = typed.latency_ms
            text.append(f"  {typed.subject}: p50 {late.p50:.0f} ms, p99 {late.p99:.0f}, worst {late.maximum:.0f}")
        text += [f"  {load.subject:<24}{load}" for load in self.loads]
        if self.kills is not None:
            text.append(
                f"  {f'{self.kills.killed} clients killed':<24}{self.kills.others.subject}: {self.kills.others}"
            )
        return text
