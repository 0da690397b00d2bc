"""Summaries of repeated measures.

Invariant: every percentile is a value that was measured (nearest rank), never an interpolation.
"""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Distribution:
    """Samples in one unit, summarised; the field's name where it is used tells the unit."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Distribution":
        """Summarise at least one sample; raises ValueError for none."""
        if not samples:
            raise ValueError("nothing was measured")
        ordered = sorted(samples)
        return cls(
            count=len(ordered),
            mean=statistics.fmean(ordered),
            p50=nearest_rank(ordered, 50),
            p90=nearest_rank(ordered, 90),
            p95=nearest_rank(ordered, 95),
            p99=nearest_rank(ordered, 99),
            maximum=ordered[-1],
        )


def nearest_rank(ordered: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of the samples do not exceed; `ordered` ascends."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def with_omitted(latency: float, interval: float) -> Iterator[float]:
    """`latency`, and those that searches due every `interval` meanwhile would have had.

    One client that waits for each reply sends nothing during a stall, so a long stall would count once and hardly
    move a percentile ("coordinated omission"). The correction is that of HdrHistogram's
    `recordValueWithExpectedInterval`.
    """
    yield latency
    while latency >= 2 * interval:
        latency -= interval
        yield latency
