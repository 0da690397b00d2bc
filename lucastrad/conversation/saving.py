"""Keeps answers while they arrive: what of them a kill of the daemon may cost is bounded by time and by size.

Invariant: all running answers are kept together, in one transaction at most every `interval_seconds`, or as soon as
one of them has grown by `burst_characters`; however many run.
"""

import logging
from collections.abc import Awaitable, Callable

import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.conversation.store import PartialAnswer
from lucastrad.logs import log_event

INTERVAL_SECONDS = 0.25
BURST_CHARACTERS = 4096

logger = logging.getLogger(__name__)


class ArrivingAnswer:
    """An answer as far as it has come."""

    def __init__(self, saver: "PartialSaver", conversation: str, turn: int) -> None:
        self._saver = saver
        self._conversation = conversation
        self._turn = turn
        self._pieces: list[str] = []
        self.unsaved_characters = 0

    @property
    def text(self) -> str:
        """Everything that has arrived."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def append(self, piece: str) -> None:
        """Take the next piece; it is kept soon."""
        self._pieces.append(piece)
        self.unsaved_characters += len(piece)
        self._saver.note(self)

    def partial(self) -> PartialAnswer:
        return PartialAnswer(self._conversation, self._turn, self.text)


class PartialSaver:
    """Saves answers in the background, while `run` runs."""

    def __init__(
        self,
        save: Callable[[list[PartialAnswer]], Awaitable[None]],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        burst_characters: int = BURST_CHARACTERS,
    ) -> None:
        self._save = save
        self._interval_seconds = interval_seconds
        self._burst_characters = burst_characters
        self._unsaved: set[ArrivingAnswer] = set()
        self._noted = trio.Event()
        self._burst = trio.Event()

    def note(self, answer: ArrivingAnswer) -> None:
        """Save `answer` with the next batch."""
        self._unsaved.add(answer)
        self._noted.set()
        if answer.unsaved_characters >= self._burst_characters:
            self._burst.set()

    def forget(self, answer: ArrivingAnswer) -> None:
        """Leave the rest to whoever keeps the finished turn."""
        self._unsaved.discard(answer)

    async def run(self) -> None:
        """Save, for ever. A failure is logged and tried again: the answer goes on meanwhile."""
        while True:
            await self._noted.wait()
            with trio.move_on_after(self._interval_seconds):
                await self._burst.wait()
            self._noted, self._burst = trio.Event(), trio.Event()
            answers, self._unsaved = self._unsaved, set()
            for answer in answers:
                answer.unsaved_characters = 0
            try:
                await self._save([answer.partial() for answer in answers])
            except LucAstraError as error:
                log_event(logger, logging.WARNING, "arriving answers could not be kept", reason=error.message)
