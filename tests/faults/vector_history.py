"""What a vector index is told, drawn by a seed, and what must be in it after each step.

The history stands for the catalog: its sequence numbers are those of the steps, a step counts from the moment on when
it begins (the catalog commits first), and after a crash it says what the index has missed.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import MergeRequest, merge_job
from lucastrad.storage.vectors.planner import QueryKind, Thresholds
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.protocol import Merge
from lucastrad.storage.vectors.spans import consecutive
from lucastrad.types import VectorSpace

Ids = NDArray[np.int64]
NEVER = 1 << 62
_BLOCK = 1024


class Action(StrEnum):
    ADD = "add"
    DELETE = "delete"
    COMMIT = "commit"
    MERGE = "merge"


_ACTIONS = (Action.ADD,) * 9 + (Action.DELETE,) * 5 + (Action.COMMIT,) * 4 + (Action.MERGE,) * 4


class Phase(StrEnum):
    """What an index is doing."""

    OPENING = "opening"
    LOGGING = "logging"
    PLANNING = "planning"
    """Freezes logs and rewrites them, too."""
    SEALING = "sealing"
    COMPACTION = "compaction"
    PUBLISHING = "publishing"


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a history is."""

    dimensions: int
    rows_a_step: int
    policy: Policy

    @property
    def space(self) -> VectorSpace:
        return VectorSpace("local", "history", self.dimensions)


SMALL = Scale(
    16,
    40,
    Policy(
        seal_rows=120,
        seal_rows_busy=300,
        log_records=150,
        rewrite_records=60,
        segments=2,
        search=Thresholds(scan_rows=50, sign_candidates=40, passage_ef=40, question_ef=60),
        annoy_trees=2,
    ),
)
"""Logs fill up, are rewritten and sealed, and segments are compacted, all within some dozen steps."""
LARGE = Scale(
    256,
    400,
    Policy(
        seal_rows=1500,
        seal_rows_busy=4000,
        log_records=2500,
        rewrite_records=1000,
        segments=2,
        search=Thresholds(scan_rows=500, sign_candidates=400),
    ),
)
"""Vectors as the daemon's own embedder makes them, and graphs that take a while."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction."""

    seq: int
    action: Action
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    spans: tuple[ChunkSpan, ...] = ()
    busy: bool = False


