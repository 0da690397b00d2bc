"""One workspace: its store, the tasks that keep it in step with the files, and what can be told of both.

Files go into the catalog (`tree_sync.py`); embedding follows on its own (`backfill.py`), so that keyword search answers
while vectors are still missing; the vector index is kept in shape when there is nothing more urgent (`compaction.py`).
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.backfill import Backfill
from lucastrad.indexing.compaction import Compaction
from lucastrad.indexing.signals import Broadcast
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.indexing.tree_sync import OpenWatcher, TreeSync
from lucastrad.indexing.troubles import Trouble, Troubles
from lucastrad.storage.records import Counts
from lucastrad.storage.sqlite import StoreClosed, StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import Freshness, IndexProgress, WorkspaceReport, WorkspaceState
from lucastrad.workers import WorkerPool
from lucastrad.workspace.scanner import ScanRules

_log = logging.getLogger(__name__)

_COUNT_SECONDS = 0.5


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
        self._embeddings = embeddings
        self._policy = policy
        self._store: WorkspaceStore | None = None
        self._changed = Broadcast()
        self._troubles = Troubles(root, self._changed)
        persist = self._troubles.persist
        self._backfill = Backfill(
            pool, embeddings, persist=persist, changed=self._changed.notify, troubled=self._embedding_trouble
        )
        self._tree = TreeSync(
            root,
            folder,
            pool=pool,
            rules=rules,
            nested=nested,
            open_watcher=open_watcher,
            troubles=self._troubles,
            changed=self._changed,
            chunks_added=self._backfill.wake,
            rules_changed=rules_changed,
        )
        self._compaction = Compaction(builders, persist=persist, busy=self._is_busy, changed=self._changed)
        self._counted: tuple[float, Counts | None] = (0.0, None)
        self._corrupt = trio.Event()

    # --- what others ask -------------------------------------------------------------------------

    @property
    def store(self) -> WorkspaceStore:
        """The open store; wait for `ready` first."""
        assert self._store is not None, "wait for `ready`"  # noqa: S101
        return self._store

    async def opened(self) -> WorkspaceStore:
        """The store, once it is open. Raises StoreUnavailable when it cannot be opened now."""
        while not self.ready.is_set():
            if problem := self._troubles.problem(Trouble.STORE, Trouble.CRASHED):
                raise StoreUnavailable(problem)
            await self._changed.wait()
        return self.store

    @property
    def indexed_files(self) -> int:
        """Files indexed since the daemon started."""
        return self._tree.progress.indexed_files

    @property
    def embedded_chunks(self) -> int:
        """Chunks that went through the model since the daemon started; cache hits do not count."""
        return self._backfill.embedded_chunks

    @property
    def freshness(self) -> Freshness:
        """How far the store is behind the files, as far as is known."""
        if not self._tree.settled:
            return Freshness.STALE
        return Freshness.PENDING if self._backfill.busy else Freshness.FRESH

    def request_scan(self, *, routine: bool = False) -> int:
        """Ask for a full scan; returns the ticket that `settled` takes. One that has not begun yet serves all.

        What is indexed counts as stale until it is done, except for a `routine` one: nothing says that it will find
        anything.
        """
        return self._tree.request_scan(routine=routine)

    async def settled(self, ticket: int) -> None:
        """Wait until the scan with this ticket is done and everything known is searchable.

        Returns early when the workspace cannot be indexed now: its report says why.
        """
        tree, troubles = self._tree, self._troubles
        while not (tree.scanned(ticket) and self.freshness is Freshness.FRESH):
            if troubles.stuck or (Trouble.EMBEDDING in troubles and tree.scanned(ticket) and tree.settled):
                return
            await self._changed.wait()

    async def progress(self) -> IndexProgress:
        """How far the present indexing has come."""
        state = self._current_state()  # first, so that no state claims more than the totals show
        counts = await self._count()
        waiting = self._tree.files_waiting
        total = max(self._tree.progress.total_files, waiting)
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
        problems = self._troubles.problems
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
            queued=self._tree.files_waiting + self._tree.hints_waiting,
            languages=counts.languages if counts else {},
            watch=self._tree.watch_mode,
            last_indexed_at=self._tree.progress.last_commit,
            index_seconds=self._tree.progress.index_seconds,
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
        if self._troubles.stuck:
            return WorkspaceState.MISSING if Trouble.MISSING in self._troubles else WorkspaceState.FAILED
        if self._tree.files_waiting:
            return WorkspaceState.INDEXING
        if not self._tree.settled:
            return WorkspaceState.SCANNING
        return WorkspaceState.EMBEDDING if self._backfill.busy else WorkspaceState.READY

    def _is_busy(self) -> bool:
        return self._backfill.busy or not self._tree.settled

    # --- tasks -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Open the store, then keep it in step until cancelled; it is closed on the way out."""
        self._tree.forget()  # a second run starts from the catalog again
        self._corrupt = trio.Event()
        self._store = await self._troubles.persist("opening the store", self._open)
        try:
            async with trio.open_nursery() as nursery:
                self.ready.set()
                self._changed.notify()
                nursery.start_soon(self._watch_corruption)
                nursery.start_soon(self._tree.run, self.store)
                nursery.start_soon(self._backfill.run, self.store)
                nursery.start_soon(self._end_with_space, nursery.cancel_scope)
                nursery.start_soon(self._compaction.run, self.store)
        finally:
            self.ready = trio.Event()  # until the next run: what is closed must not be asked
            with trio.CancelScope(shield=True):  # bounded: one file of vectors, and SQLite's last page
                await trio.to_thread.run_sync(self._close)

    def failed(self, error: BaseException) -> None:
        """`run` ended with `error` and will be called again: nothing is settled before its next scan."""
        self._tree.forget()
        problem = f"indexing stopped ({type(error).__name__}: {error}) and is tried again; see `lucastra-client logs`"
        self._troubles.note(Trouble.CRASHED, problem)

    def removed(self) -> None:
        """The workspace is gone: whoever waits for its store is told."""
        self._troubles.note(Trouble.STORE, f"{self.root} was removed")

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
            self._troubles.note(Trouble.EMBEDDING, problem)
        else:
            self._troubles.clear(Trouble.EMBEDDING)

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
            self._troubles.note(Trouble.STORE, error.message)
            return None
        self._counted = (trio.current_time(), counts)
        return counts
