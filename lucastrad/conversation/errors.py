"""What can go wrong with conversations, in words that name the cure."""

from lucastra_protocol.errors import ErrorCode, LucAstraError


class ConversationNotFound(LucAstraError):
    """There is no conversation of that id."""

    code = ErrorCode.CONVERSATION_NOT_FOUND

    def __init__(self, conversation: str) -> None:
        shown = conversation if conversation.isprintable() else ascii(conversation)
        super().__init__(f"there is no conversation {shown[:80]!r}; lucastra/conversation/list names those there are")


class TurnNotFound(LucAstraError):
    """The conversation has no turn of that number."""

    code = ErrorCode.CONVERSATION_NOT_FOUND

    def __init__(self, conversation: str, turn: int, turns: int) -> None:
        super().__init__(f"conversation {conversation} has no turn {turn}: it has {turns}")


class ConversationBusy(LucAstraError):
    """An answer is being written in the conversation."""

    code = ErrorCode.CONVERSATION_BUSY

    def __init__(self, conversation: str) -> None:
        super().__init__(
            f"an answer is being written in conversation {conversation}; wait for it, or cancel its request"
        )


class ConversationsUnavailable(LucAstraError):
    """The file of the conversations cannot be read or written."""

    code = ErrorCode.STORE_UNAVAILABLE
