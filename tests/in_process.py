"""For tests that run services of the daemon in their own process: no workers, and no events of the file system."""

import trio

from lucastrad.workers import Job
from lucastrad.workspace.events import Events, ListFolders
from lucastrad.workspace.watcher import Watcher


class ThreadPool:
    """Runs jobs without processes."""

    size = 2

    async def run(self, job: Job, request: bytes, *, timeout_seconds: float) -> bytes:
        return await trio.to_thread.run_sync(job, request)

    async def run_short(self, job: Job, request: bytes, *, wait_seconds: float, timeout_seconds: float) -> bytes:
        return await self.run(job, request, timeout_seconds=timeout_seconds)


class _NoEvents:
    """Nothing changes; where events cannot be had, a watcher polls."""

    async def start(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive(self) -> Events:
        await trio.sleep_forever()
        raise AssertionError

    def close(self) -> None:
        """Nothing is held."""


def open_unwatched(root: str, list_folders: ListFolders) -> Watcher:
    """A watcher that hears of nothing."""
    return Watcher(root, list_folders, open_source=lambda *_: _NoEvents())
