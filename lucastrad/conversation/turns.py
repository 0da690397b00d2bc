"""Conversations and their turns, as they are kept. Invariant: values only."""

from enum import StrEnum

import msgspec

from lucastrad.types import Hit


class TurnState(StrEnum):
    """How far a turn has come."""

    RUNNING = "running"
    """The answer is being written."""
    COMPLETE = "complete"
    PARTIAL = "partial"
    """The answer broke off: cancelled, failed, or the daemon ended."""


class Source(msgspec.Struct, frozen=True):
    """What an answer cited. Without its text: that is in the file."""

    number: int
    workspace: str
    path: str
    start_line: int
    end_line: int
    language: str = ""
    symbol: str = ""
    kind: str = ""

    @classmethod
    def of(cls, number: int, hit: Hit) -> "Source":
        chunk = hit.chunk
        return cls(
            number, hit.workspace, chunk.path, chunk.start_line, chunk.end_line,
            chunk.language, chunk.symbol, chunk.kind,
        )  # fmt: skip


class Turn(msgspec.Struct, frozen=True):
    """A question, and the answer as far as it came. Times are Unix seconds."""

    number: int
    """From 1, without gaps."""
    question: str
    started_at: float
    answer: str = ""
    state: TurnState = TurnState.RUNNING
    finished_at: float | None = None
    retrieved: bool = False
    """Whether passages were looked for."""
    found: bool = True
    """False where the answer is that the workspace does not hold one."""
    provider: str = ""
    """Who answered; empty where no model did."""
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish: str = ""
    sources: tuple[Source, ...] = ()
    exchanges_left_out: int = 0
    """Earlier turns that the prompt had no room for."""
    problem: str = ""
    """Why the answer broke off, where it did."""


class Conversation(msgspec.Struct, frozen=True):
    """A conversation without its turns. Times are Unix seconds."""

    id: str
    title: str
    """Empty until the first question gives one, unless the user did."""
    created_at: float
    updated_at: float
    system: str = ""
    """What the user wants heeded in every answer."""
    forked_from: str = ""
    forked_at: int = 0
    """The last turn that was taken over."""
    turns: int = 0


def title_of(question: str) -> str:
    """A title for a conversation that begins with `question`."""
    line = " ".join(question.split())
    return line if len(line) <= 60 else line[:59].rstrip() + "…"
