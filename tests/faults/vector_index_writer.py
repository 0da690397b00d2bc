"""A process that writes to a vector index until it is killed.

Run as a program, it starts one such process (a fork of its own: nothing is imported anew) for each line of its
standard input: an `Order`. Reports go to standard output, a line each: `started <process id>`; `step <number>` before
a step is taken; `acknowledged <number>` after a commit; `+<phase>` and `-<phase>`; `ended <exit code>`.
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import msgspec
from vector_history import LARGE, SMALL, History, Phase, Told, phase_of_job

from lucastrad.storage.vectors.index import SegmentedIndex
from lucastrad.storage.vectors.merge import merge_job
from lucastrad.storage.vectors.native import kernel_or_none


class Order(msgspec.Struct, frozen=True):
    folder: str
    seed: int
    large: bool
    native: bool
    done: int
    """The last step that was begun before; the history goes on after it."""


def report(line: str) -> None:
    os.write(1, line.encode() + b"\n")


@contextmanager
def reported(phase: Phase) -> Iterator[None]:
    report(f"+{phase}")
    yield
    report(f"-{phase}")


def start_job(request: bytes) -> Callable[[], bytes]:
    """A merge's job in a thread, beside the writer."""
    replies: list[bytes] = []

    def run() -> None:
        with reported(phase_of_job(request)):
            replies.append(merge_job(request))

    thread = threading.Thread(target=run)
    thread.start()

    def reply() -> bytes:
        thread.join()
        return replies[0]

    return reply


def write(order: Order) -> None:
    history = History(order.seed, LARGE if order.large else SMALL)
    scale, kernel = history.scale, kernel_or_none() if order.native else None
    history.step(order.done) if order.done else None
    with reported(Phase.OPENING):
        index = SegmentedIndex(Path(order.folder), scale.space, kernel=kernel, policy=scale.policy)
        history.replay(index, order.done)
    told = Told(index, history, start_job=start_job, phase=reported)
    for seq in count(order.done + 1):
        step = history.step(seq)
        report(f"step {seq}")
        if told.take(step):
            report(f"acknowledged {seq}")


def main() -> None:
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if not child:
            try:
                report(f"started {os.getpid()}")
                write(order)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        report(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
