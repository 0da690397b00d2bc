"""`lucastrad mcp` as agents use it: the official SDK's client over standard streams, a real daemon, a small project."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from user_home import Home

mcp = pytest.importorskip("mcp")

from mcp.client import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: E402
from mcp.shared.exceptions import MCPError  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.trio]

COMMAND = [sys.executable, "-P", "-m", "lucastrad", "mcp"]
PATIENCE_SECONDS = 60.0


@asynccontextmanager
async def agent(home: Home, project: Path) -> AsyncIterator[Client]:
    """An agent's client of a server that stands in `project`."""
    server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=home.environment, cwd=project)
    with trio.fail_after(PATIENCE_SECONDS):
        async with Client(stdio_client(server)) as client:
            yield client


async def test_an_agent_lists_and_calls_every_tool(home: Home, project: Path) -> None:
    progress: list[float] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        progress.append(done)

    async with agent(home, project) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"search", "related", "read_span", "ask", "index_status"}
        assert all(tool.input_schema["type"] == tool.output_schema["type"] == "object" for tool in tools.values())

        # The repository that the agent stands in is indexed by its first question.
        found = await client.call_tool("search", {"query": "retry_with_backoff"}, progress_callback=on_progress)
        first = found.structured_content["passages"][0]
        assert (first["path"], first["symbol"]) == (str(project / "shop/retry.py"), "retry_with_backoff")
        assert json.loads(found.content[0].text) == found.structured_content
        assert progress == sorted(progress)
        assert progress

        read = (
            await client.call_tool("read_span", {"path": first["path"], "start_line": 4, "end_line": 5})
        ).structured_content
        text = (project / "shop/retry.py").read_text()
        assert read["content"].splitlines() == text.splitlines()[3:5]
        assert (read["start_line"], read["end_line"], read["total_lines"]) == (4, 5, len(text.splitlines()))

        similar = await client.call_tool("related", {"path": "shop/retry.py", "line": 4})
        assert str(project / "shop/basket.py") in [one["path"] for one in similar.structured_content["passages"]]

        answer = (await client.call_tool("ask", {"question": "how is a failed call retried?"})).structured_content
        assert str(project / "shop/retry.py") in [one["passage"]["path"] for one in answer["citations"]]
        assert "answer" not in answer  # no provider is configured, and a notice says how to
        assert answer["notices"]

        status = (await client.call_tool("index_status", {})).structured_content
        assert status["project"] == str(project)
        assert [(one["root"], one["state"]) for one in status["workspaces"]] == [(str(project), "ready")]


async def test_indexed_files_are_resources(home: Home, project: Path) -> None:
    home.client("index", str(project), cwd=project, check=0)
    async with agent(home, project) as client:
        listed = {resource.name: resource for resource in (await client.list_resources()).resources}
        assert set(listed) == {"README.md", "shop/basket.py", "shop/retry.py"}
        read = await client.read_resource(listed["shop/basket.py"].uri)
        assert read.contents[0].text == (project / "shop/basket.py").read_text()
        with pytest.raises(MCPError, match="not indexed"):
            await client.read_resource((project / "shop/secrets.env").as_uri())


async def test_only_indexed_files_are_read(home: Home, project: Path) -> None:
    outside = home.folder / "outside.txt"
    outside.write_text("not yours\n")
    (project / "link.txt").symlink_to(outside)
    (project / "notes.py").write_text("total = 1\n")
    home.client("index", str(project), cwd=project, check=0)
    # What an agent may read is decided when it reads: this file turned into a secret after it was indexed.
    (project / "notes.py").write_text(
        f"-----BEGIN PRIVATE KEY-----\n{'MIIEvQIBADANBgkq' * 4}\n-----END PRIVATE KEY-----\n"
    )
    async with agent(home, project) as client:
        for path in (
            "shop/secrets.env",
            "../outside.txt",
            "shop/../../outside.txt",
            "link.txt",
            "notes.py",
            ".git/HEAD",
            "gone.py",
            str(outside),
            outside.as_uri(),
            "/etc/passwd",
            "file:///etc/passwd",
            "https://example.org/",
            "",
        ):
            refused = await client.call_tool("read_span", {"path": path})
            assert refused.is_error, path
            assert "not yours" not in str(refused), path


