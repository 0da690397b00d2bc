"""A thousand cuts and a thousand cancellations: no answer is taken for finished, no connection is left behind."""

from itertools import pairwise
from random import Random

import pytest
import trio
from dialects import CHAT, FORMATS, QUESTION, Dialect
from replay import Received, Reply, serving

from lucastrad.llm.errors import Truncated
from lucastrad.llm.protocol import EmbeddingRequest

pytestmark = pytest.mark.trio
every_format = pytest.mark.parametrize("dialect", FORMATS, ids=lambda dialect: dialect.name)

TEXTS = ["It reads ", "the “file”", " 🙂 and ", "returns\n\n", "a dict", "."]


def text_of_whole_events(dialect: Dialect, size: int) -> str:
    """The text of the events that lie wholly in the first `size` bytes."""
    text, end = "", 0
    without_text = dialect.stream([])
    for piece in dialect.stream(TEXTS):
        end += len(piece)
        if end > size:
            break
        for candidate in TEXTS:
            if piece in dialect.stream([candidate]) and piece not in without_text:
                text += candidate
    return text


async def cut_at(dialect: Dialect, positions: list[int], random: Random) -> None:
    """Cut one answer after another, now inside HTTP's framing and now as its regular end."""
    whole = b"".join(dialect.stream(TEXTS))
    waiting = iter(positions)

    async def answer(_: Received, reply: Reply) -> None:
        size = next(waiting)
        splits = sorted({0, size, *(random.randrange(size + 1) for _ in range(3))})
        pieces = [whole[start:end] for start, end in pairwise(splits)]
        match random.randrange(3):
            case 0:
                await reply.start(kind=dialect.content_type)
                for piece in pieces:
                    await reply.send(piece)
                reply.cut()
            case 1:
                await reply.stream(pieces, kind=dialect.content_type)
            case _:
                await reply.start_until_closed(kind=dialect.content_type)
                for piece in pieces:
                    await reply.raw(piece)
                reply.cut()

    async with serving(answer) as server:
        provider = server.provider(dialect, max_concurrent=1)
        for size in positions:
            with pytest.raises(Truncated) as cut:
                await provider.complete(QUESTION)
            assert cut.value.partial_text == text_of_whole_events(dialect, size), size
        await provider.aclose()
        with trio.fail_after(5):
            await server.all_closed()
        assert len(server.received) == len(positions)


def positions_in(dialect: Dialect, count: int) -> list[int]:
    length = sum(map(len, dialect.stream(TEXTS)))
    last = [length - 1, length - 2, 0, 1]
    return [*last, *(Random(1).randrange(length) for _ in range(count - len(last)))]


@every_format
async def test_an_answer_cut_anywhere_is_never_finished(dialect: Dialect) -> None:
    await cut_at(dialect, positions_in(dialect, 25), Random(2))


@pytest.mark.slow
@every_format
async def test_an_answer_cut_at_a_thousand_places_is_never_finished(dialect: Dialect) -> None:
    await cut_at(dialect, positions_in(dialect, 250), Random(3))


async def cancel_at_random(dialect: Dialect, count: int, random: Random) -> None:
    """Cancel after a random number of steps of the event loop: while connecting, sending, waiting or reading.

    One request at a time may be under way, so a place that is not given back would block the next for ever; and no
    reply ends, so every connection has to be closed and none may wait in the pool.
    """

    async def answer(received: Received, reply: Reply) -> None:
        await reply.start(kind=dialect.content_type)
        for piece in dialect.stream(TEXTS * 3)[:-1]:
            await reply.send(piece)
            await trio.lowlevel.checkpoint()
        await trio.sleep_forever()

    async with serving(answer) as server:
        provider = server.provider(dialect, max_concurrent=1)
        for _ in range(count):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(provider.complete, QUESTION)
                for _ in range(random.randrange(60)):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            with trio.fail_after(5):
                await server.all_closed()
        assert server.left > count // 4, "too few cancellations met an answer on its way"


@every_format
async def test_a_cancelled_answer_closes_its_connection(dialect: Dialect) -> None:
    await cancel_at_random(dialect, 25, Random(4))


@pytest.mark.slow
@every_format
async def test_a_thousand_cancellations_leave_no_connection(dialect: Dialect) -> None:
    await cancel_at_random(dialect, 250, Random(5))


async def test_a_cancelled_whole_reply_closes_its_connection_too() -> None:
    scope = trio.CancelScope()

    async def answer(_: Received, reply: Reply) -> None:
        scope.cancel()
        await trio.sleep_forever()

    async with serving(answer) as server:
        provider = server.provider(CHAT, max_concurrent=1)
        for _ in range(3):
            with trio.CancelScope() as scope:
                await provider.embed(EmbeddingRequest(("a",)))
            with trio.fail_after(5):
                await server.all_closed()


@every_format
async def test_leaving_an_answer_early_closes_its_connection(dialect: Dialect) -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.start(kind=dialect.content_type)
        for piece in dialect.stream(TEXTS)[:-1]:
            await reply.send(piece)
        await trio.sleep_forever()

    async with serving(answer) as server:
        provider = server.provider(dialect, max_concurrent=1)
        for _ in range(5):
            async with provider.stream(QUESTION) as stream:
                assert await anext(stream) == TEXTS[0]
                with pytest.raises(RuntimeError, match="not been read to its end"):
                    _ = stream.completion
            with trio.fail_after(5):
                await server.all_closed()


async def test_many_answers_at_once_of_which_every_second_is_cancelled() -> None:
    async def answer(_: Received, reply: Reply) -> None:
        await reply.start()
        for piece in CHAT.stream(TEXTS):
            await reply.send(piece)
            await trio.lowlevel.checkpoint()
        await reply.end()

    finished: list[str] = []

    async with serving(answer) as server:
        provider = server.provider(CHAT, max_concurrent=8)

        async def ask(cancelled: bool) -> None:
            with trio.CancelScope() as scope:
                async with provider.stream(QUESTION) as stream:
                    async for _ in stream:
                        if cancelled:
                            scope.cancel()
                    finished.append(stream.completion.text)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number % 2 == 0)
        assert finished == ["".join(TEXTS)] * 50
        await provider.aclose()
        with trio.fail_after(5):
            await server.all_closed()


async def test_closing_a_provider_lets_what_is_under_way_end() -> None:
    released = trio.Event()

    async def answer(_: Received, reply: Reply) -> None:
        *before, end = CHAT.stream(["one", "two"])
        await reply.start()
        await reply.send(b"".join(before))
        await released.wait()
        await reply.send(end)
        await reply.end()

    async with serving(answer) as server:
        provider = server.provider(CHAT)
        async with provider.stream(QUESTION) as stream:
            await anext(stream)
            await provider.aclose()
            released.set()
            assert [piece async for piece in stream] == ["two"]
            assert stream.completion.text == "onetwo"
        with trio.fail_after(5):
            await server.all_closed()