@cache
def _block_of_vectors(seed: int, block: int, dimensions: int) -> NDArray[np.float32]:
    rows = np.random.default_rng((seed, block)).standard_normal((_BLOCK, dimensions)).astype(np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


class History:
    """The same one for the same seed, as long as it is wanted."""

    def __init__(self, seed: int, scale: Scale) -> None:
        self.seed = seed
        self.scale = scale
        self._draw = random.Random(seed)
        self._steps: list[Step] = []
        self._births: list[int] = []
        self._deaths: list[int] = []
        """By id: the step that added it, and the step that deleted it."""

    def step(self, seq: int) -> Step:
        """Steps are counted from 1."""
        while len(self._steps) < seq:
            self._steps.append(self._next(len(self._steps) + 1))
        return self._steps[seq - 1]

    def vectors(self, ids: Ids) -> NDArray[np.float32]:
        """The one vector that each id ever has."""
        blocks = [_block_of_vectors(self.seed, block, self.scale.dimensions) for block in (ids // _BLOCK).tolist()]
        if not blocks:
            return np.empty((0, self.scale.dimensions), np.float32)
        return np.stack([block[row] for block, row in zip(blocks, (ids % _BLOCK).tolist(), strict=True)])

    def added(self, seq: int) -> Ids:
        """Every id that was added up to a step."""
        births, _ = self._lives()
        return np.flatnonzero(births <= seq)

    def alive(self, seq: int) -> Ids:
        """The ids that must be there after a step."""
        births, deaths = self._lives()
        return np.flatnonzero((births <= seq) & (deaths > seq))

    def deleted(self, after: int, upto: int) -> Ids:
        """The ids that were deleted by the steps in between."""
        _, deaths = self._lives()
        return np.flatnonzero((deaths > after) & (deaths <= upto))

    def replay(self, index: SegmentedIndex, upto: int) -> None:
        """What the store does when it opens: tell the index what it has missed."""
        reached = index.reached
        index.delete(spans_of(self.deleted(reached, upto)))
        missed = np.setdiff1d(self.alive(upto), self.added(reached))
        index.add(missed, self.vectors(missed))

    def _lives(self) -> tuple[Ids, Ids]:
        return np.array(self._births, np.int64), np.array(self._deaths, np.int64)

    def _next(self, seq: int) -> Step:
        draw, size = self._draw, self.scale.rows_a_step
        match draw.choice(_ACTIONS):
            case Action.ADD:
                first, count = len(self._births), draw.randint(1, size)
                self._births += [seq] * count
                self._deaths += [NEVER] * count
                return Step(seq, Action.ADD, ids=np.arange(first, first + count, dtype=np.int64))
            case Action.DELETE if self._births:
                return Step(seq, Action.DELETE, spans=self._delete(seq))
            case Action.MERGE:
                return Step(seq, Action.MERGE, busy=draw.random() < 0.2)
            case _:
                return Step(seq, Action.COMMIT)

    def _delete(self, seq: int) -> tuple[ChunkSpan, ...]:
        """A few spans, more of them the more rows there are, so that their number stays within bounds."""
        draw, size = self._draw, self.scale.rows_a_step
        alive = self.alive(seq).tolist()
        spans = []
        for _ in range(1 + 2 * len(alive) // (10 * size)):
            if alive:
                first = draw.choice(alive)
                spans.append(ChunkSpan(first, min(first + draw.randrange(size), len(self._births) - 1)))
        for span in spans:
            for chunk in range(span.first, span.last + 1):
                self._deaths[chunk] = min(self._deaths[chunk], seq)
        return tuple(spans)


def spans_of(ids: Ids) -> list[ChunkSpan]:
    return [ChunkSpan(first, last) for first, last in consecutive(ids).tolist()]


class Told:
    """An index that is told a history step by step; a merge's job runs beside the steps until the next MERGE."""

    def __init__(
        self,
        index: SegmentedIndex,
        history: History,
        *,
        start_job: Callable[[bytes], Callable[[], bytes]],
        phase: Callable[[Phase], AbstractContextManager[None]] = lambda _phase: nullcontext(),
    ) -> None:
        self.index = index
        self._history = history
        self._start_job = start_job
        self._phase = phase
        self._running: tuple[Merge, Callable[[], bytes]] | None = None

    def take(self, step: Step) -> bool:
        """Whether a commit was acknowledged by it."""
        index = self.index
        if step.action is Action.MERGE:
            self._merge(busy=step.busy)
            return False
        with self._phase(Phase.LOGGING):
            if step.action is Action.ADD:
                index.add(step.ids, self._history.vectors(step.ids))
            elif step.action is Action.DELETE:
                index.delete(step.spans)
            else:
                index.commit(step.seq)
        return step.action is Action.COMMIT

    def _merge(self, *, busy: bool) -> None:
        if self._running is not None:
            merge, reply = self._running
            self._running = None
            built = reply()
            with self._phase(Phase.PUBLISHING):
                self.index.finish_merge(merge, built)
            return
        with self._phase(Phase.PLANNING):
            planned = self.index.plan_merge(busy=busy)
        if planned is not None:
            self._running = planned, self._start_job(planned.request)


def run_at_once(request: bytes) -> Callable[[], bytes]:
    """A job that is done before the next step."""
    reply = merge_job(request)
    return lambda: reply


def phase_of_job(request: bytes) -> Phase:
    """Logs are sealed, segments are compacted."""
    inputs = msgspec.msgpack.decode(request, type=MergeRequest).inputs
    return Phase.COMPACTION if any("segment-" in part.path.rpartition("/")[2] for part in inputs) else Phase.SEALING


# --- what must hold ----------------------------------------------------------------------------------


def found(index: SegmentedIndex, history: History) -> Ids:
    """Every id that is found; each hit's score is the exact cosine of its id's own vector."""
    query = history.vectors(np.zeros(1, np.int64))[0]
    hits = index.search(query, len(index) + 100, exact=True)
    for kind in QueryKind:
        hits += (some := index.search(query, 10, kind=kind))
        assert len(some) == min(10, len(index))
        hits += index.search(query, 10, [ChunkSpan(5, 60), ChunkSpan(100, NEVER)], kind=kind)
    ids = np.array([chunk for chunk, _ in hits], np.int64)
    cosines = history.vectors(ids) @ query
    assert np.allclose([score for _, score in hits], cosines, atol=1e-5), "a wrong hit"
    unique = np.unique(ids)
    assert len(unique) == len(index), "searches miss a row, or find one twice"
    return unique


def check_reopened(index: SegmentedIndex, history: History, *, acknowledged: int, upto: int) -> None:
    """It stands at a commit that is not older than the last acknowledged one, and the replay completes it.

    Later rows and deletions may be there as well: they are what the replay adds and deletes anyway.
    """
    reached = index.reached
    assert acknowledged <= reached <= upto, f"{acknowledged} was acknowledged, {reached} is there of {upto}"
    there = found(index, history)
    committed, wanted = history.alive(reached), history.alive(upto)
    assert not len(np.setdiff1d(np.intersect1d(committed, wanted), there)), "a committed row is lost"
    assert not len(np.intersect1d(history.deleted(0, reached), there)), "a deleted row came back"
    assert not len(np.setdiff1d(there, history.added(upto))), "a row that was never added"
    history.replay(index, upto)
    assert np.array_equal(found(index, history), wanted)
    assert index.verify() == []


@contextmanager
def closing(index: SegmentedIndex) -> Iterator[SegmentedIndex]:
    try:
        yield index
    finally:
        index.close()
