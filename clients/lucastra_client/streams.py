"""Answers while they are written: events to iterate over, then the whole result.

async for event in client.ask_stream("where are requests retried"): ...

async with client.ask_stream("where are requests retried") as stream:  # to leave early
    async for event in stream: ...
print(stream.result.answer)
"""

from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self

import msgspec
import trio
from lucastra_protocol.answers import AnswerEvent, ConversationChangedParams

from lucastra_client.connection import Connection, OnPartial, Result, Started
from lucastra_client.limits import check_ranges

_EVENT = msgspec.json.Decoder(AnswerEvent)
_CHANGE = msgspec.json.Decoder(ConversationChangedParams)
_MAX_CHANGES = 1024


class AnswerStream(Generic[Result]):
    """The events of one request, in order. The request is sent when the first is asked for.

    Iteration raises LucAstraError where the request fails. A stream that is left before its end, by `break` or by
    an exception of one's own, still runs at the daemon until it is closed: use `async with`, or `aclose`. A task
    that is cancelled while it waits here cancels the request. Events that were not taken yet are held: no more than
    one answer, whose length the daemon limits.
    """

    def __init__(self, start: Callable[[OnPartial], Awaitable[Started[Result]]]) -> None:
        self._start = start
        self._started: Started[Result] | None = None
        self._events: deque[AnswerEvent] = deque()
        self._closed = False
        self._result: Result | None = None

    @classmethod
    def of(
        cls, connection: Connection, method: str, params: msgspec.Struct, result: type[Result]
    ) -> "AnswerStream[Result]":
        """The stream of a request whose `params` have a `partial_result_token`."""

        async def start(take: OnPartial) -> Started[Result]:
            check_ranges(params)
            token = connection.next_token()
            sent = msgspec.structs.replace(params, partial_result_token=token)
            return await connection.start(method, sent, result, token=token, on_partial=take)

        return AnswerStream(start)

    @property
    def result(self) -> Result:
        """The whole result; raises RuntimeError before the iteration has ended."""
        if self._result is None:
            raise RuntimeError("the answer has not been read to its end")
        return self._result

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AnswerEvent:
        try:
            return await self._next()
        except StopAsyncIteration:
            raise
        except BaseException:
            await self.aclose()
            raise

    async def _next(self) -> AnswerEvent:
        if self._closed and not self._events:
            raise StopAsyncIteration
        if self._started is None:
            self._started = await self._start(self._take)
        while not self._events:
            if self._started.settled:
                self._closed = True
                self._result = self._started.result()
                await self._started.end()
                raise StopAsyncIteration
            await self._started.wait_changed()
        return self._events.popleft()

    def _take(self, value: msgspec.Raw) -> None:
        self._events.append(_EVENT.decode(value))

    async def aclose(self) -> None:
        """Cancel the request unless it has ended; closing twice is harmless."""
        self._closed = True
        self._events.clear()
        started, self._started = self._started, None
        if started is not None:
            await started.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class Changes:
    """Changes of a conversation, in order; of more than can be held, the oldest are dropped."""

    def __init__(self, conversation: str) -> None:
        self._conversation = conversation
        self._changes: deque[ConversationChangedParams] = deque(maxlen=_MAX_CHANGES)
        self._arrived = trio.Event()

    def take(self, params: msgspec.Raw) -> None:
        """Add what a notification says."""
        change = _CHANGE.decode(params)
        if change.conversation == self._conversation:
            self._changes.append(change)
            self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ConversationChangedParams:
        while not self._changes:
            self._arrived = trio.Event()
            await self._arrived.wait()
        return self._changes.popleft()
