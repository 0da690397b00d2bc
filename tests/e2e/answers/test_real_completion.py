"""Inline completion by a real model that fills in the middle, on a real llama.cpp server, through a real daemon.

What so small a model writes is not judged by its quality: that it arrives, fits its place, is drawn from the context,
that the server is freed when it is superseded, and that what was accepted is still counted after a restart, is.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import msgspec
import pytest
import trio
from llama_server import KEY, LlamaServer, Unavailable, llama_server
from lucastra_protocol.connect import connect
from lucastra_protocol.framing import FrameReader, frame
from real_daemon import RealDaemon, is_ready, until, write

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(900)]

SHOP = "def total_price(basket):\n    return sum(item.price for item in basket.items)\n"
TEXT = "import os\n\n\ndef read_lines(path):\n\n\nprint(read_lines('a'))\n"
NUMBERS = "# The numbers from 1 to 5000, one a line:\nNUMBERS = [\n    1,\n    2,\n    3,\n    "


class Editor:
    """The least of an editor: requests and replies over the daemon's socket."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._frames = FrameReader()
        self._ids = count(1)
        self._replies: dict[int, Any] = {}

    async def tell(self, method: str, params: Any) -> None:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def start(self, method: str, params: Any) -> int:
        number = next(self._ids)
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    async def reply(self, number: int) -> Any:
        while number not in self._replies:
            data = await self._stream.receive_some(65536)
            assert data, "the daemon closed the connection"
            for body in self._frames.feed(bytes(data)):
                message = msgspec.json.decode(body)
                if "method" not in message:
                    assert "error" not in message, message
                    self._replies[message["id"]] = message["result"]
        return self._replies[number]

    async def offered(self, uri: str, line: int, character: int) -> list[str]:
        return [item["insertText"] for item in await self.items(uri, line, character)]

    async def items(self, uri: str, line: int, character: int) -> list[Any]:
        number = await self.start("textDocument/inlineCompletion", place(uri, line, character))
        items: list[Any] = (await self.reply(number))["items"]
        return items

    async def _send(self, message: Any) -> None:
        await self._stream.send_all(frame(msgspec.json.encode(message)))


def place(uri: str, line: int, character: int) -> dict[str, Any]:
    where = {"line": line, "character": character}
    return {"textDocument": {"uri": uri}, "position": where, "context": {"triggerKind": 1}}


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    try:
        with llama_server("qwen") as server:
            yield server
    except Unavailable as reason:
        pytest.skip(f"ran without a real llama.cpp server: {reason}")


@asynccontextmanager
async def editor(daemon: RealDaemon, root: str) -> AsyncIterator[Editor]:
    stream = await connect(daemon.paths)
    assert stream is not None
    async with stream:
        one = Editor(stream)
        started = {"processId": None, "rootUri": root, "capabilities": {}}
        await one.reply(await one.start("initialize", started))
        await one.tell("initialized", {})
        yield one


async def test_a_real_model_completes_and_is_freed_when_superseded(daemon: RealDaemon, server: LlamaServer) -> None:
    llm = {"provider": "llamafile", "endpoint": server.origin, "api_key": "${TEST_KEY}"}
    daemon.environment["TEST_KEY"] = KEY
    completion = {"deadline_secs": 120, "max_tokens": 1500, "context_chars": 1000, "context_deadline_ms": 5000}
    write(daemon.paths.home, {"config.json": json.dumps({"llm": llm, "completion": completion})})
    (daemon.paths.home / "config.json").chmod(0o600)
    root = write(daemon.folder / "shop", {"price.py": SHOP})
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        await until(lambda: is_ready(client, root))
    uri = (root / "new.py").as_uri()
    async with editor(daemon, root.as_uri()) as one:
        item = {"uri": uri, "languageId": "python", "version": 1, "text": TEXT}
        await one.tell("textDocument/didOpen", {"textDocument": item})
        (item_offered,) = await one.items(uri, 3, 21)
        text, accepted = item_offered["insertText"], item_offered["command"]
        assert text.startswith("\n    ")
        assert all(line.startswith("    ") or not line for line in text.split("\n"))

        other = (root / "numbers.py").as_uri()
        await one.tell("textDocument/didOpen", {"textDocument": item | {"uri": other, "text": NUMBERS}})
        superseded = await one.start("textDocument/inlineCompletion", place(other, NUMBERS.count("\n"), 4))
        await until(lambda: trio.to_thread.run_sync(server.slots_busy))
        assert await one.offered(uri, 3, 21) == [text]
        assert (await one.reply(superseded))["items"] == []
        await one.reply(await one.start("workspace/executeCommand", accepted))
    await until(lambda: _idle(server), seconds=20)
    await daemon.restart()
    async with daemon.client() as client:
        (count,) = (await client.status()).completions
    assert (count.provider, count.model, count.language) == ("llm", "", "python")
    assert (count.offered, count.shown, count.accepted) == (1, 1, 1)
    await daemon.stop()


async def _idle(server: LlamaServer) -> bool:
    return not await trio.to_thread.run_sync(server.slots_busy)
