"""Document sync, beyond what the engine does with it: what an editor has open and not saved is searched.

The engine has applied the change before any of these is called.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lsprotocol import types as lsp

from lucastrad.server.handlers.wire import path_of_uri

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def did_open(session: "Session", params: lsp.DidOpenTextDocumentParams) -> None:
    """Take a document as it is by now: in the order of notifications, so that its folder is a workspace already."""
    uri = params.text_document.uri
    if (path := path_of_uri(uri)) is not None and (text := _text(session, uri)) is not None:
        session.buffers.opened(path, text)


def did_change(session: "Session", params: lsp.DidChangeTextDocumentParams) -> None:
    """Take an edited document."""
    uri = params.text_document.uri
    if (path := path_of_uri(uri)) is not None and (text := _text(session, uri)) is not None:
        session.buffers.changed(path, text)


def did_save(session: "Session", params: lsp.DidSaveTextDocumentParams) -> None:
    """The file may be what the document is."""
    if (path := path_of_uri(params.text_document.uri)) is not None:
        session.buffers.saved(path)


def did_close(session: "Session", params: lsp.DidCloseTextDocumentParams) -> None:
    """The file counts again."""
    if (path := path_of_uri(params.text_document.uri)) is not None:
        session.buffers.closed(path)


def _text(session: "Session", uri: str) -> str | None:
    """The text of an open document; None for one that was closed meanwhile."""
    document = session.engine.workspace.text_documents.get(unquote(uri))
    return None if document is None else document.source


HANDLERS: dict[str, Callable[..., Any]] = {
    lsp.TEXT_DOCUMENT_DID_OPEN: did_open,
    lsp.TEXT_DOCUMENT_DID_CHANGE: did_change,
    lsp.TEXT_DOCUMENT_DID_SAVE: did_save,
    lsp.TEXT_DOCUMENT_DID_CLOSE: did_close,
}
