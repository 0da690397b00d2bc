"""`textDocument/codeAction`: explain a selection, or find code like it; and questions about a selection."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from lsprotocol import types as lsp
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.types import Range, Wire

from lucastrad.server.documents import Document
from lucastrad.server.handlers.wire import path_of_uri
from lucastrad.workspace.secrets import secret_file

if TYPE_CHECKING:
    from lucastrad.server.session import Session

EXPLAIN_KIND = "lucastra.explain"
SIMILAR_KIND = "lucastra.similar"
"""Kinds of their own, so that a key can be bound to one of them: `only = {"lucastra.explain"}`."""
_AROUND_LINES = 15
"""What is explained when nothing is selected: so many lines before and after the cursor's."""
_MOST_LETTERS = 4096
"""As long as a question may be."""


class Selection(Wire, frozen=True):
    """Code of an open document."""

    uri: str
    range: Range
    """In the session's position encoding; an empty one means the lines around it."""
    version: int | None = None
    """The document's version that `range` belongs to; null for whichever it has."""


def code_action(session: "Session", params: lsp.CodeActionParams) -> list[lsp.CodeAction | lsp.Command]:
    """What can be done with a selection, when the user asks: offered unasked, a lamp would burn at every line."""
    if params.context.trigger_kind is lsp.CodeActionTriggerKind.Automatic:
        return []
    uri, start, end = params.text_document.uri, params.range.start, params.range.end
    path, document = path_of_uri(uri), session.engine.workspace.text_documents.get(unquote(uri))
    actions: list[tuple[str, str, str, dict[str, Any]]] = []
    if document is not None and not (path and secret_file(path.name)):
        places = {"start": _position(start), "end": _position(end)}
        argument = {"selection": {"uri": uri, "range": places, "version": document.version}}
        actions.append(("Explain with LucAstra", EXPLAIN_KIND, "lucastra.ask", argument))
    if path is not None:
        actions.append(("Find similar code", SIMILAR_KIND, "lucastra.related", {"path": uri, "line": start.line}))
    literal = session.engine.client_can("text_document.code_action.code_action_literal_support")
    return [
        lsp.CodeAction(title=title, kind=kind, command=command) if literal else command
        for title, kind, name, argument in actions
        if _asked_for(kind, params.context.only)
        for command in [lsp.Command(title=title, command=name, arguments=[argument])]
    ]


def asking_about(session: "Session", selection: Selection, question: str) -> str:
    """The question with the selected code of the session's own buffer.

    Raises:
        LucAstraError: INVALID_PARAMS for a document that is not open, or a file of secrets; CONTENT_MODIFIED for one
            that has changed since it was selected.
    """
    found = session.engine.workspace.text_documents.get(unquote(selection.uri))
    path = path_of_uri(selection.uri)
    if found is None or (path and secret_file(path.name)):
        reason = "is not open in this editor; open it first" if found is None else "holds secrets, and is not sent on"
        raise LucAstraError(f"selection: {selection.uri} {reason}", code=ErrorCode.INVALID_PARAMS)
    if selection.version not in (None, found.version):
        raise LucAstraError("the document has changed; select the code again", code=ErrorCode.CONTENT_MODIFIED)
    document = cast("Document", found)
    first, last, text = _selected(document, selection.range)
    name = path.name if path else selection.uri
    head = f"{question}\n\n{name}, lines {first}-{last}:\n\n"
    return f"{head}{text}"[:_MOST_LETTERS]


def title_of(selection: Selection, question: str) -> str:
    """What the answer is called."""
    path = path_of_uri(selection.uri)
    return f"{path.name if path else selection.uri}:{selection.range.start.line + 1}: {question}"


def _selected(document: Document, selected: Range) -> tuple[int, int, str]:
    """The first and the last line, 1-based, and the text."""
    start, end = selected.start, selected.end
    if start == end:
        lines = document.lines
        first = max(0, start.line - _AROUND_LINES)
        around = lines[first : start.line + _AROUND_LINES + 1]
        return first + 1, first + len(around), "".join(around)
    offsets = [document.offset_at_position(lsp.Position(at.line, at.character)) for at in (start, end)]
    return start.line + 1, selected.lines()[1], document.source[offsets[0] : offsets[1]]


def _position(position: lsp.Position) -> dict[str, int]:
    return {"line": position.line, "character": position.character}


def _asked_for(kind: str, only: Any) -> bool:
    """Whether `kind` is one of those that the client wants, or below one (LSP 3.18, `CodeActionKind`)."""
    return not only or any(wanted in ("", kind) or kind.startswith(f"{wanted}.") for wanted in map(_text, only))


def _text(kind: lsp.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, lsp.CodeActionKind) else kind


HANDLERS: dict[str, Callable[..., Any]] = {lsp.TEXT_DOCUMENT_CODE_ACTION: code_action}
OPTIONS: dict[str, Any] = {
    lsp.TEXT_DOCUMENT_CODE_ACTION: lsp.CodeActionOptions(code_action_kinds=[EXPLAIN_KIND, SIMILAR_KIND])
}
"""What `initialize` answers of these methods' capabilities."""
