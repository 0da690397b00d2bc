"""What handlers may ask of the daemon's services.

`app.py` builds the real ones; tests pass fakes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lucastrad.assistant.answers import Answer, Emit, Question
from lucastrad.assistant.providers import ProviderReport
from lucastrad.completion.counts import CompletionCount
from lucastrad.completion.cursor import Cursor
from lucastrad.completion.suggestion import Suggestion
from lucastrad.conversation.service import OnChange, Said
from lucastrad.conversation.turns import Conversation, Turn
from lucastrad.embeddings.service import EmbeddedTexts
from lucastrad.evaluation.report import Evaluation, EvaluationProgress
from lucastrad.llm.protocol import Model
from lucastrad.search.symbols import Found, Symbol
from lucastrad.types import (
    CheckReport,
    ConfigReport,
    FileLines,
    FileReport,
    IndexOutcome,
    IndexProgress,
    SearchOutcome,
    SearchQuery,
    VectorSpace,
    WorkspaceReport,
)

ReportProgress = Callable[[IndexProgress], Awaitable[None]]


class Searches(Protocol):
    """Finds passages."""

    async def find(self, query: SearchQuery) -> SearchOutcome: ...

    async def related(self, path: Path, line: int, query: SearchQuery) -> SearchOutcome:
        """Passages like the one at 1-based `line` of `path`; `query.text` is ignored."""
        ...


class Editor(Protocol):
    """The open documents of one client; paths are absolute."""

    def opened(self, path: Path, text: str) -> None: ...

    def changed(self, path: Path, text: str) -> None: ...

    def saved(self, path: Path) -> None: ...

    def closed(self, path: Path) -> None: ...

    def close(self) -> None:
        """The client left."""
        ...


class Buffers(Protocol):
    """Lets searches find what editors have not saved."""

    def editor(self) -> Editor: ...


class Symbols(Protocol):
    """Finds definitions by name."""

    async def find(
        self, query: str, folders: Sequence[Path], *, limit: int, found: Found | None = None
    ) -> list[Symbol]:
        """The best below `folders`, or of every workspace; `found` is given each workspace's as they are found."""
        ...


class Answers(Protocol):
    """Answers questions."""

    async def answer(self, question: Question, emit: Emit) -> Answer: ...


class Conversations(Protocol):
    """Keeps conversations, and answers within them."""

    notices: list[str]

    async def start(self, *, title: str = "", system: str = "") -> Conversation: ...

    async def send(self, id_: str, question: Question, emit: Emit) -> Said: ...

    async def history(self, id_: str, *, after: int = 0, limit: int = 1000) -> tuple[Conversation, Sequence[Turn]]: ...

    async def conversations(self, *, offset: int, limit: int) -> tuple[Sequence[Conversation], int]: ...

    async def rename(self, id_: str, title: str) -> Conversation: ...

    async def delete(self, id_: str) -> None: ...

    async def fork(self, id_: str, *, turn: int | None = None, title: str | None = None) -> Conversation: ...

    async def export(self, id_: str, *, as_markdown: bool) -> str: ...

    async def follow(self, id_: str, on_change: OnChange) -> Callable[[], None]:
        """Call `on_change` after each change; returns what ends that."""
        ...


class Completer(Protocol):
    """One client's inline completions."""

    async def run(self) -> None:
        """Look for what completions may draw on, until cancelled."""
        ...

    def begin(self, cursor: Cursor) -> Callable[[], Awaitable[Suggestion | None]]:
        """Cancel the completion under way; the work to be done gives what to insert."""
        ...

    def offered(self, suggestion: Suggestion) -> None:
        """Count a suggestion that is sent to the client; only then can the client report on it by its id."""
        ...

    def shown(self, id_: str) -> None: ...

    def accepted(self, id_: str, *, partial: bool) -> None: ...


class Completions(Protocol):
    """Completes code."""

    def completer(self) -> Completer: ...

    def counted(self) -> Sequence[CompletionCount]:
        """What became of completions, by provider, model and language."""
        ...


class Providers(Protocol):
    """Tells of the language-model providers."""

    @property
    def default(self) -> str | None:
        """What answers when a request names no provider; None where nothing does."""
        ...

    async def reports(self, *, check: bool) -> list[ProviderReport]: ...

    async def models(self, choice: str | None) -> tuple[list[tuple[str, Model]], list[str]]:
        """Models with the names of their providers, and why some could not be listed."""
        ...


class Embeddings(Protocol):
    """Tells of the embedding model, and embeds."""

    @property
    def space(self) -> VectorSpace:
        """The space that chunks are embedded in now."""
        ...

    @property
    def problems(self) -> list[str]:
        """Why the configured model is not in use."""
        ...

    async def embed(self, texts: Sequence[str], *, queries: bool) -> EmbeddedTexts: ...


class Workspaces(Protocol):
    """Keeps the workspaces; every `path` is absolute."""

    async def attach(self, path: Path) -> None:
        """Make sure that `path` is, or lies in, a workspace; index it in the background."""
        ...

    async def index(self, path: Path, *, wait: bool, progress: ReportProgress | None = None) -> IndexOutcome: ...

    async def follow(self, path: Path, progress: ReportProgress) -> None:
        """Tell how far the workspace of `path` has come, until everything known is searchable or cannot be."""
        ...

    async def remove(self, path: Path) -> str: ...

    async def reports(self) -> list[WorkspaceReport]: ...

    async def files(
        self, path: Path, *, skipped_only: bool, offset: int, limit: int
    ) -> tuple[Sequence[FileReport], int]: ...

    async def read(self, path: Path, *, start_line: int, limit: int) -> FileLines:
        """At most `limit` lines of an indexed file, from 1-based `start_line` on."""
        ...


class Evaluations(Protocol):
    """Measures retrieval."""

    async def evaluate(
        self, path: Path, *, questions: int, progress: Callable[[EvaluationProgress], Awaitable[None]] | None = None
    ) -> Evaluation:
        """Ask at most `questions` questions about the workspace that is or holds `path`."""
        ...


class Settings(Protocol):
    """Tells the configuration in force."""

    @property
    def answer_limit(self) -> int:
        """Passages for an answer whose question names no number."""
        ...

    def report(self, folder: Path | None) -> ConfigReport: ...

    def search_limit(self, folders: Sequence[Path]) -> int:
        """Hits of a search of these folders that names no number."""
        ...


class Checks(Protocol):
    """Examines the installation."""

    async def doctor(self) -> list[CheckReport]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a handler can reach."""

    search: Searches
    buffers: Buffers
    symbols: Symbols
    assistant: Answers
    conversations: Conversations
    completion: Completions
    providers: Providers
    workspaces: Workspaces
    evaluations: Evaluations
    settings: Settings
    checks: Checks
    embeddings: Embeddings
    home: Path
