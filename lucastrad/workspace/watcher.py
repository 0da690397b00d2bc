"""Tells when something in a workspace may have changed.

Hints say where to look; the truth is what a scan or a read finds there.

Invariant: a change is never dropped. It is hinted at, or a rescan is, or the consumer has not yet
called `receive`, and what waits for it is bounded: over `MAX_PATHS` paths become one rescan.
"""

import functools
import logging
import math
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

import trio

from lucastrad.workspace.events import Events, EventsLostError, EventSource, ListFolders, OpenSource

WatchMode = Literal["off", "events", "polling"]

MAX_PATHS = 1_000

QUIET_SECONDS = 0.02
"""A save is hinted at when nothing else has happened for this long …"""
GROUP_SECONDS = 0.2
"""… or this long after its first event."""
SETTLE_SECONDS = 0.25
"""After a burst or a branch switch, the rescan waits for this much quiet …"""
SETTLE_LIMIT_SECONDS = 2.0
"""… but no longer than this."""

ROOT_CHECK_SECONDS = 5.0
"""inotify does not say when a folder above the root is renamed or mounted over."""
ROOT_MISSING_SECONDS = 1.0
RESTART_SECONDS = 0.5

POLL_SECONDS = (2.0, 60.0)
"""Shortest and longest interval of polling."""
POLL_SHARE = 30
"""The interval is this many times what the last rescan took: polling costs about 3% of a core."""
RETRY_EVENTS_SECONDS = 300.0
"""How long polling goes on before events are tried again."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hints:
    """Where to look."""

    paths: frozenset[str] = frozenset()
    """Relative to the root; a folder stands for everything in it. Give them to `scanner.check`."""
    rescan: bool = False
    """Look everywhere: `scanner.scan`. Then `paths` is empty."""
    routine: bool = False
    """The rescan is one of polling: nothing says that it will find anything."""


def native_source(root: str, list_folders: ListFolders) -> EventSource:
    """The operating system's own events."""
    if sys.platform == "linux":
        from lucastrad.workspace.inotify import InotifySource

        return InotifySource(root, list_folders)
    from lucastrad.workspace.watchfiles_events import WatchfilesSource

    return WatchfilesSource(root, list_folders)


def no_source(root: str, list_folders: ListFolders) -> EventSource:
    """In place of a source where the user wants polling: on network file systems, events can be missing."""
    raise OSError("polling is configured")


