"""Answers and conversations through real processes: daemon, client and an HTTP upstream with its faults."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from dialects import ANTHROPIC, CHAT, DIALECTS, FORMATS, KEY, OLLAMA, RESPONSES, Dialect
from lucastra_client import Client, LucAstraError
from lucastra_protocol import answers
from lucastra_protocol.errors import ErrorCode
from real_daemon import RealDaemon, until, write
from replay import Received, ReplayServer, Reply, serving
from shop import SHOP

pytestmark = [pytest.mark.slow, pytest.mark.trio]

FILES = {
    "shop/retry.py": SHOP["shop/retry.py"],
    "shop/cloud.py": "def upload_to_cloud(file):\n    return bucket.put(file)\n",
}


class Upstream:
    """Answers each request, in whichever API it comes, with the next of `scripts`; the last one for ever."""

    def __init__(self, *scripts: Sequence[str]) -> None:
        self.scripts = list(scripts)
        self.hold: trio.Event | None = None
        """Where it is set, an answer is not ended before."""
        self.server: ReplayServer

    async def __call__(self, request: Received, reply: Reply) -> None:
        if request.method != "POST" or "count_tokens" in request.path:
            await reply.json({"error": {"message": "no such path"}}, status=404)
            return
        dialect = next(dialect for dialect in DIALECTS if dialect.path == request.path)
        pieces = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        whole = dialect.stream(pieces)
        await reply.start(kind=dialect.content_type)
        ending = 1 if dialect is OLLAMA else 3
        for piece in whole[:-ending]:
            await reply.send(piece)
        if self.hold is not None:
            await self.hold.wait()
        for piece in whole[-ending:]:
            await reply.send(piece)
        await reply.end()

    def asked(self, number: int = -1) -> str:
        """Everything that a request told the model."""
        return json.dumps(self.server.received[number].body, ensure_ascii=False)


@asynccontextmanager
async def answering(
    daemon: RealDaemon, upstream: Upstream, *, default: Dialect = CHAT, **config: Any
) -> AsyncIterator[Client]:
    """A client of a daemon that asks `upstream`: as `llm` in one API, and by the name of each API."""
    async with serving(upstream) as server:
        upstream.server = server
        daemon.environment["TEST_KEY"] = KEY
        configure(daemon, server, default=default, **config)
        await daemon.start()
        async with daemon.client() as client:
            yield client


def configure(daemon: RealDaemon, server: ReplayServer, *, default: Dialect = CHAT, **config: Any) -> None:
    def section(dialect: Dialect) -> dict[str, Any]:
        endpoint = f"{server.origin}{dialect.prefix}"
        return dialect.settings | {"endpoint": endpoint, "api_key": "${TEST_KEY}", "retry_attempts": 0}

    tree = {"llm": section(default), "providers": {dialect.name: section(dialect) for dialect in FORMATS}, **config}
    write(daemon.paths.home, {"config.json": json.dumps(tree)})
    (daemon.paths.home / "config.json").chmod(0o600)


async def shop(daemon: RealDaemon, client: Client) -> Path:
    root = write(daemon.folder / "shop", FILES)
    await client.index(root)
    return root


async def test_each_api_answers_with_citations_that_exist_and_are_streamed(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits ", "twice as long [1", "], never more [8]."])
    async with answering(daemon, upstream) as client:
        root = await shop(daemon, client)
        for dialect in FORMATS:
            stream = client.ask_stream("how are failed calls repeated?", limit=1, provider=dialect.name)
            events = [event async for event in stream]
            result = stream.result
            assert isinstance(events[0], answers.PassagesEvent)
            assert isinstance(events[-1], answers.UsageEvent)
            assert events[0].citations == result.citations
            streamed = "".join(event.text for event in events if isinstance(event, answers.DeltaEvent))
            assert streamed == result.answer == "It waits twice as long [1], never more."
            (citation,) = result.citations
            start, end = citation.hit.range.lines()
            lines = (root / citation.hit.path).read_text().splitlines()
            assert "\n".join(lines[start - 1 : end]) == citation.hit.content.rstrip("\n")
            assert (result.provider, result.usage.output_tokens) == (dialect.name, 7)
            assert "retry_with_backoff" in upstream.asked()
            assert "<passage-" in upstream.asked()


async def test_no_key_gets_into_a_message_a_log_or_a_conversation(daemon: RealDaemon) -> None:
    async def echo(request: Received, reply: Reply) -> None:
        sent = " ".join(request.headers.values())
        assert KEY in sent
        await reply.json({"error": {"message": f"what is {sent}?"}}, status=400)

    async with serving(echo) as server:
        daemon.environment["TEST_KEY"] = KEY
        configure(daemon, server, logging={"level": "debug"})
        await daemon.start()
        async with daemon.client() as client:
            conversation = (await client.conversations.start()).id
            with pytest.raises(LucAstraError) as refused:
                await client.conversations.send(conversation, "where?", retrieve=False)
            (turn,) = (await client.conversations.history(conversation)).turns
            assert turn.problem == refused.value.message
            assert KEY not in f"{refused.value.message} {refused.value.data}"
            assert KEY not in repr(await client.providers(check=True))
        await daemon.stop()
    for file in daemon.paths.home.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


async def test_an_answer_cut_by_kill_9_is_there_afterwards_marked_as_partial(daemon: RealDaemon) -> None:
    upstream = Upstream(["Whole."], ["It waits ", "twice as ", "long"])
    async with serving(upstream) as server:
        upstream.server = server
        daemon.environment["TEST_KEY"] = KEY
        configure(daemon, server)
        await daemon.start()
        async with daemon.client() as client:
            conversation = (await client.conversations.start()).id
            await client.conversations.send(conversation, "first?", retrieve=False)
            upstream.hold = trio.Event()

            async def send() -> None:
                with pytest.raises(LucAstraError) as lost:
                    await client.conversations.send(conversation, "second?", retrieve=False)
                assert lost.value.code is ErrorCode.DAEMON_UNREACHABLE

            async def is_kept() -> bool:
                async with daemon.client() as other:
                    turns = (await other.conversations.history(conversation)).turns
                    return len(turns) == 2 and turns[1].answer == "It waits twice as long"

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                await until(is_kept)
                daemon.kill()
        upstream.hold = None
        await daemon.start()
        async with daemon.client() as client:
            first, second = (await client.conversations.history(conversation)).turns
            assert (first.answer, first.state) == ("Whole.", "complete")
            assert (second.answer, second.state) == ("It waits twice as long", "partial")
            assert second.problem == "the daemon ended before the answer did"
            third = (await client.conversations.send(conversation, "go on", retrieve=False)).turn
            assert (third.number, third.state) == (3, "complete")
            assert "twice as long" in upstream.asked()
        await daemon.stop()


async def talk(client: Client, conversation: str, finished: list[int]) -> None:
    """Ask until the daemon is gone, noting each turn that was answered."""
    with pytest.raises(LucAstraError):
        while True:
            sent = await client.conversations.send(conversation, "more?", retrieve=False)
            assert sent.turn.state == "complete"
            finished.append(sent.turn.number)


async def test_every_completed_turn_survives_kill_9_at_any_moment(daemon: RealDaemon) -> None:
    upstream = Upstream(["Yes."])
    async with serving(upstream) as server:
        upstream.server = server
        daemon.environment["TEST_KEY"] = KEY
        configure(daemon, server)
        conversation = ""
        finished: list[int] = []
        for stop_after in (1, 2, 3, 5, 8):
            await daemon.start()
            async with daemon.client() as client:
                conversation = conversation or (await client.conversations.start()).id
                turns = (await client.conversations.history(conversation)).turns
                assert {turn.number for turn in turns if turn.state == "complete"} >= set(finished)
                assert all(turn.state != "running" for turn in turns)
                before = len(server.received)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(talk, client, conversation, finished)
                    await until(lambda: len(server.received) >= before + stop_after)  # noqa: B023
                    daemon.kill()
        assert len(finished) >= 5


async def test_the_provider_changes_in_the_middle_of_a_conversation(daemon: RealDaemon) -> None:
    upstream = Upstream(["From OpenAI."], ["From Responses."], ["From Anthropic."], ["From Ollama."])
    async with answering(daemon, upstream) as client:
        conversation = (await client.conversations.start(system="Be brief.")).id
        said = []
        for dialect in (CHAT, RESPONSES, ANTHROPIC, OLLAMA):
            sent = await client.conversations.send(
                conversation, f"question to {dialect.name}", retrieve=False, provider=f"{dialect.name}/m-{dialect.name}"
            )
            told = upstream.asked()
            assert all(text in told for text in said)
            assert f'"m-{dialect.name}"' in told
            assert "Be brief." in told
            said += [sent.turn.question, sent.turn.answer]
        turns = (await client.conversations.history(conversation)).turns
        assert [turn.provider for turn in turns] == ["chat", "responses", "anthropic", "ollama"]
        assert [turn.answer for turn in turns] == [
            "From OpenAI.", "From Responses.", "From Anthropic.", "From Ollama.",
        ]  # fmt: skip
        assert all(turn.model and turn.usage.output_tokens == 7 for turn in turns)


async def test_a_conversation_ten_times_longer_than_the_window_goes_on(daemon: RealDaemon) -> None:
    upstream = Upstream(["word " * 60])
    async with answering(daemon, upstream, conversation={"max_context_tokens": 1000}) as client:
        conversation = (await client.conversations.start(system="Be brief.")).id
        for number in range(110):
            sent = await client.conversations.send(conversation, f"question {number}", retrieve=False)
        messages = upstream.server.received[-1].body["messages"]
        assert messages[0]["content"] == "Be brief."
        assert messages[1]["content"] == f"question {sent.turn.left_out}"
        assert messages[-1]["content"] == "question 109"
        assert 0 < sent.turn.left_out < 110
        assert len(messages) == 2 + 2 * (109 - sent.turn.left_out)
        assert len(json.dumps(messages)) < 10 * 1000
        assert any("oldest turns of this conversation were left out" in notice for notice in sent.notices)


async def test_two_clients_see_each_others_turns(daemon: RealDaemon) -> None:
    upstream = Upstream(["Yes."])
    async with answering(daemon, upstream) as ada, daemon.client() as bob:
        conversation = (await ada.conversations.start()).id
        async with bob.conversations.following(conversation) as changes:
            await ada.conversations.send(conversation, "is it?", retrieve=False)
            while (await anext(changes)).change != "turnFinished":
                pass
            turns = (await bob.conversations.history(conversation)).turns
            assert [(turn.question, turn.answer) for turn in turns] == [("is it?", "Yes.")]
            await bob.conversations.send(conversation, "really?", retrieve=False)
        assert "is it?" in upstream.asked()
        assert [turn.number for turn in (await ada.conversations.history(conversation)).turns] == [1, 2]


async def test_a_cancelled_answer_closes_the_upstream_connection_and_keeps_its_part(daemon: RealDaemon) -> None:
    upstream = Upstream(["It waits ", "twice"], ["Whole."])
    upstream.hold = trio.Event()
    async with answering(daemon, upstream) as client:
        conversation = (await client.conversations.start()).id
        async with client.conversations.send_stream(conversation, "how?", retrieve=False) as stream:
            async for event in stream:
                if isinstance(event, answers.DeltaEvent) and event.text == "twice":
                    break
        await until(lambda: upstream.server.left == 1)
        await until(lambda: upstream.server.open_connections == 0)

        async def is_partial() -> bool:
            (turn,) = (await client.conversations.history(conversation)).turns
            return (turn.state, turn.answer) == ("partial", "It waits twice")

        await until(is_partial)
        upstream.hold = None
        assert (await client.conversations.send(conversation, "again", retrieve=False)).turn.answer == "Whole."


async def test_conversations_that_are_not_to_persist_leave_no_file(daemon: RealDaemon) -> None:
    upstream = Upstream(["Yes."])
    async with answering(daemon, upstream, conversation={"persist": False}) as client:
        conversation = (await client.conversations.start()).id
        await client.conversations.send(conversation, "is it?", retrieve=False)
        assert (await client.conversations.history(conversation)).turns[0].answer == "Yes."
    assert not list(daemon.paths.home.rglob("conversations*"))
    await daemon.restart()
    async with daemon.client() as client:
        assert (await client.conversations.list()).total == 0


async def test_a_changed_configuration_is_asked_from_the_next_request_on(daemon: RealDaemon) -> None:
    upstream = Upstream(["Yes."])
    async with answering(daemon, upstream) as client:
        assert (await client.complete("?")).text == "Yes."
        assert (await client.status()).provider == "openai/m"
        configure(daemon, upstream.server, default=ANTHROPIC)

        async def is_changed() -> bool:
            return (await client.status()).provider == "anthropic/m"

        await until(is_changed)
        assert (await client.complete("?")).text == "Yes."
        assert [request.path for request in upstream.server.received] == [CHAT.path, ANTHROPIC.path]


async def test_what_a_provider_refuses_is_one_error_that_names_the_cure(daemon: RealDaemon) -> None:
    async def refuse(request: Received, reply: Reply) -> None:
        await reply.json({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, status=401)

    upstream = Upstream(["unused"])
    async with serving(refuse) as server:
        upstream.server = server
        daemon.environment["TEST_KEY"] = KEY
        configure(daemon, server)
        await daemon.start()
        async with daemon.client() as client:
            with pytest.raises(LucAstraError) as refused:
                await client.complete("?")
            assert refused.value.code is ErrorCode.PROVIDER_FAILED
            assert refused.value.data is not None
            assert refused.value.data["reason"] == "authentication_failed"
            assert KEY not in refused.value.message
            with pytest.raises(LucAstraError, match="did you mean ollama"):
                await client.complete("?", provider="olama")
        await daemon.stop()
