"""The tools: each decodes its arguments, asks the daemon, and gives a typed report."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import trio
from lucastra_protocol import types as wire
from lucastra_protocol.answers import DeltaEvent, PassagesEvent

from lucastra_client.client import Client
from lucastra_client.mcp_server import contract
from lucastra_client.mcp_server.project import Project, ReportProgress, path_of

_REPORT_SECONDS = 0.25
"""News of an answer that is being written comes no more often."""

Taken = TypeVar("Taken", bound=contract.Arguments)


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool works with."""

    client: Client
    project: Project
    report: ReportProgress


@dataclass(frozen=True, slots=True)
class Tool(Generic[Taken]):
    """One tool: its docstring tells the model when to use it."""

    run: Callable[[Call, Taken], Awaitable[contract.Report]]
    takes: type[Taken]
    gives: type[contract.Report]
    title: str

    @property
    def name(self) -> str:
        """How agents call it."""
        return self.run.__name__

    @property
    def description(self) -> str:
        """What the model reads of it."""
        return " ".join((self.run.__doc__ or "").split())


async def search(call: Call, arguments: contract.SearchArguments) -> contract.Passages:
    """Find code and documentation by meaning, by keyword or both, in the live index of this project. Ask in plain words
    ("where are requests retried") or with identifiers. Gives ranked passages with paths and lines; use it before
    reading files one by one."""
    found = await call.client.search(
        arguments.query,
        mode=arguments.mode,
        limit=arguments.limit,
        workspaces=await call.project.folders(call.client, arguments.folders, call.report),
        paths=arguments.paths,
        languages=arguments.languages,
    )
    return _passages(found)


async def related(call: Call, arguments: contract.RelatedArguments) -> contract.Passages:
    """Find passages similar to the one at a line of an indexed file: other implementations, callers of the same kind,
    its tests and its documentation."""
    folders = await call.project.folders(call.client, arguments.folders, call.report)
    found = await call.client.related(
        await call.project.file(call.client, arguments.path),
        arguments.line,
        limit=arguments.limit,
        workspaces=folders,
        paths=arguments.paths,
        languages=arguments.languages,
    )
    return _passages(found)


async def read_span(call: Call, arguments: contract.ReadArguments) -> contract.Span:
    """Read lines of an indexed file as it is on disk now. Files that are not indexed (ignored, secret, binary, outside
    the workspaces) are refused."""
    first = arguments.start_line
    last = first + contract.READ_LINES - 1 if arguments.end_line is None else max(first, arguments.end_line)
    read = await call.client.read(
        await call.project.file(call.client, arguments.path),
        first,
        limit=min(last - first + 1, contract.MAX_READ_LINES),
    )
    return contract.Span(
        path=path_of(read.uri),
        start_line=read.range.start.line + 1,
        end_line=read.range.end.line,
        total_lines=read.total_lines,
        content=read.content,
    )


async def ask(call: Call, arguments: contract.AskArguments) -> contract.CitedAnswer:
    """Answer a question about the code with numbered citations, by the language model that the user configured; without
    one, the passages that an answer would be written from."""
    folders = await call.project.folders(call.client, arguments.folders, call.report)
    stream = call.client.ask_stream(
        arguments.question,
        limit=arguments.limit,
        workspaces=folders,
        paths=arguments.paths,
        languages=arguments.languages,
    )
    written, told_at = 0, trio.current_time()
    async with stream:
        async for event in stream:
            if isinstance(event, PassagesEvent):
                await call.report(2, None, f"answering from {len(event.citations)} passages")
            elif isinstance(event, DeltaEvent):
                written += len(event.text)
                if trio.current_time() >= told_at + _REPORT_SECONDS:
                    told_at = trio.current_time()
                    await call.report(2 + written, None, f"{written:,} characters written")
    result = stream.result
    return contract.CitedAnswer(
        answer=result.answer,
        found=result.found,
        citations=[contract.Citation(number=one.number, passage=_passage(one.hit)) for one in result.citations],
        model=f"{result.provider}/{result.model}" if result.provider else None,
        freshness=result.freshness,
        notices=result.notices,
    )


async def index_status(call: Call, arguments: contract.StatusArguments) -> contract.IndexStatus:
    """Tell which workspaces are indexed, how far and how fresh they are, and what is wrong. Use it when a search finds
    less than it should."""
    status = await call.client.status()
    project = call.project.workspace(status.workspaces)
    return contract.IndexStatus(
        daemon_version=status.daemon_version,
        embeddings=f"{status.embeddings.provider}/{status.embeddings.model}",
        project=project.root if project else None,
        provider=status.provider,
        workspaces=[contract.Workspace.of(workspace) for workspace in status.workspaces],
        problems=status.problems,
    )


def _passages(found: wire.SearchResult) -> contract.Passages:
    return contract.Passages(
        passages=[_passage(hit) for hit in found.hits], freshness=found.freshness, notices=found.notices
    )


def _passage(hit: wire.Hit) -> contract.Passage:
    start_line, end_line = hit.range.lines()
    return contract.Passage(
        path=path_of(hit.uri),
        start_line=start_line,
        end_line=end_line,
        content=hit.content,
        language=hit.language,
        symbol=hit.symbol,
        kind=hit.kind,
        score=round(hit.score, 4),
        unsaved=hit.unsaved,
    )


TOOLS: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        Tool(search, contract.SearchArguments, contract.Passages, "Search the code"),
        Tool(related, contract.RelatedArguments, contract.Passages, "Find similar code"),
        Tool(read_span, contract.ReadArguments, contract.Span, "Read lines of a file"),
        Tool(ask, contract.AskArguments, contract.CitedAnswer, "Ask about the code"),
        Tool(index_status, contract.StatusArguments, contract.IndexStatus, "State of the index"),
    )
}
"""Name → tool."""
