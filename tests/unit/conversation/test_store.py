"""Conversations on disk: what was said stays, what was broken off is marked, what is damaged is kept aside."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from lucastra_protocol.errors import ErrorCode

from lucastrad.assistant.answers import Exchange
from lucastrad.conversation.errors import ConversationNotFound, ConversationsUnavailable, TurnNotFound
from lucastrad.conversation.store import INTERRUPTED, UNKEPT, ConversationStore, PartialAnswer, open_store
from lucastrad.conversation.turns import Conversation, Source, Turn, TurnState

SOURCE = Source(2, "/projects/shop", "src/a.py", 3, 9, "python", "load", "function")


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ConversationStore]:
    opened = open_store(tmp_path / "kept" / "conversations.sqlite3" if request.param == "file" else None)
    assert opened.notice == ""
    with closing(opened.store):
        yield opened.store


def begun(store: ConversationStore, id_: str = "c1", *, title: str = "", at: float = 100.0) -> Conversation:
    conversation = Conversation(id_, title, at, at, "Be brief.")
    store.create(conversation)
    return conversation


def told(store: ConversationStore, id_: str, question: str, answer: str, *, at: float = 200.0) -> Turn:
    turn = store.begin_turn(id_, question, retrieved=True, at=at)
    turn = msgspec.structs.replace(
        turn, answer=answer, state=TurnState.COMPLETE, finished_at=at + 1, provider="llm", model="m",
        input_tokens=25, output_tokens=7, finish="stop", sources=(SOURCE,), exchanges_left_out=3,
    )  # fmt: skip
    store.finish_turn(id_, turn)
    return turn


def test_turns_are_kept_whole_and_in_order(store: ConversationStore) -> None:
    begun(store)
    turns = [told(store, "c1", f"question {n}", f"answer {n} \N{SNOWMAN}\0") for n in range(3)]
    assert store.turns("c1", after=0, limit=10) == turns
    assert store.turns("c1", after=1, limit=1) == turns[1:2]
    assert store.conversation("c1").turns == 3
    assert [turn.number for turn in turns] == [1, 2, 3]


def test_the_first_question_names_a_conversation_that_has_no_name(store: ConversationStore) -> None:
    begun(store)
    begun(store, "c2", title="Mine")
    for id_ in ("c1", "c2"):
        told(store, id_, "Where is\n the cache?   " + "x" * 100, "There.")
    assert store.conversation("c1").title.startswith("Where is the cache? xxx")
    assert len(store.conversation("c1").title) == 60
    assert store.conversation("c2").title == "Mine"


def test_lists_show_the_one_used_last_first(store: ConversationStore) -> None:
    for number in range(5):
        begun(store, f"c{number}", at=100.0 + number)
    told(store, "c1", "?", "!", at=300.0)
    page, total = store.conversations(0, 3)
    assert ([one.id for one in page], total) == (["c1", "c4", "c3"], 5)
    assert [one.id for one in store.conversations(3, 3)[0]] == ["c2", "c0"]


def test_a_turn_that_could_not_be_ended_does_not_block_the_next(store: ConversationStore) -> None:
    begun(store)
    store.begin_turn("c1", "first", retrieved=False, at=1.0)
    store.begin_turn("c1", "second", retrieved=False, at=2.0)
    first, second = store.turns("c1", after=0, limit=9)
    assert (first.state, first.problem, first.finished_at) == (TurnState.PARTIAL, UNKEPT, 2.0)
    assert second.state is TurnState.RUNNING


def test_a_finished_turn_is_not_overwritten_by_a_late_part_of_it(store: ConversationStore) -> None:
    begun(store)
    turn = told(store, "c1", "?", "whole")
    store.keep_partial([PartialAnswer("c1", 1, "who")])
    assert store.turns("c1", after=0, limit=1) == [turn]


def test_what_does_not_exist_is_named(store: ConversationStore) -> None:
    begun(store)
    with pytest.raises(ConversationNotFound, match="'c9'") as missing:
        store.conversation("c9")
    assert missing.value.code is ErrorCode.CONVERSATION_NOT_FOUND
    for attempt in (
        lambda: store.rename("c9", "x"),
        lambda: store.delete("c9"),
        lambda: store.begin_turn("c9", "?", retrieved=False, at=1.0),
        lambda: store.fork("c9", None, new_id="c10", title=None, at=1.0),
    ):
        with pytest.raises(ConversationNotFound):
            attempt()
    with pytest.raises(TurnNotFound):
        store.fork("c1", 1, new_id="c10", title=None, at=1.0)


def test_a_fork_has_the_turns_up_to_its_place_and_goes_on_alone(store: ConversationStore) -> None:
    begun(store, title="Caching")
    turns = [told(store, "c1", f"q{n}", f"a{n}") for n in range(3)]
    fork = store.fork("c1", 2, new_id="c2", title=None, at=500.0)
    assert (fork.title, fork.system, fork.forked_from, fork.forked_at, fork.turns) == (
        "Caching", "Be brief.", "c1", 2, 2,
    )  # fmt: skip
    assert store.conversation("c2") == fork
    assert store.turns("c2", after=0, limit=9) == turns[:2]
    told(store, "c2", "other", "way")
    store.delete("c1")
    assert [turn.question for turn in store.turns("c2", after=0, limit=9)] == ["q0", "q1", "other"]
    assert store.turns("c1", after=0, limit=9) == []


def test_a_fork_of_a_running_turn_takes_what_there_is(store: ConversationStore) -> None:
    begun(store)
    store.begin_turn("c1", "?", retrieved=False, at=1.0)
    store.keep_partial([PartialAnswer("c1", 1, "so far")])
    store.fork("c1", None, new_id="c2", title="Other", at=2.0)
    (turn,) = store.turns("c2", after=0, limit=9)
    assert (turn.answer, turn.state) == ("so far", TurnState.PARTIAL)
    assert store.turns("c1", after=0, limit=9)[0].state is TurnState.RUNNING


def test_prompts_get_the_newest_answered_turns_and_learn_of_the_rest(store: ConversationStore) -> None:
    begun(store)
    for number in range(10):
        told(store, "c1", f"q{number}", "" if number == 8 else "a" * 98)
    exchanges, total = store.exchanges("c1", max_characters=300)
    assert total == 9
    assert exchanges == [Exchange(f"q{number}", "a" * 98) for number in (6, 7, 9)]
    assert len(store.exchanges("c1", max_characters=0)[0]) == 1


def test_a_daemon_that_ended_leaves_a_partial_turn_and_nothing_running(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"
    dead = open_store(path).store
    begun(dead)
    told(dead, "c1", "first", "whole")
    dead.begin_turn("c1", "second", retrieved=False, at=5.0)
    dead.keep_partial([PartialAnswer("c1", 2, "half an ans")])
    # Not closed: the next one finds the files as a killed process leaves them.
    with closing(open_store(path, now=900.0).store) as store:
        first, second = store.turns("c1", after=0, limit=9)
        assert (first.answer, first.state) == ("whole", TurnState.COMPLETE)
        assert (second.answer, second.state, second.problem) == ("half an ans", TurnState.PARTIAL, INTERRUPTED)
        assert second.finished_at == 900.0
        store.begin_turn("c1", "third", retrieved=False, at=901.0)
    dead.close()


def test_the_file_is_its_users_only(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "conversations.sqlite3"
    open_store(path).store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["not a database", "no tables", "other tables"])
def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "conversations.sqlite3"
    if damage == "not a database":
        path.write_bytes(b"SQLite format 3\0" + os.urandom(8192))
    else:
        with closing(sqlite3.connect(path)) as connection:
            if damage == "other tables":
                connection.execute("CREATE TABLE conversations(id TEXT)")
                connection.execute("CREATE TABLE turns(state TEXT)")
            connection.execute("PRAGMA user_version = 1")
    opened = open_store(path, now=1234.0)
    with closing(opened.store):
        assert "conversations.sqlite3.damaged-1234" in opened.notice
        assert (tmp_path / "conversations.sqlite3.damaged-1234").exists()
        begun(opened.store)
        assert opened.store.conversation("c1").id == "c1"


def test_a_damaged_page_is_found_when_the_file_is_examined(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"
    with closing(open_store(path).store) as store:
        begun(store)
        for number in range(50):
            told(store, "c1", f"q{number}", "a" * 2000)
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 8 * 4096] = b"\xff" * (3 * 4096)
    path.write_bytes(content)
    opened = open_store(path, now=7.0, examine=True)
    with closing(opened.store):
        assert "damaged-7" in opened.notice
        assert opened.store.conversations(0, 9) == ([], 0)


def test_a_newer_versions_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConversationsUnavailable, match="newer version"):
        open_store(path)
    assert list(tmp_path.glob("*.damaged-*")) == []


def test_a_folder_that_cannot_be_made_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversationsUnavailable, match="persist_path") as refused:
        open_store(tmp_path / "file" / "kept" / "conversations.sqlite3")
    assert refused.value.code is ErrorCode.STORE_UNAVAILABLE
