"""What a session has yet to be told of the conversations that it follows.

Invariant: at most one piece of news a conversation waits, the newest, and at most MAX_FOLLOWED conversations are
followed; so a client that reads slowly costs nothing, and learns how things stand and not each step to it.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.conversation.service import Change, ChangeKind, OnChange

MAX_FOLLOWED = 256


class Followed(Protocol):
    """What the feed asks of the conversations."""

    async def follow(self, id_: str, on_change: OnChange) -> Callable[[], None]: ...


class ConversationFeed:
    """One session's news."""

    def __init__(self, conversations: Followed, tell: Callable[[Change], Awaitable[None]]) -> None:
        """`tell` sends one piece of news, and waits while the client is behind."""
        self._conversations = conversations
        self._tell = tell
        self._unfollow: dict[str, Callable[[], None]] = {}
        self._news: dict[str, Change] = {}
        self._arrived = trio.Event()

    async def follow(self, conversation: str) -> None:
        """Tell of the conversation's changes from now on; following twice is following once.

        Raises ConversationNotFound, or LucAstraError when too many are followed.
        """
        if conversation in self._unfollow:
            return
        if len(self._unfollow) >= MAX_FOLLOWED:
            raise LucAstraError(
                f"this session follows {MAX_FOLLOWED} conversations already; end some with follow: false",
                code=ErrorCode.REQUEST_FAILED,
            )
        unfollow = await self._conversations.follow(conversation, self._take)
        if conversation not in self._unfollow:
            self._unfollow[conversation] = unfollow

    def unfollow(self, conversation: str) -> None:
        """Tell of it no longer."""
        self._news.pop(conversation, None)
        if (unfollow := self._unfollow.pop(conversation, None)) is not None:
            unfollow()

    def close(self) -> None:
        """Follow nothing any more."""
        for conversation in tuple(self._unfollow):
            self.unfollow(conversation)

    async def run(self) -> None:
        """Tell the news, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived = trio.Event()
            while self._news:
                conversation = next(iter(self._news))
                change = self._news.pop(conversation)
                if change.kind is ChangeKind.DELETED:
                    self.unfollow(conversation)
                await self._tell(change)

    def _take(self, change: Change) -> None:
        self._news[change.conversation] = change
        self._arrived.set()
