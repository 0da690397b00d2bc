"""Keeps one workspace's store in step with its files.

Hints (from the watcher) and scans put paths into a queue; worker processes read, cut and analyse
them in batches; the daemon commits. Embedding follows on its own (`backfill.py`), and so does publishing to the
keyword index, so that keyword search answers while vectors are still missing.
"""

import logging
import os
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec
import trio

from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.backfill import Backfill
from lucastrad.indexing.compaction import Compaction
from lucastrad.indexing.queue import FileQueue
from lucastrad.indexing.signals import Broadcast, Wake
from lucastrad.indexing.store import WorkspaceStore
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
from lucastrad.storage.catalog import Counts, IndexedFile
from lucastrad.storage.sqlite import StoreClosed, StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import FileState, Freshness, IndexProgress, WorkspaceReport, WorkspaceState
from lucastrad.workers import Job, JobTimeout, WorkerDied, WorkerPool
from lucastrad.workspace.events import ListFolders
from lucastrad.workspace.scanner import Candidate, ScanRules, decides_about_others
from lucastrad.workspace.watcher import Watcher

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
OpenWatcher = Callable[[str, ListFolders], Watcher]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_SCAN_SECONDS = 600.0
_BATCH_SECONDS = 60.0
_FILE_SECONDS = 20.0
_RETRY_SECONDS = 2.0
"""How long to wait before trying again when the disk is full or the folder is gone."""
_BURST_PATHS = 50
"""Hints for more paths than a person saves at once: some may have been lost, so a scan follows."""
_MIN_SCAN_INTERVAL = 60.0
_SCAN_SHARE = 0.002
"""Periodic scans take at most this share of one core."""
_MAX_PUBLISH_PAUSE = 4.0
_QUEUE_AT_ONCE = 5_000
_COUNT_SECONDS = 0.5
_READS = frozenset({"reading", "reading the cache", "planning a merge", "abandoning a merge"})


