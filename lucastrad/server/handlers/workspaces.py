"""`lucastra/index`, `lucastra/workspaces`, `lucastra/removeWorkspace`, `lucastra/files` and `lucastra/read`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol.types import (
    FILES,
    INDEX,
    READ,
    REMOVE,
    WORKSPACES,
    Empty,
    FilesParams,
    FilesResult,
    FileStatus,
    IndexParams,
    IndexResult,
    Range,
    ReadParams,
    ReadResult,
    RemoveResult,
    WorkspaceParams,
    WorkspacesResult,
)

from lucastrad.server.handlers.progress import WorkDoneProgress, indexing_news, indexing_title
from lucastrad.server.handlers.wire import file_uri, path_from_wire, text_to_wire, workspace_to_wire
from lucastrad.types import IndexOutcome, IndexProgress

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def index(session: "Session", params: IndexParams) -> IndexResult:
    """Add a workspace, or bring one up to date."""
    path = path_from_wire(params.path, field="path")
    workspaces = session.services.workspaces
    if params.work_done_token is None:
        outcome = await workspaces.index(path, wait=params.wait)
    else:
        async with WorkDoneProgress(session, params.work_done_token, indexing_title(path)) as shown:

            async def report(progress: IndexProgress) -> None:
                await shown.report(*indexing_news(progress))

            outcome = await workspaces.index(path, wait=params.wait, progress=report)
    return index_result(outcome)


def index_result(outcome: IndexOutcome) -> IndexResult:
    """What bringing a workspace up to date did."""
    return IndexResult(
        workspace=workspace_to_wire(outcome.workspace),
        indexed_files=outcome.indexed_files,
        embedded_chunks=outcome.embedded_chunks,
        elapsed_seconds=outcome.elapsed_seconds,
    )


async def workspaces(session: "Session", params: Empty) -> WorkspacesResult:
    """List the workspaces."""
    reports = await session.services.workspaces.reports()
    return WorkspacesResult(workspaces=[workspace_to_wire(report) for report in reports])


async def remove(session: "Session", params: WorkspaceParams) -> RemoveResult:
    """Forget a workspace and its index."""
    root = await session.services.workspaces.remove(path_from_wire(params.path, field="path"))
    return RemoveResult(root=text_to_wire(root))


async def files(session: "Session", params: FilesParams) -> FilesResult:
    """List a workspace's files."""
    reports, total = await session.services.workspaces.files(
        path_from_wire(params.path, field="path"),
        skipped_only=params.skipped_only,
        offset=params.offset,
        limit=params.limit,
    )
    return FilesResult(
        files=[
            FileStatus(
                path=text_to_wire(report.path),
                status=report.state.value,
                reason=text_to_wire(report.reason),
                language=report.language,
                chunks=report.chunks,
                size_bytes=report.size_bytes,
            )
            for report in reports
        ],
        total=total,
    )


async def read(session: "Session", params: ReadParams) -> ReadResult:
    """Read lines of an indexed file."""
    found = await session.services.workspaces.read(
        path_from_wire(params.path, field="path"), start_line=params.line + 1, limit=params.limit
    )
    return ReadResult(
        uri=file_uri(found.workspace, found.path),
        path=text_to_wire(found.path),
        workspace=text_to_wire(found.workspace),
        range=Range.of_lines(found.start_line, found.start_line + found.lines - 1),
        content=text_to_wire(found.text),
        total_lines=found.total_lines,
    )


HANDLERS: dict[str, Callable[..., Any]] = {
    INDEX.name: index,
    WORKSPACES.name: workspaces,
    REMOVE.name: remove,
    FILES.name: files,
    READ.name: read,
}
