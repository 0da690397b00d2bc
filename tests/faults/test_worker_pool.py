"""Real worker processes: what a job does to its worker costs that worker only."""

import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
import trio.testing

from lucastrad.embeddings.local import LocalEmbedder
from lucastrad.embeddings.static import StaticModel
from lucastrad.types import Passage
from lucastrad.workers import JobTimeout, WorkerDied, open_pool

pytestmark = [pytest.mark.slow, pytest.mark.trio]

SECONDS = 30.0


def echo(request: bytes) -> bytes:
    return request


def die(request: bytes) -> bytes:
    os._exit(3)


def crash(request: bytes) -> bytes:
    os.abort()


def hang(request: bytes) -> bytes:
    time.sleep(600)
    return b""


def read_to_the_end(request: bytes) -> bytes:
    return Path(os.fsdecode(request)).read_bytes()


def fail(request: bytes) -> bytes:
    raise ValueError(request.decode())


def exhaust_the_stack(request: bytes) -> bytes:
    return exhaust_the_stack(request)


def pid(request: bytes) -> bytes:
    time.sleep(0.2)  # so that no worker takes two of the jobs
    return str(os.getpid()).encode()


async def test_a_job_that_ends_its_worker_raises_and_the_next_one_works() -> None:
    async with open_pool(1) as pool:
        for deadly in (die, crash):
            with pytest.raises(WorkerDied):
                await pool.run(deadly, b"", timeout_seconds=SECONDS)
            assert await pool.run(echo, b"after", timeout_seconds=SECONDS) == b"after"


async def test_a_job_past_its_deadline_ends_with_its_worker() -> None:
    async with open_pool(1) as pool:
        worker = int(await pool.run(pid, b"", timeout_seconds=SECONDS))
        with pytest.raises(JobTimeout, match=r"0\.5 s"):
            await pool.run(hang, b"", timeout_seconds=0.5)
        assert int(await pool.run(pid, b"", timeout_seconds=SECONDS)) != worker
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


async def test_an_exception_of_the_job_passes_through_and_the_worker_stays() -> None:
    async with open_pool(1) as pool:
        worker = await pool.run(pid, b"", timeout_seconds=SECONDS)
        with pytest.raises(ValueError, match="said so"):
            await pool.run(fail, b"said so", timeout_seconds=SECONDS)
        with pytest.raises(RecursionError):
            await pool.run(exhaust_the_stack, b"", timeout_seconds=SECONDS)
        assert await pool.run(pid, b"", timeout_seconds=SECONDS) == worker


async def test_a_cancelled_job_frees_its_place_at_once() -> None:
    async with open_pool(1) as pool:
        with trio.move_on_after(0.5):
            await pool.run(hang, b"", timeout_seconds=SECONDS)
        assert await pool.run(echo, b"free", timeout_seconds=SECONDS) == b"free"


async def test_a_short_job_is_not_ended_by_who_no_longer_wants_it_and_its_worker_stays(tmp_path: Path) -> None:
    async with open_pool(1) as pool:
        worker = await pool.run(pid, b"", timeout_seconds=SECONDS)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        wanted = trio.CancelScope()

        async def ask() -> None:
            with wanted:
                await pool.run_short(read_to_the_end, bytes(pipe), wait_seconds=SECONDS, timeout_seconds=SECONDS)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            job_reads = await trio.to_thread.run_sync(partial(pipe.open, "wb"), abandon_on_cancel=True)
            wanted.cancel()
            await trio.testing.wait_all_tasks_blocked()
            job_reads.close()
        assert await pool.run(pid, b"", timeout_seconds=SECONDS) == worker
        with pytest.raises(JobTimeout):
            await pool.run_short(hang, b"", wait_seconds=SECONDS, timeout_seconds=0.1)


async def test_a_short_job_waits_for_a_worker_no_longer_than_it_may() -> None:
    async with open_pool(1) as pool, trio.open_nursery() as nursery:
        nursery.start_soon(partial(pool.run, hang, b"", timeout_seconds=SECONDS))
        await trio.testing.wait_all_tasks_blocked()
        assert await pool.run_short(echo, b"", wait_seconds=0.1, timeout_seconds=SECONDS) is None
        nursery.cancel_scope.cancel()


async def test_no_more_workers_run_than_the_pool_has_and_none_after_it() -> None:
    workers: set[int] = set()

    async def ask() -> None:
        workers.add(int(await pool.run(pid, b"", timeout_seconds=SECONDS)))

    async with open_pool(2) as pool, trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    assert len(workers) == 2
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


async def test_the_local_embedder_gives_what_its_model_gives() -> None:
    passages = [Passage(f"module{n}.py", f"function{n}", f"def function{n}(): return {n}") for n in range(20)]
    model = StaticModel.load(for_passages=False)
    async with open_pool(1) as pool:
        embedder = LocalEmbedder(pool)
        vectors = await embedder.embed_passages(passages)
        assert np.allclose(vectors, model.embed_passages(passages), atol=1e-6)
        assert np.allclose(await embedder.embed_query("function seven"), model.embed_query("function seven"))
        assert (await embedder.embed_passages([])).shape == (0, embedder.space.dimensions)
