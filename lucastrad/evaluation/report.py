"""What an evaluation tells."""

from dataclasses import dataclass, field
from enum import StrEnum

from lucastrad.evaluation.metrics import Target
from lucastrad.types import SearchMode


class Source(StrEnum):
    """Where a question comes from."""

    DEFINITIONS = "definitions"
    """The first sentence of a docstring or doc comment; its definition answers, searched without any documentation."""
    COMMITS = "commits"
    """What a commit says that it does; the files that it changed answer, searched as they are."""


@dataclass(frozen=True, slots=True)
class ModeScore:
    """How well one way of searching answers some questions; means from 0 to 1, with their standard errors."""

    mode: SearchMode
    mrr: float
    mrr_error: float
    ndcg: float
    ndcg_error: float
    recall: float
    """Share of the questions with an answer among the first ten hits."""
    recall_error: float
    files: float
    """The same, where another passage of an answer's file counts too."""


@dataclass(frozen=True, slots=True)
class QuestionGroup:
    """Questions of one kind, and how each mode answers them."""

    name: str
    questions: int
    modes: tuple[ModeScore, ...]
    relevance: float | None
    """NDCG@10 of hybrid over that of keyword search; None where keyword search finds nothing."""
    at_least_as_good: float | None
    """Share of `answered` where hybrid search is not worse than keyword search; None for no answered question."""
    answered: int
    """Questions that one of these two finds an answer to: the others say nothing about which is better."""

    def score(self, mode: SearchMode) -> ModeScore:
        """That of one mode."""
        return next(score for score in self.modes if score.mode is mode)


class Topic(StrEnum):
    """What a piece of advice is about."""

    EMBEDDING = "embedding"
    MODE = "mode"
    SKIPPED = "skipped"
    NOISE = "noise"
    TESTS = "tests"
    DOCUMENTATION = "documentation"
    GRAMMARS = "grammars"


@dataclass(frozen=True, slots=True)
class Advice:
    """What would improve retrieval, with the number that says so."""

    topic: Topic
    text: str
    ignore: tuple[str, ...] = ()
    """Lines for `.lucastraignore`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and at which rank each mode shows an answer."""

    source: Source
    text: str
    answers: tuple[str, ...]
    """Files, or `file:line` of definitions."""
    ranks: dict[SearchMode, int]
    """From 1 to 10; a mode that shows no answer among ten hits is absent."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Retrieval on one workspace."""

    root: str
    total: QuestionGroup
    sources: tuple[QuestionGroup, ...]
    languages: tuple[QuestionGroup, ...]
    """The most frequent first."""
    folders: tuple[QuestionGroup, ...]
    """Those with enough questions, where hybrid search does worst first."""
    advice: tuple[Advice, ...]
    asked: tuple[Asked, ...]
    elapsed_seconds: float
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """How far an evaluation has come."""

    message: str
    share: float
    """From 0 to 1."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with everything that answers it."""

    source: Source
    text: str
    targets: tuple[Target, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What was seen of the workspace while the questions were made."""

    chunks: int = 0
    embedded: int = 0
    """Of the workspace's own index."""
    files: int = 0
    """Read for the questions about definitions."""
    definitions: int = 0
    """Tests are left out."""
    documented: int = 0
    """Of `definitions`."""
    uncut: dict[str, int] = field(default_factory=dict)
    """Language, or ending of a file without one → files that were cut by lines, not along definitions."""
    commits: int = 0
    """Those whose message could be asked."""
    out_of_reach: dict[str, int] = field(default_factory=dict)
    """Reason → commits (of `commits`, not asked) that changed nothing but files which are skipped for it."""
