"""Conversations: their turns, who follows them, and the answer that each waits for.

Invariant: one answer at a time is written in a conversation; a second question meanwhile is refused, not queued,
because it would be asked without the answer that its author has not seen. It waits for one that was stopped, though:
who stops an answer and asks again at once has seen what there is of it. A turn ends in the store before the
request that asked for it does, however that ends.
"""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.assistant.answers import Answer, AnswerEvent, Emit, Question, TextDelta
from lucastrad.conversation.errors import ConversationBusy, ConversationsUnavailable
from lucastrad.conversation.export import to_json, to_markdown
from lucastrad.conversation.saving import ArrivingAnswer, PartialSaver
from lucastrad.conversation.store import ConversationStore, PartialAnswer, open_store
from lucastrad.conversation.turns import Conversation, Source, Turn, TurnState
from lucastrad.logs import log_event
from lucastrad.storage.sqlite import StoreCorrupt

CANCELLED = "cancelled"
_CHARACTERS_PER_TOKEN = 16
"""No more of a conversation is read for a prompt than so many for each token of the budget."""
_PAGE = 1000

_R = TypeVar("_R")
logger = logging.getLogger(__name__)


def _make_id() -> str:
    return secrets.token_hex(6)


class Answers(Protocol):
    """What conversations ask of the assistant."""

    async def answer(self, question: Question, emit: Emit) -> Answer: ...


class ChangeKind(StrEnum):
    """What happened to a conversation."""

    TURN_STARTED = "turnStarted"
    TURN_FINISHED = "turnFinished"
    RENAMED = "renamed"
    DELETED = "deleted"


class Change(NamedTuple):
    """News for those who follow a conversation."""

    conversation: str
    kind: ChangeKind
    turns: int
    """How many turns the conversation has now."""


OnChange = Callable[[Change], None]
"""Takes news at once; must neither wait nor raise."""


@dataclass(frozen=True, slots=True)
class Said:
    """A turn that has ended, with the whole answer."""

    turn: Turn
    answer: Answer


class _Answering:
    """An answer that is being written."""

    def __init__(self) -> None:
        self.is_stopped = False
        self.ended = trio.Event()

    async def watch(self) -> None:
        """Notice that it is cancelled when it is: its own task may learn of it only when a thread comes back."""

        def stopped(_: object) -> trio.lowlevel.Abort:
            self.is_stopped = True
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(stopped)


