"""`workspace/symbol`: the indexed definitions, by name."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from lucastrad.indexing.chunking import kinds
from lucastrad.search.symbols import Symbol
from lucastrad.server.handlers.wire import file_uri, folders_of, text_to_wire

if TYPE_CHECKING:
    from lucastrad.server.session import Session

MOST_SYMBOLS = 128
"""Editors ask again with every letter, so that more are never read."""
_KINDS = {
    kinds.FUNCTION: lsp.SymbolKind.Function,
    kinds.METHOD: lsp.SymbolKind.Method,
    kinds.CLASS: lsp.SymbolKind.Class,
    kinds.INTERFACE: lsp.SymbolKind.Interface,
    kinds.STRUCT: lsp.SymbolKind.Struct,
    kinds.ENUM: lsp.SymbolKind.Enum,
    kinds.TRAIT: lsp.SymbolKind.Interface,
    kinds.IMPL: lsp.SymbolKind.Object,
    kinds.MODULE: lsp.SymbolKind.Module,
    kinds.NAMESPACE: lsp.SymbolKind.Namespace,
    kinds.TYPE: lsp.SymbolKind.Class,
    kinds.TABLE: lsp.SymbolKind.Struct,
    kinds.CONSTANT: lsp.SymbolKind.Constant,
    kinds.VARIABLE: lsp.SymbolKind.Variable,
    kinds.MACRO: lsp.SymbolKind.Function,
    kinds.TARGET: lsp.SymbolKind.Function,
}


async def workspace_symbol(session: "Session", params: lsp.WorkspaceSymbolParams) -> list[lsp.WorkspaceSymbol]:
    """Definitions of the editor's folders, or of every workspace where it has none open.

    With a `partialResultToken` they go there, workspace by workspace, and the result is empty (LSP 3.18, "Partial
    Result Progress").
    """
    token, folders = params.partial_result_token, folders_of(session)

    async def send(symbols: Sequence[Symbol]) -> None:
        await session.drain()
        value = [_to_wire(session, symbol) for symbol in symbols]
        session.engine.notify(lsp.PROGRESS, lsp.ProgressParams(token="" if token is None else token, value=value))

    found = None if token is None else send
    symbols = await session.services.symbols.find(params.query, folders, limit=MOST_SYMBOLS, found=found)
    return [_to_wire(session, symbol) for symbol in symbols] if token is None else []


def _to_wire(session: "Session", symbol: Symbol) -> lsp.WorkspaceSymbol:
    units = session.engine.workspace.position_codec.client_num_units
    start = units(symbol.before)
    span = lsp.Range(lsp.Position(symbol.line - 1, start), lsp.Position(symbol.line - 1, start + units(symbol.name)))
    return lsp.WorkspaceSymbol(
        name=text_to_wire(symbol.name),
        kind=_KINDS.get(symbol.kind, lsp.SymbolKind.Object),
        location=lsp.Location(file_uri(symbol.workspace, symbol.path), span),
        container_name=text_to_wire(symbol.container) or None,
    )


HANDLERS: dict[str, Callable[..., Any]] = {lsp.WORKSPACE_SYMBOL: workspace_symbol}
OPTIONS: dict[str, Any] = {lsp.WORKSPACE_SYMBOL: lsp.WorkspaceSymbolOptions(work_done_progress=False)}
"""What `initialize` answers of these methods' capabilities."""
