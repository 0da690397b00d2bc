"""The workspaces of this daemon: remembered on disk, each kept indexed by an indexer of its own.

What is remembered is one `workspace.json` beside each store; there is no registry to fall out of step.
"""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.indexer import WorkspaceIndexer
from lucastrad.indexing.signals import Broadcast
from lucastrad.indexing.tree_sync import OpenWatcher
from lucastrad.storage.fs import ensure_private_folder, publish, sync_folder
from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable, set_aside
from lucastrad.storage.vectors.policy import Policy
from lucastrad.types import FileLines, FileReport, FileState, IndexOutcome, IndexProgress, WorkspaceReport
from lucastrad.workers import WorkerPool
from lucastrad.workspace.reader import ReadFile, read_file
from lucastrad.workspace.scanner import ScanRules
from lucastrad.workspace.watcher import Watcher

_log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 0.25
_RESTART_SECONDS = 2.0
_ARRIVING_SECONDS = 5.0

ReportProgress = Callable[[IndexProgress], Awaitable[None]]
RulesFor = Callable[[Path], ScanRules]


@dataclass(slots=True)
class _Running:
    indexer: WorkspaceIndexer
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    gone: trio.Event = field(default_factory=trio.Event)
    """Set once a removed workspace has left nothing behind."""

    @property
    def leaving(self) -> bool:
        """Whether it is being removed, or the daemon stops."""
        return self.scope.cancel_called


class StoreFolder(NamedTuple):
    """Where the store of a workspace stands."""

    root: Path
    folder: Path

    @classmethod
    def of(cls, file: Path) -> "StoreFolder":
        """What a `workspace.json` says. Raises ValueError for one that is damaged."""
        try:
            return cls(Path(json.loads(file.read_bytes())["root"]), file.parent)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(str(error)) from error


def store_folders(home: Path) -> list[StoreFolder]:
    """Every workspace that is remembered; what cannot be read is logged and left out."""
    found = []
    for file in workspace_files(home):
        try:
            found.append(StoreFolder.of(file))
        except ValueError as error:
            _log.warning("%s is damaged (%s) and is left alone; index its folder again", file, error)
    return found


def workspace_files(home: Path) -> list[Path]:
    """Every `workspace.json`."""
    return sorted((home / "workspaces").glob("*/workspace.json"))


