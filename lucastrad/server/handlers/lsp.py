"""The editor's side of LSP: workspace folders become workspaces. Document sync is the engine's."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from lucastra_protocol.errors import LucAstraError

from lucastrad.server.handlers.completion import OPTIONS
from lucastrad.server.handlers.wire import path_from_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session


def initialize(session: "Session", params: lsp.InitializeParams) -> None:
    """Take the editor's folders; pygls answers with the capabilities."""
    session.engine.keep_documents()
    session.engine.add_options(OPTIONS)
    folders = [folder.uri for folder in params.workspace_folders or []]
    if not folders and (root := params.root_uri or params.root_path):
        folders = [root]
    session.in_background(attach(session, folders))


def did_change_workspace_folders(session: "Session", params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    """Take folders that were added; one that was closed in an editor keeps its index."""
    session.in_background(attach(session, [folder.uri for folder in params.event.added]))


async def attach(session: "Session", folders: Iterable[str]) -> None:
    """Make workspaces of `folders`; the user is warned of each that cannot be one."""
    for folder in folders:
        try:
            await session.services.workspaces.attach(path_from_wire(folder, field="workspaceFolders"))
        except LucAstraError as error:
            session.warn(error.message)


HANDLERS: dict[str, Callable[..., Any]] = {
    lsp.INITIALIZE: initialize,
    lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
}
