"""Inline completion by a real model that fills in the middle, on a real llama.cpp server, through a real daemon.

What so small a model writes is not judged by its quality: that it arrives, fits its place, is drawn from the context,
that the server is freed when it is superseded, and that what was accepted is still counted after a restart, is.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from llama_server import KEY, LlamaServer, Unavailable, llama_server
from real_daemon import RealDaemon, is_ready, until, write

from benchmarks.lsp_session import LspSession, open_lsp_session

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(900)]

SHOP = "def total_price(basket):\n    return sum(item.price for item in basket.items)\n"
TEXT = "import os\n\n\ndef read_lines(path):\n\n\nprint(read_lines('a'))\n"
NUMBERS = "# The numbers from 1 to 5000, one a line:\nNUMBERS = [\n    1,\n    2,\n    3,\n    "


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


async def offered(one: LspSession, uri: str, line: int, character: int) -> list[Any]:
    items: list[Any] = (await one.ask("textDocument/inlineCompletion", place(uri, line, character)))["items"]
    return items


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
    async with open_lsp_session(daemon.paths, root) as one:
        item = {"uri": uri, "languageId": "python", "version": 1, "text": TEXT}
        await one.tell("textDocument/didOpen", {"textDocument": item})
        (item_offered,) = await offered(one, uri, 3, 21)
        text, accepted = item_offered["insertText"], item_offered["command"]
        assert text.startswith("\n    ")
        assert all(line.startswith("    ") or not line for line in text.split("\n"))

        other = (root / "numbers.py").as_uri()
        await one.tell("textDocument/didOpen", {"textDocument": item | {"uri": other, "text": NUMBERS}})
        superseded = await one.start("textDocument/inlineCompletion", place(other, NUMBERS.count("\n"), 4))
        await until(lambda: trio.to_thread.run_sync(server.slots_busy))
        assert [item["insertText"] for item in await offered(one, uri, 3, 21)] == [text]
        _, nothing = await one.reply(superseded)
        assert nothing["items"] == []
        await one.ask("workspace/executeCommand", accepted)
    await until(lambda: _idle(server), seconds=20)
    await daemon.restart()
    async with daemon.client() as client:
        (count,) = (await client.status()).completions
    assert (count.provider, count.model, count.language) == ("llm", "", "python")
    assert (count.offered, count.shown, count.accepted) == (1, 1, 1)
    await daemon.stop()


async def _idle(server: LlamaServer) -> bool:
    return not await trio.to_thread.run_sync(server.slots_busy)
