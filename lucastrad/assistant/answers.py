"""What is asked, what an answer is made of, and the events that it arrives in.

Invariant: values only. A citation's hit holds the lines and the text that the model was given, and these were in the
file when the passages were shown.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from lucastrad.llm.protocol import FinishReason, Usage
from lucastrad.types import Freshness, Hit, SearchQuery

NOT_FOUND = "Not found in this workspace."
"""The whole answer where the passages hold none; models are told to say it in these words."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage, and the number that the answer cites it by."""

    number: int
    hit: Hit


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question of a conversation, with its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Question:
    """What to answer."""

    text: str
    scope: SearchQuery | None = None
    """Where to look for passages, and how many to take; its own text is not used. None asks the model alone."""
    history: tuple[Exchange, ...] = ()
    """What was said before, oldest first."""
    older_exchanges: int = 0
    """How many exchanges came before these, too many to be worth reading."""
    system: str = ""
    """What the user wants the model to heed in every answer."""
    choice: str | None = None
    """`PROVIDER` or `PROVIDER/MODEL`; None for the configured one."""
    max_tokens: int | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class PassagesFound:
    """First: what the answer will be written from."""

    citations: tuple[Citation, ...]
    freshness: Freshness = Freshness.FRESH
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Next, any number of times: a piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """Last: who answered, and what it took."""

    provider: str
    model: str
    finish: FinishReason
    usage: Usage


AnswerEvent = PassagesFound | TextDelta | AnswerEnded
Emit = Callable[[AnswerEvent], Awaitable[None]]
"""Takes each event; waits while whoever reads the answer is behind."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    text: str | None
    """None when no provider is configured."""
    cited: tuple[Citation, ...] = ()
    """By number; without a provider, every passage."""
    uncited: tuple[Citation, ...] = ()
    """Passages that the model was given and did not cite."""
    found: bool = True
    """False where the answer is that the workspace does not hold one."""
    freshness: Freshness = Freshness.FRESH
    ended: AnswerEnded | None = None
    """None where no model was asked."""
    exchanges_left_out: int = 0
    """Earlier exchanges, oldest first, that the prompt had no room for."""
    notices: list[str] = field(default_factory=list)
