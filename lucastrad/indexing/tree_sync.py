"""Keeps one workspace's catalog in step with its files.

Hints (from the watcher) and scans put paths into a queue; worker processes read, cut and analyse them in batches; the
daemon commits, and publishes to the keyword index.
"""

import logging
import os
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import trio

from lucastrad.indexing.queue import FileQueue
from lucastrad.indexing.scans import Scans
from lucastrad.indexing.signals import Broadcast, Wake
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.indexing.troubles import RETRY_SECONDS, Trouble, Troubles
from lucastrad.indexing.worker import (
    FoldersRequest,
    IndexReply,
    IndexRequest,
    ScanReply,
    ScanRequest,
    decode_folders,
    decode_index_reply,
    decode_scan_reply,
    folders_job,
    index_job,
    scan_job,
)
from lucastrad.storage.records import IndexedFile
from lucastrad.storage.sqlite import StoreUnavailable
from lucastrad.types import FileState
from lucastrad.workers import Job, JobTimeout, WorkerDied, WorkerPool
from lucastrad.workspace.events import ListFolders
from lucastrad.workspace.scanner import Candidate, ScanRules, decides_about_others
from lucastrad.workspace.watcher import Watcher, WatchMode

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
OpenWatcher = Callable[[str, ListFolders], Watcher]

_SCAN_SECONDS = 600.0
_BATCH_SECONDS = 60.0
_FILE_SECONDS = 20.0
_BURST_PATHS = 50
"""Hints for more paths than a person saves at once: some may have been lost, so a scan follows."""
_MIN_SCAN_INTERVAL = 60.0
_SCAN_SHARE = 0.002
"""Periodic scans take at most this share of one core."""
_MAX_PUBLISH_PAUSE = 4.0
_QUEUE_AT_ONCE = 5_000


@dataclass(slots=True)
class Progress:
    """Counters of the present run, for reports and for the benchmark."""

    indexed_files: int = 0
    total_files: int = 0
    started: float = 0.0
    index_seconds: float | None = None
    last_commit: float | None = None


