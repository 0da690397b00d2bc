"""File events where there is no inotify: FSEvents and kqueue, through watchfiles' native watcher."""

import threading
from pathlib import Path

import trio
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from lucastrad.workspace.defaults import PRUNED_FOLDERS, VERSION_CONTROL_NAMES
from lucastrad.workspace.events import REPOSITORY_FILES, Events, EventsLostError, ListFolders

_STEP_MS = 25
"""How often the native side looks for new events: a lone save is reported after one or two steps."""
_GROUP_MS = 200


class WatchfilesSource:
    """An `EventSource` that watches the whole tree below the root and filters what it reports."""

    def __init__(self, root: str, _list_folders: ListFolders) -> None:
        self._root = root
        self._watcher: RustNotify | None = None
        self._stop = threading.Event()
        # a limiter of its own: this thread lives as long as the watch
        self._limiter = trio.CapacityLimiter(1)

    async def start(self) -> None:
        self._watcher = await trio.to_thread.run_sync(
            RustNotify, [self._root], False, False, 300, True, True, limiter=self._limiter
        )

    async def receive(self) -> Events:
        if self._watcher is None:
            raise EventsLostError("the watch is closed")
        watch = self._watcher.watch
        while True:
            try:
                # abandoned when cancelled: `close` lets the thread end within one step
                changes = await trio.to_thread.run_sync(
                    watch, _GROUP_MS, _STEP_MS, 0, self._stop, abandon_on_cancel=True, limiter=self._limiter
                )
            except WatchfilesRustInternalError as error:
                raise EventsLostError(str(error)) from error
            if isinstance(changes, str):
                raise EventsLostError(f"the native watcher ended: {changes}")
            events = relevant_events(self._root, [path for _, path in changes])
            if events.paths or events.repository:
                return events

    def close(self) -> None:
        self._stop.set()
        self._watcher = None  # its thread holds the last reference and ends the watch


def relevant_events(root: str, changed: list[str]) -> Events:
    """The events behind absolute paths, without those in folders that are never indexed.

    Raises `EventsLostError` when the root itself changed.
    """
    paths: set[str] = set()
    repository = False
    for path in changed:
        if path == root:
            if not Path(root).is_dir():
                raise EventsLostError("the folder was removed or moved")
            continue
        if not path.startswith(root + "/"):
            continue
        relative = path[len(root) + 1 :]
        *folders, name = relative.split("/")
        if PRUNED_FOLDERS.isdisjoint(folders):
            paths.add(relative)
        elif name in REPOSITORY_FILES and not VERSION_CONTROL_NAMES.isdisjoint(folders):
            repository = True
    return Events(frozenset(paths), repository=repository)
