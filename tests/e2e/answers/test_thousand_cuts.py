"""A thousand streams cut through a real daemon: one reply each, never a finished answer, and nothing left behind."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec
import pytest
import trio
from dialects import DIALECTS, KEY, Dialect
from lucastra_protocol.connect import connect
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.framing import FrameReader, frame
from lucastra_protocol.version import PROTOCOL_VERSION, __version__
from real_daemon import RealDaemon, until, write
from replay import Received, ReplayServer, Reply, serving
from test_provider_cuts_and_cancels import TEXTS, text_of_whole_events

pytestmark = [pytest.mark.slow, pytest.mark.trio]

COUNT = 1000
SESSIONS = 5
WHOLE = {dialect.name: b"".join(dialect.stream(TEXTS)) for dialect in DIALECTS}


@dataclass(frozen=True)
class Cut:
    """An answer of which only the first `size` bytes come."""

    dialect: Dialect
    size: int
    how: Literal["inside HTTP's framing", "as its regular end", "as its end in HTTP/1.0"]


def cuts() -> list[Cut]:
    """At each API's first and last bytes, and at others that are spread evenly."""
    random = Random(1)
    found = []
    for number in range(COUNT):
        dialect = DIALECTS[number % len(DIALECTS)]
        length = len(WHOLE[dialect.name])
        ends = [length - 1, length - 2, 0, 1]
        turn, turns = number // len(DIALECTS), COUNT // len(DIALECTS) + 1
        size = ends[turn] if turn < len(ends) else turn * length // turns
        how = random.choice(["inside HTTP's framing", "as its regular end", "as its end in HTTP/1.0"])
        found.append(Cut(dialect, size, how))
    return found


class Upstream:
    """Cuts each answer as the number in its question says, and answers questions without a number wholly."""

    def __init__(self, cuts: Sequence[Cut]) -> None:
        self._cuts = cuts
        self._random = Random(2)
        self.server: ReplayServer
        self.most_connections = 0

    async def __call__(self, request: Received, reply: Reply) -> None:
        asked = re.search(r"question (\d+|of) ", json.dumps(request.body))
        if request.method != "POST" or asked is None:
            await reply.json({"error": {"message": "no such path"}}, status=404)
            return
        if asked[1] == "of":
            dialect = next(dialect for dialect in DIALECTS if dialect.path == request.path)
            await reply.stream([WHOLE[dialect.name]], kind=dialect.content_type)
            return
        cut = self._cuts[int(asked[1])]
        self.most_connections = max(self.most_connections, connections_to(self.server))
        assert request.path == cut.dialect.path
        assert KEY in request.headers[cut.dialect.key_header]
        splits = sorted({0, cut.size, *(self._random.randrange(cut.size + 1) for _ in range(3))})
        until_closed = cut.how == "as its end in HTTP/1.0"
        await (reply.start_until_closed if until_closed else reply.start)(kind=cut.dialect.content_type)
        for start, end in pairwise(splits):
            await (reply.raw if until_closed else reply.send)(WHOLE[cut.dialect.name][start:end])
        if cut.how == "as its regular end":
            await reply.end()
        reply.cut()


class Session:
    """A connection to the daemon that notes all that comes."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.replies: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.text: dict[int, str] = defaultdict(str)
        """What was streamed, by the number of the request."""

    async def ask(self, numbers: Sequence[int], cuts: Sequence[Cut]) -> None:
        """Ask all these at once; return when each was answered, and a last request that comes after them."""
        hello = {"clientName": "test", "clientVersion": __version__, "protocolVersion": PROTOCOL_VERSION}
        await self._send(-1, "lucastra/hello", hello)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive, {-1, *numbers})
            for number in numbers:
                params = {"prompt": f"question {number} ", "provider": cuts[number].dialect.name}
                await self._send(number, "lucastra/complete", {**params, "partialResultToken": number})
        await self._send(-2, "lucastra/providers", {})
        await self._receive({-2})

    async def _send(self, number: int, method: str, params: dict[str, Any]) -> None:
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self._stream.send_all(frame(msgspec.json.encode(message)))

    async def _receive(self, wanted: set[int]) -> None:
        frames = FrameReader()
        while wanted - self.replies.keys():
            data = await self._stream.receive_some(65_536)
            assert data, "the daemon closed the connection"
            assert KEY.encode() not in data
            for body in frames.feed(bytes(data)):
                message = msgspec.json.decode(body)
                if "id" in message:
                    self.replies[message["id"]].append(message)
                elif message["params"]["value"]["kind"] == "delta":
                    self.text[message["params"]["token"]] += message["params"]["value"]["text"]


def configure(daemon: RealDaemon, server: ReplayServer) -> None:
    def section(dialect: Dialect) -> dict[str, Any]:
        endpoint = f"{server.origin}{dialect.prefix}"
        return dialect.settings | {"endpoint": endpoint, "api_key": "${TEST_KEY}", "retry_attempts": 0}

    tree = {"providers": {dialect.name: section(dialect) for dialect in DIALECTS}, "logging": {"level": "debug"}}
    write(daemon.paths.home, {"config.json": json.dumps(tree)})
    (daemon.paths.home / "config.json").chmod(0o600)
    daemon.environment["TEST_KEY"] = KEY


def connections_to(server: ReplayServer) -> int:
    """How many connections to the server some process still holds open at its own end."""
    port = int(server.origin.rpartition(":")[2])
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # Columns as in proc_pid_net(5): the third is the other end, the tenth the inode, 0 once no process holds it.
    return sum(row[2].endswith(f":{port:04X}") and row[9] != "0" for row in rows)


async def test_a_thousand_cut_streams_end_in_one_error_each_and_leave_nothing_behind(daemon: RealDaemon) -> None:
    planned = cuts()
    upstream = Upstream(planned)
    async with serving(upstream) as server:
        upstream.server = server
        configure(daemon, server)
        await daemon.start()
        sessions: list[Session] = []

        async def ask(part: int) -> None:
            stream = await connect(daemon.paths)
            assert stream is not None
            async with stream:
                sessions.append(session := Session(stream))
                await session.ask(range(part, COUNT, SESSIONS), planned)

        async with trio.open_nursery() as nursery:
            for part in range(SESSIONS):
                nursery.start_soon(ask, part)
        replies = {number: its for session in sessions for number, its in session.replies.items() if number >= 0}
        assert sorted(replies) == list(range(COUNT))
        streamed = {number: text for session in sessions for number, text in session.text.items()}
        for number, cut in enumerate(planned):
            (reply,) = replies[number]
            error, expected = reply["error"], text_of_whole_events(cut.dialect, cut.size)
            assert (error["code"], error["data"]["reason"]) == (ErrorCode.PROVIDER_FAILED, "truncated"), (cut, reply)
            assert error["data"]["provider"] == cut.dialect.name
            assert "before its answer was complete; ask again" in error["message"]
            assert (error["data"]["partialText"], streamed.get(number, "")) == (expected, expected), cut
        assert len(server.received) == COUNT
        async with daemon.client() as client:
            for (
                dialect
            ) in DIALECTS:  # which makes room, in its pool of connections, of those that the server has closed
                whole = await client.complete("a question of the usual kind", provider=dialect.name)
                assert whole.text == "".join(TEXTS)
        # What is still open is open at both ends: kept for the next question.
        await until(lambda: connections_to(server) == server.open_connections <= len(DIALECTS))
        assert upstream.most_connections > 1, "they were counted"
        await daemon.stop()
    for file in daemon.paths.home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file
