"""Bars: what a measured value has to reach, and whether it did."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Demand(StrEnum):
    """How a value is held against the limit of its bar."""

    BELOW = "<"
    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class Bar:
    """One demand."""

    name: str
    demand: Demand
    limit: float
    unit: str = ""

    def hold(self, value: float, subject: str) -> "Verdict":
        """Hold what was measured on `subject` against this bar; NaN meets no bar."""
        met = {
            Demand.BELOW: value < self.limit,
            Demand.AT_MOST: value <= self.limit,
            Demand.AT_LEAST: value >= self.limit,
        }[self.demand]
        return Verdict(subject, self.name, self.demand, self.limit, self.unit, value, met)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measured value beside its bar."""

    subject: str
    """What was measured: a corpus, or a load."""
    name: str
    demand: Demand
    limit: float
    unit: str
    value: float
    met: bool

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        mark = "ok   " if self.met else "SHORT"
        return (
            f"{mark}  {self.subject}: {self.name} = {self.value:,.4g}{unit} (bar: {self.demand} {self.limit:,g}{unit})"
        )


def shortfalls(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that fall short."""
    return [verdict for verdict in verdicts if not verdict.met]
