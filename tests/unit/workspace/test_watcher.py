"""Hints come soon after a save, once after a burst, and a rescan replaces whatever may be missing."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from lucastrad.workspace import watcher as settings
from lucastrad.workspace.events import Events, EventsLostError, ListFolders
from lucastrad.workspace.watcher import Hints, Watcher
from lucastrad.workspace.watchfiles_events import relevant_events

RESCAN = Hints(rescan=True)


@pytest.fixture
def clock() -> trio.testing.MockClock:
    # not at once: threads that look at the root take a moment of real time
    return trio.testing.MockClock(autojump_threshold=0.005)


class FakeSource:
    """Reports what a test sends; an exception is raised."""

    def __init__(self, *, start_error: OSError | None = None) -> None:
        self.send, self._received = trio.open_memory_channel[Events | Exception](100)
        self._start_error = start_error
        self.closed = False

    async def start(self) -> None:
        if self._start_error:
            raise self._start_error

    async def receive(self) -> Events:
        event = await self._received.receive()
        if isinstance(event, Exception):
            raise event
        return event

    def close(self) -> None:
        self.closed = True

    def report(self, *paths: str, lost: bool = False, repository: bool = False) -> None:
        self.send.send_nowait(Events(frozenset(paths), lost=lost, repository=repository))


class FakeSystem:
    """Hands out sources in order, the last one again and again."""

    def __init__(self, *sources: FakeSource) -> None:
        self.sources = list(sources)
        self.opened = 0

    def open(self, _root: str, _list_folders: ListFolders) -> FakeSource:
        self.opened += 1
        return self.sources[min(self.opened, len(self.sources)) - 1]


async def no_folders(_below: list[str]) -> list[str]:
    return []


async def mode_becomes(watcher: Watcher, mode: str) -> None:
    while watcher.mode != mode:  # noqa: ASYNC110 - nothing announces it
        await trio.sleep(2)


@asynccontextmanager
async def running(root: Path, *sources: FakeSource) -> AsyncIterator[Watcher]:
    """A watcher whose first rescan has been taken."""
    watcher = Watcher(str(root), no_folders, open_source=FakeSystem(*sources).open)
    async with trio.open_nursery() as nursery:
        await nursery.start(watcher.run)
        assert await watcher.receive() == RESCAN
        yield watcher
        nursery.cancel_scope.cancel()


async def take_rescans(watcher: Watcher) -> None:
    """Take the rescans that are due; a rescan swallows the hints that it covers."""
    with trio.move_on_after(1):
        while True:
            assert await watcher.receive() == RESCAN


@pytest.mark.trio
async def test_a_lone_save_is_hinted_at_within_50_milliseconds(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher:
        source.report("a.py")
        saved = trio.current_time()
        assert await watcher.receive() == Hints(frozenset({"a.py"}))
        assert trio.current_time() - saved <= 0.05


@pytest.mark.trio
async def test_events_that_follow_each_other_become_one_batch(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher, trio.open_nursery() as nursery:

        async def save_all() -> None:
            for name in ("a.py", "b.py", "a.py", "c.py"):
                source.report(name)
                await trio.sleep(settings.QUIET_SECONDS / 2)

        nursery.start_soon(save_all)
        assert await watcher.receive() == Hints(frozenset({"a.py", "b.py", "c.py"}))


@pytest.mark.trio
async def test_a_stream_of_events_does_not_delay_hints_for_ever(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher, trio.open_nursery() as nursery:

        async def save_for_ever() -> None:
            while True:
                source.report("log.txt")
                await trio.sleep(settings.QUIET_SECONDS / 2)

        nursery.start_soon(save_for_ever)
        began = trio.current_time()
        assert await watcher.receive() == Hints(frozenset({"log.txt"}))
        assert trio.current_time() - began <= settings.GROUP_SECONDS + settings.QUIET_SECONDS
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_more_paths_than_can_wait_become_one_rescan(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher:
        for start in range(0, 3_000, 500):
            source.report(*(f"{start + i}.py" for i in range(500)))
        assert await watcher.receive() == RESCAN
        source.report("after.py")
        assert await watcher.receive() == Hints(frozenset({"after.py"}))


@pytest.mark.trio
async def test_lost_events_become_a_rescan_once_it_is_quiet(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher:
        source.report(lost=True)
        lost = trio.current_time()
        assert await watcher.receive() == RESCAN
        assert trio.current_time() - lost >= settings.SETTLE_SECONDS


@pytest.mark.trio
async def test_a_branch_switch_ends_in_one_rescan(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource()
    async with running(root, source) as watcher:
        source.report("a.py")
        source.report(repository=True)
        source.report("b.py", repository=True)
        assert await watcher.receive() == Hints(frozenset({"a.py", "b.py"}))
        assert await watcher.receive() == RESCAN
        with trio.move_on_after(10) as waiting:
            await watcher.receive()
        assert waiting.cancelled_caught


@pytest.mark.trio
async def test_a_source_that_breaks_is_replaced_and_a_rescan_covers_the_gap(
    root: Path, clock: trio.testing.MockClock
) -> None:
    broken, fresh = FakeSource(), FakeSource()
    async with running(root, broken, fresh) as watcher:
        broken.send.send_nowait(EventsLostError("a name that is not UTF-8"))
        assert await watcher.receive() == RESCAN
        assert broken.closed
        await take_rescans(watcher)
        fresh.report("a.py")
        assert await watcher.receive() == Hints(frozenset({"a.py"}))
        assert watcher.mode == "events"


@pytest.mark.trio
@pytest.mark.parametrize("late", [False, True], ids=["at the start", "later"])
async def test_without_watches_it_polls_and_says_so_once(
    root: Path, clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, late: bool
) -> None:
    limit = OSError(28, "No space left on device")
    source = FakeSource(start_error=None if late else limit)
    again = FakeSource(start_error=limit)
    with caplog.at_level(logging.WARNING):
        async with running(root, source, again) as watcher:
            if late:
                source.send.send_nowait(limit)
                assert await watcher.receive() == RESCAN
            assert watcher.mode == "polling"
            watcher.rescanned(1.0)
            began = trio.current_time()
            rescans = [await watcher.receive() for _ in range(20)]
            assert trio.current_time() - began > settings.RETRY_EVENTS_SECONDS  # it tried again meanwhile
            assert all(hints.rescan and hints.routine for hints in rescans)
    (warning,) = caplog.records
    assert "max_user_watches" in warning.getMessage()


@pytest.mark.trio
async def test_polling_slows_down_where_rescans_are_dear(root: Path, clock: trio.testing.MockClock) -> None:
    source = FakeSource(start_error=OSError(28, "limit"))
    async with running(root, source) as watcher:
        watcher.rescanned(0.2)
        await watcher.receive()
        before = trio.current_time()
        await watcher.receive()
        assert trio.current_time() - before == pytest.approx(0.2 * settings.POLL_SHARE, abs=0.1)


@pytest.mark.trio
async def test_events_come_back_when_the_limit_is_lifted(root: Path, clock: trio.testing.MockClock) -> None:
    healthy = FakeSource()
    async with running(root, FakeSource(start_error=OSError(28, "limit")), healthy) as watcher:
        watcher.rescanned(1_000)
        await mode_becomes(watcher, "events")
        await take_rescans(watcher)
        healthy.report("a.py")
        assert await watcher.receive() == Hints(frozenset({"a.py"}))


@pytest.mark.trio
async def test_a_root_that_is_removed_and_comes_back_is_watched_again(
    root: Path, clock: trio.testing.MockClock
) -> None:
    first, second = FakeSource(), FakeSource()
    async with running(root, first, second) as watcher:
        root.rmdir()
        first.send.send_nowait(EventsLostError("removed"))
        assert await watcher.receive() == RESCAN
        await mode_becomes(watcher, "off")
        root.mkdir()
        await mode_becomes(watcher, "events")
        await take_rescans(watcher)
        second.report("a.py")
        assert await watcher.receive() == Hints(frozenset({"a.py"}))


@pytest.mark.trio
async def test_another_folder_in_the_place_of_the_root_is_noticed_without_any_event(
    root: Path, clock: trio.testing.MockClock
) -> None:
    first, second = FakeSource(), FakeSource()
    async with running(root, first, second) as watcher:
        root.rename(root.with_name("moved"))
        root.mkdir()
        assert await watcher.receive() == RESCAN
        assert first.closed
        assert watcher.mode == "events"


def test_events_in_folders_that_are_never_indexed_are_dropped(root: Path) -> None:
    prefix = str(root)
    changed = ["/src/a.py", "/node_modules/a/b.js", "/.git/objects/ab/cd", "/a/.venv/x.py", "/.git/index.lock"]
    events = relevant_events(prefix, [prefix + path for path in changed] + [prefix, prefix + "2/a.py", "/elsewhere"])
    assert events == Events(frozenset({"src/a.py"}))
    assert relevant_events(prefix, [prefix + "/.git/HEAD"]) == Events(repository=True)
    with pytest.raises(EventsLostError):
        relevant_events(prefix + "/gone", [prefix + "/gone"])
