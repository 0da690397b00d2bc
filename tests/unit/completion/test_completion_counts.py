"""What became of completions: counted once each, kept across restarts, bounded."""

from pathlib import Path

import pytest
import trio
import trio.testing

from lucastrad.completion.counts import INTERVAL_SECONDS, CompletionCount, CompletionCounts, Event, Offers, Origin

PYTHON, LUA = Origin("llm", "coder", "python"), Origin("llm", "coder", "lua")


def test_every_event_of_a_completion_counts_once() -> None:
    counts = CompletionCounts(None)
    offers = Offers(counts)
    for _ in range(2):
        offers.offered("a", PYTHON)
        offers.shown("a")
        offers.accepted("a", partial=True)
        offers.accepted("a", partial=False)
    offers.offered("b", PYTHON)
    assert counts.all == [CompletionCount(origin=PYTHON, offered=2, shown=1, accepted=1, partially_accepted=1)]


def test_what_is_accepted_was_shown() -> None:
    counts = CompletionCounts(None)
    offers = Offers(counts)
    offers.offered("a", LUA)
    offers.accepted("a", partial=False)
    assert counts.all == [CompletionCount(origin=LUA, offered=1, shown=1, accepted=1)]


def test_what_was_not_offered_or_was_offered_long_ago_is_ignored() -> None:
    counts = CompletionCounts(None)
    offers = Offers(counts)
    for number in range(300):
        offers.offered(str(number), PYTHON)
    for unknown in ("0", "of another session"):
        offers.shown(unknown)
        offers.accepted(unknown, partial=False)
    assert counts.all == [CompletionCount(origin=PYTHON, offered=300)]


def test_of_too_many_origins_the_last_ones_are_kept() -> None:
    counts = CompletionCounts(None)
    counts.add(PYTHON, Event.OFFERED)
    for number in range(199):
        counts.add(Origin("llm", "coder", f"language {number}"), Event.OFFERED)
    counts.add(PYTHON, Event.SHOWN)
    counts.add(LUA, Event.OFFERED)
    assert len(counts.all) == 200
    assert [count.origin for count in counts.all[:2]] == [LUA, PYTHON]
    assert Origin("llm", "coder", "language 0") not in [count.origin for count in counts.all]


def test_a_name_of_any_length_is_cut() -> None:
    assert len(Origin.of("llm", "coder", "x" * 10_000).language) == 200


@pytest.mark.trio
async def test_counts_outlive_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "completions.json"
    counts = CompletionCounts(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(counts.run)
        await trio.testing.wait_all_tasks_blocked()
        counts.add(PYTHON, Event.OFFERED)
        counts.add(LUA, Event.OFFERED)
        nursery.cancel_scope.cancel()
    again = CompletionCounts(path)
    assert again.all == counts.all
    again.add(PYTHON, Event.SHOWN)
    assert again.all[0] == CompletionCount(origin=PYTHON, offered=1, shown=1)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.trio
async def test_a_kill_costs_a_few_seconds_of_counting(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    path = tmp_path / "completions.json"
    counts = CompletionCounts(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(counts.run)
        counts.add(PYTHON, Event.OFFERED)
        await trio.testing.wait_all_tasks_blocked()
        assert not path.exists()
        mock_clock.jump(INTERVAL_SECONDS)
        while not path.exists():
            await trio.lowlevel.checkpoint()
        assert CompletionCounts(path).all == counts.all
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"counts": [{"origin": 1}]}', b'{"counts": "\xff"}'])
def test_a_damaged_file_counts_as_empty(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "completions.json"
    path.write_bytes(damage)
    assert CompletionCounts(path).all == []


@pytest.mark.trio
async def test_counting_goes_on_where_the_file_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    counts = CompletionCounts(tmp_path / "file" / "completions.json")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(counts.run)
        await trio.testing.wait_all_tasks_blocked()
        counts.add(PYTHON, Event.OFFERED)
        nursery.cancel_scope.cancel()
    assert counts.all == [CompletionCount(origin=PYTHON, offered=1)]
    assert [record.message for record in caplog.records] == ["counts of completions could not be kept"]