class WorkspaceService:
    """Adds, removes, indexes and finds workspaces. `run` is the parent of every indexer."""

    def __init__(
        self,
        home: Path,
        *,
        pool: WorkerPool,
        builders: WorkerPool,
        embeddings: EmbeddingSpaces,
        rules_for: RulesFor,
        forget_rules: Callable[[Path], None] = lambda root: None,
        open_watcher: OpenWatcher = Watcher,
        policy: Policy | None = None,
    ) -> None:
        """`forget_rules` is told the root of a workspace that was removed."""
        self._home = home
        self._folder = home / "workspaces"
        self._pool = pool
        self._builders = builders
        self._policy = policy or Policy()
        self._embeddings = embeddings
        self._rules_for = rules_for
        self._forget_rules = forget_rules
        self._open_watcher = open_watcher
        self._running: dict[Path, _Running] = {}
        self._arriving: dict[trio.Event, Path] = {}
        self._nursery: trio.Nursery | None = None
        self._rules_changed = Broadcast()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start every remembered workspace, and keep them until cancelled."""
        ensure_private_folder(self._folder)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for known in await trio.to_thread.run_sync(store_folders, self._home):
                self._start(known.root)
            task_status.started()
            await trio.sleep_forever()

    # --- what handlers ask -----------------------------------------------------------------------

    async def attach(self, path: Path) -> None:
        """Make sure that `path` is, or lies in, a workspace."""
        arrived = trio.Event()
        self._arriving[arrived] = path
        try:
            await self._ensure(path)
        finally:
            del self._arriving[arrived]
            arrived.set()

    async def index(self, path: Path, *, wait: bool, progress: ReportProgress | None = None) -> IndexOutcome:
        """Bring the workspace of `path` up to date.

        Returns early when it cannot be indexed now: the report says why. Raises LucAstraError
        (WORKSPACE_NOT_FOUND) when there is no such folder, or it is removed meanwhile, and
        (STORE_UNAVAILABLE) when it cannot be remembered.
        """
        running = await self._ensure(path)
        indexer = running.indexer
        started = trio.current_time()
        files, chunks = indexer.indexed_files, indexer.embedded_chunks
        ticket = indexer.request_scan()
        if wait:
            await self._settled(running, ticket, progress)
        if running.ended.is_set():
            raise LucAstraError(f"{indexer.root} was removed meanwhile", code=ErrorCode.WORKSPACE_NOT_FOUND)
        report = await indexer.report()
        return IndexOutcome(
            report, indexer.indexed_files - files, indexer.embedded_chunks - chunks, trio.current_time() - started
        )

    async def follow(self, path: Path, progress: ReportProgress) -> None:
        """Tell how far the workspace of `path` has come, until everything known is searchable or cannot be made so.

        Raises LucAstraError (WORKSPACE_NOT_FOUND) for a path in no workspace.
        """
        root = self.holding(await trio.to_thread.run_sync(_resolved, path)).root
        await self._settled(self._running[root], 0, progress)

    async def remove(self, path: Path) -> str:
        """Forget a workspace and delete its store; the files themselves are not touched."""
        root = await trio.to_thread.run_sync(_resolved, path)
        running = self._running.get(root)
        if running is None or running.leaving:
            known = ", ".join(str(r) for r in self._running) or "none"
            raise LucAstraError(f"{root} is not a workspace; known: {known}", code=ErrorCode.WORKSPACE_NOT_FOUND)
        with trio.CancelScope(shield=True):  # bounded: half removed, it would come back at the next start
            await trio.to_thread.run_sync(self._forget, root)
            running.scope.cancel()
            await running.ended.wait()
            await trio.to_thread.run_sync(shutil.rmtree, self._store_folder(root), True)
            self._running.pop(root, None)
            running.gone.set()
        self._forget_rules(root)
        running.indexer.removed()
        self._rules_changed.notify()
        for outer in self._running.values():
            if root.is_relative_to(outer.indexer.root):
                outer.indexer.request_scan()  # what was pruned from it is its own again
        return str(root)

    async def reports(self) -> list[WorkspaceReport]:
        """Every workspace's state, by root."""
        indexers = sorted(self.all(), key=lambda indexer: indexer.root)
        return [await indexer.report() for indexer in indexers]

    async def files(
        self, path: Path, *, skipped_only: bool, offset: int, limit: int
    ) -> tuple[Sequence[FileReport], int]:
        """A page of a workspace's files."""
        indexer = self.holding(await trio.to_thread.run_sync(_resolved, path))
        catalog = (await indexer.opened()).catalog
        return await trio.to_thread.run_sync(
            lambda: catalog.file_reports(skipped_only=skipped_only, offset=offset, limit=limit)
        )

    async def read(self, path: Path, *, start_line: int, limit: int) -> FileLines:
        """At most `limit` lines, from 1-based `start_line` on, of an indexed file as it is on disk now.

        Raises:
            LucAstraError: WORKSPACE_NOT_FOUND for a file that is in no workspace, or was or would now be skipped.
        """
        path = await trio.to_thread.run_sync(_resolved, path)
        indexer = self.holding(path)
        relative = path.relative_to(indexer.root).as_posix()
        catalog = (await indexer.opened()).catalog
        known = await trio.to_thread.run_sync(catalog.known_file, relative)
        if known is None or known.state is not FileState.INDEXED:
            raise _not_indexed(path, known.reason if known else "")
        # `wanted`: that it is none of the generated files to leave out was decided when it was indexed.
        rules = self._rules_for(indexer.root)
        read = await trio.to_thread.run_sync(lambda: read_file(str(indexer.root), relative, rules, wanted=True))
        if not isinstance(read, ReadFile):
            raise _not_indexed(path, read.reason if read else "it is gone")
        # Not str.splitlines(): the lines of chunks end with a line feed and nothing else.
        lines = io.StringIO(read.text, newline="\n").readlines()
        shown = lines[start_line - 1 : start_line - 1 + limit]
        return FileLines(str(indexer.root), relative, start_line, len(shown), len(lines), "".join(shown))

    # --- what search asks ------------------------------------------------------------------------

    def all(self) -> list[WorkspaceIndexer]:
        """Every workspace's indexer."""
        return [running.indexer for running in self._running.values() if not running.leaving]

    def holding(self, path: Path) -> WorkspaceIndexer:
        """The innermost workspace that is or holds `path`, which must be resolved.

        Raises LucAstraError (WORKSPACE_NOT_FOUND).
        """
        for folder in (path, *path.parents):
            running = self._running.get(folder)
            if running is not None and not running.leaving:
                return running.indexer
        raise LucAstraError(
            f"{path} is in no workspace; `lucastra-client index FOLDER` makes its project one",
            code=ErrorCode.WORKSPACE_NOT_FOUND,
        )

    async def arrived(self, folders: Collection[Path]) -> None:
        """Wait, a few seconds at most, for those of `folders` that are being attached, or lie in one that is: an editor
        does not know when they have become workspaces."""
        with trio.move_on_after(_ARRIVING_SECONDS):
            for event, path in tuple(self._arriving.items()):
                root = await trio.to_thread.run_sync(_resolved, path)
                if any(folder.is_relative_to(root) for folder in folders):
                    await event.wait()

    def rescan_all(self) -> None:
        """The rules may have changed: compare every tree with them."""
        self._rules_changed.notify()
        for running in self._running.values():
            running.indexer.request_scan()

    async def rules_changed(self) -> None:
        """Wait until it may be decided otherwise which files are left out, or which workspace holds them."""
        await self._rules_changed.wait()

    # --- keeping them ----------------------------------------------------------------------------

    async def _ensure(self, path: Path) -> _Running:
        root = await trio.to_thread.run_sync(_resolved, path)
        if not await trio.to_thread.run_sync(_is_folder, root):
            raise LucAstraError(
                f"{path} is not a folder that exists and can be read; name one that does",
                code=ErrorCode.WORKSPACE_NOT_FOUND,
            )
        while (leaving := self._running.get(root)) is not None and leaving.leaving:
            await leaving.gone.wait()
        for folder in (root, *root.parents):
            running = self._running.get(folder)
            if running is None or running.leaving:
                continue
            if folder == root or not await self._skips(running.indexer, root):
                return running
        await trio.to_thread.run_sync(self._remember, root)
        for outer in self._running.values():
            if root.is_relative_to(outer.indexer.root):
                outer.indexer.request_scan()  # it gives up what now has an index of its own
        return self._running.get(root) or self._start(root)

    async def _skips(self, outer: WorkspaceIndexer, folder: Path) -> bool:
        """Whether `outer` leaves `folder` out (ignored, vendored), so that it needs an index of its own."""
        store = await outer.opened()
        relative = folder.relative_to(outer.root)
        above = [f"{'/'.join(relative.parts[: depth + 1])}/" for depth in range(len(relative.parts))]
        return any([await trio.to_thread.run_sync(store.catalog.known_file, path) for path in above])

    def _start(self, root: Path) -> _Running:
        assert self._nursery is not None, "run() is the parent of every indexer"  # noqa: S101
        indexer = WorkspaceIndexer(
            root,
            self._store_folder(root),
            pool=self._pool,
            builders=self._builders,
            embeddings=self._embeddings,
            policy=self._policy,
            rules=lambda: self._rules_for(root),
            nested=lambda: [str(other) for other in self._running if other != root and other.is_relative_to(root)],
            open_watcher=self._open_watcher,
            rules_changed=self._rules_changed.notify,
        )
        running = _Running(indexer)
        self._running[root] = running
        self._rules_changed.notify()
        self._nursery.start_soon(self._supervise, running)
        return running

    async def _supervise(self, running: _Running) -> None:
        """Run an indexer; a damaged catalog is set aside, and any other failure is logged, then it starts anew."""
        try:
            with running.scope:
                while True:
                    try:
                        await running.indexer.run()
                    except* StoreCorrupt as group:
                        _log.error("the catalog of %s is damaged (%s)", running.indexer.root, _leaf(group))
                        await self._set_catalog_aside(running.indexer)
                    except* Exception as group:
                        _log.error("indexing of %s stopped", running.indexer.root, exc_info=group)
                        running.indexer.failed(_leaf(group))
                    await trio.sleep(_RESTART_SECONDS)
        finally:
            running.ended.set()

    async def _settled(self, running: _Running, ticket: int, progress: ReportProgress | None) -> None:
        """Wait for the scan with this ticket and all that follows from it, or for the workspace's removal."""
        async with trio.open_nursery() as nursery:
            if progress is not None:
                nursery.start_soon(self._report_progress, running.indexer, progress)
            nursery.start_soon(_cancel_after, running.ended, nursery.cancel_scope)
            await running.indexer.settled(ticket)
            nursery.cancel_scope.cancel()

    async def _report_progress(self, indexer: WorkspaceIndexer, progress: ReportProgress) -> None:
        while True:
            await progress(await indexer.progress())
            await trio.sleep(_PROGRESS_SECONDS)

    # --- on disk ---------------------------------------------------------------------------------

    def _store_folder(self, root: Path) -> Path:
        digest = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return self._folder / digest

    def _remember(self, root: Path) -> None:
        folder = self._store_folder(root)
        try:
            ensure_private_folder(folder)
            publish(folder / "workspace.json", json.dumps({"root": str(root)}).encode())
        except OSError as error:
            raise StoreUnavailable(f"the workspace cannot be remembered: {error}; free disk space") from error

    def _forget(self, root: Path) -> None:
        folder = self._store_folder(root)
        (folder / "workspace.json").unlink(missing_ok=True)
        sync_folder(folder)

    async def _set_catalog_aside(self, indexer: WorkspaceIndexer) -> None:
        path = self._store_folder(indexer.root) / "catalog.sqlite3"
        try:
            await trio.to_thread.run_sync(set_aside, path, "damaged")
        except FileNotFoundError:
            pass
        except OSError as error:
            indexer.failed(error)


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _not_indexed(path: Path, reason: str) -> LucAstraError:
    why = f" ({reason})" if reason else ""
    return LucAstraError(
        f"{path} is not indexed{why}; `lucastra-client status --files` lists what is",
        code=ErrorCode.WORKSPACE_NOT_FOUND,
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _resolved(path: Path) -> Path:
    return path.resolve()
