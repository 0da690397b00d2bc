"""Conversations: each turn is kept however it ends, one at a time, and who follows hears of it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from lucastra_protocol.errors import LucAstraError
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.assistant.answers import AnswerEvent, Question, TextDelta
from lucastrad.assistant.service import AssistantService
from lucastrad.conversation import window
from lucastrad.conversation.errors import ConversationBusy, ConversationNotFound
from lucastrad.conversation.service import CANCELLED, Change, ChangeKind, ConversationService
from lucastrad.conversation.turns import TurnState
from lucastrad.llm.errors import Stalled
from lucastrad.llm.protocol import Role
from lucastrad.types import Freshness, Hit, SearchOutcome, SearchQuery, StoredChunk

pytestmark = pytest.mark.trio


class Found:
    """A search that finds what it is given."""

    def __init__(self, *hits: Hit) -> None:
        self.hits = list(hits)
        self.queries: list[str] = []

    async def find(self, query: SearchQuery) -> SearchOutcome:
        self.queries.append(query.text)
        return SearchOutcome(self.hits, Freshness.FRESH)


@asynccontextmanager
async def conversing(
    *providers: ScriptedProvider, search: Found | None = None, path: Path | None = None, budget_tokens: int = 8000
) -> AsyncIterator[ConversationService]:
    assistant = AssistantService(
        search or Found(), ScriptedProviders(*providers), fit=window.fit, budget_tokens=lambda: budget_tokens
    )
    times, ids = iter(range(1000, 10**6)), iter(f"c{number}" for number in range(1, 100))
    service = ConversationService(
        path,
        assistant,
        budget_tokens=lambda: budget_tokens,
        clock=lambda: float(next(times)),
        make_id=lambda: next(ids),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        yield service
        nursery.cancel_scope.cancel()


async def ignore(event: AnswerEvent) -> None:
    await trio.lowlevel.checkpoint()


async def sending(service: ConversationService, id_: str, *, task_status: trio.TaskStatus[Callable[[], None]]) -> None:
    """Ask, and tell what stops the answer."""
    with trio.CancelScope() as scope:
        task_status.started(scope.cancel)
        await service.send(id_, Question("Where?"), ignore)
    assert scope.cancelled_caught


async def test_a_turn_hears_those_before_it_whoever_answered_them() -> None:
    first = ScriptedProvider(["In `load`."], name="llm", model="small")
    second = ScriptedProvider(["Twice."], name="other", model="large")
    async with conversing(first, second) as service:
        conversation = await service.start(system="Be brief.")
        await service.send(conversation.id, Question("Where?"), ignore)
        await service.send(conversation.id, Question("How often?", choice="other"), ignore)
        _, turns = await service.history(conversation.id)
    assert [(turn.provider, turn.model, turn.state) for turn in turns] == [
        ("llm", "small", TurnState.COMPLETE),
        ("other", "large", TurnState.COMPLETE),
    ]
    assert [turn.input_tokens for turn in turns] == [25, 25]
    request = second.requests[0]
    assert request.system == "Be brief."
    assert [(message.role, message.text) for message in request.messages] == [
        (Role.USER, "Where?"),
        (Role.ASSISTANT, "In `load`."),
        (Role.USER, "How often?"),
    ]


async def test_what_was_cited_is_kept_by_place(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def load(): ...\n")
    chunk = StoredChunk(1, "a.py", "python", "load", "function", 1, 1, "def load(): ...\n")
    search = Found(Hit(str(tmp_path), chunk, 1.0))
    async with conversing(ScriptedProvider(["See [1]."]), search=search) as service:
        conversation = await service.start()
        said = await service.send(conversation.id, Question("where is load?", scope=SearchQuery("")), ignore)
        await service.send(conversation.id, Question("why?", scope=SearchQuery("")), ignore)
        _, turns = await service.history(conversation.id)
    (source,) = turns[0].sources
    assert (source.number, source.path, source.start_line, source.symbol) == (1, "a.py", 1, "load")
    assert turns[0] == said.turn
    assert turns[0].retrieved
    assert search.queries == ["where is load?", "why? load"]


async def test_a_conversation_ten_times_longer_than_the_window_goes_on() -> None:
    provider = ScriptedProvider(["word " * 40])
    async with conversing(provider, budget_tokens=600) as service:
        conversation = await service.start(system="Be brief.")
        for number in range(100):
            said = await service.send(conversation.id, Question(f"question {number}"), ignore)
        _, turns = await service.history(conversation.id)
    assert len(turns) == 100
    for number, request in enumerate(provider.requests):
        kept = (len(request.messages) - 1) // 2
        assert request.system == "Be brief."
        assert request.messages[0].text == f"question {number - kept}"
        assert turns[number].exchanges_left_out == number - kept
    assert said.turn.exchanges_left_out > 90
    assert any("oldest turns of this conversation were left out" in notice for notice in said.answer.notices)


async def test_a_second_question_meanwhile_is_refused_and_harms_nothing() -> None:
    provider = ScriptedProvider(gate=trio.Event())
    assert provider.gate is not None
    async with conversing(provider) as service, trio.open_nursery() as nursery:
        conversation = await service.start()
        other = await service.start()
        nursery.start_soon(service.send, conversation.id, Question("first"), ignore)
        await provider.waiting.wait()
        with pytest.raises(ConversationBusy):
            await service.send(conversation.id, Question("second"), ignore)
        with pytest.raises(ConversationBusy):
            await service.delete(conversation.id)
        provider.gate.set()
        await service.send(other.id, Question("elsewhere"), ignore)
    async with conversing() as service:
        pass
    assert [request.messages[-1].text for request in provider.requests] == ["first", "elsewhere"]


async def test_a_cancelled_answer_is_kept_as_far_as_it_came_and_closes_its_stream() -> None:
    provider = ScriptedProvider(["It reads", " the"], gate=trio.Event())
    async with conversing(provider) as service:
        conversation = await service.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.send, conversation.id, Question("Where?"), ignore)
            await provider.waiting.wait()
            nursery.cancel_scope.cancel()
        assert provider.open_streams == 0
        _, (turn,) = await service.history(conversation.id)
        assert (turn.answer, turn.state, turn.problem) == ("It reads the", TurnState.PARTIAL, CANCELLED)
        provider.gate = None
        await service.send(conversation.id, Question("Go on"), ignore)
    assert [message.text for message in provider.requests[1].messages] == ["Where?", "It reads the", "Go on"]


async def test_who_stops_an_answer_and_asks_again_at_once_is_not_refused() -> None:
    provider = ScriptedProvider(["It reads", " the"], gate=trio.Event())
    async with conversing(provider) as service:
        conversation = await service.start()
        async with trio.open_nursery() as nursery:
            stop = await nursery.start(sending, service, conversation.id)
            await provider.waiting.wait()
            provider.gate = None
            stop()
            said = await service.send(conversation.id, Question("Again"), ignore)
            assert said.turn.number == 2
        _, turns = await service.history(conversation.id)
    assert [turn.state for turn in turns] == [TurnState.PARTIAL, TurnState.COMPLETE]
    assert [message.text for message in provider.requests[1].messages] == ["Where?", "It reads the", "Again"]


async def test_a_failed_answer_is_kept_with_why() -> None:
    stalled = Stalled("nothing came for 30 s", provider="llm")
    async with conversing(ScriptedProvider(["It reads"], failure=stalled)) as service:
        conversation = await service.start()
        with pytest.raises(Stalled):
            await service.send(conversation.id, Question("Where?"), ignore)
        _, (turn,) = await service.history(conversation.id)
    assert (turn.answer, turn.state, turn.problem) == ("It reads", TurnState.PARTIAL, "nothing came for 30 s")


async def test_a_reader_of_the_history_sees_an_answer_while_it_is_written(tmp_path: Path) -> None:
    provider = ScriptedProvider(["x" * 5000], gate=trio.Event())
    path = tmp_path / "conversations.sqlite3"
    async with conversing(provider, path=path) as service, trio.open_nursery() as nursery:
        conversation = await service.start()
        nursery.start_soon(service.send, conversation.id, Question("Where?"), ignore)
        await provider.waiting.wait()
        while True:  # 5,000 characters are a burst: they are kept without waiting for the interval
            _, (turn,) = await service.history(conversation.id)
            if turn.answer:
                break
        assert (len(turn.answer), turn.state) == (5000, TurnState.RUNNING)
        nursery.cancel_scope.cancel()


async def test_what_is_streamed_is_what_is_kept() -> None:
    streamed: list[str] = []

    async def emit(event: AnswerEvent) -> None:
        if isinstance(event, TextDelta):
            streamed.append(event.text)
        await trio.lowlevel.checkpoint()

    async with conversing(ScriptedProvider(["a", "b", "c"])) as service:
        conversation = await service.start()
        said = await service.send(conversation.id, Question("?"), emit)
    assert "".join(streamed) == said.turn.answer == said.answer.text == "abc"


async def test_followers_hear_of_turns_names_and_the_end() -> None:
    heard: list[Change] = []
    async with conversing(ScriptedProvider()) as service:
        conversation = await service.start()
        with pytest.raises(ConversationNotFound):
            await service.follow("c99", heard.append)
        unfollow = await service.follow(conversation.id, heard.append)
        await service.send(conversation.id, Question("?"), ignore)
        await service.rename(conversation.id, "Mine")
        unfollow()
        unfollow()
        await service.rename(conversation.id, "Yours")
        await service.follow(conversation.id, heard.append)
        await service.delete(conversation.id)
    assert [(change.kind, change.turns) for change in heard] == [
        (ChangeKind.TURN_STARTED, 1),
        (ChangeKind.TURN_FINISHED, 1),
        (ChangeKind.RENAMED, 1),
        (ChangeKind.DELETED, 0),
    ]


async def test_conversations_outlive_the_daemon_where_they_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"
    async with conversing(ScriptedProvider(["Yes."]), path=path) as service:
        kept = await service.start(title="Kept")
        await service.send(kept.id, Question("Is it?"), ignore)
    async with conversing(path=path) as service:
        conversations, total = await service.conversations(offset=0, limit=10)
        _, turns = await service.history(kept.id)
    assert ([one.title for one in conversations], total) == (["Kept"], 1)
    assert [(turn.question, turn.answer) for turn in turns] == [("Is it?", "Yes.")]
    async with conversing() as service:
        assert await service.conversations(offset=0, limit=10) == ([], 0)


async def test_a_file_damaged_meanwhile_is_replaced_and_the_user_told(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite3"
    async with conversing(ScriptedProvider(["x" * 3000]), path=path) as service:
        conversation = await service.start()
        for number in range(20):
            await service.send(conversation.id, Question(f"question {number}"), ignore)
    content = bytearray(path.read_bytes())
    content[12 * 4096 :] = b"\xff" * (len(content) - 12 * 4096)  # behind the tables' own first pages
    path.write_bytes(content)
    async with conversing(ScriptedProvider(), path=path) as service:
        with pytest.raises(LucAstraError, match="kept aside"):
            await service.history(conversation.id)
        assert await service.conversations(offset=0, limit=10) == ([], 0)
        assert any("damaged" in notice for notice in service.notices)
        await service.send((await service.start()).id, Question("Again?"), ignore)
    assert len(list(tmp_path.glob("*.damaged-*[0-9]"))) == 1


async def test_a_turn_that_cannot_be_kept_is_answered_and_says_so(tmp_path: Path) -> None:
    provider = ScriptedProvider(["Yes. " * 50_000])
    async with conversing(provider, path=tmp_path / "conversations.sqlite3") as service:
        conversation = await service.start()

        def limit_pages(count: int) -> None:
            assert service._store is not None
            for connection in (service._store._durable, service._store._lasting):
                connection.execute(f"PRAGMA max_page_count = {count}")

        async def fill_the_disk(event: AnswerEvent) -> None:
            if isinstance(event, TextDelta):
                limit_pages(1)  # no file can grow any more
            await trio.lowlevel.checkpoint()

        said = await service.send(conversation.id, Question("?"), fill_the_disk)
        assert any("this turn is not kept" in notice for notice in said.answer.notices)
        assert said.answer.text == provider.pieces[0]
        limit_pages(1_000_000)
        provider.pieces = ["No."]
        await service.send(conversation.id, Question("Again?"), ignore)
        _, turns = await service.history(conversation.id)
    assert [(turn.answer, turn.state) for turn in turns] == [("", TurnState.PARTIAL), ("No.", TurnState.COMPLETE)]


async def test_exports_hold_questions_answers_sources_and_who_said_them(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def load(): ...\n")
    chunk = StoredChunk(1, "a.py", "python", "load", "function", 1, 1, "def load(): ...\n")
    provider = ScriptedProvider(["See `load` [1]."])
    async with conversing(provider, search=Found(Hit(str(tmp_path), chunk, 1.0))) as service:
        conversation = await service.start(title="On loading", system="Be brief.")
        await service.send(conversation.id, Question("Where is\nit?", scope=SearchQuery("")), ignore)
        provider.failure = Stalled("nothing came", provider="llm")
        with pytest.raises(Stalled):
            await service.send(conversation.id, Question("Sure?"), ignore)
        markdown = await service.export(conversation.id, as_markdown=True)
        document = json.loads(await service.export(conversation.id, as_markdown=False))
    assert markdown == (
        "# On loading\n\n1970-01-01 00:16 UTC, conversation `c1`\n\n> Be brief.\n\n"
        "## 1. Where is it?\n\n> Where is\n> it?\n\nSee `load` [1].\n\n- [1] `a.py:1-1` (load)\n\n*llm/scripted-1*\n\n"
        "## 2. Sure?\n\nSee `load` [1].\n\n*The answer is incomplete: nothing came.*\n"
    )
    assert (document["format"], document["version"]) == ("lucastra-conversation", 1)
    assert document["conversation"]["title"] == "On loading"
    assert [turn["state"] for turn in document["turns"]] == ["complete", "partial"]
    assert document["turns"][0]["sources"][0]["path"] == "a.py"