class _Trouble(StrEnum):
    """What keeps a workspace from being indexed; each clears when its next attempt succeeds."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    STORE = "store"
    CRASHED = "crashed"
    EMBEDDING = "embedding"
    """Passages are found by keyword meanwhile, and everything else goes on."""


@dataclass(slots=True)
class _Progress:
    """Counters of the present run, for reports and for the benchmark."""

    indexed_files: int = 0
    total_files: int = 0
    started: float = 0.0
    index_seconds: float | None = None
    last_commit: float | None = None


class WorkspaceIndexer:
    """One workspace's tasks and state. `run` drives it; everything else may be called meanwhile."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        *,
        pool: WorkerPool,
        builders: WorkerPool,
        embeddings: EmbeddingSpaces,
        policy: Policy,
        rules: Callable[[], ScanRules],
        nested: Callable[[], Sequence[str]],
        open_watcher: OpenWatcher,
        rules_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`rules_changed` hears whenever it may have changed which files are left out."""
        self.root = root
        self.ready = trio.Event()
        """Set once the store is open: searches may begin."""
        self._folder = folder
        self._pool = pool
        self._embeddings = embeddings
        self._policy = policy
        self._backfill = Backfill(
            pool, embeddings, persist=self._persist, changed=self._after_change, troubled=self._embedding_trouble
        )
        self._rules = rules
        self._nested = nested
        self._rules_changed = rules_changed
        self._watcher = open_watcher(str(root), self._list_folders)
        self._store: WorkspaceStore | None = None
        self._queue = FileQueue()
        self._hints: set[str] = set()
        self._scans_begun = self._scans_done = 0
        self._scans_wanted = self._scans_due = 1  # nothing is ready before the first, also while `run` has not begun
        self._scan_wake = Wake()
        self._index_wake = Broadcast()
        self._publish_wake = Wake()
        self._unpublished = False
        self._changed = Broadcast()
        self._compaction = Compaction(builders, persist=self._persist, busy=self._is_busy, changed=self._changed)
        self._progress = _Progress()
        self._comparing = False
        self._scan_cost = 0.0
        self._counted: tuple[float, Counts | None] = (0.0, None)
        self._corrupt = trio.Event()
        self._problems: dict[_Trouble, str] = {}

    # --- what others ask -------------------------------------------------------------------------

    @property
    def store(self) -> WorkspaceStore:
        """The open store; wait for `ready` first."""
        assert self._store is not None, "wait for `ready`"  # noqa: S101
        return self._store

    async def opened(self) -> WorkspaceStore:
        """The store, once it is open. Raises StoreUnavailable when it cannot be opened now."""
        while not self.ready.is_set():
            for trouble in (_Trouble.STORE, _Trouble.CRASHED):
                if problem := self._problems.get(trouble):
                    raise StoreUnavailable(problem)
            await self._changed.wait()
        return self.store

    @property
    def indexed_files(self) -> int:
        """Files indexed since the daemon started."""
        return self._progress.indexed_files

    @property
    def embedded_chunks(self) -> int:
        """Chunks that went through the model since the daemon started; cache hits do not count."""
        return self._backfill.embedded_chunks

    @property
    def freshness(self) -> Freshness:
        """How far the store is behind the files, as far as is known."""
        if not self._files_settled():
            return Freshness.STALE
        return Freshness.PENDING if self._backfill.busy else Freshness.FRESH

    def request_scan(self, *, routine: bool = False) -> int:
        """Ask for a full scan; returns the ticket that `settled` takes. One that has not begun yet serves all.

        What is indexed counts as stale until it is done, except for a `routine` one: nothing says that it will find
        anything.
        """
        if self._scans_wanted == self._scans_begun:
            self._scans_wanted += 1
        if not routine:
            self._scans_due = self._scans_wanted
        self._scan_wake.set()
        return self._scans_wanted

    async def settled(self, ticket: int) -> None:
        """Wait until the scan with this ticket is done and everything known is searchable.

        Returns early when the workspace cannot be indexed now: its report says why.
        """
        while not (self._scans_done >= ticket and self.freshness is Freshness.FRESH):
            scanned = self._scans_done >= ticket and self._files_settled()
            if self._problems.keys() - {_Trouble.EMBEDDING} or (self._problems and scanned):
                return
            await self._changed.wait()

    async def progress(self) -> IndexProgress:
        """How far the present indexing has come."""
        state = self._current_state()  # first, so that no state claims more than the totals show
        counts = await self._count()
        waiting = len(self._queue)
        total = max(self._progress.total_files, waiting)
        return IndexProgress(
            state=state,
            files_done=total - waiting,
            files_total=total,
            chunks=counts.chunks if counts else 0,
            embedded=counts.embedded if counts else 0,
        )

    async def report(self) -> WorkspaceReport:
        """The workspace's state, with totals from the catalog."""
        state, freshness = self._current_state(), self.freshness  # first, as in `progress`
        if freshness is Freshness.FRESH or state is WorkspaceState.READY:
            self._counted = (0.0, None)  # nothing changes any more: tell it exactly
        counts = await self._count()
        size = await trio.to_thread.run_sync(self.store.size_bytes) if self._store else 0
        condition = await trio.to_thread.run_sync(self.store.condition) if self._store else None
        problems = list(self._problems.values())
        if counts and counts.failed:
            files = "1 file" if counts.failed == 1 else f"{counts.failed} files"
            problems.append(f"{files} could not be indexed; see `lucastra-client status --files --skipped`")
        return WorkspaceReport(
            root=str(self.root),
            state=state,
            freshness=freshness,
            files=counts.files if counts else 0,
            chunks=counts.chunks if counts else 0,
            embedded=counts.embedded if counts else 0,
            skipped=counts.skipped if counts else 0,
            queued=len(self._queue) + len(self._hints),
            languages=counts.languages if counts else {},
            watch=self._watcher.mode,
            last_indexed_at=self._progress.last_commit,
            index_seconds=self._progress.index_seconds,
            store_bytes=size,
            problems=problems,
            notices=[*self._space_notices(counts), *self._backfill.notices, *(condition.degraded if condition else [])],
        )

    def _space_notices(self, counts: Counts | None) -> list[str]:
        if counts is None or not self.ready.is_set() or (replaced := self.store.replaced) is None:
            return []
        space, served = self.store.space, self.store.served.space
        meanwhile = (
            "searches use those until all are there"
            if served == replaced
            else "nothing embeds queries for those any more, so passages without a new one are found by keyword only"
        )
        return [
            f"vectors of {space.identity} replace those of {replaced.identity}: {counts.embedded} of {counts.chunks}"
            f" passages have one; {meanwhile}"
        ]

    def _current_state(self) -> WorkspaceState:
        if self._problems.keys() - {_Trouble.EMBEDDING}:
            return WorkspaceState.MISSING if _Trouble.MISSING in self._problems else WorkspaceState.FAILED
        if len(self._queue):
            return WorkspaceState.INDEXING
        if not self._files_settled():
            return WorkspaceState.SCANNING
        return WorkspaceState.EMBEDDING if self._backfill.busy else WorkspaceState.READY

    def _is_busy(self) -> bool:
        return self._backfill.busy or not self._files_settled()

    def _files_settled(self) -> bool:
        return (
            self._scans_done >= self._scans_due
            and not self._hints
            and not len(self._queue)
            and not self._comparing
            and not self._unpublished
            and not self._watcher.pending
        )

    # --- tasks -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Open the store, then keep it in step until cancelled; it is closed on the way out."""
        self._queue, self._corrupt = FileQueue(), trio.Event()  # a second run starts from the catalog again
        self._must_scan_again()
        self._scans_begun = self._scans_done
        self._comparing = False
        self._store = await self._persist("opening the store", self._open)
        self._progress.started = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                self.ready.set()
                self._changed.notify()
                self._scan_wake.set()
                self._publish_wake.set()
                nursery.start_soon(self._watcher.run)
                nursery.start_soon(self._watch)
                nursery.start_soon(self._watch_corruption)
                nursery.start_soon(self._scan_forever)
                nursery.start_soon(self._scan_now_and_then)
                for _ in range(self._pool.size + 1):  # one batch is committed while the workers do the next
                    nursery.start_soon(self._index_forever)
                nursery.start_soon(self._publish_forever)
                nursery.start_soon(self._backfill.run, self.store)
                nursery.start_soon(self._end_with_space, nursery.cancel_scope)
                nursery.start_soon(self._compaction.run, self.store)
        finally:
            self.ready = trio.Event()  # until the next run: what is closed must not be asked
            with trio.CancelScope(shield=True):  # bounded: one file of vectors, and SQLite's last page
                await trio.to_thread.run_sync(self._close)

    def failed(self, error: BaseException) -> None:
        """`run` ended with `error` and will be called again: nothing is settled before its next scan."""
        self._must_scan_again()
        problem = f"indexing stopped ({type(error).__name__}: {error}) and is tried again; see `lucastra-client logs`"
        self._note(_Trouble.CRASHED, problem)

    def removed(self) -> None:
        """The workspace is gone: whoever waits for its store is told."""
        self._note(_Trouble.STORE, f"{self.root} was removed")

    def _open(self) -> WorkspaceStore:
        spaces = self._embeddings
        space = spaces.configured.space
        store = WorkspaceStore(
            self._folder, space, spaces.cache(space), cache_of=spaces.cache_if_usable, policy=self._policy
        )
        try:
            lost = store.replay_vectors()
        except BaseException:
            store.close()
            raise
        if lost:
            _log.warning("%d vectors were missing from the cache and are embedded again", lost)
        return store

    def _close(self) -> None:
        try:
            self.store.close()
        except (StoreUnavailable, StoreCorrupt, OSError, ValueError) as error:
            _log.warning("the store of %s was not saved (%s); it is replayed at the next start", self.root, error)

    async def _watch(self) -> None:
        while True:
            hints = await self._watcher.receive()
            if hints.rescan or len(hints.paths) > _BURST_PATHS:
                ticket = self.request_scan(routine=hints.routine)
                while self._scans_done < ticket:
                    await self._changed.wait()
                self._watcher.rescanned(self._scan_cost)  # sets the pace where it has to poll
            else:
                self._hints.update(hints.paths)
                self._scan_wake.set()

    async def _list_folders(self, below: Collection[str]) -> list[str]:
        """The folders that the watcher has to watch: those that a scan would enter."""
        request = FoldersRequest(os.fsencode(self.root), self._rules(), _encoded(self._nested()), _encoded(below))
        try:
            return decode_folders(await self._pool.run(folders_job, _encode(request), timeout_seconds=_SCAN_SECONDS))
        except (WorkerDied, JobTimeout) as error:
            raise OSError(f"the folders of {self.root} could not be listed: {error}") from error

    async def _scan_forever(self) -> None:
        while True:
            await self._scan_wake.wait()
            while self._hints or self._scans_done < self._scans_wanted:
                ticket = self._scans_wanted
                hints, full = sorted(self._hints), self._scans_done < ticket
                self._hints.clear()
                self._scans_begun = ticket
                self._queue.suspect(None if full else hints)
                self._comparing = bool(hints) or self._scans_done < self._scans_due
                if any(map(decides_about_others, hints)):
                    self._rules_changed()
                succeeded = await self._compare(None if full else hints)
                self._comparing = False
                if succeeded and full:
                    self._scans_done = ticket
                elif not succeeded:
                    self._must_scan_again()  # the hints are lost
                    await trio.sleep(_RETRY_SECONDS)
                self._after_change()

    async def _scan_now_and_then(self) -> None:
        """Find what the watcher missed: a file that stays open for writing, a source that drops events silently."""
        while True:
            await trio.sleep(max(_MIN_SCAN_INTERVAL, self._scan_cost / _SCAN_SHARE))
            if self._watcher.mode != "polling":  # a polling watcher scans as it is
                self.request_scan(routine=True)

    def _must_scan_again(self) -> None:
        """No scan that has begun tells the truth."""
        self._scans_wanted = self._scans_due = max(self._scans_wanted, self._scans_begun + 1)

    async def _compare(self, paths: list[str] | None) -> bool:
        """Queue what differs between the tree (or `paths`) and the catalog; False when it could not be told."""
        catalog, hinted = str(self._folder / "catalog.sqlite3"), None if paths is None else _encoded(paths)
        rules = self._rules()
        digest = zlib.crc32(_encode(rules)) + 1  # 0 stands for none
        reread = paths is None and await self._persist("reading", self.store.catalog.rules) != digest
        root, nested = os.fsencode(self.root), _encoded(self._nested())
        request = ScanRequest(root, catalog, rules, nested, hinted, reread)
        started = trio.current_time()
        try:
            encoded = await self._run(scan_job, _encode(request), _SCAN_SECONDS)
        except (FileNotFoundError, NotADirectoryError):
            self._note(_Trouble.MISSING, f"the folder {self.root} is not there; its index is kept")
            return False
        except (OSError, StoreUnavailable, WorkerDied, JobTimeout) as error:
            self._note(_Trouble.UNREADABLE, f"the folder {self.root} cannot be scanned: {error}")
            return False
        if paths is None:
            self._scan_cost = trio.current_time() - started
        self._clear(_Trouble.MISSING, _Trouble.UNREADABLE)
        # In a thread: a first scan's reply of 100,000 files takes 0.3 s to decode.
        reply = await trio.to_thread.run_sync(decode_scan_reply, encoded)
        await self._queue_differences(reply, urgent=paths is not None)
        if paths is None and (reply.changed or reply.skipped or reply.gone):
            self._rules_changed()
        if reread:
            await self._persist("noting the rules", self.store.catalog.set_rules, digest)
        return True

    async def _queue_differences(self, reply: ScanReply, *, urgent: bool) -> None:
        if reply.skipped or reply.gone:
            await self._commit(reply.skipped, reply.gone)
        self._queue.drop({*reply.gone, *(file.path for file in reply.skipped)})
        if not len(self._queue):
            self._progress.total_files = 0
            self._progress.started = trio.current_time()
        waiting = len(self._queue)
        for start in range(0, len(reply.changed), _QUEUE_AT_ONCE):
            self._queue.put(reply.changed[start : start + _QUEUE_AT_ONCE], urgent=urgent)
            await trio.lowlevel.checkpoint()
        self._progress.total_files += max(0, len(self._queue) - waiting)
        self._index_wake.notify()

    async def _index_forever(self) -> None:
        while True:
            batch = self._queue.take()
            if not batch:
                await self._index_wake.wait()
                continue
            reply = await self._read(batch)
            if reply.touched:
                await self._persist("noting unchanged files", self.store.catalog.touch, reply.touched)
            if reply.files or reply.gone:
                await self._commit(reply.files, reply.gone)
            if again := self._queue.done(batch):
                self._hints |= again
                self._scan_wake.set()
            self._index_wake.notify()  # a path that was in work may wait again
            self._after_change()

    async def _read(self, batch: list[Candidate]) -> IndexReply:
        """Index a batch in a worker; a file that kills or hangs the worker is set aside by name."""
        hashes = await self._persist("reading", self.store.catalog.hashes, [file.path for file in batch])
        request = IndexRequest(os.fsencode(self.root), self._rules(), batch, hashes)
        try:
            if len(batch) > 1:
                reply = await self._pool.run(index_job, _encode(request), timeout_seconds=_BATCH_SECONDS)
            else:
                reply = await self._run(index_job, _encode(request), _FILE_SECONDS)
            return decode_index_reply(reply)
        except Exception as error:  # whatever a parser does to one file, the others are indexed
            if len(batch) > 1:
                middle = len(batch) // 2
                one, other = await self._read(batch[:middle]), await self._read(batch[middle:])
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

    async def _commit(self, files: Sequence[IndexedFile], gone: Sequence[str]) -> None:
        commit = await self._persist("committing", self.store.commit, files, gone)
        self._progress.indexed_files += sum(file.state is FileState.INDEXED for file in files)
        self._progress.last_commit = time.time()
        self._unpublished = True
        self._publish_wake.set()
        if any(file.chunks for file, _ in commit.added):
            self._backfill.wake()
        self._changed.notify()

    async def _publish_forever(self) -> None:
        """Publish at once when the queue is empty, and ever less often while a long index runs."""
        pause = 0.25
        while True:
            await self._publish_wake.wait()
            with trio.move_on_after(pause):
                while len(self._queue):
                    await self._changed.wait()
            pause = min(pause * 1.5, _MAX_PUBLISH_PAUSE) if len(self._queue) else 0.25
            await self._persist("publishing", self.store.publish)
            self._unpublished = self._publish_wake.is_set()
            if not self._unpublished:
                await self._persist("saving", self.store.save)
            self._after_change()

    # --- state -----------------------------------------------------------------------------------

    async def _persist(self, what: str, write: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run a store operation in a thread; while the disk is full, wait and try again: nothing is lost."""
        while True:
            try:
                result = await trio.to_thread.run_sync(lambda: write(*args, **kwargs))
            except StoreUnavailable as error:
                self._note(_Trouble.STORE, error.message)
            except OSError as error:
                self._note(_Trouble.STORE, f"{what} failed: {error}; free disk space or check permissions")
            else:
                if what not in _READS:  # a full disk can still be read
                    self._clear(_Trouble.STORE)
                return result
            await trio.sleep(_RETRY_SECONDS)

    def report_corruption(self) -> None:
        """A reader met a damaged catalog: `run` ends with StoreCorrupt, so that it is built anew."""
        self._corrupt.set()

    async def _end_with_space(self, running: trio.CancelScope) -> None:
        """End `run` once chunks are to be embedded in another space: the next one opens the store in that."""
        while self._embeddings.configured.space == self.store.space:
            await self._embeddings.changed()
        running.cancel()

    async def _watch_corruption(self) -> None:
        await self._corrupt.wait()
        raise StoreCorrupt("a reader met a damaged page")

    def _embedding_trouble(self, problem: str) -> None:
        if problem:
            self._note(_Trouble.EMBEDDING, problem)
        else:
            self._clear(_Trouble.EMBEDDING)

    def _after_change(self) -> None:
        if self._files_settled() and self._progress.index_seconds is None:
            self._progress.index_seconds = trio.current_time() - self._progress.started
        if self._files_settled():
            self._clear(_Trouble.CRASHED)
        self._changed.notify()

    def _note(self, trouble: _Trouble, problem: str) -> None:
        if self._problems.get(trouble) != problem:
            _log.warning("%s", problem)
        self._problems[trouble] = problem
        self._changed.notify()

    def _clear(self, *troubles: _Trouble) -> None:
        for trouble in troubles:
            if self._problems.pop(trouble, None):
                _log.info("indexing of %s resumes", self.root)

    async def _count(self) -> Counts | None:
        """Totals of the catalog, half a second old at most; None while it is not open, or cannot be read."""
        if not self.ready.is_set():
            return None
        counted_at, counts = self._counted
        started = trio.current_time()
        if counts is not None and started - counted_at < _COUNT_SECONDS:
            return counts
        try:
            counts = await trio.to_thread.run_sync(self.store.catalog.counts)
        except StoreCorrupt:
            self.report_corruption()
            return None
        except StoreClosed:
            return None
        except StoreUnavailable as error:
            self._note(_Trouble.STORE, error.message)
            return None
        self._counted = (trio.current_time(), counts)
        return counts


def _encoded(paths: Iterable[str]) -> list[bytes]:
    return [os.fsencode(path) for path in paths]
