"""When open buffers are cut, whose text counts, and when one is left to its file again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trio
import trio.testing
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.indexing.buffers import BufferReply
from lucastrad.indexing.signals import Broadcast
from lucastrad.search import buffers
from lucastrad.search.buffers import LiveBuffers, NotOpenYet, Unchanged
from lucastrad.search.overlay import LiveFile, over
from lucastrad.types import Chunk, VectorSpace

pytestmark = pytest.mark.trio

ROOT = Path("/projects/project")
PATH = ROOT / "a.py"
SPACE = VectorSpace("local", "fake", 2)


class FakeCuts:
    """Makes one chunk of a text; what `on_disk` holds is unchanged."""

    def __init__(self) -> None:
        self.cuts: list[tuple[float, str]] = []
        """When what was cut."""
        self.on_disk = "as in the file"
        self.open = True
        self.gate: trio.Event | None = None
        self.failure: Exception | None = None
        self.embedding_failure: Exception | None = None
        self.rules = Broadcast()
        self.ignored: set[str] = set()
        self.seconds = 0.0
        """How long it takes."""
        self._ids = iter(range(-1, -1000, -1))

    async def cut(self, path: Path, text: str) -> LiveFile | Unchanged | None:
        self.cuts.append((trio.current_time(), text))
        await trio.sleep(self.seconds)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if not self.open:
            raise NotOpenYet
        if text == self.on_disk:
            return Unchanged(b"file", text.encode())
        if "secret" in text or path.name in self.ignored:
            return None
        chunk = Chunk(1, 1, 0, len(text), text, "", "window")
        cut = BufferReply(own_hash=text.encode(), language="python", chunks=[chunk], keys=[text.encode()])
        return LiveFile.of(ROOT, path.name, len(text), cut, self._ids)

    async def embedded(self, live: LiveFile) -> LiveFile:
        await trio.lowlevel.checkpoint()
        if self.embedding_failure is not None:
            raise self.embedding_failure
        return replace(live, space=SPACE, vectors={key: np.ones(2, np.float32) for key in live.keys})

    async def rules_changed(self) -> None:
        await self.rules.wait()


@pytest.fixture
def cuts() -> FakeCuts:
    return FakeCuts()


@asynccontextmanager
async def running(cuts: FakeCuts) -> AsyncIterator[LiveBuffers]:
    live = LiveBuffers(cuts)
    async with trio.open_nursery() as nursery:
        await nursery.start(live.run)
        yield live
        nursery.cancel_scope.cancel()


def texts(live: LiveBuffers) -> dict[str, str]:
    """What lies over the index."""
    return {file.path: "".join(chunk.text for chunk in file.chunks) for file in live.files(ROOT)}


async def pause() -> None:
    """Longer than between two words."""
    await trio.sleep(1)


async def test_a_buffer_is_cut_once_nothing_was_typed_for_a_moment(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        for number in range(20):
            editor.changed(PATH, f"text {number}")
            typed = trio.current_time()
            await trio.sleep(buffers.QUIET_SECONDS * 0.9)
        assert cuts.cuts == []
        await pause()
        assert cuts.cuts == [(pytest.approx(typed + buffers.QUIET_SECONDS), "text 19")]
        assert texts(live) == {"a.py": "text 19"}
        assert buffers.QUIET_SECONDS <= 0.075, "cutting and embedding must fit into what is left of 150 ms"


async def test_a_buffer_that_takes_long_to_cut_is_cut_at_longer_pauses_only(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        for seconds, quiet in ((0.6, 0.3), (60.0, buffers.LONGEST_QUIET_SECONDS), (0, buffers.SHORTEST_QUIET_SECONDS)):
            cuts.seconds = seconds
            editor.changed(PATH, f"cut in {seconds}")
            await trio.sleep(seconds + 10)
            cuts.cuts.clear()
            for number in range(5):
                editor.changed(PATH, f"text {number}")
                await trio.sleep(quiet * 0.9)
            assert cuts.cuts == []
            await trio.sleep(quiet * 0.2)
            assert [text for _, text in cuts.cuts] == ["text 4"]
            await trio.sleep(seconds)
        editor.closed(PATH)
        editor.changed(PATH, "opened anew")
        began = trio.current_time()
        await pause()
        assert cuts.cuts[-1] == (pytest.approx(began + buffers.QUIET_SECONDS), "opened anew")


async def test_typing_in_one_buffer_does_not_hold_up_another(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(ROOT / "b.py", "other")
        for number in range(4):
            await trio.sleep(buffers.QUIET_SECONDS * 0.6)
            editor.changed(PATH, f"text {number}")
        assert texts(live) == {"b.py": "other"}


async def test_a_buffer_that_is_what_its_file_is_lies_over_nothing(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        editor.opened(PATH, cuts.on_disk)
        await pause()
        assert texts(live) == {}
        editor.changed(PATH, "edited")
        await pause()
        assert texts(live) == {"a.py": "edited"}
        editor.changed(PATH, cuts.on_disk)
        await pause()
        assert texts(live) == {}


async def test_a_document_may_be_opened_with_a_text_that_was_never_saved(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        live.editor().opened(PATH, "restored after a crash")
        await pause()
        assert texts(live) == {"a.py": "restored after a crash"}


async def test_closing_without_saving_restores_the_file_at_once(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(PATH, "edited")
        await pause()
        editor.closed(PATH)
        assert texts(live) == {}
        await pause()
        assert texts(live) == {}
        assert len(cuts.cuts) == 1


async def test_a_buffer_that_is_closed_while_it_is_cut_stays_out(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    cuts.gate = trio.Event()
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(PATH, "edited")
        await pause()
        editor.closed(PATH)
        cuts.gate.set()
        await pause()
        assert texts(live) == {}


async def test_what_was_typed_while_a_buffer_was_cut_is_cut_next(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    cuts.gate = trio.Event()
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(PATH, "first")
        await pause()
        editor.changed(PATH, "second")
        await pause()
        cuts.gate.set()
        await pause()
        assert [text for _, text in cuts.cuts] == ["first", "second"]
        assert texts(live) == {"a.py": "second"}


async def test_the_last_writer_wins_and_the_other_comes_back_when_it_leaves(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        one, other, reader = live.editor(), live.editor(), live.editor()
        one.changed(PATH, "by one")
        other.changed(PATH, "by the other")
        reader.opened(PATH, cuts.on_disk)  # to open a file is not to write it
        await pause()
        assert texts(live) == {"a.py": "by the other"}
        one.changed(PATH, "by one again")
        await pause()
        assert texts(live) == {"a.py": "by one again"}
        one.close()
        assert texts(live) == {}
        await pause()
        assert texts(live) == {"a.py": "by the other"}
        other.close()
        await pause()
        assert texts(live) == {}


async def test_an_editor_that_only_opened_the_file_does_not_bring_back_an_older_one(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        writer, reader = live.editor(), live.editor()
        writer.changed(PATH, "edited")
        reader.opened(PATH, cuts.on_disk)
        await pause()
        cuts.on_disk = "edited"
        writer.saved(PATH)
        await pause()
        writer.close()
        await pause()
        assert texts(live) == {}


async def test_an_opening_that_is_told_late_takes_back_no_edit(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        one, other = live.editor(), live.editor()
        other.changed(PATH, "by the other")
        one.changed(PATH, "by one")
        await pause()
        one.opened(PATH, "by one")
        await pause()
        assert texts(live) == {"a.py": "by one"}
        assert [text for _, text in cuts.cuts] == ["by one", "by one"], "its folder may be a workspace only now"


async def test_a_client_that_dies_takes_all_its_buffers_along_and_no_others(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        one, other = live.editor(), live.editor()
        for name in ("a.py", "b.py"):
            one.changed(ROOT / name, f"{name} of one")
        other.changed(ROOT / "c.py", "c.py of the other")
        await pause()
        one.changed(PATH, "not cut yet")
        one.close()
        await pause()
        assert texts(live) == {"c.py": "c.py of the other"}


async def test_what_must_not_be_searched_is_left_to_its_file(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(PATH, "edited")
        await pause()
        editor.changed(PATH, "edited, with a secret")
        await pause()
        assert texts(live) == {}


async def test_a_buffer_that_cannot_be_cut_harms_no_other_and_its_text_is_not_logged(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        cuts.failure = ValueError("hunter2")
        editor.changed(PATH, "hunter2")
        await pause()
        cuts.failure = None
        editor.changed(ROOT / "b.py", "fine")
        await pause()
        assert texts(live) == {"b.py": "fine"}
    assert "a.py is not searched: ValueError" in caplog.text
    assert "hunter2" not in caplog.text


async def test_without_vectors_a_buffer_is_still_searched_by_keyword(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    cuts.embedding_failure = LucAstraError("no model", code=ErrorCode.PROVIDER_FAILED)
    async with running(cuts) as live:
        live.editor().changed(PATH, "edited")
        await pause()
        (file,) = live.files(ROOT)
        assert (file.path, file.vectors) == ("a.py", {})


async def test_a_buffer_waits_for_its_workspace_to_be_opened(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    cuts.open = False
    async with running(cuts) as live:
        editor = live.editor()
        editor.opened(PATH, "restored")
        await pause()
        assert texts(live) == {}
        cuts.open = True
        await pause()
        assert texts(live) == {"a.py": "restored"}
        cuts.open = False
        editor.changed(PATH, "more")
        await trio.sleep(buffers.QUIET_SECONDS * 2)
        editor.closed(PATH)
        looks = len(cuts.cuts)
        await pause()
        assert len(cuts.cuts) == looks, "a document that was closed is waited for no more"


async def test_too_many_buffers_leave_those_changed_longest_ago_to_their_files(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        names = [f"{number}.py" for number in range(buffers.MAX_FILES + 3)]
        for name in names:
            editor.changed(ROOT / name, "x")
            await trio.sleep(0.001)
        await pause()
        assert list(texts(live)) == names[3:]
        editor.changed(ROOT / "huge.py", "x" * buffers.MAX_BYTES)
        await pause()
        assert list(texts(live)) == ["huge.py"]


async def test_a_saved_buffer_answers_until_the_index_has_it(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        editor.changed(PATH, "edited")
        await pause()
        cuts.on_disk = "edited"
        editor.saved(PATH)
        await pause()
        files = live.files(ROOT)
        assert texts(live) == {"a.py": "edited"}

        behind = over(files, {"a.py": (b"older", 3)}, settled=True)
        assert (list(behind.files), behind.saved, behind.hidden_chunks) == (["a.py"], frozenset(), 3)
        # The index has the file, but its keywords and vectors do not tell yet.
        committed = over(files, {"a.py": (b"file", 1)}, settled=False)
        assert (list(committed.files), committed.saved) == (["a.py"], {"a.py"})
        assert over(files, {"a.py": (b"file", 1)}, settled=True).files == {}
        live.forget(files)
        assert live.files(ROOT) == []


async def test_a_change_of_the_rules_is_followed_without_an_edit_and_leaves_the_order_alone(
    cuts: FakeCuts, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(cuts) as live:
        editor = live.editor()
        for name in ("a.py", "b.py", "c.py"):
            editor.changed(ROOT / name, name)
            await pause()
        cuts.ignored = {"b.py"}
        cuts.rules.notify()
        await pause()
        assert texts(live) == {"a.py": "a.py", "c.py": "c.py"}
        cuts.ignored = {"a.py"}
        cuts.rules.notify()
        await pause()
        assert texts(live) == {"b.py": "b.py", "c.py": "c.py"}
        assert list(texts(live)) == ["b.py", "c.py"]
