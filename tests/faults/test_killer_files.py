"""A file or a passage that takes its worker down every time costs itself only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trio
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.worker import index_job, scan_job
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.types import Passage, VectorSpace
from lucastrad.workers import Job, JobTimeout, WorkerDied
from lucastrad.workspace.scanner import ScanRules

pytestmark = pytest.mark.trio

SPACE = VectorSpace("local", "counting-words", 8)


class FragilePool:
    """A worker pool that runs jobs in threads; its workers die as a test wants."""

    size = 2

    def __init__(self) -> None:
        self.lethal: dict[bytes, type[Exception]] = {}
        """Bytes of a request, and how its worker ends for them."""
        self.deaths_to_come: dict[Job, int] = {}
        """How many more runs of a job end with the death of an innocent worker."""
        self.deaths = 0

    async def run(self, job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        if self.deaths_to_come.get(job):
            self.deaths_to_come[job] -= 1
            raise WorkerDied("the worker process died")
        for poison, death in self.lethal.items():
            if job is index_job and poison in request:
                self.deaths += 1
                raise death(f"{timeout_seconds:g} s")
        return await trio.to_thread.run_sync(job, request)


class FragileEmbedder:
    """An embedder whose worker dies of one word."""

    space = SPACE
    batch_size = 16
    lethal = ""

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        if self.lethal and any(self.lethal in passage.text for passage in passages):
            raise WorkerDied("the worker process died")
        vectors = np.ones((len(passages), SPACE.dimensions), np.float32)
        return vectors / np.linalg.norm(vectors[0])

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        raise NotImplementedError("no test here asks")


@pytest.fixture
def pool() -> FragilePool:
    return FragilePool()


@pytest.fixture
def embedder() -> FragileEmbedder:
    return FragileEmbedder()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    root.mkdir()
    for number in range(60):
        (root / f"module{number}.py").write_text(f"def function{number}():\n    return {number}\n")
    return root


@asynccontextmanager
async def workspaces(tmp_path: Path, pool: FragilePool, embedder: FragileEmbedder) -> AsyncIterator[WorkspaceService]:
    embeddings = EmbeddingSpaces(
        embedder, lambda space: EmbeddingCache(tmp_path / "embeddings", space, max_bytes=1 << 24)
    )
    service = WorkspaceService(
        tmp_path / "home", pool=pool, builders=pool, embeddings=embeddings, rules_for=lambda _: ScanRules()
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        with trio.fail_after(30):
            yield service
        nursery.cancel_scope.cancel()
    embeddings.close()


@pytest.mark.parametrize("death", [WorkerDied, JobTimeout, MemoryError, RecursionError])
async def test_a_file_that_kills_its_worker_is_set_aside_by_name(
    tmp_path: Path, root: Path, pool: FragilePool, embedder: FragileEmbedder, death: type[Exception]
) -> None:
    pool.lethal = {b"module37.py": death}
    async with workspaces(tmp_path, pool, embedder) as service:
        outcome = await service.index(root, wait=True)
        assert (outcome.workspace.files, outcome.workspace.embedded) == (59, 59)
        assert outcome.workspace.problems == [
            "1 file could not be indexed; see `lucastra-client status --files --skipped`"
        ]
        (failed,), total = await service.files(root, skipped_only=True, offset=0, limit=10)
        assert (failed.path, failed.state, total) == ("module37.py", "failed", 1)
        assert failed.reason
        # It is not tried again until it changes …
        deaths = pool.deaths
        await service.index(root, wait=True)
        assert pool.deaths == deaths
        # … and then it is.
        pool.lethal = {}
        (root / "module37.py").write_text("def mended():\n    return 0\n")
        assert (await service.index(root, wait=True)).workspace.files == 60


async def test_a_worker_that_dies_once_costs_no_file(
    tmp_path: Path, pool: FragilePool, embedder: FragileEmbedder
) -> None:
    root = tmp_path.resolve() / "small"
    root.mkdir()
    (root / "only.py").write_text("def only():\n    return 1\n")
    pool.deaths_to_come = {index_job: 1}
    async with workspaces(tmp_path, pool, embedder) as service:
        outcome = await service.index(root, wait=True)
        assert (outcome.workspace.files, outcome.workspace.problems) == (1, [])


async def test_a_worker_that_dies_while_scanning_does_not_end_the_indexing(
    tmp_path: Path, root: Path, pool: FragilePool, embedder: FragileEmbedder
) -> None:
    pool.deaths_to_come = {scan_job: 1}
    async with workspaces(tmp_path, pool, embedder) as service:
        outcome = await service.index(root, wait=True)
        assert (outcome.workspace.files, outcome.workspace.problems) == (60, [])


async def test_a_passage_that_kills_its_worker_is_found_by_keyword_and_the_others_by_meaning_too(
    tmp_path: Path, root: Path, pool: FragilePool, embedder: FragileEmbedder
) -> None:
    embedder.lethal = "function37"
    async with workspaces(tmp_path, pool, embedder) as service:
        outcome = await service.index(root, wait=True)
        assert (outcome.workspace.files, outcome.workspace.embedded) == (60, 60)
        store = service.holding(root).store
        lengths = {
            chunk.path: float(np.linalg.norm(vector))
            for chunk in store.catalog.chunks(range(1, 61)).values()
            if (vector := store.vectors.vector(chunk.id)) is not None
        }
        assert lengths.pop("module37.py") == 0
        assert list(lengths.values()) == [pytest.approx(1.0)] * 59


async def test_removing_a_workspace_ends_the_requests_that_wait_for_it(
    tmp_path: Path, root: Path, pool: FragilePool, embedder: FragileEmbedder
) -> None:
    refused: list[str] = []
    stuck = trio.Event()

    async def never(job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        stuck.set()
        await trio.sleep_forever()
        raise AssertionError

    pool.run = never
    async with workspaces(tmp_path, pool, embedder) as service:
        async with trio.open_nursery() as nursery:

            async def wait_for_index() -> None:
                try:
                    await service.index(root, wait=True)
                except LucAstraError as error:
                    refused.append(error.message)

            nursery.start_soon(wait_for_index)
            await stuck.wait()
            await service.remove(root)
        assert len(refused) == 1
        assert "removed" in refused[0]
