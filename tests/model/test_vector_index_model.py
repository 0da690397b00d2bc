"""The segmented vector index against a twin that is a dictionary, with the native kernel and without it.

Whatever order rows, updates, deletions, commits, merges, restarts and crashes come in: exact searches find what brute
force over the twin finds, other searches nearly that, and no deleted row is ever returned.
"""

import shutil
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numpy.typing import NDArray

from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import merge_job
from lucastrad.storage.vectors.native import Kernel, kernel_or_none
from lucastrad.storage.vectors.planner import QueryKind, Thresholds
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.protocol import Merge
from lucastrad.types import VectorSpace

SPACE = VectorSpace("local", "model", 16)
POLICY = Policy(
    seal_rows=60,
    seal_rows_busy=150,
    log_records=120,
    rewrite_records=40,
    segments=2,
    search=Thresholds(scan_rows=30, sign_candidates=50, passage_ef=80, question_ef=120),
)
RECALL_FLOOR = 0.9
SEEDS = st.integers(0, 1 << 16)


def random_rows(count: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((count, SPACE.dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class IndexMachine(RuleBasedStateMachine):
    kernel: ClassVar[Kernel | None] = None

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lucastra-model-"))
        self.rows: dict[int, NDArray[np.float32]] = {}
        self.dead: set[int] = set()
        self.next_id = 1
        self.seq = 0
        self.added: list[int] = []
        self.deleted: list[ChunkSpan] = []
        """What the catalog would replay: everything since the last commit."""
        self.wanted = self.hit = 0
        self.merge: Merge | None = None
        self.start()

    def start(self) -> None:
        self.index = SegmentedIndex(self.folder, SPACE, kernel=self.kernel, policy=POLICY)
        self.merge = None

    # --- writing -------------------------------------------------------------------------------------

    def add(self, vectors: NDArray[np.float32], gap: int = 0) -> None:
        ids = np.arange(self.next_id, self.next_id + len(vectors), dtype=np.int64)
        self.next_id += len(vectors) + gap
        self.rows.update(zip(ids.tolist(), vectors, strict=True))
        self.added += ids.tolist()
        self.index.add(ids, vectors)

    def drop(self, spans: list[ChunkSpan]) -> None:
        gone = {chunk for chunk in self.rows if any(span.first <= chunk <= span.last for span in spans)}
        for chunk in gone:
            del self.rows[chunk]
        self.dead |= gone
        self.deleted += spans
        self.index.delete(spans)

    @rule(count=st.integers(1, 90), seed=SEEDS, gap=st.integers(0, 3))
    def insert(self, count: int, seed: int, gap: int) -> None:
        self.add(random_rows(count, seed), gap)

    @rule(count=st.integers(1, 30), seed=SEEDS)
    def insert_what_is_there_already(self, count: int, seed: int) -> None:
        ids = sorted(self.rows)[:count]
        if ids:
            self.index.add(np.array(ids, np.int64), random_rows(len(ids), seed))

    @rule(first=st.floats(0, 1), length=st.integers(0, 20), seed=SEEDS)
    def update(self, first: float, length: int, seed: int) -> None:
        """A file's new version: its chunks under new ids."""
        start = int(first * self.next_id)
        self.drop([ChunkSpan(start, min(start + length, self.next_id - 1))])
        self.add(random_rows(length + 1, seed))

    @rule(bounds=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 60)), min_size=1, max_size=3))
    def delete(self, bounds: list[tuple[float, int]]) -> None:
        starts = [(int(first * self.next_id), length) for first, length in bounds]
        self.drop([ChunkSpan(start, min(start + length, self.next_id - 1)) for start, length in starts])

    @rule()
    def commit(self) -> None:
        self.seq += 1
        self.index.commit(self.seq)
        assert (self.index.reached, self.index.unsaved) == (self.seq, 0)
        self.added, self.deleted = [], []

    # --- maintenance ---------------------------------------------------------------------------------

    @precondition(lambda self: self.merge is None)
    @rule(busy=st.booleans())
    def plan(self, busy: bool) -> None:
        self.merge = self.index.plan_merge(busy=busy)

    @precondition(lambda self: self.merge is not None)
    @rule(abandoned=st.sampled_from([False, False, True]))
    def finish(self, abandoned: bool) -> None:
        assert self.merge is not None
        reply = merge_job(self.merge.request)
        if abandoned:
            self.index.abandon_merge(self.merge)
        else:
            self.index.finish_merge(self.merge, reply)
        self.merge = None

    @precondition(lambda self: self.merge is None)
    @rule()
    def merge_as_much_as_possible(self) -> None:
        for _ in range(10):
            if (merge := self.index.plan_merge(busy=False)) is None:
                return
            self.index.finish_merge(merge, merge_job(merge.request))
        raise AssertionError("maintenance never ends")

    @rule()
    def reopen(self) -> None:
        self.commit()
        self.index.close()
        self.start()
        assert self.index.reached == self.seq

    @rule()
    def crash(self) -> None:
        """What was not committed may be lost; the catalog replays it."""
        self.index.close()
        self.start()
        assert self.index.reached == self.seq
        self.index.delete(self.deleted)
        missing = [chunk for chunk in self.added if chunk in self.rows]
        if missing:
            self.index.add(np.array(missing, np.int64), np.stack([self.rows[chunk] for chunk in missing]))
        assert self.index.verify() == []

    # --- searching -----------------------------------------------------------------------------------

    def brute_force(self, query: NDArray[np.float32], eligible: list[int], limit: int) -> list[tuple[int, float]]:
        scored = [(chunk, float(self.rows[chunk] @ query)) for chunk in eligible]
        return sorted(scored, key=lambda hit: (-hit[1], hit[0]))[:limit]

    def check(self, hits: list[tuple[int, float]], query: NDArray[np.float32]) -> None:
        assert not {chunk for chunk, _ in hits} & self.dead, "a deleted row was returned"
        assert len({chunk for chunk, _ in hits}) == len(hits)
        assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
        assert all(abs(float(self.rows[chunk] @ query) - score) < 1e-5 for chunk, score in hits)

    @rule(seed=SEEDS, limit=st.integers(1, 20))
    def search_exactly(self, seed: int, limit: int) -> None:
        query = random_rows(1, seed)[0]
        hits = self.index.search(query, limit, exact=True)
        self.check(hits, query)
        expected = self.brute_force(query, list(self.rows), limit)
        assert np.allclose([score for _, score in hits], [score for _, score in expected], atol=1e-5)
        assert len(hits) == len(expected)

    @rule(seed=SEEDS, kind=st.sampled_from(QueryKind))
    def search(self, seed: int, kind: QueryKind) -> None:
        query = random_rows(1, seed)[0]
        hits = self.index.search(query, 10, kind=kind)
        self.check(hits, query)
        expected = self.brute_force(query, list(self.rows), 10)
        assert len(hits) == len(expected)
        self.wanted += len(expected)
        self.hit += len({chunk for chunk, _ in hits} & {chunk for chunk, _ in expected})

    @rule(
        seed=SEEDS,
        bounds=st.lists(st.floats(0, 1), min_size=2, max_size=8),
        exact=st.booleans(),
        limit=st.integers(1, 20),
    )
    def search_within(self, seed: int, bounds: list[float], exact: bool, limit: int) -> None:
        edges = sorted({int(bound * self.next_id) for bound in bounds})
        spans = [ChunkSpan(first, last - 1) for first, last in zip(edges[::2], edges[1::2], strict=False)]
        query = random_rows(1, seed)[0]
        hits = self.index.search(query, limit, spans, exact=exact)
        self.check(hits, query)
        eligible = [chunk for chunk in self.rows if any(span.first <= chunk <= span.last for span in spans)]
        expected = self.brute_force(query, eligible, limit)
        assert {chunk for chunk, _ in hits} <= set(eligible)
        if exact:
            assert np.allclose([score for _, score in hits], [score for _, score in expected], atol=1e-5)
            assert len(hits) == len(expected)
        self.wanted += len(expected)
        self.hit += len({chunk for chunk, _ in hits} & {chunk for chunk, _ in expected})

    @rule(which=st.floats(0, 1))
    def look_up_one(self, which: float) -> None:
        chunk = int(which * self.next_id)
        vector = self.index.vector(chunk)
        if chunk in self.rows:
            assert vector is not None
            assert np.array_equal(vector, self.rows[chunk])
        else:
            assert vector is None

    @invariant()
    def it_holds_as_many_rows_as_the_twin(self) -> None:
        if hasattr(self, "index"):
            assert len(self.index) == len(self.rows)

    def teardown(self) -> None:
        if hasattr(self, "index"):
            assert self.hit >= RECALL_FLOOR * self.wanted
            self.index.close()
            shutil.rmtree(self.folder)


class KernelIndexMachine(IndexMachine):
    kernel = kernel_or_none()


SETTINGS = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],
)
TestWithoutKernel = IndexMachine.TestCase
TestWithoutKernel.settings = SETTINGS
TestWithKernel = pytest.mark.skipif(kernel_or_none() is None, reason="the native kernel is not built")(
    KernelIndexMachine.TestCase
)
TestWithKernel.settings = SETTINGS
