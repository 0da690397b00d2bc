"""Answers while they are written, and news of conversations, through the async client."""

from typing import Any

import pytest
import trio
from fake_daemon import fake_daemon, hit
from lucastra_client import LucAstraError, open_client
from lucastra_protocol import answers
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode
from trio.testing import wait_all_tasks_blocked

pytestmark = pytest.mark.trio

EVENTS: list[answers.AnswerEvent] = [
    answers.PassagesEvent(citations=[wire.Citation(number=1, hit=hit())]),
    answers.DeltaEvent(text="It is "),
    answers.DeltaEvent(text="[1]."),
    answers.UsageEvent(provider="llm", model="m", usage=wire.TokenUsage(input_tokens=3, output_tokens=2)),
]
TURN = answers.Turn(number=1, question="where?", started_at=1.0, answer="It is [1].")
CONVERSATION = answers.Conversation(id="c1", title="Mine", created_at=1.0, updated_at=2.0)
ANSWERS: dict[str, Any] = {
    "lucastra/ask": wire.AskResult(answer="It is [1].", citations=[wire.Citation(number=1, hit=hit())]),
    "lucastra/conversation/start": CONVERSATION,
    "lucastra/conversation/send": answers.SendResult(turn=TURN),
    "lucastra/conversation/history": answers.HistoryResult(conversation=CONVERSATION, turns=[TURN]),
    "lucastra/conversation/list": answers.ListResult(conversations=[CONVERSATION], total=1),
    "lucastra/conversation/rename": CONVERSATION,
    "lucastra/conversation/delete": wire.Empty(),
    "lucastra/conversation/fork": CONVERSATION,
    "lucastra/conversation/export": answers.ExportResult(text="# Mine\n"),
    "lucastra/conversation/follow": wire.Empty(),
    "lucastra/complete": answers.CompleteResult(text="Bonjour.", provider="llm", model="m"),
    "lucastra/models": answers.ModelsResult(models=[answers.ModelInfo(provider="llm", id="m")]),
    "lucastra/providers": answers.ProvidersResult(providers=[answers.ProviderInfo(name="llm", kind="ollama")]),
}


async def hang(_: Any) -> wire.Wire:
    await trio.sleep_forever()
    raise AssertionError


async def test_events_come_in_order_and_then_there_is_the_result() -> None:
    async with fake_daemon(ANSWERS, events=EVENTS) as (daemon, stream), open_client(stream=stream) as client:
        answer = client.ask_stream("where?", workspaces="/w", provider="llm/m", system="Be brief.")
        with pytest.raises(RuntimeError, match="to its end"):
            _ = answer.result
        assert [event async for event in answer] == EVENTS
        assert answer.result == ANSWERS["lucastra/ask"]
        assert [event async for event in answer] == []
    ((_, params),) = daemon.requests
    assert params.partial_result_token
    assert (params.workspaces, params.provider, params.system) == (["/w"], "llm/m", "Be brief.")


async def test_each_stream_gets_its_own_events() -> None:
    async with fake_daemon(ANSWERS, events=EVENTS) as (_, stream), open_client(stream=stream) as client:
        taken: list[int] = []

        async def read() -> None:
            taken.append(len([event async for event in client.conversations.send_stream("c1", "where?")]))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(read)
    assert taken == [len(EVENTS)] * 10


async def test_a_stream_that_is_left_early_is_cancelled_at_the_daemon() -> None:
    async with fake_daemon({"lucastra/ask": hang}, events=EVENTS) as (daemon, stream):
        async with open_client(stream=stream) as client:
            async with client.ask_stream("where?") as answer:
                async for event in answer:
                    if isinstance(event, answers.DeltaEvent):
                        break
            await wait_all_tasks_blocked()
            assert len(daemon.cancelled) == 1
            await answer.aclose()
            assert [event async for event in answer] == []
        assert len(daemon.cancelled) == 1


async def test_a_task_that_is_cancelled_while_it_waits_cancels_the_request() -> None:
    async with fake_daemon({"lucastra/ask": hang}) as (daemon, stream), open_client(stream=stream) as client:
        with trio.move_on_after(0.01):
            async for _ in client.ask_stream("where?"):
                pass
        await wait_all_tasks_blocked()
        assert len(daemon.cancelled) == 1


