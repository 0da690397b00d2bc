"""The MCP server: the SDK's low-level one on standard streams, each request with a daemon connection of its own.

Invariants: a request that ends, however it does, leaves nothing running at the daemon; a daemon that stops or is
upgraded between two requests goes unnoticed; what is printed reaches standard error, never the agent (the SDK diverts
the descriptors).
"""

import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import mcp_types as mcp
import msgspec
import trio
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.version import __version__
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from lucastra_client.client import Client, open_client
from lucastra_client.mcp_server.contract import schema
from lucastra_client.mcp_server.project import Project
from lucastra_client.mcp_server.tools import TOOLS, Call

_PARENT_POLL_SECONDS = 1.0
_FILES_PER_PAGE = 1000
_MAX_LINES = 1_000_000
_TEXT = "text/plain"
"""Of every file: types guessed by name take `.ts` for a video, and differ between machines."""
_INSTRUCTIONS = (
    "LucAstra keeps this project's code and documentation indexed while it changes. Begin with `search`; read more of a"
    " hit's file with `read_span`; follow similar code with `related`. Lines are 1-based. Everything is read-only."
)

Context = ServerRequestContext[Any, Any]
OpenClient = Callable[[], AbstractAsyncContextManager[Client]]


async def serve_stdio(folder: Path) -> None:
    """Serve the agent on standard streams until it closes them or dies. Raises LucAstraError when `folder` is none."""
    server = build_server(Project(folder))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_with_parent, os.getppid())
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        nursery.cancel_scope.cancel()


def build_server(project: Project, open_client: OpenClient = open_client) -> Server[Any]:
    """The server of one agent that works in `project`."""
    requests = _Requests(project, open_client)
    return Server(
        "lucastra",
        title="LucAstra",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=requests.list_tools,
        on_call_tool=requests.call_tool,
        on_list_resources=requests.list_resources,
        on_list_resource_templates=requests.list_resource_templates,
        on_read_resource=requests.read_resource,
    )


async def _end_with_parent(parent_pid: int) -> None:
    """End when the agent dies while another process holds its end of the pipes."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 (no event tells of a parent's death on every system)
        await trio.sleep(_PARENT_POLL_SECONDS)
    # Not a cancellation: the SDK reads in a thread that nothing wakes but input.
    signal.raise_signal(signal.SIGTERM)


class _Requests:
    """What the SDK hands over."""

    def __init__(self, project: Project, open_client: OpenClient) -> None:
        self._project = project
        self._open_client = open_client

    async def list_tools(self, context: Context, params: mcp.PaginatedRequestParams | None) -> mcp.ListToolsResult:
        # `ask` may send passages to the provider that the user configured: it alone reaches an open world.
        return mcp.ListToolsResult(
            tools=[
                mcp.Tool(
                    name=tool.name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=schema(tool.takes),
                    output_schema=schema(tool.gives),
                    annotations=mcp.ToolAnnotations(
                        read_only_hint=True, idempotent_hint=True, open_world_hint=tool.name == "ask"
                    ),
                )
                for tool in TOOLS.values()
            ]
        )

    async def call_tool(self, context: Context, params: mcp.CallToolRequestParams) -> mcp.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(mcp.INVALID_PARAMS, f"there is no tool {params.name!r}; there are {', '.join(TOOLS)}")
        try:
            arguments = msgspec.convert(params.arguments or {}, tool.takes)
            async with self._open_client() as client:
                report = await tool.run(Call(client, self._project, context.session.report_progress), arguments)
        except msgspec.ValidationError as error:
            return _failed(f"{params.name}: {error}")
        except LucAstraError as error:
            return _failed(error.message)
        return mcp.CallToolResult(
            content=[mcp.TextContent(type="text", text=msgspec.json.encode(report).decode())],
            structured_content=msgspec.to_builtins(report),
        )

    async def list_resources(
        self, context: Context, params: mcp.PaginatedRequestParams | None
    ) -> mcp.ListResourcesResult:
        """The indexed files of the project, else of every workspace; a cursor is `offset:root`."""
        cursor = params.cursor if params is not None else None
        try:
            async with self._open_client() as client:
                known = await client.workspaces()
                project = self._project.workspace(known)
                roots = [project.root] if project else [workspace.root for workspace in known]
                offset, _, root = cursor.partition(":") if cursor else ("0", "", roots[0] if roots else "")
                if cursor and not (offset.isdecimal() and root in roots):
                    raise MCPError(mcp.INVALID_PARAMS, "this cursor is of no page; list from the beginning")
                if not roots:
                    return mcp.ListResourcesResult(resources=[])
                page = await client.files(root, offset=int(offset), limit=_FILES_PER_PAGE)
        except LucAstraError as error:
            raise MCPError(mcp.INTERNAL_ERROR, error.message) from error
        following: str | None = None
        if int(offset) + _FILES_PER_PAGE < page.total:
            following = f"{int(offset) + _FILES_PER_PAGE}:{root}"
        elif root != roots[-1]:
            following = f"0:{roots[roots.index(root) + 1]}"
        return mcp.ListResourcesResult(
            resources=[
                mcp.Resource(
                    uri=Path(root, file.path).as_uri(),
                    name=file.path,
                    mime_type=_TEXT,
                    size=file.size_bytes,
                )
                for file in page.files
                if file.status == "indexed" and "\ufffd" not in file.path  # a name that is not UTF-8 came damaged
            ],
            next_cursor=following,
        )

    async def list_resource_templates(
        self, context: Context, params: mcp.PaginatedRequestParams | None
    ) -> mcp.ListResourceTemplatesResult:
        template = mcp.ResourceTemplate(
            uri_template="file://{+path}", name="indexed file", description="An indexed file by its absolute path."
        )
        return mcp.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, context: Context, params: mcp.ReadResourceRequestParams) -> mcp.ReadResourceResult:
        uri = str(params.uri)
        try:
            if not uri.startswith("file:"):
                raise LucAstraError(f"{uri} is no file URI; resources are the indexed files")
            async with self._open_client() as client:
                read = await client.read(uri, limit=_MAX_LINES)
        except LucAstraError as error:
            # MCP 2026-07-28, "Resources": a resource that is not there is INVALID_PARAMS.
            raise MCPError(mcp.INVALID_PARAMS, error.message, {"uri": uri}) from error
        return mcp.ReadResourceResult(contents=[mcp.TextResourceContents(uri=uri, mime_type=_TEXT, text=read.content)])


def _failed(message: str) -> mcp.CallToolResult:
    """A failure that the model reads, so that it can do better."""
    return mcp.CallToolResult(content=[mcp.TextContent(type="text", text=message)], is_error=True)