async def test_a_daemon_that_stops_between_two_calls_is_started_again(home: Home, project: Path) -> None:
    async with agent(home, project) as client:
        await client.call_tool("search", {"query": "basket"})
        home.client("stop", cwd=project, check=0)
        assert not (await client.call_tool("search", {"query": "basket"})).is_error


async def test_what_is_printed_never_reaches_the_agent_and_the_server_ends_with_its_input(
    home: Home, project: Path
) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            server = await nursery.start(start_noisy, home, project)
            lines = Lines(server.stdout)
            await server.stdin.send_all(request(1, "initialize", INITIALIZE))
            assert (await lines.next())["id"] == 1
            await server.stdin.send_all(request(2, "tools/call", {"name": "index_status", "arguments": {}}))
            reply = await lines.next()
            assert reply["id"] == 2
            assert not reply["result"]["isError"]
            await server.stdin.aclose()
            assert await lines.rest() == b""
            assert await server.wait() == 0


async def test_the_server_ends_with_its_input_while_it_works(home: Home, project: Path) -> None:
    work = request(1, "initialize", INITIALIZE) + request(
        2, "tools/call", {"name": "search", "arguments": {"query": "x"}}
    )
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(COMMAND, stdin=work, capture_stdout=True, cwd=project, env=home.environment)
    assert [json.loads(line)["jsonrpc"] for line in done.stdout.splitlines()]
    # The daemon that the call started may not listen yet: whoever asks next waits for it, and it can be stopped.
    home.client("index", str(project), cwd=project, check=0)


async def test_the_server_ends_with_its_parent_though_its_input_stays_open(home: Home, project: Path) -> None:
    parent = "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"
    with trio.fail_after(PATIENCE_SECONDS):
        process = await trio.lowlevel.open_process(
            [sys.executable, "-P", "-c", parent, *COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=project,
            env=home.environment,
        )
        lines = Lines(process.stdout)
        await process.stdin.send_all(request(1, "initialize", INITIALIZE))
        assert (await lines.next())["id"] == 1
        process.kill()
        assert await lines.rest() == b""  # the server held the other end of the pipe
        await process.wait()


INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}

NOISY = """
import dataclasses, functools, os, subprocess, sys
from lucastra_client.mcp_server import __main__, tools

quiet = tools.TOOLS["index_status"]

@functools.wraps(quiet.run)
async def noisy(call, arguments):
    print("stray", flush=True)
    os.write(1, b"bytes\\n")
    subprocess.run(["echo", "child"], check=True)
    return await quiet.run(call, arguments)

tools.TOOLS["index_status"] = dataclasses.replace(quiet, run=noisy)
sys.exit(__main__.main([]))
"""


async def start_noisy(
    home: Home, project: Path, *, task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED
) -> None:
    """A server whose tool prints, from Python, from C and from a child process."""
    await trio.run_process(
        [sys.executable, "-P", "-c", NOISY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=project,
        env=home.environment,
        task_status=task_status,
    )


def request(number: int, method: str, params: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


class Lines:
    """The messages that a server writes."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._received = b""

    async def next(self) -> Any:
        """The next line, which must be JSON."""
        while b"\n" not in self._received:
            data = await self._stream.receive_some(65536)
            assert data, "the server left"
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)

    async def rest(self) -> bytes:
        """What comes until the server closes its end."""
        while data := await self._stream.receive_some(65536):
            self._received += data
        return self._received


async def test_the_folder_can_be_named(home: Home, project: Path) -> None:
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], os.fspath(project)], env=home.environment, cwd=home.folder
    )
    with trio.fail_after(PATIENCE_SECONDS):
        async with Client(stdio_client(server)) as client:
            found = await client.call_tool("search", {"query": "total price of the basket"})
            assert found.structured_content["passages"][0]["path"] == str(project / "shop/basket.py")
