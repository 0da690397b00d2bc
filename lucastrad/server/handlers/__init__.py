"""What the daemon answers: one file per family of methods.

Invariant: handlers translate between the wire's Structs and the services' values, and do nothing else.
"""

from collections.abc import Callable
from typing import Any

from lucastrad.server.handlers import (
    ask,
    commands,
    completion,
    configuration,
    conversations,
    daemon,
    documents,
    evaluation,
    lsp,
    models,
    search,
    selection,
    symbols,
    workspaces,
)

HANDLERS: dict[str, Callable[..., Any]] = {
    **search.HANDLERS,
    **ask.HANDLERS,
    **conversations.HANDLERS,
    **models.HANDLERS,
    **workspaces.HANDLERS,
    **daemon.HANDLERS,
    **evaluation.HANDLERS,
    **lsp.HANDLERS,
    **documents.HANDLERS,
    **completion.HANDLERS,
    **symbols.HANDLERS,
    **selection.HANDLERS,
    **configuration.HANDLERS,
}
"""Method name → handler `(session, params)`."""

COMMANDS: dict[str, Callable[..., Any]] = commands.COMMANDS
"""Command of `workspace/executeCommand` → handler `(session, params)`."""