class Watcher:
    """Watches one root while `run` runs, for one consumer that calls `receive`.

    The first hint is a rescan: it covers what happened before the watch stood.
    """

    def __init__(self, root: str, list_folders: ListFolders, *, open_source: OpenSource = native_source) -> None:
        self._root = root
        self._list_folders = list_folders
        self._open_source = open_source
        self._mode: WatchMode = "off"
        self._warned = False
        self._pending = _Pending()
        self._rescan_seconds = 0.0

    @property
    def mode(self) -> WatchMode:
        """How changes are noticed; "off" while the root is missing or `run` is not running."""
        return self._mode

    async def receive(self) -> Hints:
        """Wait for the next hints."""
        return await self._pending.take()

    async def batches(self) -> AsyncIterator[Hints]:
        """The hints, for as long as the caller asks."""
        while True:
            yield await self.receive()

    @property
    def pending(self) -> bool:
        """Whether something changed, or may have gone unnoticed, that `receive` has not handed out yet."""
        return self._pending.waiting

    def rescanned(self, seconds: float) -> None:
        """Take note of what a rescan cost; it sets the pace of polling."""
        self._rescan_seconds = seconds

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled. Reports started as soon as changes are noticed, or the root is missing."""
        started = functools.cache(task_status.started)  # only the first call counts
        try:
            while True:
                identity = await _identity(self._root)
                if identity is None:
                    await self._wait_for_root(started)
                    continue
                try:
                    await self._watch(identity, started)
                except OSError as error:
                    if await _identity(self._root) == identity:
                        await self._poll(error, started)
                except EventsLostError as error:
                    _logger.info("watching %s starts anew: %s", self._root, error)
                    self._pending.rescan()
                    if await _identity(self._root) is not None:
                        await trio.sleep(RESTART_SECONDS)
        finally:
            self._mode = "off"

    async def _watch(self, identity: tuple[int, int], started: Callable[[], None]) -> None:
        """Pass events on until the root is another folder than it was.

        Raises what the source raises: OSError, `EventsLostError`.
        """
        source = self._open_source(self._root, self._list_folders)
        failure: list[OSError | EventsLostError] = []

        async def forward() -> None:
            try:
                while True:
                    self._pending.add(await source.receive())
            except (OSError, EventsLostError) as error:
                failure.append(error)  # raised below, outside the nursery and so outside a group
                nursery.cancel_scope.cancel()

        try:
            await source.start()
            self._mode = "events"
            self._pending.rescan()
            started()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(forward)
                while await _identity(self._root) == identity:  # noqa: ASYNC110 - nothing announces it
                    await trio.sleep(ROOT_CHECK_SECONDS)
                nursery.cancel_scope.cancel()
        finally:
            source.close()
        if failure:
            raise failure[0]

    async def _poll(self, error: OSError, started: Callable[[], None]) -> None:
        """Ask for a rescan at intervals until events are worth another try."""
        if not self._warned:
            self._warned = True
            _logger.warning(
                "%s cannot be watched (%s): changes are found by scanning every few seconds instead; "
                "on Linux, raise fs.inotify.max_user_watches and max_user_instances to get events",
                self._root,
                os.strerror(error.errno) if error.errno else error,
            )
        self._pending.rescan(routine=self._mode == "polling")  # else some of what happened may have gone unheard
        self._mode = "polling"
        started()
        with trio.move_on_after(RETRY_EVENTS_SECONDS):
            while True:
                shortest, longest = POLL_SECONDS
                await trio.sleep(min(max(POLL_SHARE * self._rescan_seconds, shortest), longest))
                self._pending.rescan(routine=True)

    async def _wait_for_root(self, started: Callable[[], None]) -> None:
        self._mode = "off"
        self._pending.rescan()
        started()
        while await _identity(self._root) is None:  # noqa: ASYNC110 - nothing announces it
            await trio.sleep(ROOT_MISSING_SECONDS)


class _Pending:
    """What waits for the consumer, and when it is ripe."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._first_at = self._last_at = 0.0
        self._rescan_since = math.inf
        self._rescan_now = self._routine_rescan = False
        self._too_many = False
        self._arrived = trio.Event()

    def add(self, events: Events) -> None:
        """Keep what a source reported."""
        now = trio.current_time()
        if not self._paths:
            self._first_at = now
        self._last_at = now
        if not self._too_many:
            self._paths |= events.paths
        if len(self._paths) > MAX_PATHS:
            self._too_many = True
            self._paths.clear()
        if events.lost or events.repository or self._too_many:
            self._rescan_since = min(self._rescan_since, now)
        self._arrived.set()

    @property
    def waiting(self) -> bool:
        """Whether `take` has, or will have, something to hand out that is not routine."""
        return bool(self._paths) or self._rescan_now or self._rescan_since < math.inf

    def rescan(self, *, routine: bool = False) -> None:
        """Ask for a rescan without waiting for quiet."""
        if routine:
            self._routine_rescan = True
        else:
            self._rescan_now = True
        self._arrived.set()

    async def take(self) -> Hints:
        """Wait until something is ripe."""
        await trio.lowlevel.checkpoint()
        while (ripe_at := min(self._rescan_ripe_at(), self._paths_ripe_at())) > trio.current_time():
            self._arrived = trio.Event()
            with trio.move_on_at(ripe_at):
                await self._arrived.wait()
        if self._rescan_ripe_at() <= trio.current_time():
            routine = not self.waiting
            self._rescan_now = self._routine_rescan = self._too_many = False
            self._rescan_since = math.inf
            self._paths.clear()
            return Hints(rescan=True, routine=routine)
        paths = frozenset(self._paths)
        self._paths.clear()
        return Hints(paths)

    def _rescan_ripe_at(self) -> float:
        if self._rescan_now or self._routine_rescan:
            return -math.inf
        return min(max(self._last_at, self._rescan_since) + SETTLE_SECONDS, self._rescan_since + SETTLE_LIMIT_SECONDS)

    def _paths_ripe_at(self) -> float:
        if not self._paths:
            return math.inf
        return min(self._last_at + QUIET_SECONDS, self._first_at + GROUP_SECONDS)


async def _identity(root: str) -> tuple[int, int] | None:
    """Device and inode of the folder at `root`; None if there is no folder."""
    try:
        info = await trio.to_thread.run_sync(os.stat, root)
    except OSError:
        return None
    return (info.st_dev, info.st_ino) if stat.S_ISDIR(info.st_mode) else None
