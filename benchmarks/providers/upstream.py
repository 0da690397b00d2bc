"""A model server for the benchmark: Chat Completions, streamed, with a latency and no work of its own.

    python upstream.py LATENCY_MS PIECES

Prints its port. Each piece of an answer is the time at which it was sent, in nanoseconds of the monotonic clock, which
all processes of a machine share, so that a client knows how long a piece has been on its way.
"""

import asyncio
import json
import sys
import time
from typing import Any

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Session(asyncio.Protocol):
    """One connection, kept alive; requests come one after the other."""

    def __init__(self, latency: float, pieces: int) -> None:
        self._latency = latency
        self._pieces = pieces
        self._read = b""
        self._answers: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, blank, rest = self._read.partition(b"\r\n\r\n")
        if not blank:
            return
        fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
        length = next((int(value) for name, _, value in fields if name == b"content-length"), 0)
        if len(rest) < length:
            return
        self._read = rest[length:]
        answer = asyncio.get_running_loop().create_task(self._answer())
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        for answer in self._answers:
            answer.cancel()

    async def _answer(self) -> None:
        self._transport.write(_HEAD)
        await asyncio.sleep(self._latency)
        for _ in range(self._pieces):
            self._send({"choices": [{"index": 0, "delta": {"content": f"{time.monotonic_ns()} "}}]})
            await asyncio.sleep(0)
        self._send({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._send({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": self._pieces}})
        self._write(b"data: [DONE]\n\n")
        self._transport.write(b"0\r\n\r\n")

    def _send(self, event: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(data), data))


async def main(latency: float, pieces: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(latency, pieces), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000, int(sys.argv[2])))
