"""What waits for a client is bounded, and one that does not read is given up."""

import socket

import pytest
import trio
import trio.testing
from fakes import Fakes, hit
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.types import ProgressParams, WorkDone
from peer import Peer, serving

from lucastrad.server.outbox import Outbox, SlowClient

pytestmark = pytest.mark.trio


async def test_messages_come_whole_and_in_order() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    outbox = Outbox(theirs)
    bodies = [b"%d" % number * (number % 7 * 1000 + 1) for number in range(200)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        for body in bodies:
            outbox.send(body)
        await outbox.flush()
        nursery.cancel_scope.cancel()
    received = await ours.receive_some(10_000_000)
    assert received == b"".join(frame(body) for body in bodies)


async def test_a_client_that_reads_nothing_is_given_up_after_the_stall(
    autojump_clock: trio.testing.MockClock,
) -> None:
    _, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(theirs, stall_seconds=30.0)
    outbox.send(b"anybody there?")
    with pytest.raises(SlowClient, match="read nothing for 30 s"):
        await outbox.run()
    assert trio.current_time() == pytest.approx(30.0)
    outbox.send(b"nobody")
    await outbox.drain()
    await outbox.flush()
    assert outbox.waiting_bytes == 0


async def test_a_client_that_reads_slowly_is_kept(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(theirs, stall_seconds=30.0)
    body = b"x" * 500_000
    outbox.send(body)
    frames = FrameReader()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        bodies: list[bytes] = []
        while not bodies:
            await trio.sleep(20)
            bodies.extend(frames.feed(bytes(await ours.receive_some(65536))))
        nursery.cancel_scope.cancel()
    assert bodies == [body]


async def test_more_than_the_limit_is_never_kept() -> None:
    _, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(theirs, limit_bytes=10_000)
    async with trio.open_nursery() as nursery:

        async def give_up() -> None:
            with pytest.raises(SlowClient, match="more than 10000 bytes"):
                await outbox.run()

        nursery.start_soon(give_up)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(11):
            outbox.send(b"x" * 1000)
            assert outbox.waiting_bytes <= 10_000


async def test_drain_waits_until_the_client_has_read() -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()
    outbox = Outbox(theirs, high_water_bytes=1000)
    drained = False

    async def drain() -> None:
        nonlocal drained
        await outbox.drain()
        drained = True

    async with trio.open_nursery() as nursery:
        outbox.send(b"x" * 100_000)
        nursery.start_soon(outbox.run)
        nursery.start_soon(drain)
        await trio.testing.wait_all_tasks_blocked()
        assert not drained
        await ours.receive_some(65536)
        await ours.receive_some(65536)
        await trio.testing.wait_all_tasks_blocked()
        assert drained
        nursery.cancel_scope.cancel()


async def test_a_socket_is_written_directly_until_it_is_full() -> None:
    left, right = socket.socketpair()
    ours, theirs = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in (left, right))
    outbox = Outbox(theirs)
    outbox.send(b"at once")
    assert outbox.waiting_bytes == 0
    outbox.send(b"x" * 3_000_000)
    assert outbox.waiting_bytes > 0
    frames = FrameReader()
    bodies: list[bytes] = []
    async with trio.open_nursery() as nursery, ours, theirs:
        nursery.start_soon(outbox.run)
        while len(bodies) < 2:
            bodies.extend(frames.feed(bytes(await ours.receive_some(65536))))
        nursery.cancel_scope.cancel()
    assert bodies == [b"at once", b"x" * 3_000_000]


async def test_a_broken_socket_ends_the_writer() -> None:
    left, right = socket.socketpair()
    outbox = Outbox(trio.SocketStream(trio.socket.from_stdlib_socket(right)))
    left.close()
    outbox.send(b"x" * 10_000_000)
    with pytest.raises(trio.BrokenResourceError):
        await outbox.run()


async def test_a_session_works_only_as_far_ahead_as_its_client_reads(autojump_clock: trio.testing.MockClock) -> None:
    fakes = Fakes()
    fakes.search.hits = [hit(text="x" * 100_000)]
    async with serving(fakes, lockstep=True, greet=False, high_water_bytes=1_000_000) as (peer, session):
        await peer.hello()
        searches = [await peer.start("lucastra/search", {"query": "x"}) for _ in range(200)]
        await trio.testing.wait_all_tasks_blocked()
        assert len(fakes.search.queries) < 200
        assert session._outbox.waiting_bytes < 10_000_000
        for search in searches:
            assert "result" in await peer.reply(search)


async def test_a_streaming_handler_waits_for_its_client(autojump_clock: trio.testing.MockClock) -> None:
    sent = 0
    async with serving(lockstep=True, greet=False, high_water_bytes=10_000) as (peer, session):
        await peer.hello()

        async def stream() -> None:
            nonlocal sent
            for _ in range(1000):
                await session.notify("$/progress", ProgressParams("t", WorkDone("report", message="x" * 1000)))
                sent += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream)
            await trio.testing.wait_all_tasks_blocked()
            assert sent < 100
            while sent < 1000:
                await peer.receive()


async def test_a_client_that_never_reads_is_dropped_and_the_others_are_served(
    autojump_clock: trio.testing.MockClock,
) -> None:
    fakes = Fakes()
    async with (
        serving(fakes, lockstep=True, greet=False) as (deaf, _),
        serving(fakes) as (peer, _),
        trio.open_nursery() as nursery,
    ):
        await deaf.start("lucastra/hello", {"clientName": "d", "clientVersion": "1", "protocolVersion": 1})
        nursery.start_soon(_until_broken, deaf)
        await peer.ask("lucastra/status")
        await trio.sleep(31)
        await peer.ask("lucastra/status")
    assert trio.current_time() == pytest.approx(31)


async def _until_broken(peer: Peer) -> None:
    with pytest.raises(trio.BrokenResourceError):
        while True:
            await peer.start("lucastra/status")
            await trio.sleep(1)
