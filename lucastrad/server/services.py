"""What handlers may ask of the daemon's services.

`app.py` builds the real ones; tests pass fakes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lucastrad.types import (
    Answer,
    CheckReport,
    ConfigReport,
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


class Answers(Protocol):
    """Answers questions."""

    async def ask(self, query: SearchQuery) -> Answer: ...


class Workspaces(Protocol):
    """Keeps the workspaces; every `path` is absolute."""

    async def attach(self, path: Path) -> None:
        """Make sure that `path` is, or lies in, a workspace; index it in the background."""
        ...

    async def index(self, path: Path, *, wait: bool, progress: ReportProgress | None = None) -> IndexOutcome: ...

    async def remove(self, path: Path) -> str: ...

    async def reports(self) -> list[WorkspaceReport]: ...

    async def files(
        self, path: Path, *, skipped_only: bool, offset: int, limit: int
    ) -> tuple[Sequence[FileReport], int]: ...


class Settings(Protocol):
    """Tells the configuration in force."""

    def report(self, folder: Path | None) -> ConfigReport: ...


class Checks(Protocol):
    """Examines the installation."""

    async def doctor(self) -> list[CheckReport]: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a handler can reach."""

    search: Searches
    assistant: Answers
    workspaces: Workspaces
    settings: Settings
    checks: Checks
    space: VectorSpace
    home: Path
