"""Progress of long work, as LSP work-done progress."""

import uuid
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from lsprotocol import types as lsp
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.types import ProgressParams, WorkDone
from pygls.exceptions import JsonRpcException

from lucastrad.server.handlers.wire import text_to_wire
from lucastrad.types import IndexProgress, WorkspaceState

if TYPE_CHECKING:
    from lucastrad.server.session import Session

_CREATE_SECONDS = 5.0


class WorkDoneProgress:
    """Tells a client how far a piece of work has come, on the client's token or on one of ours.

    `window/workDoneProgress/cancel` with the token cancels the request that the work is done for.
    """

    def __init__(
        self, session: "Session", token: int | str | None, title: str, *, cancellable: bool = True, percent: bool = True
    ) -> None:
        """Without a token the client is asked to show the progress; one that cannot is told nothing.

        `percent` says whether it is known how much is left.
        """
        self._session = session
        self._token = token
        self._title = title
        self._cancellable = cancellable
        self._percentage = 0 if percent else None
        self._last: WorkDone | None = None

    async def __aenter__(self) -> "WorkDoneProgress":
        if self._token is None:
            self._token = await _created(self._session)
        if self._token is not None and self._cancellable:
            self._session.engine.cancel_by_progress_token(self._token)
        await self._send(
            WorkDone(kind="begin", title=self._title, percentage=self._percentage, cancellable=self._cancellable)
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._token is not None:
            self._session.engine.progress.tokens.pop(self._token, None)
            # Not awaited: the end belongs to a cancelled request too.
            self._session.engine.send_notification(lsp.PROGRESS, ProgressParams(self._token, WorkDone(kind="end")))

    async def report(self, message: str, percentage: int = 0) -> None:
        """Send the news, unless it looks like the last one; the percentage never falls, as LSP asks."""
        if self._percentage is not None:
            self._percentage = max(self._percentage, percentage)
        value = WorkDone(kind="report", message=message, percentage=self._percentage)
        if value != self._last:
            self._last = value
            await self._send(value)

    async def _send(self, value: WorkDone) -> None:
        if self._token is not None:
            await self._session.notify(lsp.PROGRESS, ProgressParams(self._token, value))


def indexing_title(folder: Path) -> str:
    """What the progress of a folder's indexing is called."""
    return f"Indexing {text_to_wire(folder.name)}"


async def show_indexing(session: "Session", folder: Path) -> None:
    """Show the editor how a folder that it has opened is indexed, if there is anything to index."""
    async with AsyncExitStack() as stack:
        shown: WorkDoneProgress | None = None

        async def report(progress: IndexProgress) -> None:
            nonlocal shown
            if shown is None and progress.state in (WorkspaceState.INDEXING, WorkspaceState.EMBEDDING):
                opened = WorkDoneProgress(session, None, indexing_title(folder), cancellable=False)
                shown = await stack.enter_async_context(opened)
            if shown is not None:
                await shown.report(*indexing_news(progress))

        with suppress(LucAstraError):  # it was removed meanwhile
            await session.services.workspaces.follow(folder, report)


def indexing_news(progress: IndexProgress) -> tuple[str, int]:
    """The message and the percentage that tell how far an indexing has come."""
    return _message(progress), _percentage(progress)


async def _created(session: "Session") -> str | None:
    """A token of ours that the client shows progress on; None where it shows none, or does not answer."""
    if not session.engine.client_can("window.work_done_progress"):
        return None
    token = str(uuid.uuid4())
    with trio.move_on_after(_CREATE_SECONDS):
        try:
            await session.engine.server.window_work_done_progress_create_async(lsp.WorkDoneProgressCreateParams(token))
        except JsonRpcException:
            return None
        return token
    return None


def _percentage(progress: IndexProgress) -> int:
    """Reading the files is one half of the work, embedding their chunks the other."""
    if progress.state is WorkspaceState.READY:
        return 100
    files = progress.files_done / progress.files_total if progress.files_total else 0.0
    embedded = progress.embedded / progress.chunks if progress.chunks else 0.0
    return min(99, int(50 * files + 50 * files * embedded))


def _message(progress: IndexProgress) -> str:
    if progress.state is WorkspaceState.SCANNING:
        return "scanning"
    if progress.state is WorkspaceState.EMBEDDING:
        return f"embedding: {progress.embedded:,} of {progress.chunks:,} chunks"
    return f"{progress.state.value}: {progress.files_done:,} of {progress.files_total:,} files"
