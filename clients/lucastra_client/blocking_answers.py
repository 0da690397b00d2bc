"""Answers and conversations for code without an event loop."""

from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from lucastra_protocol import answers as wire

from lucastra_client.client import Client
from lucastra_client.connection import Result
from lucastra_client.paths import StrPath
from lucastra_client.streams import AnswerStream

T = TypeVar("T")


class Calls(Protocol):
    """Runs a request on the client's loop, and waits for it."""

    def __call__(self, request: Callable[[Client], Awaitable[T]], /) -> T: ...


class BlockingStream(Generic[Result]):
    """The events of one request, to iterate over; leave it early by `close`, or use `with`. See `AnswerStream`."""

    def __init__(self, call: Calls, make: Callable[[Client], AnswerStream[Result]]) -> None:
        self._call = call
        self._make = make
        self._stream: AnswerStream[Result] | None = None

    @property
    def result(self) -> Result:
        """The whole result; raises RuntimeError before the iteration has ended."""
        if self._stream is None:
            raise RuntimeError("the answer has not been read to its end")
        return self._stream.result

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> wire.AnswerEvent:
        event = self._call(self._next)
        if event is None:
            raise StopIteration
        return event

    async def _next(self, client: Client) -> wire.AnswerEvent | None:
        if self._stream is None:
            self._stream = self._make(client)
        return await anext(self._stream, None)

    def close(self) -> None:
        """Cancel the request unless it has ended."""
        stream = self._stream
        if stream is not None:
            self._call(lambda client: stream.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class BlockingConversations:
    """See `lucastra_client.conversations.Conversations`."""

    def __init__(self, call: Calls) -> None:
        self._call = call

    def start(self, *, title: str = "", system: str = "") -> wire.Conversation:
        """See `Conversations.start`."""
        return self._call(lambda client: client.conversations.start(title=title, system=system))

    def send(
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
        """See `Conversations.send`."""
        return self._call(
            lambda client: client.conversations.send(
                conversation,
                text,
                retrieve=retrieve,
                provider=provider,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
            )
        )

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
    ) -> BlockingStream[wire.SendResult]:
        """See `Conversations.send_stream`."""
        return BlockingStream(
            self._call,
            lambda client: client.conversations.send_stream(
                conversation,
                text,
                retrieve=retrieve,
                provider=provider,
                limit=limit,
                workspaces=workspaces,
                paths=paths,
                languages=languages,
            ),
        )

    def history(self, conversation: str, *, after: int = 0, limit: int = 100) -> wire.HistoryResult:
        """See `Conversations.history`."""
        return self._call(lambda client: client.conversations.history(conversation, after=after, limit=limit))

    def list(self, *, offset: int = 0, limit: int = 100) -> wire.ListResult:
        """See `Conversations.list`."""
        return self._call(lambda client: client.conversations.list(offset=offset, limit=limit))

    def rename(self, conversation: str, title: str) -> wire.Conversation:
        """See `Conversations.rename`."""
        return self._call(lambda client: client.conversations.rename(conversation, title))

    def delete(self, conversation: str) -> None:
        """See `Conversations.delete`."""
        self._call(lambda client: client.conversations.delete(conversation))

    def fork(self, conversation: str, *, turn: int | None = None, title: str | None = None) -> wire.Conversation:
        """See `Conversations.fork`."""
        return self._call(lambda client: client.conversations.fork(conversation, turn=turn, title=title))

    def export(self, conversation: str, *, as_json: bool = False) -> str:
        """See `Conversations.export`."""
        return self._call(lambda client: client.conversations.export(conversation, as_json=as_json))
