"""What is measured, and the bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.bars import Bar, Demand, Verdict
from benchmarks.distribution import Distribution
from benchmarks.machine import Machine


class Program(StrEnum):
    """Where a time is taken."""

    CLIENT = "client library"
    """The same requests without an editor: the share of the daemon and the model."""
    VSCODE = "VS Code"
    NEOVIM = "Neovim"


class Measure(StrEnum):
    """What a user waits for."""

    COMPLETION = "keystroke to ghost text"
    TYPED = "last letter to first result"
    SEARCH = "search to first result"
    PASSAGES = "question to passages"
    ANSWER = "question to first token"


class Model(StrEnum):
    """What writes completions and answers."""

    NONE = ""
    INSTANT = "instant"
    """A scripted server that answers at once: all else is the daemon's and the editor's."""
    REAL = "llama.cpp"


@dataclass(frozen=True, slots=True)
class Timing:
    """One measure, taken again and again."""

    program: Program
    measure: Measure
    model: Model
    asked: int
    shown_ms: Distribution | None
    """From the key or command until it was shown; None when it never was."""
    peer: str = ""
    """What was measured in place of LucAstra: something that the same editor has of its own."""

    @classmethod
    def of(
        cls,
        program: Program,
        measure: Measure,
        model: Model,
        times_ms: Sequence[float | None],
        *,
        peer: str = "",
    ) -> "Timing":
        """None among the times stands for what was never shown."""
        shown = [time for time in times_ms if time is not None]
        return cls(program, measure, model, len(times_ms), Distribution.of(shown) if shown else None, peer)

    @property
    def subject(self) -> str:
        """What the bars call it."""
        model = f", {self.model} model" if self.model else ""
        return f"{self.peer or self.program}, {self.measure}{model}"

    @property
    def missing(self) -> int:
        """How often nothing was shown."""
        return self.asked - (0 if self.shown_ms is None else self.shown_ms.count)

    @property
    def p50(self) -> float:
        """Milliseconds; NaN, which meets no bar, when nothing was shown."""
        return float("nan") if self.shown_ms is None else self.shown_ms.p50

    def __str__(self) -> str:
        shown = self.shown_ms
        times = (
            f"{'-':>10}{'-':>10}{'-':>10}"
            if shown is None
            else f"{shown.p50:10,.1f}{shown.p95:10,.1f}{shown.maximum:10,.1f}"
        )
        missing = f"   {self.missing} not shown" if self.missing else ""
        return f"  {self.measure:<28}{self.peer or self.program:<24}{self.model:<10}{self.asked:>5}{times}{missing}"


@dataclass(frozen=True, slots=True)
class Kills:
    """Editors killed with SIGKILL."""

    program: Program
    killed: int
    gone_ms: Distribution | None
    """From the kill until the editor's relay had ended."""

    @property
    def left(self) -> int:
        """Relays that stayed for longer than anybody waited."""
        return self.killed - (0 if self.gone_ms is None else self.gone_ms.count)

    @classmethod
    def of(cls, program: Program, times_ms: Sequence[float | None]) -> "Kills":
        """None among the times stands for a relay that stayed."""
        gone = [time for time in times_ms if time is not None]
        return cls(program, len(times_ms), Distribution.of(gone) if gone else None)

    def __str__(self) -> str:
        gone = self.gone_ms
        times = "" if gone is None else f"p50 {gone.p50:.1f} ms, p95 {gone.p95:.1f}, worst {gone.maximum:.1f}"
        return f"  {self.program:<28}{self.killed} killed, {self.left} relays left; {times}"


DAEMON_SEARCH = Bar("p50", Demand.BELOW, 10, "ms")
NOT_SHOWN = Bar("asked for and not shown", Demand.AT_MOST, 0)
ADDED = {
    (Program.VSCODE, Measure.COMPLETION): Bar("p50 above the client library's", Demand.BELOW, 120, "ms"),
    (Program.VSCODE, Measure.TYPED): Bar("p50 above the client library's search", Demand.BELOW, 175, "ms"),
    (Program.VSCODE, Measure.SEARCH): Bar("p50 above the client library's", Demand.BELOW, 50, "ms"),
    (Program.VSCODE, Measure.ANSWER): Bar("p50 above the client library's", Demand.BELOW, 100, "ms"),
    (Program.NEOVIM, Measure.COMPLETION): Bar("p50 above the client library's", Demand.BELOW, 90, "ms"),
    (Program.NEOVIM, Measure.SEARCH): Bar("p50 above the client library's", Demand.BELOW, 10, "ms"),
    (Program.NEOVIM, Measure.ANSWER): Bar("p50 above the client library's", Demand.BELOW, 50, "ms"),
}
"""What an editor and its extension may add. Pauses in typing are in it: 75 ms of the Neovim plugin, some 50 of VS Code,
and 120 of the search view while letters are typed."""
PEER = Bar("p50 / the editor's own", Demand.BELOW, 1)
LEFT = Bar("relays left", Demand.AT_MOST, 0)
GONE = Bar("relay gone after the kill, worst", Demand.BELOW, 2_000, "ms")


@dataclass(slots=True)
class EditorsReport:
    """The whole run."""

    machine: Machine
    quick: bool
    corpus: str
    model: str
    """What the real model is."""
    timings: list[Timing] = field(default_factory=list)
    kills: list[Kills] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def judge(self) -> None:
        """Hold what was measured against the bars. How long a real model takes, and whether it offers anything for a
        line, is reported and not judged."""
        self.verdicts += [*self._shown(), *self._times(), *self._relays()]

    def _shown(self) -> Iterator[Verdict]:
        for program in Program:
            missing = [
                one.missing
                for one in self.timings
                if one.program is program
                and not one.peer
                and not (one.model is Model.REAL and one.measure is Measure.COMPLETION)
            ]
            if missing:
                yield NOT_SHOWN.hold(sum(missing), program)

    def _times(self) -> Iterator[Verdict]:
        clients = {(one.measure, one.model): one for one in self.timings if one.program is Program.CLIENT}
        peers = {(one.program, one.measure): one for one in self.timings if one.peer}
        for one in self.timings:
            if one.peer:
                continue
            if one.program is Program.CLIENT and one.measure is Measure.SEARCH:
                yield DAEMON_SEARCH.hold(one.p50, one.subject)
            bar = ADDED.get((one.program, one.measure))
            if bar is not None and one.model is not Model.REAL:
                measure = Measure.SEARCH if one.measure is Measure.TYPED else one.measure
                yield bar.hold(one.p50 - clients[measure, one.model].p50, one.subject)
            if (peer := peers.get((one.program, one.measure))) is not None:
                yield PEER.hold(one.p50 / peer.p50, one.subject)

    def _relays(self) -> Iterator[Verdict]:
        for kills in self.kills:
            yield LEFT.hold(kills.left, f"{kills.program} killed")
            worst = float("nan") if kills.gone_ms is None else kills.gone_ms.maximum
            yield GONE.hold(worst, f"{kills.program} killed")

    def lines(self) -> list[str]:
        """The report as text, without the bars."""
        text = [
            str(self.machine),
            f"{self.corpus} indexed; llama.cpp serves {self.model}",
            "",
            f"  {'milliseconds':<28}{'':<24}{'model':<10}{'n':>5}{'p50':>10}{'p95':>10}{'max':>10}",
        ]
        for measure in Measure:
            text += [str(one) for one in self.timings if one.measure is measure]
        text += ["", "relays of killed editors"]
        return text + [str(one) for one in self.kills]
