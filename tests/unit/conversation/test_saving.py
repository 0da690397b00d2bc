"""Arriving answers are kept together, soon, and not for each word."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lucastrad.conversation.errors import ConversationsUnavailable
from lucastrad.conversation.saving import ArrivingAnswer, PartialSaver
from lucastrad.conversation.store import PartialAnswer

pytestmark = pytest.mark.trio


class Disk:
    """Where answers are saved, unless it is full."""

    def __init__(self) -> None:
        self.batches: list[list[PartialAnswer]] = []
        self.full = False
        self.saver = PartialSaver(self.save, interval_seconds=0.25, burst_characters=100)

    async def save(self, answers: list[PartialAnswer]) -> None:
        await trio.lowlevel.checkpoint()
        if self.full:
            raise ConversationsUnavailable("the disk is full")
        self.batches.append(sorted(answers))

    def answer(self, conversation: str) -> ArrivingAnswer:
        return ArrivingAnswer(self.saver, conversation, 1)


async def test_all_answers_are_kept_in_one_batch_per_interval(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    disk = Disk()
    nursery.start_soon(disk.saver.run)
    answers = [disk.answer("c1"), disk.answer("c2")]
    for answer in answers:
        for piece in ("It ", "reads"):
            answer.append(piece)
    await wait_all_tasks_blocked()
    assert disk.batches == []
    mock_clock.jump(0.25)
    await wait_all_tasks_blocked()
    assert disk.batches == [[PartialAnswer("c1", 1, "It reads"), PartialAnswer("c2", 1, "It reads")]]
    mock_clock.jump(10)
    await wait_all_tasks_blocked()
    assert len(disk.batches) == 1


async def test_a_burst_does_not_wait_for_the_interval(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    disk = Disk()
    nursery.start_soon(disk.saver.run)
    answer = disk.answer("c1")
    answer.append("x" * 99)
    await wait_all_tasks_blocked()
    assert disk.batches == []
    answer.append("y")
    await wait_all_tasks_blocked()
    assert [len(batch[0].text) for batch in disk.batches] == [100]


async def test_a_finished_answer_is_left_to_its_turn(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    disk = Disk()
    nursery.start_soon(disk.saver.run)
    done, going = disk.answer("c1"), disk.answer("c2")
    done.append("done")
    going.append("going")
    disk.saver.forget(done)
    await wait_all_tasks_blocked()
    mock_clock.jump(1)
    await wait_all_tasks_blocked()
    assert disk.batches == [[PartialAnswer("c2", 1, "going")]]


async def test_a_full_disk_costs_no_answer_its_next_save(mock_clock: MockClock, nursery: trio.Nursery) -> None:
    disk = Disk()
    disk.full = True
    nursery.start_soon(disk.saver.run)
    answer = disk.answer("c1")
    answer.append("first ")
    await wait_all_tasks_blocked()
    mock_clock.jump(1)
    await wait_all_tasks_blocked()
    disk.full = False
    answer.append("second")
    await wait_all_tasks_blocked()
    mock_clock.jump(1)
    await wait_all_tasks_blocked()
    assert disk.batches == [[PartialAnswer("c1", 1, "first second")]]
