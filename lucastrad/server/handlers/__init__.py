"""What the daemon answers: one file per family of methods.

Invariant: handlers translate between the wire's Structs and the services' values, and do nothing else.
"""

from collections.abc import Callable
from typing import Any

from lucastrad.server.handlers import (
    ask,
    completion,
    conversations,
    daemon,
    evaluation,
    lsp,
    models,
    search,
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
    **completion.HANDLERS,
}
"""Method name → handler `(session, params)`."""
