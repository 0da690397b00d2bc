"""What is measured, and the bars."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine

FIRST_P50 = Bar("first delta after the provider's first token, p50", Demand.BELOW, 5, "ms")
FIRST_P99 = Bar("first delta after the provider's first token, p99", Demand.BELOW, 20, "ms")
SEQUENCE = Bar("streams a second / blocking calls in sequence", Demand.AT_LEAST, 10)
BARE = Bar("streams a second / bare httpx on Trio", Demand.AT_LEAST, 0.9)
FAILED = Bar("failed requests", Demand.AT_MOST, 0)
OURS_P95 = Bar("of an inline completion ours, p95", Demand.BELOW, 15, "ms")
FREED = Bar("a superseded request's connection closed, slowest", Demand.BELOW, 50, "ms")


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


@dataclass(frozen=True, slots=True)
class CompletionTimes:
    """Milliseconds of one inline completion."""

    total_ms: float
    """From the request to the reply, as the client sees it."""
    context_ms: float
    """Until the model was asked, for passages to draw on; told by the daemon."""
    upstream_ms: float
    """From the last byte of the model's request to the last of its answer, as the upstream sees it."""
    told_ms: float
    """The same with the daemon's part in it: from its call of the provider to the end of the answer."""

    @property
    def ours_ms(self) -> float:
        """All the rest: both protocols, the window, the rules, HTTP."""
        return self.total_ms - self.context_ms - self.upstream_ms


@dataclass(frozen=True, slots=True)
class Completions:
    """Inline completions, one after the other."""

    subject: str
    offered: int
    """How many had something to offer."""
    total_ms: Distribution
    context_ms: Distribution
    upstream_ms: Distribution
    told_ms: Distribution
    ours_ms: Distribution

    @classmethod
    def of(cls, subject: str, measured: Sequence[CompletionTimes], offered: int) -> "Completions":
        names = ("total_ms", "context_ms", "upstream_ms", "told_ms", "ours_ms")
        parts = {name: Distribution.of([getattr(one, name) for one in measured]) for name in names}
        return cls(subject, offered, **parts)

    def lines(self) -> Iterator[str]:
        """Percentiles of each part; those of the parts do not add up to that of the whole."""
        yield f"  {self.subject} ({self.total_ms.count} completions, {self.offered} with something to offer)"
        for name, part in (
            ("request to reply", self.total_ms),
            ("context", self.context_ms),
            ("upstream", self.upstream_ms),
            ("ours", self.ours_ms),
        ):
            yield f"    {name:<26}p50 {part.p50:,.1f} ms, p95 {part.p95:,.1f}, slowest {part.maximum:,.1f}"


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
    completions: list[Completions] = field(default_factory=list)
    freed_ms: Distribution | None = None
    """From the next completion to the end of the connection of the one before, as the upstream sees it."""
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
        self.verdicts += [OURS_P95.hold(one.ours_ms.p95, one.subject) for one in self.completions]
        if self.freed_ms is not None:
            self.verdicts.append(FREED.hold(self.freed_ms.maximum, REAL))

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
        text.append("inline completion, of which the upstream's time is that of the model server's side")
        for one in self.completions:
            text += one.lines()
        if (freed := self.freed_ms) is not None:
            text.append(
                f"  a superseded request's connection is closed after p50 {freed.p50:.1f} ms, p95 {freed.p95:.1f},"
                f" slowest {freed.maximum:.1f} ({freed.count} requests)"
            )
        return text


REAL = "llama.cpp with Qwen2.5-Coder-0.5B on one thread"
INSTANT = "a model server that answers at once"
BARE_CLIENT = "bare httpx on Trio"
