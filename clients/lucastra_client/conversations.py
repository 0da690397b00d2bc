"""The conversations of a client: `client.conversations`."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import msgspec
import trio
from lucastra_protocol import answers as wire
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.types import Empty

from lucastra_client.connection import Connection, Result
from lucastra_client.limits import check_ranges
from lucastra_client.paths import StrPath, absolute_all, listed
from lucastra_client.streams import AnswerStream, Changes

_UNFOLLOW_SECONDS = 0.5
"""How long leaving a block waits for a daemon to hear that its news is not wanted any more."""


class Conversations:
    """Conversations that the daemon keeps. Raises what the methods of `Client` raise."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _request(self, method: str, params: msgspec.Struct, result: type[Result]) -> Result:
        check_ranges(params)
        return await self._connection.request(method, params, result)

    async def start(self, *, title: str = "", system: str = "") -> wire.Conversation:
        """Begin a conversation; `system` is what the model is to heed in every answer."""
        params = wire.StartParams(title=title, system=system)
        return await self._request(wire.START.name, params, wire.Conversation)

    async def send(
        self,
        conversation: str,
        text: str,
        *,
        retrieve: bool = True,
        provider: str | None = None,
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
    ) -> wire.SendResult:
        """Ask, and wait for the whole answer; `provider` is `NAME` or `NAME/MODEL`, for this turn.

        Raises LucAstraError (CONVERSATION_BUSY) while another question is being answered there.
        """
        params = _send_params(
            conversation,
            text,
            retrieve=retrieve,
            provider=provider,
            limit=limit,
            workspaces=workspaces,
            paths=paths,
            languages=languages,
        )
        return await self._request(wire.SEND.name, params, wire.SendResult)

    def send_stream(
        self,
        conversation: str,
        text: str,
        *,
        retrieve: bool = True,
        provider: str | None = None,
        limit: int | None = None,
        workspaces: StrPath | Iterable[StrPath] = (),
        paths: str | Iterable[str] = (),
        languages: str | Iterable[str] = (),
    ) -> AnswerStream[wire.SendResult]:
        """Ask, and iterate over the answer while it is written. Closed early, the turn is kept as partial."""
        params = _send_params(
            conversation,
            text,
            retrieve=retrieve,
            provider=provider,
            limit=limit,
            workspaces=workspaces,
            paths=paths,
            languages=languages,
        )
        return AnswerStream.of(self._connection, wire.SEND.name, params, wire.SendResult)

    async def history(self, conversation: str, *, after: int = 0, limit: int = 100) -> wire.HistoryResult:
        """One page of turns, those with numbers above `after`."""
        params = wire.HistoryParams(conversation=conversation, after=after, limit=limit)
        return await self._request(wire.HISTORY.name, params, wire.HistoryResult)

    async def list(self, *, offset: int = 0, limit: int = 100) -> wire.ListResult:
        """One page of conversations, the one that was used last first; `total` counts all pages."""
        return await self._request(wire.LIST.name, wire.ListParams(offset=offset, limit=limit), wire.ListResult)

    async def rename(self, conversation: str, title: str) -> wire.Conversation:
        """Give a conversation another title."""
        params = wire.RenameParams(conversation=conversation, title=title)
        return await self._request(wire.RENAME.name, params, wire.Conversation)

    async def delete(self, conversation: str) -> None:
        """Delete a conversation with its turns."""
        await self._request(wire.DELETE.name, wire.ConversationParams(conversation=conversation), Empty)

    async def fork(self, conversation: str, *, turn: int | None = None, title: str | None = None) -> wire.Conversation:
        """A new conversation that goes on after `turn`; after the last without one."""
        params = wire.ForkParams(conversation=conversation, turn=turn, title=title)
        return await self._request(wire.FORK.name, params, wire.Conversation)

    async def export(self, conversation: str, *, as_json: bool = False) -> str:
        """The whole conversation as Markdown, or as JSON."""
        params = wire.ExportParams(conversation=conversation, format="json" if as_json else "markdown")
        return (await self._request(wire.EXPORT.name, params, wire.ExportResult)).text

    @asynccontextmanager
    async def following(self, conversation: str) -> AsyncIterator[Changes]:
        """Changes of a conversation, also by other clients, to iterate over while the block lasts.

        Several changes may come as the last of them: read the turns that are new with `history`.
        """
        changes = Changes(conversation)
        end = self._connection.listen(wire.CONVERSATION_CHANGED.name, changes.take)
        try:
            await self._request(wire.FOLLOW.name, wire.FollowParams(conversation=conversation), Empty)
            yield changes
        finally:
            end()
            with trio.move_on_after(_UNFOLLOW_SECONDS, shield=True), suppress(LucAstraError):
                params = wire.FollowParams(conversation=conversation, follow=False)
                await self._request(wire.FOLLOW.name, params, Empty)


def _send_params(
    conversation: str,
    text: str,
    *,
    retrieve: bool,
    provider: str | None,
    limit: int | None,
    workspaces: StrPath | Iterable[StrPath],
    paths: str | Iterable[str],
    languages: str | Iterable[str],
) -> wire.SendParams:
    return wire.SendParams(
        conversation=conversation,
        text=text,
        retrieve=retrieve,
        provider=provider,
        limit=limit,
        workspaces=absolute_all(workspaces),
        paths=listed(paths),
        languages=listed(languages),
    )
