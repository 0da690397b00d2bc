"""What is measured, and the bars."""

import statistics
from dataclasses import dataclass, field

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine

FIRST_P50 = Bar("first delta after the provider's first token, p50", Demand.BELOW, 5, "ms")
FIRST_P99 = Bar("first delta after the provider's first token, p99", Demand.BELOW, 20, "ms")
SEQUENCE = Bar("streams a second / blocking calls in sequence", Demand.AT_LEAST, 10)
BARE = Bar("streams a second / bare httpx on Trio", Demand.AT_LEAST, 0.9)
FAILED = Bar("failed requests", Demand.AT_MOST, 0)


@dataclass(frozen=True, slots=True)
class First:
    """How late the first words are, one request after the other."""

    subject: str
    late_ms: Distribution


@dataclass(frozen=True, slots=True)
class Burst:
    """Many streams at once."""

    subject: str
    streams: int
    seconds: list[float]
    """Of each round, from the first request to the last end."""
    failed: int

    @property
    def per_second(self) -> float:
        """Of the median round."""
        return self.streams / statistics.median(self.seconds)


@dataclass(slots=True)
class ProvidersReport:
    """The whole run."""

    machine: Machine
    quick: bool
    latency_ms: float
    pieces: int
    firsts: list[First] = field(default_factory=list)
    sequence_per_second: float = 0.0
    daemon: Burst | None = None
    bare: Burst | None = None
    verdicts: list[Verdict] = field(default_factory=list)

    def judge(self) -> None:
        """Hold what was measured against the bars."""
        for first in self.firsts:
            if first.subject != BARE_CLIENT:
                self.verdicts.append(FIRST_P50.hold(first.late_ms.p50, first.subject))
                self.verdicts.append(FIRST_P99.hold(first.late_ms.p99, first.subject))
        assert self.daemon is not None and self.bare is not None
        subject = f"{self.daemon.streams} streams at once"
        self.verdicts.append(SEQUENCE.hold(self.daemon.per_second / self.sequence_per_second, subject))
        rounds = zip(self.bare.seconds, self.daemon.seconds, strict=True)
        self.verdicts.append(BARE.hold(statistics.median(bare / ours for bare, ours in rounds), subject))
        self.verdicts.append(FAILED.hold(self.daemon.failed + self.bare.failed, subject))

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        text = [
            str(self.machine),
            f"a local provider with {self.latency_ms:.0f} ms to its first token, {self.pieces} tokens an answer",
            "",
            "from the provider's first token to the client's first delta, one request at a time",
        ]
        for first in self.firsts:
            late = first.late_ms
            text.append(f"  {first.subject:<28}p50 {late.p50:.2f} ms, p99 {late.p99:.2f} ({late.count} requests)")
        text.append("streams a second")
        text.append(f"  {'blocking, in sequence':<28}{self.sequence_per_second:,.1f}")
        for burst in (self.bare, self.daemon):
            if burst is not None:
                seconds = ", ".join(f"{one:.2f}" for one in burst.seconds)
                text.append(f"  {burst.subject:<28}{burst.per_second:,.0f}   rounds of {burst.streams}: {seconds} s")
        return text


BARE_CLIENT = "bare httpx on Trio"
