"""`textDocument/inlineCompletion`: the session's own buffer, and positions in the client's units.

What becomes of an item is reported by its command, which every client of LSP runs, or by our own notifications.
"""

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from lsprotocol import types as lsp
from lucastra_protocol.answers import (
    COMPLETION_ACCEPTED,
    COMPLETION_SHOWN,
    CompletionAcceptedParams,
    CompletionShownParams,
)
from lucastra_protocol.errors import ErrorCode, LucAstraError
from pygls.workspace import TextDocument

from lucastrad.completion.cursor import Cursor, OpenDocument, Trigger
from lucastrad.completion.suggestion import Suggestion
from lucastrad.server.documents import Document
from lucastrad.server.handlers.wire import folders_of, path_of_uri

if TYPE_CHECKING:
    from lucastrad.server.session import Session

ACCEPTED = "lucastra.completion.accepted"

_TRIGGERS = {
    lsp.InlineCompletionTriggerKind.Invoked: Trigger.INVOKED,
    lsp.InlineCompletionTriggerKind.Automatic: Trigger.AUTOMATIC,
}


def inline_completion(
    session: "Session", params: lsp.InlineCompletionParams
) -> Coroutine[Any, Any, lsp.InlineCompletionList] | lsp.InlineCompletionList:
    """Complete at a position of an open document; nothing in one that is not open.

    Runs up to the completer's `begin` while the message is being read: the buffer is that of the request, and an
    earlier completion of this client ends before anything else happens.
    """
    documents = session.engine.workspace.text_documents
    document = documents.get(unquote(params.text_document.uri))
    if document is None or not _wanted(session, params.context.trigger_kind):
        return lsp.InlineCompletionList(items=[])
    cursor, replaced, selected = _cursor(session, cast("Document", document), params)
    work = session.completer.begin(cursor)
    return _offer(session, work, document, document.version, replaced=replaced, selected=selected)


def _wanted(session: "Session", trigger: lsp.InlineCompletionTriggerKind) -> bool:
    settings = session.settings.completion
    return settings.enabled and (settings.automatic or _TRIGGERS[trigger] is Trigger.INVOKED)


async def _offer(
    session: "Session",
    work: Callable[[], Awaitable[Suggestion | None]],
    document: TextDocument,
    version: int | None,
    *,
    replaced: lsp.Range,
    selected: str,
) -> lsp.InlineCompletionList:
    """What to insert, unless the document is past `version`: the text would land at another place."""
    suggestion = await work()
    if suggestion is None:
        return lsp.InlineCompletionList(items=[])
    session.engine.trace_work(_work(suggestion))
    if not suggestion.text:
        return lsp.InlineCompletionList(items=[])
    if document.version != version:
        raise LucAstraError("the document has changed; ask again", code=ErrorCode.CONTENT_MODIFIED)
    session.completer.offered(suggestion)
    reported = lsp.Command(title="LucAstra: completion accepted", command=ACCEPTED, arguments=[{"id": suggestion.id}])
    item = lsp.InlineCompletionItem(insert_text=selected + suggestion.text, range=replaced, command=reported)
    return lsp.InlineCompletionList(items=[item])


def _work(suggestion: Suggestion) -> str:
    """Where a completion's time went, for the trace."""
    origin, timing = suggestion.origin, suggestion.timing
    if timing is None:
        return "what is left of an earlier completion"
    return (
        f"context {timing.context_ms:.1f} ms, upstream {timing.upstream_ms:.1f} ms ({origin.provider} {origin.model})"
    )


def did_show(session: "Session", params: CompletionShownParams) -> None:
    """Count an item that the user was shown."""
    session.completer.shown(params.id)


def accepted(session: "Session", params: CompletionAcceptedParams) -> None:
    """Count an item that the user took."""
    session.completer.accepted(params.id, partial=params.partial)


def _cursor(
    session: "Session", document: Document, params: lsp.InlineCompletionParams
) -> tuple[Cursor, lsp.Range, str]:
    """The place, what the offer replaces, and the beginning that a selected entry of the editor's list gives it."""
    source, position = document.source, params.position
    offset = document.offset_at_position(position)
    before, after = source[:offset], source[offset:]
    replaced, selected = lsp.Range(position, position), ""
    if (chosen := params.context.selected_completion_info) is not None:
        start, end = map(document.offset_at_position, (chosen.range.start, chosen.range.end))
        if start <= offset:
            before, after = source[:start] + chosen.text, source[max(offset, end) :]
            replaced, selected = chosen.range, chosen.text
    current = _open_document(document)
    others = [cast("Document", other) for other in session.engine.workspace.text_documents.values()]
    cursor = Cursor(
        current,
        before,
        after,
        _TRIGGERS[params.context.trigger_kind],
        tuple(_open_document(other) for other in reversed(others) if other is not document),
        _folder(session, current.path),
    )
    return cursor, replaced, selected


def _open_document(document: Document) -> OpenDocument:
    return OpenDocument(document.uri, path_of_uri(document.uri), document.language_id or "", document.source)


def _folder(session: "Session", path: Path | None) -> Path | None:
    """The innermost of the editor's folders that holds `path`."""
    holding = [folder for folder in folders_of(session) if path is not None and path.is_relative_to(folder)]
    return max(holding, key=lambda folder: len(folder.parts), default=None)


HANDLERS: dict[str, Callable[..., Any]] = {
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
    COMPLETION_SHOWN.name: did_show,
    COMPLETION_ACCEPTED.name: accepted,
}
OPTIONS: dict[str, Any] = {lsp.TEXT_DOCUMENT_INLINE_COMPLETION: lsp.InlineCompletionOptions()}
"""What `initialize` answers of these methods' capabilities."""
