"""The MCP server, by the official SDK's client, against a daemon that answers what a test tells it to."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from fake_daemon import Answer, FakeDaemon, hit, workspace
from lucastra_client import Client as DaemonClient
from lucastra_client import open_client
from lucastra_protocol import types as wire
from lucastra_protocol.answers import DeltaEvent, PassagesEvent
from lucastra_protocol.errors import ErrorCode, LucAstraError

pytest.importorskip("mcp")

from lucastra_client.mcp_server.__main__ import main
from lucastra_client.mcp_server.project import Project
from lucastra_client.mcp_server.serving import build_server
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

EVENTS = [
    PassagesEvent(citations=[wire.Citation(number=1, hit=hit())]),
    DeltaEvent(text="In `main` "),
    DeltaEvent(text="[1]."),
]


class Daemon:
    """What was asked of the daemon, over however many connections."""

    def __init__(self, answers: Mapping[str, Answer], nursery: trio.Nursery) -> None:
        self._answers = answers
        self._nursery = nursery
        self.connections: list[FakeDaemon] = []

    @property
    def requests(self) -> list[tuple[str, Any]]:
        return [request for connection in self.connections for request in connection.requests]

    def asked(self, method: str) -> Any:
        """The params of the one request of this method."""
        (params,) = [params for name, params in self.requests if name == method]
        return params

    @asynccontextmanager
    async def open(self) -> AsyncIterator[DaemonClient]:
        ours, theirs = memory_stream_pair()
        self.connections.append(FakeDaemon(ours, self._answers, events=EVENTS))
        self._nursery.start_soon(self.connections[-1].serve)
        async with open_client(stream=theirs) as client:
            yield client


@asynccontextmanager
async def agent(folder: Path, **answers: Answer) -> AsyncIterator[tuple[Client, Daemon]]:
    """An agent that works in `folder`, and the daemon that its server asks."""
    async with trio.open_nursery() as nursery:
        daemon = Daemon({f"lucastra/{method}": answer for method, answer in answers.items()}, nursery)
        async with Client(build_server(Project(folder), daemon.open), mode="legacy") as client:
            yield client, daemon
        nursery.cancel_scope.cancel()


def indexed(*roots: Path) -> wire.WorkspacesResult:
    return wire.WorkspacesResult(workspaces=[workspace(str(root)) for root in roots])


FOUND = wire.SearchResult(hits=[hit()], freshness="stale", notices=["two files wait"])


@pytest.mark.trio
async def test_every_tool_tells_what_it_takes_and_gives(tmp_path: Path) -> None:
    async with agent(tmp_path) as (client, _):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["search", "related", "read_span", "ask", "index_status"]
    for tool in tools.values():
        assert tool.description
        assert tool.annotations.read_only_hint
        for schema in (tool.input_schema, tool.output_schema):
            assert schema["type"] == "object"
            assert "$ref" not in schema
        assert tool.input_schema["additionalProperties"] is False
    search = tools["search"].input_schema
    assert search["required"] == ["query"]
    assert search["properties"]["limit"] == {
        "description": "Passages at most.", "type": "integer", "minimum": 1, "maximum": 50, "default": 10,
    }  # fmt: skip
    assert "1-based" in tools["read_span"].output_schema["properties"]["end_line"]["description"]


@pytest.mark.trio
async def test_a_search_looks_in_the_project_and_gives_absolute_paths_and_editor_lines(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    answers = {"workspaces": indexed(tmp_path, Path("/elsewhere")), "search": FOUND}
    async with agent(tmp_path / "src", **answers) as (client, daemon):
        result = await client.call_tool("search", {"query": "main", "mode": "keyword", "limit": 3, "paths": ["*.py"]})
    assert daemon.asked("lucastra/search") == wire.SearchParams(
        query="main", mode="keyword", limit=3, workspaces=[str(tmp_path)], paths=["*.py"]
    )
    assert result.structured_content == {
        "passages": [
            {
                "path": "/projects/project/src/app.py",
                "start_line": 10,
                "end_line": 11,
                "content": "def main():\n    run()\n",
                "language": "python",
                "symbol": "main",
                "kind": "function",
                "score": 0.5,
            }
        ],
        "freshness": "stale",
        "notices": ["two files wait"],
    }


@pytest.mark.trio
async def test_folders_that_are_named_are_taken_from_the_workspaces_root(tmp_path: Path) -> None:
    async with agent(tmp_path, workspaces=indexed(tmp_path), search=FOUND) as (client, daemon):
        await client.call_tool("search", {"query": "x", "folders": ["src/../lib", "/elsewhere"]})
    assert daemon.asked("lucastra/search").workspaces == [str(tmp_path / "lib"), "/elsewhere"]


@pytest.mark.trio
async def test_the_repository_that_the_agent_works_in_is_indexed_first(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    shown: list[tuple[float, str | None]] = []

    async def index(params: wire.IndexParams) -> wire.IndexResult:
        await daemon.connections[-1].report(params.work_done_token, wire.WorkDone("report", None, "half", 50))
        return wire.IndexResult(workspace=workspace(params.path))

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        shown.append((done, message))

    async with agent(tmp_path / "src", workspaces=indexed(), index=index, search=FOUND) as (client, daemon):
        await client.call_tool("search", {"query": "x"}, progress_callback=on_progress)
        await wait_all_tasks_blocked()
    assert daemon.asked("lucastra/index").path == str(tmp_path)
    assert daemon.asked("lucastra/search").workspaces == [str(tmp_path)]
    assert shown == [(0.5, f"{tmp_path.name}: half")]


@pytest.mark.trio
async def test_a_repository_that_cannot_be_indexed_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    full = LucAstraError("the disk is full", code=ErrorCode.STORE_UNAVAILABLE)
    async with agent(tmp_path, workspaces=indexed(), index=full) as (client, _):
        result = await client.call_tool("search", {"query": "x"})
    assert (result.is_error, result.content[0].text) == (True, "the disk is full")


@pytest.mark.trio
async def test_outside_of_a_repository_every_workspace_is_searched_and_nothing_is_indexed(tmp_path: Path) -> None:
    async with agent(tmp_path, workspaces=indexed(Path("/elsewhere")), search=FOUND) as (client, daemon):
        await client.call_tool("search", {"query": "x"})
    assert daemon.asked("lucastra/search").workspaces == []


@pytest.mark.trio
async def test_where_nothing_is_indexed_the_cure_is_told(tmp_path: Path) -> None:
    async with agent(tmp_path, workspaces=indexed()) as (client, _):
        result = await client.call_tool("search", {"query": "x"})
    assert result.is_error
    assert "lucastra-client index FOLDER" in result.content[0].text


@pytest.mark.trio
async def test_related_and_read_span_take_paths_from_the_workspaces_root(tmp_path: Path) -> None:
    read = wire.ReadResult(
        uri=(tmp_path / "a b.py").as_uri(),
        path="a b.py",
        workspace=str(tmp_path),
        range=wire.Range.of_lines(5, 6),
        content="five\nsix\n",
        total_lines=9,
    )
    (tmp_path / "src").mkdir()
    async with agent(tmp_path / "src", workspaces=indexed(tmp_path), related=FOUND, read=read) as (client, daemon):
        await client.call_tool("related", {"path": "a b.py", "line": 5})
        span = await client.call_tool("read_span", {"path": "a b.py", "start_line": 5, "end_line": 6})
    sent = daemon.asked("lucastra/related")
    assert (sent.path, sent.line) == (str(tmp_path / "a b.py"), 4)
    assert daemon.asked("lucastra/read") == wire.ReadParams(path=str(tmp_path / "a b.py"), line=4, limit=2)
    assert span.structured_content == {
        "path": str(tmp_path / "a b.py"),
        "start_line": 5,
        "end_line": 6,
        "total_lines": 9,
        "content": "five\nsix\n",
    }


@pytest.mark.parametrize(
    ("lines", "limit"),
    [({}, 400), ({"start_line": 100}, 400), ({"end_line": 9999}, 2000), ({"start_line": 9, "end_line": 3}, 1)],
)
@pytest.mark.trio
async def test_read_span_gives_a_bounded_number_of_lines(tmp_path: Path, lines: dict[str, int], limit: int) -> None:
    gone = LucAstraError("x is not indexed", code=ErrorCode.WORKSPACE_NOT_FOUND)
    async with agent(tmp_path, workspaces=indexed(tmp_path), read=gone) as (client, daemon):
        result = await client.call_tool("read_span", {"path": "x", **lines})
    assert daemon.asked("lucastra/read").limit == limit
    assert (result.is_error, result.content[0].text) == (True, "x is not indexed")


@pytest.mark.trio
async def test_an_answer_has_its_citations_and_tells_how_far_it_is(tmp_path: Path) -> None:
    answered = wire.AskResult(
        citations=[wire.Citation(number=1, hit=hit())], answer="In `main` [1].", provider="llm", model="m"
    )
    shown: list[str | None] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        shown.append(message)

    async with agent(tmp_path, workspaces=indexed(tmp_path), ask=answered) as (client, _):
        result = await client.call_tool("ask", {"question": "where?"}, progress_callback=on_progress)
        await wait_all_tasks_blocked()
    answer = result.structured_content
    assert (answer["answer"], answer["model"]) == ("In `main` [1].", "llm/m")
    assert [(one["number"], one["passage"]["start_line"]) for one in answer["citations"]] == [(1, 10)]
    assert shown == ["answering from 1 passages"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "`query`"),
        ({"query": "x", "limit": 51}, "$.limit"),
        ({"query": "x", "langauges": ["go"]}, "`langauges`"),
        ({"query": ["x"]}, "$.query"),
    ],
)
@pytest.mark.trio
async def test_wrong_arguments_are_told_to_the_model(
    tmp_path: Path, arguments: dict[str, object], complaint: str
) -> None:
    async with agent(tmp_path) as (client, daemon):
        result = await client.call_tool("search", arguments)
    assert result.is_error
    assert complaint in result.content[0].text
    assert daemon.requests == []


@pytest.mark.trio
async def test_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    async with agent(tmp_path) as (client, _):
        with pytest.raises(MCPError, match="there is no tool 'grep'"):
            await client.call_tool("grep", {})


@pytest.mark.trio
async def test_a_call_that_the_agent_cancels_is_cancelled_at_the_daemon(tmp_path: Path) -> None:
    asked = trio.Event()

    async def never(params: wire.AskParams) -> wire.AskResult:
        asked.set()
        await trio.sleep_forever()
        raise AssertionError

    async with agent(tmp_path, workspaces=indexed(tmp_path), ask=never) as (client, daemon):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "ask", {"question": "why?"})
            await asked.wait()
            nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert len(daemon.connections[-1].cancelled) == 1
        assert not (await client.list_tools()).next_cursor  # and the server goes on


@pytest.mark.trio
async def test_a_path_that_is_no_utf_8_stays_a_uri(tmp_path: Path) -> None:
    odd = wire.SearchResult(hits=[hit("caf%E9.py"), hit("caf%C3%A9.py")])
    async with agent(tmp_path, workspaces=indexed(tmp_path), search=odd) as (client, _):
        result = await client.call_tool("search", {"query": "x"})
    assert [one["path"] for one in result.structured_content["passages"]] == [
        "file:///projects/project/caf%E9.py",
        "/projects/project/café.py",
    ]


@pytest.mark.trio
async def test_resources_are_the_indexed_files_page_by_page(tmp_path: Path) -> None:
    async def files(params: wire.FilesParams) -> wire.FilesResult:
        rows = [
            wire.FileStatus(path=f"{Path(params.path).name}-{params.offset}.py", status="indexed", size_bytes=7),
            wire.FileStatus(path=".env", status="skipped", reason="secret file"),
        ]
        return wire.FilesResult(files=rows, total=1500 if params.path == "/p/one" else 2)

    async with agent(tmp_path, workspaces=indexed(Path("/p/one"), Path("/p/two")), files=files) as (client, _):
        uris, cursor = [], None
        while True:
            page = await client.list_resources(cursor=cursor)
            uris += [resource.uri for resource in page.resources]
            if (cursor := page.next_cursor) is None:
                break
        with pytest.raises(MCPError, match="cursor"):
            await client.list_resources(cursor="0:/etc")
    assert uris == ["file:///p/one/one-0.py", "file:///p/one/one-1000.py", "file:///p/two/two-0.py"]


@pytest.mark.trio
async def test_a_resource_is_read_whole_and_as_text(tmp_path: Path) -> None:
    read = wire.ReadResult(
        uri="file:///p/a.ts", path="a.ts", workspace="/p", range=wire.Range.of_lines(1, 1), content="1\n", total_lines=1
    )
    async with agent(tmp_path, read=read) as (client, daemon):
        (content,) = (await client.read_resource("file:///p/a.ts")).contents
        with pytest.raises(MCPError, match="no file URI"):
            await client.read_resource("https://example.org/a.ts")
    assert (content.text, content.mime_type) == ("1\n", "text/plain")
    assert daemon.asked("lucastra/read").path == "file:///p/a.ts"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "gone")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_without_the_sdk_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['mcp'] = sys.modules['mcp_types'] = None\n"
        "from lucastra_client.mcp_server.__main__ import main\n"
        "sys.exit(main([]))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith('install it with `pip install "lucastra[mcp]"`\n')
    assert done.stdout == ""
