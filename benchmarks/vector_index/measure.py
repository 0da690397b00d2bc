"""Processor time, in rounds in which competitors take turns, and the least effort that reaches a recall.

Times are those of the whole process, pinned to one core: work that a library gives to a thread of its own counts, and
what other processes do meanwhile does not, except through caches and clock rates, which is what the turns are for.
"""

import gc
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_FINEST = 1.03
"""Efforts closer than this, as a ratio, are not told apart."""


def pin() -> int:
    """Keep this process on one of its cores; returns which."""
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def cpu_seconds(work: Callable[[], object]) -> float:
    """The processor time of `work`, without garbage collection."""
    gc.collect()
    gc.disable()
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        gc.enable()


def in_turns(works: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Processor seconds of each of `works` in each round; the first round's warm-up is not counted."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(rounds + 1):
        order = range(len(works)) if number % 2 else reversed(range(len(works)))
        for which in order:
            seconds = cpu_seconds(works[which])
            if number:
                times[which].append(seconds)
    return times


@dataclass(frozen=True, slots=True)
class Pace:
    """Things a second, over rounds."""

    per_second: list[float]

    @classmethod
    def of(cls, count: int, seconds: Sequence[float]) -> "Pace":
        """`count` things in each of `seconds`."""
        return cls([count / one for one in seconds])

    @property
    def median(self) -> float:
        return statistics.median(self.per_second)

    def over(self, other: "Pace") -> float:
        """How many times as fast as another in the same rounds: the median of the rounds' ratios."""
        return statistics.median(a / b for a, b in zip(self.per_second, other.per_second, strict=True))


def least_effort(recall: Callable[[int], float], target: float, first: int, last: int) -> int | None:
    """The least effort (to within 3 %) at which `recall` reaches `target`; None when `last` does not."""
    high = first
    while recall(high) < target:
        if high >= last:
            return None
        high = min(2 * high, last)
    low = max(first, high // 2)
    if recall(low) >= target:
        return low
    while high > low * _FINEST and high - low > 1:
        middle = max(low + 1, min(high - 1, math.isqrt(low * high)))
        if recall(middle) >= target:
            high = middle
        else:
            low = middle
    return high
