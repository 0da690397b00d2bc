"""Error codes of the wire, and the one exception type that carries them.

JSON-RPC reserves -32768..-32000, LSP 3.18 uses -32899..-32800; LucAstra's own are -33000 and below.
"""

from collections.abc import Mapping
from enum import IntEnum


class ErrorCode(IntEnum):
    """Codes that a reply's `error.code` may hold."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_NOT_INITIALIZED = -32002
    REQUEST_CANCELLED = -32800
    CONTENT_MODIFIED = -32801
    SERVER_CANCELLED = -32802
    REQUEST_FAILED = -32803

    WORKSPACE_NOT_FOUND = -33001
    """The path names no folder, or no registered workspace holds it."""
    INDEX_LOCKED = -33002
    """Another daemon owns the store."""
    STORE_UNAVAILABLE = -33003
    """The store cannot be read or written (disk full, permissions)."""
    CONFIG_INVALID = -33004
    """The configuration has an error; the message names file, line and cure."""
    VERSION_MISMATCH = -33005
    """Client and daemon do not speak the same protocol version."""
    NOT_AUTHORISED = -33006
    """The peer is another user, or presented no valid token."""
    DAEMON_UNREACHABLE = -33007
    """No daemon answers, and none could be started. Raised by clients only."""
    SPACE_MISMATCH = -33008
    """Vectors of different spaces (model or dimensions) were about to be mixed."""
    PROVIDER_FAILED = -33009
    """A language-model provider did not do what was asked; the error's `data` has its `provider`, a fixed `reason`
    and the `partialText` that had arrived."""
    CONVERSATION_NOT_FOUND = -33010
    """There is no such conversation, or no such turn in it."""
    CONVERSATION_BUSY = -33011
    """An answer is being written in the conversation."""


class LucAstraError(Exception):
    """A failure that a user can act on: the message says what happened and names the cure."""

    code: ErrorCode = ErrorCode.REQUEST_FAILED

    def __init__(
        self, message: str, *, code: ErrorCode | None = None, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.data = data
        """Details for programs: the `error.data` of a reply."""

    @property
    def message(self) -> str:
        """The text for the user."""
        return str(self.args[0])
