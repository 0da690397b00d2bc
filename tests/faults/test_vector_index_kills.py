"""kill -9 of a process that logs, seals and compacts vectors, at any moment: nothing acknowledged is lost."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import pytest
from vector_history import LARGE, SMALL, History, Phase, check_reopened, closing
from vector_index_writer import Order

from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import MergeRequest
from lucastrad.storage.vectors.native import kernel_or_none

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LIVES = 5
KILLS_A_LIFE = 20
"""Of one index each: it is opened as the last kill left it."""
TARGETS = (Phase.OPENING, Phase.LOGGING, Phase.PLANNING, Phase.SEALING, Phase.COMPACTION, Phase.PUBLISHING)
DELAY_SECONDS = {Phase.SEALING: 0.02, Phase.COMPACTION: 0.02}
"""Up to so long after the phase has begun; the others take about as long as a few syncs."""
OTHER_DELAY_SECONDS = 0.004
LINES_AT_MOST = 3000
"""The kill does not wait for its phase any longer."""

natives = pytest.mark.parametrize(
    "native",
    [
        pytest.param(False, id="without the kernel"),
        pytest.param(
            True,
            id="with the kernel",
            marks=pytest.mark.skipif(kernel_or_none() is None, reason="the native kernel is not built"),
        ),
    ],
)


@dataclass
class Death:
    """What a killed writer had reported."""

    acknowledged: int
    upto: int
    active: Counter[Phase] = field(default_factory=Counter)

    def note(self, line: str) -> None:
        kind, _, number = line.partition(" ")
        if kind == "step":
            self.upto = int(number)
        elif kind == "acknowledged":
            self.acknowledged = int(number)
        elif kind[0] in "+-":
            self.active[Phase(kind[1:])] += 1 if kind[0] == "+" else -1


class Writers:
    """Starts writers, one at a time, and kills them."""

    def __init__(self, orders: IO[str], reports: IO[str], moments: random.Random) -> None:
        self._orders = orders
        self._reports = reports
        self._moments = moments

    def run_and_kill(self, order: Order, acknowledged: int, target: Phase) -> Death:
        self._orders.write(msgspec.json.encode(order).decode() + "\n")
        self._orders.flush()
        started, _, process = self._line().partition(" ")
        assert started == "started"
        death = Death(acknowledged, order.done)
        times = self._moments.randint(1, 3) if target is not Phase.OPENING else 1
        for _ in range(LINES_AT_MOST):
            line = self._line()
            death.note(line)
            times -= line == f"+{target}"
            if not times:
                break
        time.sleep(self._moments.uniform(0, DELAY_SECONDS.get(target, OTHER_DELAY_SECONDS)))
        os.kill(int(process), signal.SIGKILL)
        while not (line := self._line()).startswith("ended"):
            death.note(line)
        assert line == f"ended -{signal.SIGKILL.value}"
        return death

    def _line(self) -> str:
        line = self._reports.readline().rstrip("\n")
        assert line, "the writer is gone"
        assert line != "ended 1", "the writer failed"
        return line


@contextmanager
def writers(moments: random.Random) -> Iterator[Writers]:
    folders = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    # The writers are forks: threads that numpy had started would be missing there.
    environment = os.environ | {"PYTHONPATH": folders, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).with_name("vector_index_writer.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        yield Writers(program.stdin, program.stdout, moments)
        program.stdin.close()


def live(folder: Path, program: Writers, seed: int, *, kills: int, large: bool, native: bool) -> Counter[Phase]:
    """One index through many kills: how many met it in which phase."""
    moments = random.Random(seed)
    history = History(seed, LARGE if large else SMALL)
    kernel = kernel_or_none() if native else None
    death, met = Death(0, 0), Counter[Phase]()
    for number in range(kills):
        order = Order(str(folder), seed, large, native, done=death.upto)
        death = program.run_and_kill(order, death.acknowledged, moments.choice(TARGETS))
        met += death.active
        if death.upto:
            history.step(death.upto)
        # Files as the kill left them, trusted by their stamps; or a copy, and the next writer is left to recover.
        recovers = moments.random() < 0.5
        looked_at = folder if recovers else folder.with_name(f"{folder.name}-{number}")
        if not recovers:
            shutil.copytree(folder, looked_at)
        scale = history.scale
        with closing(SegmentedIndex(looked_at, scale.space, kernel=kernel, policy=scale.policy)) as index:
            check_reopened(index, history, acknowledged=death.acknowledged, upto=death.upto)
            parts = index.condition().segments + index.condition().logs
            assert len(list((looked_at / scale.space.identity).iterdir())) == 1 + parts, "left-over files"
            if recovers:
                index.commit(death.upto)
                death.acknowledged = death.upto
        if not recovers:
            shutil.rmtree(looked_at)
    return met


@natives
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, native: bool) -> None:
    """Twice, with the kernel and without it."""
    met = Counter[Phase]()
    with writers(random.Random(1)) as program:
        for seed in range(LIVES):
            folder = tmp_path / str(seed)
            folder.mkdir()
            met += live(folder, program, seed, kills=KILLS_A_LIFE, large=False, native=native)
    assert {phase for phase in Phase if met[phase] >= 3} == set(Phase), met


@pytest.mark.skipif(kernel_or_none() is None, reason="the native kernel is not built")
def test_twenty_kills_of_an_index_as_the_daemon_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with writers(random.Random(2)) as program:
        met = live(folder, program, 100, kills=20, large=True, native=True)
    assert met[Phase.SEALING] + met[Phase.COMPACTION] >= 3, met


def test_a_worker_that_outlives_its_daemon_builds_beside_the_next_daemons_worker(tmp_path: Path) -> None:
    """It notices within a second that it is alone; until then it must not write where the next one does."""
    history = History(7, SMALL)
    folders = []
    for _ in range(2):  # the first is killed while it merges
        index = SegmentedIndex(tmp_path, SMALL.space, kernel=None, policy=SMALL.policy)
        ids = np.arange(SMALL.policy.seal_rows, dtype=np.int64)
        index.add(ids, history.vectors(ids))
        index.commit(1)
        merge = index.plan_merge(busy=False)
        assert merge is not None
        folders.append(msgspec.msgpack.decode(merge.request, type=MergeRequest).folder)
    assert folders[0] != folders[1]
