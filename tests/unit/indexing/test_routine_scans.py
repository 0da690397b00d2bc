"""A scan that nothing gave a reason for: what is indexed stays fresh until it finds something."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from in_process import ThreadPool, open_unwatched

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.local import LocalEmbedder
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.worker import scan_job
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import Freshness, WorkspaceState
from lucastrad.workers import Job
from lucastrad.workspace.scanner import ScanRules

pytestmark = pytest.mark.trio


class SlowScans(ThreadPool):
    """Holds up the scans for as long as a test looks at what is said meanwhile."""

    def __init__(self) -> None:
        self.scanning = trio.Event()
        self._go_on = trio.Event()
        self._go_on.set()

    async def run(self, job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        result = await super().run(job, request, timeout_seconds=timeout_seconds)
        if job is scan_job:
            self.scanning.set()
            await self._go_on.wait()
        return result

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        self.scanning, self._go_on = trio.Event(), trio.Event()
        yield
        self._go_on.set()


@asynccontextmanager
async def indexed(folder: Path, pool: Any) -> AsyncIterator[WorkspaceIndexer]:
    """The indexer of `folder/project`, once it is fresh."""
    home, root = folder / "home", folder / "project"
    spaces = EmbeddingSpaces(
        LocalEmbedder(pool), lambda space: EmbeddingCache(home / "embeddings", space, max_bytes=1 << 24)
    )
    indexer = WorkspaceIndexer(
        root,
        home / "store",
        pool=pool,
        builders=pool,
        embeddings=spaces,
        policy=Policy(),
        rules=ScanRules,
        nested=list,
        open_watcher=open_unwatched,
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(indexer.run)
            await indexer.opened()
            while (await indexer.report()).watch != "events":  # noqa: ASYNC110 - nothing announces it
                await trio.sleep(0.01)
            await indexer.settled(indexer.request_scan())
            assert indexer.freshness is Freshness.FRESH
            yield indexer
            nursery.cancel_scope.cancel()
    finally:
        spaces.close()


async def says(indexer: WorkspaceIndexer) -> tuple[Freshness, WorkspaceState]:
    report = await indexer.report()
    return report.freshness, report.state


@pytest.fixture
def project(tmp_path: Path) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.py").write_text("def first():\n    return 1\n")
    return project


async def test_nothing_counts_as_stale_while_a_routine_scan_looks_for_what_was_missed(project: Path) -> None:
    pool = SlowScans()
    async with indexed(project.parent, pool) as indexer:
        (project / "missed.py").write_text("def second():\n    return 2\n")
        async with pool.held():
            ticket = indexer.request_scan(routine=True)
            await pool.scanning.wait()
            assert await says(indexer) == (Freshness.FRESH, WorkspaceState.READY)
        await indexer.settled(ticket)
        assert indexer.store.catalog.counts().files == 2


async def test_a_scan_with_a_reason_makes_it_stale_also_when_it_joins_a_routine_one(project: Path) -> None:
    pool = SlowScans()
    async with indexed(project.parent, pool) as indexer:
        async with pool.held():
            indexer.request_scan(routine=True)
            ticket = indexer.request_scan()
            assert await says(indexer) == (Freshness.STALE, WorkspaceState.SCANNING)
            await pool.scanning.wait()
            assert await says(indexer) == (Freshness.STALE, WorkspaceState.SCANNING)
        await indexer.settled(ticket)
        assert await says(indexer) == (Freshness.FRESH, WorkspaceState.READY)


async def test_a_reason_that_comes_while_a_routine_scan_runs_asks_for_another(project: Path) -> None:
    pool = SlowScans()
    async with indexed(project.parent, pool) as indexer, pool.held():
        routine = indexer.request_scan(routine=True)
        await pool.scanning.wait()
        assert indexer.request_scan() > routine
        assert await says(indexer) == (Freshness.STALE, WorkspaceState.SCANNING)


async def test_a_routine_scan_that_finds_no_folder_says_so(project: Path) -> None:
    pool = SlowScans()
    async with indexed(project.parent, pool) as indexer:
        project.rename(project.parent / "elsewhere")
        await indexer.settled(indexer.request_scan(routine=True))
        assert await says(indexer) == (Freshness.STALE, WorkspaceState.MISSING)
