"""Answers and conversations over a connection: events in order, one reply each, and news for those who follow."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trio.testing
from fakes import Fakes
from lucastra_protocol.errors import ErrorCode
from peer import Message, Peer, serving
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.assistant.service import AssistantService
from lucastrad.config.schema import Config, LlmConfig
from lucastrad.conversation import window
from lucastrad.llm.errors import RateLimited, Truncated
from lucastrad.server.feed import MAX_FOLLOWED
from lucastrad.types import Hit, StoredChunk

pytestmark = pytest.mark.trio


def answering(folder: Path, *providers: ScriptedProvider) -> Fakes:
    """A daemon that finds one passage, and answers with what the first provider says."""
    (folder / "a.py").write_text("def load(): ...\n")
    scripted = ScriptedProviders(*providers)
    fakes = Fakes(providers=scripted, config=Config(llm=LlmConfig(provider="ollama", model="scripted-1")))
    fakes.search.hits = [
        Hit(str(folder), StoredChunk(1, "a.py", "python", "load", "function", 1, 1, "def load(): ...\n"), 1.0)
    ]
    fakes.assistant = AssistantService(fakes.search, scripted, fit=window.fit, budget_tokens=lambda: 8000)
    fakes.__post_init__()
    return fakes


def events(peer: Peer, token: str) -> list[Any]:
    return [
        message["params"]["value"]
        for message in peer.received
        if message.get("method") == "$/progress" and message["params"]["token"] == token
    ]


def text_of(found: list[Any]) -> str:
    return "".join(event["text"] for event in found if event["kind"] == "delta")


def replies(peer: Peer, request: int | str) -> list[Message]:
    return [message for message in peer.received if message.get("id") == request]


async def test_ask_streams_passages_then_text_then_usage_and_replies_with_the_whole(tmp_path: Path) -> None:
    async with serving(answering(tmp_path, ScriptedProvider(["It is ", "[1].", " [5]"]))) as (peer, _):
        result = await peer.ask("lucastra/ask", {"question": "where?", "partialResultToken": "t"})
        found = events(peer, "t")
    assert [event["kind"] for event in found] == ["passages", "delta", "delta", "usage"]
    assert found[0]["citations"] == result["citations"]
    assert result["citations"][0]["number"] == 1
    assert result["citations"][0]["hit"]["uri"] == f"file://{tmp_path}/a.py"
    assert text_of(found) == result["answer"] == "It is [1]."
    assert found[-1] == {
        "kind": "usage", "provider": "llm", "model": "scripted-1", "usage": {"inputTokens": 25, "outputTokens": 7},
    }  # fmt: skip
    assert (result["provider"], result["model"], result["usage"]) == ("llm", "scripted-1", found[-1]["usage"])
    assert "found" not in result  # true is left out


async def test_without_a_token_nothing_is_streamed(tmp_path: Path) -> None:
    async with serving(answering(tmp_path, ScriptedProvider(["It is [1]."]))) as (peer, _):
        assert (await peer.ask("lucastra/ask", {"question": "where?"}))["answer"] == "It is [1]."
        assert not [message for message in peer.received if message.get("method") == "$/progress"]


async def test_an_answer_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    fakes = answering(tmp_path, ScriptedProvider())
    fakes.search.hits = []
    async with serving(fakes) as (peer, _):
        result = await peer.ask("lucastra/ask", {"question": "where?"})
    assert (result["answer"], result["found"]) == ("Not found in this workspace.", False)


async def test_cancelling_an_answer_closes_the_stream_keeps_the_part_and_replies_once(tmp_path: Path) -> None:
    provider = ScriptedProvider(["It is"], gate=trio.Event())
    async with serving(answering(tmp_path, provider)) as (peer, _):
        conversation = (await peer.ask("lucastra/conversation/start"))["id"]
        request = await peer.start(
            "lucastra/conversation/send", {"conversation": conversation, "text": "where?", "partialResultToken": "t"}
        )
        await provider.waiting.wait()
        await peer.notify("$/cancelRequest", {"id": request})
        assert (await peer.reply(request))["error"]["code"] == ErrorCode.REQUEST_CANCELLED
        assert provider.open_streams == 0
        history = await peer.ask("lucastra/conversation/history", {"conversation": conversation})
        assert [(turn["state"], turn["answer"], turn["problem"]) for turn in history["turns"]] == [
            ("partial", "It is", "cancelled")
        ]
        assert text_of(events(peer, "t")) == "It is"
        assert len(replies(peer, request)) == 1


async def test_a_client_that_vanishes_leaves_the_part_that_it_was_sent(tmp_path: Path) -> None:
    provider = ScriptedProvider(["It is"], gate=trio.Event())
    fakes = answering(tmp_path, provider)
    async with serving(fakes) as (peer, _):
        conversation = (await peer.ask("lucastra/conversation/start"))["id"]
        await peer.start("lucastra/conversation/send", {"conversation": conversation, "text": "where?"})
        await provider.waiting.wait()
        await peer.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        while provider.open_streams:
            await trio.lowlevel.checkpoint()
    async with serving(fakes) as (peer, _):
        (turn,) = (await peer.ask("lucastra/conversation/history", {"conversation": conversation}))["turns"]
    assert (turn["state"], turn["answer"]) == ("partial", "It is")


async def test_of_many_answers_cancelled_at_any_moment_each_has_one_reply_and_none_leaks(tmp_path: Path) -> None:
    random = Random(5)
    provider = ScriptedProvider(["It is "] * 8 + ["[1]."])
    async with serving(answering(tmp_path, provider)) as (peer, _):
        conversations = [(await peer.ask("lucastra/conversation/start"))["id"] for _ in range(300)]
        requests = []
        for number, conversation in enumerate(conversations):
            params = {"conversation": conversation, "text": "where?", "partialResultToken": number}
            requests.append(await peer.start("lucastra/conversation/send", params))
        for request in random.sample(requests, len(requests)):
            for _ in range(random.randrange(12)):
                await trio.lowlevel.checkpoint()
            await peer.notify("$/cancelRequest", {"id": request})
        outcomes = [await peer.reply(request) for request in requests]
        assert {reply.get("error", {}).get("code") for reply in outcomes} <= {None, ErrorCode.REQUEST_CANCELLED}
        for conversation, reply in zip(conversations, outcomes, strict=True):
            history = await peer.ask("lucastra/conversation/history", {"conversation": conversation})
            states = [turn.get("state", "complete") for turn in history.get("turns", [])]
            assert states in ([["partial"], []] if "error" in reply else [["complete"]])
        assert all(len(replies(peer, request)) == 1 for request in requests)
    assert provider.open_streams == 0


@pytest.mark.parametrize("method", ["lucastra/ask", "lucastra/conversation/send", "lucastra/complete"])
async def test_a_providers_failure_is_told_to_people_and_to_programs(tmp_path: Path, method: str) -> None:
    failure = Truncated("the connection ended before the answer did; ask again", provider="llm")
    async with serving(answering(tmp_path, ScriptedProvider(["It is"], failure=failure))) as (peer, _):
        conversation = (await peer.ask("lucastra/conversation/start"))["id"]
        params = {"question": "?", "prompt": "?", "text": "?", "conversation": conversation}
        error = await peer.fail(method, params)
    assert error["code"] == ErrorCode.PROVIDER_FAILED
    assert error["message"] == "the connection ended before the answer did; ask again"
    assert error["data"] == {"provider": "llm", "reason": "truncated", "passing": False, "partialText": "It is"}


async def test_how_long_a_provider_asks_to_wait_is_passed_on(tmp_path: Path) -> None:
    limited = RateLimited("too many requests", provider="llm", retry_after_seconds=12.0)
    provider = ScriptedProvider(refuse=lambda _: limited)
    async with serving(answering(tmp_path, provider)) as (peer, _):
        error = await peer.fail("lucastra/ask", {"question": "?"})
    assert (error["data"]["passing"], error["data"]["retryAfterSeconds"]) == (True, 12.0)


async def test_complete_streams_text_without_passages(tmp_path: Path) -> None:
    provider = ScriptedProvider(["Bon", "jour [9]."])
    async with serving(answering(tmp_path, provider)) as (peer, _):
        result = await peer.ask(
            "lucastra/complete",
            {"prompt": "Hello?", "system": "In French.", "maxTokens": 5, "partialResultToken": 7},
        )
        kinds = [message["params"]["value"]["kind"] for message in peer.received if "method" in message]
    assert result["text"] == "Bonjour [9]."
    assert kinds == ["delta", "delta", "usage"]
    assert (provider.requests[0].system, provider.requests[0].max_tokens) == ("In French.", 5)


async def test_a_conversation_can_be_led_listed_renamed_forked_exported_and_deleted(tmp_path: Path) -> None:
    async with serving(answering(tmp_path, ScriptedProvider(["It is [1]."]))) as (peer, _):
        started = await peer.ask("lucastra/conversation/start", {"system": "Be brief."})
        named = {"conversation": started["id"]}
        sent = await peer.ask("lucastra/conversation/send", {**named, "text": "where is load?"})
        assert sent["turn"]["sources"][0]["path"] == "a.py"
        assert sent["turn"]["provider"] == "llm"
        assert sent["citations"][0]["hit"]["content"] == "def load(): ...\n"
        await peer.ask("lucastra/conversation/send", {**named, "text": "sure?", "retrieve": False})
        page = await peer.ask("lucastra/conversation/history", {**named, "after": 1})
        assert [(turn["number"], turn["question"]) for turn in page["turns"]] == [(2, "sure?")]
        assert page["conversation"]["title"] == "where is load?"
        fork = await peer.ask("lucastra/conversation/fork", {**named, "turn": 1, "title": "Other"})
        assert (fork["forkedFrom"], fork["forkedAt"], fork["turns"]) == (started["id"], 1, 1)
        assert (await peer.ask("lucastra/conversation/rename", {**named, "title": "Loading"}))["title"] == "Loading"
        listed = await peer.ask("lucastra/conversation/list", {})
        assert {one["title"] for one in listed["conversations"]} == {"Loading", "Other"}
        assert (await peer.ask("lucastra/conversation/export", named))["text"].startswith("# Loading\n")
        exported = await peer.ask("lucastra/conversation/export", {**named, "format": "json"})
        assert '"lucastra-conversation"' in exported["text"]
        await peer.ask("lucastra/conversation/delete", named)
        gone = await peer.fail("lucastra/conversation/history", named)
        assert gone["code"] == ErrorCode.CONVERSATION_NOT_FOUND
        assert (await peer.ask("lucastra/conversation/list", {}))["total"] == 1


async def test_two_clients_of_one_conversation_see_each_others_turns(tmp_path: Path) -> None:
    provider = ScriptedProvider(["It is [1]."], gate=trio.Event())
    assert provider.gate is not None
    fakes = answering(tmp_path, provider)
    async with serving(fakes) as (ada, _), serving(fakes) as (bob, _):
        named = {"conversation": (await ada.ask("lucastra/conversation/start"))["id"]}
        await bob.ask("lucastra/conversation/follow", named)
        request = await ada.start("lucastra/conversation/send", {**named, "text": "where?"})
        news = await bob.until_method("lucastra/conversationChanged")
        assert news["params"] == {**named, "change": "turnStarted", "turns": 1}
        busy = await bob.fail("lucastra/conversation/send", {**named, "text": "me too"})
        assert busy["code"] == ErrorCode.CONVERSATION_BUSY
        provider.gate.set()
        await ada.reply(request)
        bob.received.clear()
        news = await bob.until_method("lucastra/conversationChanged")
        assert news["params"]["change"] == "turnFinished"
        (turn,) = (await bob.ask("lucastra/conversation/history", named))["turns"]
        assert (turn["question"], turn["answer"]) == ("where?", "It is [1].")
        await bob.ask("lucastra/conversation/send", {**named, "text": "and then?"})
        assert not [message for message in ada.received if "method" in message]  # she does not follow it


async def test_who_follows_no_longer_hears_nothing(tmp_path: Path) -> None:
    fakes = answering(tmp_path, ScriptedProvider())
    async with serving(fakes) as (peer, _):
        named = {"conversation": (await peer.ask("lucastra/conversation/start"))["id"]}
        for follow in (True, True, False):
            await peer.ask("lucastra/conversation/follow", {**named, "follow": follow})
        await peer.ask("lucastra/conversation/rename", {**named, "title": "Mine"})
        assert not [message for message in peer.received if "method" in message]
        await peer.ask("lucastra/conversation/follow", named)
    assert fakes.conversations._followers == {}  # the session has ended


async def test_a_session_follows_a_bounded_number_of_conversations(tmp_path: Path) -> None:
    async with serving(answering(tmp_path, ScriptedProvider())) as (peer, _):
        for _ in range(MAX_FOLLOWED):
            started = await peer.ask("lucastra/conversation/start")
            await peer.ask("lucastra/conversation/follow", {"conversation": started["id"]})
        started = await peer.ask("lucastra/conversation/start")
        assert (
            "follow: false"
            in (await peer.fail("lucastra/conversation/follow", {"conversation": started["id"]}))["message"]
        )


async def test_a_client_that_reads_slowly_gets_the_newest_news_of_each_conversation_once(tmp_path: Path) -> None:
    fakes = answering(tmp_path, ScriptedProvider())
    async with serving(fakes, lockstep=True, high_water_bytes=0) as (peer, _):
        named = {"conversation": (await peer.ask("lucastra/conversation/start"))["id"]}
        await peer.ask("lucastra/conversation/follow", named)
        for number in range(50):
            await fakes.conversations.rename(named["conversation"], f"title {number}")
        await trio.testing.wait_all_tasks_blocked()
        await peer.ask("lucastra/status")
        told = [message for message in peer.received if message.get("method") == "lucastra/conversationChanged"]
    assert 1 <= len(told) <= 3


async def test_an_answer_waits_for_a_client_that_reads_slowly(tmp_path: Path) -> None:
    provider = ScriptedProvider(["x" * 1000] * 200)
    async with serving(answering(tmp_path, provider), lockstep=True, high_water_bytes=4096) as (peer, session):
        request = await peer.start("lucastra/ask", {"question": "?", "partialResultToken": "t"})
        await peer.until_method("$/progress")
        await trio.testing.wait_all_tasks_blocked()
        assert session._outbox.waiting_bytes < 16_384
        assert provider.open_streams == 1
        assert len((await peer.reply(request))["result"]["answer"]) == 200_000
        assert len(text_of(events(peer, "t"))) == 200_000


async def test_providers_tell_what_they_are_and_how_they_are(tmp_path: Path) -> None:
    async with serving(answering(tmp_path, ScriptedProvider(), ScriptedProvider(name="other"))) as (peer, _):
        (default, other) = (await peer.ask("lucastra/providers"))["providers"]
        checked = (await peer.ask("lucastra/providers", {"check": True}))["providers"]
        assert (await peer.ask("lucastra/status"))["provider"] == "ollama/scripted-1"
        models = await peer.ask("lucastra/models")
        of_one = await peer.ask("lucastra/models", {"provider": "other"})
    assert default == {
        "name": "llm", "kind": "ollama", "configured": True, "default": True, "origin": "http://127.0.0.1:11434",
        "model": "scripted-1", "capabilities": {"local": True},
    }  # fmt: skip
    assert "default" not in other
    assert checked[0]["health"] == {"ok": True, "detail": "scripted-1 answers"}
    assert models["models"] == [{"provider": "llm", "id": "scripted-1", "contextTokens": 4096}]
    assert [one["provider"] for one in of_one["models"]] == ["other"]