class ConversationService:
    """Keeps conversations. `run` must run while it is used."""

    def __init__(
        self,
        path: Path | None,
        assistant: Answers,
        *,
        budget_tokens: Callable[[], int],
        clock: Callable[[], float] = time.time,
        make_id: Callable[[], str] = _make_id,
    ) -> None:
        """`path` is the file to keep them in, None keeps them in memory; `clock` tells Unix seconds."""
        self.notices: list[str] = []
        """What the user should know of the file."""
        self._path = path
        self._assistant = assistant
        self._budget_tokens = budget_tokens
        self._clock = clock
        self._make_id = make_id
        self._store: ConversationStore | None = None
        self._examine = False
        self._one_thread = trio.CapacityLimiter(1)
        self._saver = PartialSaver(self._save)
        self._answering: dict[str, _Answering] = {}
        self._followers: dict[str, set[OnChange]] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep arriving answers, until cancelled."""
        try:
            task_status.started()
            await self._saver.run()
        finally:
            if self._store is not None:
                self._store.close()

    # --- conversations ---------------------------------------------------------------------------

    async def start(self, *, title: str = "", system: str = "") -> Conversation:
        """A new conversation without turns."""
        now = self._clock()
        conversation = Conversation(self._make_id(), title, now, now, system)
        await self._in_store(lambda store: store.create(conversation))
        return conversation

    async def conversations(self, *, offset: int, limit: int) -> tuple[Sequence[Conversation], int]:
        """One page, the one that was used last first, and how many there are."""
        return await self._in_store(lambda store: store.conversations(offset, limit))

    async def history(self, id_: str, *, after: int = 0, limit: int = _PAGE) -> tuple[Conversation, Sequence[Turn]]:
        """Turns with numbers above `after`; a running one as far as its answer was kept."""
        return await self._in_store(lambda store: (store.conversation(id_), store.turns(id_, after=after, limit=limit)))

    async def rename(self, id_: str, title: str) -> Conversation:
        """Give a conversation another title."""

        def rename(store: ConversationStore) -> Conversation:
            store.rename(id_, title)
            return store.conversation(id_)

        conversation = await self._in_store(rename)
        self._tell(id_, ChangeKind.RENAMED, conversation.turns)
        return conversation

    async def delete(self, id_: str) -> None:
        """Delete a conversation, after an answer in it that was stopped; raises ConversationBusy while one is being
        written."""
        await self._free(id_)
        await self._in_store(lambda store: store.delete(id_))
        self._tell(id_, ChangeKind.DELETED, 0)

    async def fork(self, id_: str, *, turn: int | None = None, title: str | None = None) -> Conversation:
        """A new conversation that goes on after `turn` (None: the last) of another."""
        new_id, now = self._make_id(), self._clock()
        return await self._in_store(lambda store: store.fork(id_, turn, new_id=new_id, title=title, at=now))

    async def export(self, id_: str, *, as_markdown: bool) -> str:
        """The whole conversation as Markdown or as JSON."""
        turns: list[Turn] = []
        while True:
            conversation, page = await self.history(id_, after=len(turns))
            turns += page
            if len(page) < _PAGE:
                break
        render = to_markdown if as_markdown else to_json
        return await trio.to_thread.run_sync(render, conversation, turns)

    # --- followers -------------------------------------------------------------------------------

    async def follow(self, id_: str, on_change: OnChange) -> Callable[[], None]:
        """Call `on_change` after each change of a conversation; returns what ends that."""
        await self._in_store(lambda store: store.conversation(id_))
        self._followers.setdefault(id_, set()).add(on_change)

        def unfollow() -> None:
            followers = self._followers.get(id_, set())
            followers.discard(on_change)
            if not followers:
                self._followers.pop(id_, None)

        return unfollow

    def _tell(self, id_: str, kind: ChangeKind, turns: int) -> None:
        for on_change in tuple(self._followers.get(id_, ())):
            on_change(Change(id_, kind, turns))

    # --- turns -----------------------------------------------------------------------------------

    async def send(self, id_: str, question: Question, emit: Emit) -> Said:
        """Ask within a conversation: its history, and what it wants heeded, are added to `question`.

        Cancelled or failed, the turn is kept as partial, with what had arrived. Raises what the assistant raises,
        ConversationNotFound, and ConversationBusy while another question is being answered.
        """
        async with self._answering_in(id_):
            return await self._send(id_, question, emit)

    @asynccontextmanager
    async def _answering_in(self, id_: str) -> AsyncIterator[None]:
        """While an answer is written in a conversation."""
        await self._free(id_)
        answering = self._answering[id_] = _Answering()
        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(answering.watch)
                try:
                    yield
                except Exception as error:
                    failure = error  # raised below, in no group
                # Not where it was cancelled. What has ended is not cancelled any more: hence the shield.
                nursery.cancel_scope.shield = True
                nursery.cancel_scope.cancel()
        finally:
            del self._answering[id_]
            answering.ended.set()
        if failure is not None:
            raise failure

    async def _free(self, id_: str) -> None:
        """Wait for the end of an answer that was stopped; raises ConversationBusy for one that was not."""
        while (other := self._answering.get(id_)) is not None:
            if not other.is_stopped:
                raise ConversationBusy(id_)
            await other.ended.wait()

    async def _send(self, id_: str, question: Question, emit: Emit) -> Said:
        characters = _CHARACTERS_PER_TOKEN * self._budget_tokens()
        started = self._clock()

        def begin(store: ConversationStore) -> tuple[Question, Turn]:
            conversation = store.conversation(id_)
            history, answered = store.exchanges(id_, max_characters=characters)
            turn = store.begin_turn(id_, question.text, retrieved=question.scope is not None, at=started)
            system = "\n\n".join(filter(None, (conversation.system, question.system)))
            older = answered - len(history)
            return replace(question, history=tuple(history), older_exchanges=older, system=system), turn

        asked, turn = await self._in_store(begin)
        self._tell(id_, ChangeKind.TURN_STARTED, turn.number)
        arriving = ArrivingAnswer(self._saver, id_, turn.number)

        async def keep(event: AnswerEvent) -> None:
            if isinstance(event, TextDelta):
                arriving.append(event.text)
            await emit(event)

        try:
            answer = await self._assistant.answer(asked, keep)
        except BaseException as error:
            turn = self._ended(turn, arriving, state=TurnState.PARTIAL, problem=_why(error))
            await self._end(id_, arriving, turn)
            raise
        turn = self._complete(turn, arriving, answer)
        failure = await self._end(id_, arriving, turn)
        if failure:
            answer.notices.append(f"this turn is not kept: {failure}")
        return Said(turn, answer)

    def _ended(self, turn: Turn, arriving: ArrivingAnswer, *, state: TurnState, problem: str = "") -> Turn:
        return msgspec.structs.replace(
            turn, answer=arriving.text, state=state, finished_at=self._clock(), problem=problem
        )

    def _complete(self, turn: Turn, arriving: ArrivingAnswer, answer: Answer) -> Turn:
        turn = self._ended(turn, arriving, state=TurnState.COMPLETE)
        sources = tuple(Source.of(citation.number, citation.hit) for citation in answer.cited)
        turn = msgspec.structs.replace(
            turn, found=answer.found, sources=sources, exchanges_left_out=answer.exchanges_left_out
        )
        if answer.ended is None:
            return turn
        usage = answer.ended.usage
        return msgspec.structs.replace(
            turn,
            provider=answer.ended.provider,
            model=answer.ended.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            finish=answer.ended.finish.value,
        )

    async def _end(self, id_: str, arriving: ArrivingAnswer, turn: Turn) -> str:
        """Keep a turn as it ended; why it could not be, where it could not."""
        self._saver.forget(arriving)
        failure = ""
        with trio.CancelScope(shield=True):  # bounded: one transaction
            try:
                await self._in_store(lambda store: store.finish_turn(id_, turn))
            except LucAstraError as error:
                failure = error.message
                log_event(logger, logging.ERROR, "a turn could not be kept", reason=failure)
        self._tell(id_, ChangeKind.TURN_FINISHED, turn.number)
        return failure

    # --- the store -------------------------------------------------------------------------------

    async def _save(self, answers: list[PartialAnswer]) -> None:
        await self._in_store(lambda store: store.keep_partial(answers))

    async def _in_store(self, work: Callable[[ConversationStore], _R]) -> _R:
        """Work with the store in a thread, opened when it is first needed, one piece of work at a time."""
        return await trio.to_thread.run_sync(self._work, work, limiter=self._one_thread)

    def _work(self, work: Callable[[ConversationStore], _R]) -> _R:
        if self._store is None:
            opened = open_store(self._path, now=self._clock(), examine=self._examine)
            self._store, self._examine = opened.store, False
            if opened.notice:
                self.notices.append(opened.notice)
                log_event(logger, logging.ERROR, "conversations were damaged", notice=opened.notice)
        try:
            return work(self._store)
        except StoreCorrupt as error:
            # Opened again by the next work, which looks at the whole file and sets it aside if it is damaged.
            self._store.close()
            self._store, self._examine = None, True
            raise ConversationsUnavailable(
                f"the conversations cannot be read ({error}); ask again: a damaged file is kept aside, and a new one"
                " begun"
            ) from error


def _why(error: BaseException) -> str:
    """Why an answer broke off, for its turn."""
    if isinstance(error, LucAstraError):
        return error.message
    return CANCELLED if isinstance(error, trio.Cancelled) else f"an internal error ({type(error).__name__})"
