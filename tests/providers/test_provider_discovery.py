"""Servers of this machine are found at the addresses where they usually listen."""

import socket

import pytest
from replay import Received, Reply, serving

from lucastrad.llm.discovery import LocalServer, find_local_servers

pytestmark = pytest.mark.trio


async def llamafile(received: Received, reply: Reply) -> None:
    if received.path == "/v1/models":
        await reply.json({"object": "list", "data": [{"id": "LLaMA_CPP", "object": "model"}]})
    else:
        await reply.json({"error": {"message": "File Not Found", "type": "not_found_error"}}, status=404)


async def ollama(received: Received, reply: Reply) -> None:
    assert received.path == "/api/tags"
    await reply.json({"models": [{"name": "llama3.2:latest"}]})


async def some_other_program(_: Received, reply: Reply) -> None:
    await reply.whole(b"<html>", kind="text/html")


async def test_running_servers_are_found_with_their_models_and_get_no_key() -> None:
    async with serving(llamafile) as one, serving(ollama) as other:
        addresses = {"llamafile": one.origin, "ollama": other.origin}
        assert await find_local_servers({"OPENAI_API_KEY": "sk-0123456789"}, addresses=addresses) == (
            LocalServer("llamafile", one.origin, ("LLaMA_CPP",)),
            LocalServer("ollama", other.origin, ("llama3.2:latest",)),
        )
        for received in (*one.received, *other.received):
            assert "authorization" not in received.headers
        for server in (one, other):
            await server.all_closed()


async def test_other_programs_and_closed_ports_are_no_servers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with serving(some_other_program) as program:
            assert await find_local_servers({}, addresses={"llamafile": program.origin, "ollama": closed}) == ()
