"""The editor's side of LSP: workspace folders become workspaces. Document sync is the engine's."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from lucastra_protocol.errors import LucAstraError

from lucastrad.server.handlers import completion, selection, symbols
from lucastrad.server.handlers.progress import show_indexing
from lucastrad.server.handlers.wire import path_from_wire
from lucastrad.server.parent import until_gone

if TYPE_CHECKING:
    from lucastrad.server.session import Session


def initialize(session: "Session", params: lsp.InitializeParams) -> None:
    """Take the editor's folders; pygls answers with the capabilities."""
    session.engine.keep_documents()
    session.engine.add_options({**completion.OPTIONS, **selection.OPTIONS, **symbols.OPTIONS})
    session.engine.trace = params.trace or lsp.TraceValue.Off
    if params.process_id is not None and session.owns(params.process_id):
        session.start(leave_with(session, params.process_id))
    folders = [folder.uri for folder in params.workspace_folders or []]
    if not folders and (root := params.root_uri or params.root_path):
        folders = [root]
    attach_all(session, folders)


def did_change_workspace_folders(session: "Session", params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    """Take folders that were added; one that was closed in an editor keeps its index."""
    attach_all(session, [folder.uri for folder in params.event.added])


def attach_all(session: "Session", folders: Iterable[str]) -> None:
    """Make workspaces of `folders`, side by side: what is searched next may be in any of them."""
    for folder in folders:
        session.in_background(attach(session, folder))


async def attach(session: "Session", folder: str) -> None:
    """Make a workspace of `folder`; the user is warned where it cannot be one."""
    try:
        path = path_from_wire(folder, field="workspaceFolders")
        await session.services.workspaces.attach(path)
    except LucAstraError as error:
        session.warn(error.message)
    else:
        if session.engine.client_can("window.work_done_progress"):
            session.start(show_indexing(session, path))


async def leave_with(session: "Session", pid: int) -> None:
    """End the session with the editor's process; what a killed one leaves running may hold the connection open."""
    try:
        await until_gone(pid)
    except ProcessLookupError:
        return
    session.end()


HANDLERS: dict[str, Callable[..., Any]] = {
    lsp.INITIALIZE: initialize,
    lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
}