class TreeSync:
    """The files of one workspace on their way into its catalog."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        *,
        pool: WorkerPool,
        rules: Callable[[], ScanRules],
        nested: Callable[[], Sequence[str]],
        open_watcher: OpenWatcher,
        troubles: Troubles,
        changed: Broadcast,
        chunks_added: Callable[[], None],
        rules_changed: Callable[[], None],
    ) -> None:
        """`folder` is the store's; `changed` is notified of every step, and waited on for those of others."""
        self.progress = Progress()
        self._root = root
        self._folder = folder
        self._pool = pool
        self._rules = rules
        self._nested = nested
        self._watcher = open_watcher(str(root), self._list_folders)
        self._troubles = troubles
        self._changed = changed
        self._chunks_added = chunks_added
        self._rules_changed = rules_changed
        self._queue = FileQueue()
        self._hints: set[str] = set()
        self._scans = Scans()
        self._scan_wake = Wake()
        self._index_wake = Broadcast()
        self._publish_wake = Wake()
        self._unpublished = False
        self._comparing = False
        self._scan_cost = 0.0

    @property
    def settled(self) -> bool:
        """Whether every change that is known of is searchable."""
        return not (
            self._scans.due
            or self._hints
            or len(self._queue)
            or self._comparing
            or self._unpublished
            or self._watcher.pending
        )

    @property
    def files_waiting(self) -> int:
        """Files that are known to have changed and are not committed yet."""
        return len(self._queue)

    @property
    def hints_waiting(self) -> int:
        """Paths that may have changed and have not been looked at yet."""
        return len(self._hints)

    @property
    def watch_mode(self) -> WatchMode:
        """How changes are noticed."""
        return self._watcher.mode

    def request_scan(self, *, routine: bool = False) -> int:
        """Ask for a full scan; returns the ticket that `scanned` takes. One that has not begun yet serves all.

        Nothing is `settled` until it is done, except for a `routine` one: nothing says that it will find anything.
        """
        ticket = self._scans.request(routine=routine)
        self._scan_wake.set()
        return ticket

    def scanned(self, ticket: int) -> bool:
        """Whether the scan with this ticket has seen everything."""
        return self._scans.is_done(ticket)

    def forget(self) -> None:
        """`run` has ended, or is to begin: the catalog and the next scan tell what is to be done."""
        self._queue = FileQueue()
        self._scans.forget()
        self._comparing = False

    async def run(self, store: WorkspaceStore) -> None:
        """Keep `store` in step until cancelled."""
        self.progress.started = trio.current_time()
        self._scan_wake.set()
        self._publish_wake.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watcher.run)
            nursery.start_soon(self._watch)
            nursery.start_soon(self._scan_forever, store)
            nursery.start_soon(self._scan_now_and_then)
            for _ in range(self._pool.size + 1):  # one batch is committed while the workers do the next
                nursery.start_soon(self._index_forever, store)
            nursery.start_soon(self._publish_forever, store)

    async def _watch(self) -> None:
        while True:
            hints = await self._watcher.receive()
            if hints.rescan or len(hints.paths) > _BURST_PATHS:
                ticket = self.request_scan(routine=hints.routine)
                while not self._scans.is_done(ticket):
                    await self._changed.wait()
                self._watcher.rescanned(self._scan_cost)  # sets the pace where it has to poll
            else:
                self._hints.update(hints.paths)
                self._scan_wake.set()

    async def _list_folders(self, below: Collection[str]) -> list[str]:
        """The folders that the watcher has to watch: those that a scan would enter."""
        request = FoldersRequest(os.fsencode(self._root), self._rules(), _encoded(self._nested()), _encoded(below))
        try:
            return decode_folders(await self._pool.run(folders_job, _encode(request), timeout_seconds=_SCAN_SECONDS))
        except (WorkerDied, JobTimeout) as error:
            raise OSError(f"the folders of {self._root} could not be listed: {error}") from error

    async def _scan_forever(self, store: WorkspaceStore) -> None:
        while True:
            await self._scan_wake.wait()
            while self._hints or self._scans.wanted:
                hints, full = sorted(self._hints), self._scans.wanted
                ticket = self._scans.begin()
                self._hints.clear()
                self._queue.suspect(None if full else hints)
                self._comparing = bool(hints) or self._scans.due
                if any(map(decides_about_others, hints)):
                    self._rules_changed()
                succeeded = await self._compare(store, None if full else hints)
                self._comparing = False
                if succeeded and full:
                    self._scans.end(ticket)
                elif not succeeded:
                    self._scans.again()  # the hints are lost
                    await trio.sleep(RETRY_SECONDS)
                self._tell()

    async def _scan_now_and_then(self) -> None:
        """Find what the watcher missed: a file that stays open for writing, a source that drops events silently."""
        while True:
            await trio.sleep(max(_MIN_SCAN_INTERVAL, self._scan_cost / _SCAN_SHARE))
            if self._watcher.mode != "polling":  # a polling watcher scans as it is
                self.request_scan(routine=True)

    async def _compare(self, store: WorkspaceStore, paths: list[str] | None) -> bool:
        """Queue what differs between the tree (or `paths`) and the catalog; False when it could not be told."""
        catalog, hinted = str(self._folder / "catalog.sqlite3"), None if paths is None else _encoded(paths)
        rules = self._rules()
        digest = zlib.crc32(_encode(rules)) + 1  # 0 stands for none
        reread = paths is None and await self._troubles.persist("reading", store.catalog.rules) != digest
        root, nested = os.fsencode(self._root), _encoded(self._nested())
        request = ScanRequest(root, catalog, rules, nested, hinted, reread)
        started = trio.current_time()
        try:
            encoded = await self._run(scan_job, _encode(request), _SCAN_SECONDS)
        except (FileNotFoundError, NotADirectoryError):
            self._troubles.note(Trouble.MISSING, f"the folder {self._root} is not there; its index is kept")
            return False
        except (OSError, StoreUnavailable, WorkerDied, JobTimeout) as error:
            self._troubles.note(Trouble.UNREADABLE, f"the folder {self._root} cannot be scanned: {error}")
            return False
        if paths is None:
            self._scan_cost = trio.current_time() - started
        self._troubles.clear(Trouble.MISSING, Trouble.UNREADABLE)
        # In a thread: a first scan's reply of 100,000 files takes 0.3 s to decode.
        reply = await trio.to_thread.run_sync(decode_scan_reply, encoded)
        await self._queue_differences(store, reply, urgent=paths is not None)
        if paths is None and (reply.changed or reply.skipped or reply.gone):
            self._rules_changed()
        if reread:
            await self._troubles.persist("noting the rules", store.catalog.set_rules, digest)
        return True

    async def _queue_differences(self, store: WorkspaceStore, reply: ScanReply, *, urgent: bool) -> None:
        if reply.skipped or reply.gone:
            await self._commit(store, reply.skipped, reply.gone)
        self._queue.drop({*reply.gone, *(file.path for file in reply.skipped)})
        if not len(self._queue):
            self.progress.total_files = 0
            self.progress.started = trio.current_time()
        waiting = len(self._queue)
        for start in range(0, len(reply.changed), _QUEUE_AT_ONCE):
            self._queue.put(reply.changed[start : start + _QUEUE_AT_ONCE], urgent=urgent)
            await trio.lowlevel.checkpoint()
        self.progress.total_files += max(0, len(self._queue) - waiting)
        self._index_wake.notify()

    async def _index_forever(self, store: WorkspaceStore) -> None:
        while True:
            batch = self._queue.take()
            if not batch:
                await self._index_wake.wait()
                continue
            reply = await self._read(store, batch)
            if reply.touched:
                await self._troubles.persist("noting unchanged files", store.catalog.touch, reply.touched)
            if reply.files or reply.gone:
                await self._commit(store, reply.files, reply.gone)
            if again := self._queue.done(batch):
                self._hints |= again
                self._scan_wake.set()
            self._index_wake.notify()  # a path that was in work may wait again
            self._tell()

    async def _read(self, store: WorkspaceStore, batch: list[Candidate]) -> IndexReply:
        """Index a batch in a worker; a file that kills or hangs the worker is set aside by name."""
        hashes = await self._troubles.persist("reading", store.catalog.hashes, [file.path for file in batch])
        request = IndexRequest(os.fsencode(self._root), self._rules(), batch, hashes)
        try:
            if len(batch) > 1:
                reply = await self._pool.run(index_job, _encode(request), timeout_seconds=_BATCH_SECONDS)
            else:
                reply = await self._run(index_job, _encode(request), _FILE_SECONDS)
            return decode_index_reply(reply)
        except Exception as error:  # whatever a parser does to one file, the others are indexed
            if len(batch) > 1:
                middle = len(batch) // 2
                one, other = await self._read(store, batch[:middle]), await self._read(store, batch[middle:])
                return IndexReply(one.files + other.files, one.touched + other.touched, one.gone + other.gone)
            (file,) = batch
            _log.warning("%s could not be indexed: %s", file.path, error)
            return IndexReply([IndexedFile(file.path, FileState.FAILED, str(error), "", file.stat, b"")], [], [])

    async def _run(self, job: Job, request: bytes, seconds: float) -> bytes:
        """Run a job, and once more when its worker died: the kernel's out-of-memory killer takes innocent ones."""
        try:
            return await self._pool.run(job, request, timeout_seconds=seconds)
        except WorkerDied:
            return await self._pool.run(job, request, timeout_seconds=seconds)

    async def _commit(self, store: WorkspaceStore, files: Sequence[IndexedFile], gone: Sequence[str]) -> None:
        commit = await self._troubles.persist("committing", store.commit, files, gone)
        self.progress.indexed_files += sum(file.state is FileState.INDEXED for file in files)
        self.progress.last_commit = time.time()
        self._unpublished = True
        self._publish_wake.set()
        if any(file.chunks for file, _ in commit.added):
            self._chunks_added()
        self._changed.notify()

    async def _publish_forever(self, store: WorkspaceStore) -> None:
        """Publish at once when the queue is empty, and ever less often while a long index runs."""
        pause = 0.25
        while True:
            await self._publish_wake.wait()
            with trio.move_on_after(pause):
                while len(self._queue):
                    await self._changed.wait()
            pause = min(pause * 1.5, _MAX_PUBLISH_PAUSE) if len(self._queue) else 0.25
            await self._troubles.persist("publishing", store.publish)
            self._unpublished = self._publish_wake.is_set()
            if not self._unpublished:
                await self._troubles.persist("saving", store.save)
            self._tell()

    def _tell(self) -> None:
        if self.settled:
            if self.progress.index_seconds is None:
                self.progress.index_seconds = trio.current_time() - self.progress.started
            self._troubles.clear(Trouble.CRASHED)
        self._changed.notify()


def _encoded(paths: Iterable[str]) -> list[bytes]:
    return [os.fsencode(path) for path in paths]
