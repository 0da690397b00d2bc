"""Which workspaces a tool looks in, and which file a path means."""

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.types import WorkDone, WorkspaceStatus

from lucastra_client import scope

if TYPE_CHECKING:
    from lucastra_client.client import Client

ReportProgress = Callable[[float, float | None, str], Awaitable[None]]
"""Called with how far a request is, of how much (None: unknown), and a message. MCP wants the first to rise with each
call: indexing goes from 0 to 1, what comes after it on from there."""


class Project:
    """The folder that the agent works in."""

    def __init__(self, folder: Path) -> None:
        """Raises LucAstraError (WORKSPACE_NOT_FOUND) when `folder` is none."""
        self._folder = scope.existing_folder(folder, scope.working_folder())

    def workspace(self, known: Sequence[WorkspaceStatus]) -> WorkspaceStatus | None:
        """The workspace that holds the folder, if one does."""
        return scope.workspace_of(self._folder, known)

    async def folders(self, client: "Client", named: Sequence[str], report: ReportProgress) -> list[str]:
        """The folders to look in; empty for every workspace.

        Without names it is the project, whose git repository is indexed first when it is not yet. Folders that are
        named must be indexed already: an agent does not choose what is.
        """
        known = await client.workspaces()
        if named:
            return [str(self._located(folder, known)) for folder in named]
        workspace = self.workspace(known)
        if workspace is not None:
            if not workspace.chunks and workspace.state in ("scanning", "indexing", "embedding"):
                await _index(client, Path(workspace.root), report)
            return [workspace.root]
        if (root := self._repository()) is not None:
            await _index(client, root, report)
            return [str(root)]
        if not known:
            raise LucAstraError(
                f"{self._folder} is in no git repository, and nothing is indexed; "
                "run `lucastra-client index FOLDER` once for the project",
                code=ErrorCode.WORKSPACE_NOT_FOUND,
            )
        return []

    def _repository(self) -> Path | None:
        """The git repository around the folder, unless that is no project (the home folder, the system's)."""
        root = scope.repository_root(self._folder)
        try:
            if root is not None:
                scope.refuse_no_project(root, "lucastra-client")
        except LucAstraError:
            return None
        return root

    async def file(self, client: "Client", path: str) -> str:
        """The absolute path, or file URI, that `path` means: relative ones are taken from the workspace's root.

        Whether it may be read is for the daemon to say, which follows links before it looks.
        """
        return path if path.startswith("file:") else str(self._located(path, await client.workspaces()))

    def _located(self, path: str, known: Sequence[WorkspaceStatus]) -> Path:
        if "\0" in path:
            raise LucAstraError("a path has no NUL character", code=ErrorCode.INVALID_PARAMS)
        workspace = self.workspace(known)
        return Path(os.path.normpath(Path(workspace.root if workspace else self._folder, path)))


async def _index(client: "Client", root: Path, report: ReportProgress) -> None:
    """Index `root`, telling how far that is."""
    news, latest = trio.open_memory_channel[WorkDone](1)
    failure: LucAstraError | None = None

    def on_progress(value: WorkDone) -> None:
        with suppress(trio.WouldBlock):  # the agent has not taken the last news yet; the next will say more
            news.send_nowait(value)

    async def tell() -> None:
        told = -1
        async for value in latest:
            if value.percentage is not None and value.percentage > told:
                told = value.percentage
                await report(told / 100, 1, f"{root.name}: {value.message or value.title or 'indexing'}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        try:
            await client.index(root, on_progress=on_progress)
        except LucAstraError as error:  # kept, so that it leaves without an exception group around it
            failure = error
        news.close()
    if failure is not None:
        raise failure


def path_of(uri: str) -> str:
    """The path that a file URI names; the URI itself where that path is not UTF-8, which JSON cannot carry."""
    try:
        return unquote_to_bytes(urlsplit(uri).path).decode()
    except UnicodeDecodeError:
        return uri
