"""The power fails at any moment of logging, sealing and compaction: the index stands at a commit that it acknowledged.

Every state that the disk may be in (see power_cut) is opened: written data and new names that were not synced are
dropped, kept, torn and mixed.
"""

import os
import random
import shutil
from itertools import islice
from pathlib import Path

import pytest
from power_cut import Content, Link, Recorder, Truncate, crash_states, put
from vector_history import SMALL, History, Told, check_reopened, closing, run_at_once

from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.native import Kernel, kernel_or_none

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.parametrize(
        "kernel",
        [
            pytest.param(None, id="without the kernel"),
            pytest.param(
                kernel_or_none(),
                id="with the kernel",
                marks=pytest.mark.skipif(kernel_or_none() is None, reason="the native kernel is not built"),
            ),
        ],
    ),
]

SEED = 7
STEPS = 160
RESTART_EVERY = 20
TORN = 6
"""States drawn after each operation, besides those where all is there or nothing."""
SECOND_CUT_AFTER_EVERY = 100
"""Of the states, this one is cut off again while it recovers."""


@pytest.fixture
def history() -> History:
    return History(SEED, SMALL)


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, history: History, kernel: Kernel | None) -> Recorder:
    """A history with restarts, some of them without a commit; each promise is (acknowledged, begun)."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    recorder = Recorder(folder)
    acknowledged = 0
    recorder.mark((0, 0))
    with recorder.recording(monkeypatch):
        for start in range(0, STEPS, RESTART_EVERY):
            with closing(opened(folder, kernel)) as index:
                history.replay(index, start)
                told = Told(index, history, start_job=run_at_once)
                for seq in range(start + 1, start + RESTART_EVERY + 1):
                    step = history.step(seq)
                    recorder.mark((acknowledged, seq))
                    if told.take(step):
                        acknowledged = seq
                        recorder.mark((acknowledged, seq))
    for name in ("fsync", "fdatasync"):  # no power is cut any more
        monkeypatch.setattr(os, name, lambda _descriptor: None)
    return recorder


def opened(folder: Path, kernel: Kernel | None) -> SegmentedIndex:
    return SegmentedIndex(folder, SMALL.space, kernel=kernel, policy=SMALL.policy)


def check(content: Content, folder: Path, history: History, kernel: Kernel | None, promise: tuple[int, int]) -> None:
    put(folder, content)
    acknowledged, upto = promise
    with closing(opened(folder, kernel)) as index:
        check_reopened(index, history, acknowledged=acknowledged, upto=upto)
    shutil.rmtree(folder)


def test_whatever_of_the_unsynced_writes_is_missing_nothing_acknowledged_is_lost(
    tmp_path: Path, recorder: Recorder, history: History, kernel: Kernel | None
) -> None:
    renamed = [one.name for one in recorder.operations if isinstance(one, Link) and one.before]
    assert len([name for name in renamed if name.startswith("segment-")]) >= 5
    assert any(isinstance(one, Truncate) for one in recorder.operations), "no end of a log was cut off"
    states = 0
    for promise, content in crash_states(recorder, random.Random(SEED), TORN):
        check(content, tmp_path / "found", history, kernel, promise)
        states += 1
    assert states >= 2000


def test_the_power_may_fail_again_during_the_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Recorder, history: History, kernel: Kernel | None
) -> None:
    states = 0
    folder = tmp_path / "recovering"
    first_cuts = crash_states(recorder, random.Random(SEED + 1), TORN)
    for (acknowledged, upto), content in islice(first_cuts, 0, None, SECOND_CUT_AFTER_EVERY):
        put(folder, content)
        recovery = Recorder(folder)
        recovery.mark((acknowledged, upto))
        with recovery.recording(monkeypatch), closing(opened(folder, kernel)) as index:
            history.replay(index, upto)
            index.commit(upto)
            recovery.mark((upto, upto))
        shutil.rmtree(folder)
        for promise, again in crash_states(recovery, random.Random(SEED), 1):
            check(again, tmp_path / "found", history, kernel, promise)
            states += 1
    assert states >= 300
