"""Worker processes: where files are read, parsed and embedded.

Invariant: a job that crashes, hangs or eats memory costs one worker process, never the daemon.
Jobs are module-level functions from bytes to bytes, so that nothing but bytes crosses the pipe.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
import trio_parallel

_log = logging.getLogger(__name__)

Job = Callable[[bytes], bytes]

_MAX_RESIDENT_BYTES = 500 * 1024 * 1024
_NICENESS = 10
_IDLE_SECONDS = 600.0


class WorkerDied(Exception):
    """The worker process that ran the job is gone (crash in a native parser, out of memory)."""


class JobTimeout(Exception):
    """The job ran past its deadline and its worker was ended."""


class WorkerPool:
    """A bounded set of worker processes."""

    def __init__(self, context: trio_parallel.WorkerContext, size: int) -> None:
        self._context = context
        self.size = size
        self._limiter = trio.CapacityLimiter(size)

    async def run(self, job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        """Run `job(request)` in a worker.

        Raises WorkerDied or JobTimeout; an exception of the job itself passes through. The clock
        starts once a worker is free.
        """
        async with self._limiter:
            return await self._run(job, request, timeout_seconds)

    async def run_short(self, job: Job, request: bytes, *, wait_seconds: float, timeout_seconds: float) -> bytes | None:
        """Run a job that somebody waits for and may soon ask anew; None where no worker is free within `wait_seconds`.

        Once it runs, a cancellation waits for its end, `timeout_seconds` at most: to end it would end its worker, and
        an editor cancels with every letter. Raises as `run` does.
        """
        with trio.move_on_after(wait_seconds) as waiting:
            await self._limiter.acquire()
        if waiting.cancelled_caught:
            return None
        try:
            with trio.CancelScope(shield=True):  # bounded by the job's deadline
                reply = await self._run(job, request, timeout_seconds)
        finally:
            self._limiter.release()
        return reply

    async def _run(self, job: Job, request: bytes, timeout_seconds: float) -> bytes:
        try:
            with trio.fail_after(timeout_seconds):
                reply: bytes = await self._context.run_sync(job, request, kill_on_cancel=True)
                return reply
        except trio.TooSlowError:
            raise JobTimeout(f"no result within {timeout_seconds:g} s") from None
        except trio_parallel.BrokenWorkerError as error:
            raise WorkerDied("the worker process died") from error


@asynccontextmanager
async def open_pool(size: int) -> AsyncIterator[WorkerPool]:
    """Workers start on first use, leave after ten idle minutes, and are ended with the pool.

    A scan every minute or so keeps one of them warm: a save must not wait for a process to start.
    """
    with_grace = trio_parallel.open_worker_context(
        idle_timeout=_IDLE_SECONDS, init=partial(_start_worker, os.getpid()), retire=_is_bloated, grace_period=3.0
    )
    try:
        async with with_grace as context:
            yield WorkerPool(context, size)
    except trio_parallel.BrokenWorkerError as error:  # some worker did not end by itself and was killed
        _log.info("workers were ended: %s", error)


def default_size() -> int:
    """One worker per core up to four: more only compete with the editor."""
    return max(1, min(4, os.cpu_count() or 1))


def _start_worker(daemon: int) -> bool:
    # Ctrl-C, or a service manager, signals the whole process group: the daemon's to handle, which ends its workers.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)  # a search in the daemon goes before a cold index
    threading.Thread(target=_leave_with_parent, args=(daemon,), daemon=True).start()
    return True


def _leave_with_parent(parent: int) -> None:
    # The pipe's end of file ends an idle worker at once; this ends a busy one whose daemon was killed.
    # (PR_SET_PDEATHSIG is no help: it follows the parent *thread*, and Trio's threads come and go.)
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _is_bloated() -> bool:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return False
    return pages * os.sysconf("SC_PAGE_SIZE") > _MAX_RESIDENT_BYTES