async def test_a_failure_is_raised_after_the_events_before_it_with_its_details() -> None:
    failure = LucAstraError("it broke off", code=ErrorCode.PROVIDER_FAILED, data={"partialText": "It is"})
    daemon = fake_daemon({"lucastra/ask": failure}, events=EVENTS[:2])
    async with daemon as (_, stream), open_client(stream=stream) as client:
        taken = []
        with pytest.raises(LucAstraError, match="it broke off") as raised:
            async for event in client.ask_stream("where?"):
                taken.append(event)
    assert taken == EVENTS[:2]
    assert raised.value.code is ErrorCode.PROVIDER_FAILED
    assert raised.value.data == {"partialText": "It is"}


async def test_a_daemon_that_goes_away_ends_a_stream() -> None:
    hanging = fake_daemon({"lucastra/ask": hang}, events=EVENTS[:1])
    async with hanging as (daemon, stream), open_client(stream=stream) as client:
        with pytest.raises(LucAstraError) as raised:
            async for _ in client.ask_stream("where?"):
                await daemon.stream.aclose()
    assert raised.value.code is ErrorCode.DAEMON_UNREACHABLE


async def test_what_is_out_of_range_is_refused_before_it_is_sent() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        with pytest.raises(LucAstraError, match="question must not be empty"):
            async for _ in client.ask_stream(""):
                pass
        with pytest.raises(LucAstraError, match="limit must be at least 1"):
            await client.conversations.list(limit=0)
    assert daemon.requests == []


async def test_every_method_of_conversations_and_models_sends_what_it_was_given() -> None:
    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        talk = client.conversations
        assert await talk.start(title="Mine", system="Be brief.") == CONVERSATION
        assert (await talk.send("c1", "where?", retrieve=False, provider="x/y", paths="src/")).turn == TURN
        assert (await talk.history("c1", after=3, limit=4)).turns == [TURN]
        assert (await talk.list(offset=5, limit=6)).total == 1
        assert await talk.rename("c1", "Other") == CONVERSATION
        await talk.delete("c1")
        assert await talk.fork("c1", turn=2, title="Fork") == CONVERSATION
        assert await talk.export("c1", as_json=True) == "# Mine\n"
        assert (await client.complete("Hello?", max_tokens=5, temperature=0.1)).text == "Bonjour."
        assert (await client.models("llm")).models[0].id == "m"
        assert (await client.providers(check=True))[0].name == "llm"
    assert daemon.requests == [
        ("lucastra/conversation/start", answers.StartParams(title="Mine", system="Be brief.")),
        (
            "lucastra/conversation/send",
            answers.SendParams(conversation="c1", text="where?", retrieve=False, provider="x/y", paths=["src/"]),
        ),
        ("lucastra/conversation/history", answers.HistoryParams(conversation="c1", after=3, limit=4)),
        ("lucastra/conversation/list", answers.ListParams(offset=5, limit=6)),
        ("lucastra/conversation/rename", answers.RenameParams(conversation="c1", title="Other")),
        ("lucastra/conversation/delete", answers.ConversationParams(conversation="c1")),
        ("lucastra/conversation/fork", answers.ForkParams(conversation="c1", turn=2, title="Fork")),
        ("lucastra/conversation/export", answers.ExportParams(conversation="c1", format="json")),
        ("lucastra/complete", answers.CompleteParams(prompt="Hello?", max_tokens=5, temperature=0.1)),
        ("lucastra/models", answers.ModelsParams(provider="llm")),
        ("lucastra/providers", answers.ProvidersParams(check=True)),
    ]


async def test_changes_of_a_followed_conversation_are_iterated_over_and_of_no_other() -> None:
    def changed(conversation: str, turns: int) -> answers.ConversationChangedParams:
        return answers.ConversationChangedParams(conversation=conversation, change="turnFinished", turns=turns)

    async with fake_daemon(ANSWERS) as (daemon, stream), open_client(stream=stream) as client:
        async with client.conversations.following("c1") as changes:
            for conversation, turns in (("c1", 1), ("c2", 9), ("c1", 2)):
                await daemon.notify("lucastra/conversationChanged", changed(conversation, turns))
            assert [await anext(changes), await anext(changes)] == [changed("c1", 1), changed("c1", 2)]
        await daemon.notify("lucastra/conversationChanged", changed("c1", 3))
        await client.conversations.list()
    follows = [params for method, params in daemon.requests if method == "lucastra/conversation/follow"]
    assert [params.follow for params in follows] == [True, False]
