"""Services that answer at once, wait for a gate, or fail, as a test asks."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from scripted_provider import ScriptedProviders

from lucastrad.assistant.answers import Answer, Citation, Emit, Question
from lucastrad.assistant.providers import ProviderService
from lucastrad.completion.counts import CompletionCounts
from lucastrad.completion.service import CompletionService
from lucastrad.config.schema import Config
from lucastrad.conversation.service import ConversationService
from lucastrad.embeddings.service import EmbeddedTexts
from lucastrad.evaluation.report import (
    Advice,
    Asked,
    Evaluation,
    EvaluationProgress,
    ModeScore,
    QuestionGroup,
    Source,
    Topic,
)
from lucastrad.search.symbols import Found, Symbol
from lucastrad.server.services import Answers, ReportProgress, Services
from lucastrad.types import (
    CheckReport,
    CheckStatus,
    ConfigReport,
    FileLines,
    FileReport,
    FileState,
    Freshness,
    Hit,
    IndexOutcome,
    IndexProgress,
    SearchMode,
    SearchOutcome,
    SearchQuery,
    StoredChunk,
    VectorSpace,
    WorkspaceReport,
    WorkspaceState,
)


def hit(number: int = 1, *, path: str = "src/config.py", text: str = "def load_config(): ...") -> Hit:
    chunk = StoredChunk(number, path, "python", "load_config", "function", 3, 4, text)
    return Hit("/projects/project", chunk, 1.0 / number, {"keyword": 0.5, "vector": 0.25})


class FakeSearches:
    def __init__(self) -> None:
        self.queries: list[SearchQuery] = []
        self.places: list[tuple[Path, int]] = []
        self.hits = [hit()]
        self.gate: trio.Event | None = None
        self.failure: Exception | None = None
        self.running = 0
        self.most_running = 0
        self.cancelled = 0

    async def find(self, query: SearchQuery) -> SearchOutcome:
        self.queries.append(query)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return SearchOutcome(self.hits, Freshness.STALE, ["two files wait"])
        except trio.Cancelled:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def related(self, path: Path, line: int, query: SearchQuery) -> SearchOutcome:
        self.places.append((path, line))
        return await self.find(query)


def symbol(name: str = "load_config", *, line: int = 3, before: str = "def ", **changes: Any) -> Symbol:
    values = {"workspace": "/projects/project", "path": "src/config.py", "container": "", "kind": "function"} | changes
    return Symbol(name=name, line=line, before=before, rank=(0,), **values)


class FakeSymbols:
    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Path], int]] = []
        self.parts = [[symbol()]]

    async def find(
        self, query: str, folders: Sequence[Path], *, limit: int, found: Found | None = None
    ) -> list[Symbol]:
        self.asked.append((query, list(folders), limit))
        for part in self.parts:
            if found is not None:
                await found(part)
        return [one for part in self.parts for one in part]


class FakeBuffers:
    """One client's at a time; what it told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def editor(self) -> "FakeBuffers":
        return self

    def opened(self, path: Path, text: str) -> None:
        self.told.append(("opened", str(path), text))

    def changed(self, path: Path, text: str) -> None:
        self.told.append(("changed", str(path), text))

    def saved(self, path: Path) -> None:
        self.told.append(("saved", str(path)))

    def closed(self, path: Path) -> None:
        self.told.append(("closed", str(path)))

    def close(self) -> None:
        self.told.append(("left",))


class FakeAnswers:
    async def answer(self, question: Question, emit: Emit) -> Answer:
        cited = (Citation(1, hit(1)), Citation(2, hit(2)))
        return Answer(None, cited, notices=["no provider is configured"])


def report(root: str = "/projects/project", state: WorkspaceState = WorkspaceState.READY) -> WorkspaceReport:
    return WorkspaceReport(root, state, Freshness.FRESH, files=3, chunks=9, embedded=9, languages={"python": 3})


class FakeWorkspaces:
    def __init__(self) -> None:
        self.attached: list[Path] = []
        self.followed: list[Path] = []
        self.read_places: list[tuple[Path, int, int]] = []
        self.refused: set[Path] = set()
        self.progress: list[IndexProgress] = []
        self.gate: trio.Event | None = None

    async def attach(self, path: Path) -> None:
        await trio.lowlevel.checkpoint()
        if path in self.refused:
            raise LucAstraError(f"{path} is no folder", code=ErrorCode.WORKSPACE_NOT_FOUND)
        self.attached.append(path)

    async def index(self, path: Path, *, wait: bool, progress: ReportProgress | None = None) -> IndexOutcome:
        for step in self.progress:
            if progress is not None:
                await progress(step)
        if self.gate is not None:
            await self.gate.wait()
        return IndexOutcome(report(str(path)), indexed_files=3, embedded_chunks=9, elapsed_seconds=0.5)

    async def follow(self, path: Path, progress: ReportProgress) -> None:
        self.followed.append(path)
        for step in self.progress:
            await progress(step)
        if self.gate is not None:
            await self.gate.wait()

    async def remove(self, path: Path) -> str:
        return str(path)

    async def reports(self) -> list[WorkspaceReport]:
        return [report()]

    async def files(
        self, path: Path, *, skipped_only: bool, offset: int, limit: int
    ) -> tuple[Sequence[FileReport], int]:
        odd_name = b"caf\xe9.py".decode("utf-8", "surrogateescape")
        return [FileReport(odd_name, FileState.SKIPPED, "its name is not UTF-8")], 1

    async def read(self, path: Path, *, start_line: int, limit: int) -> FileLines:
        self.read_places.append((path, start_line, limit))
        return FileLines(
            "/projects/project", b"caf\xe9.py".decode("utf-8", "surrogateescape"), start_line, 2, 9, "a\nb\n"
        )


class FakeEvaluations:
    def __init__(self) -> None:
        self.asked: list[tuple[Path, int]] = []
        self.gate: trio.Event | None = None

    async def evaluate(
        self, path: Path, *, questions: int, progress: Callable[[EvaluationProgress], Awaitable[None]] | None = None
    ) -> Evaluation:
        self.asked.append((path, questions))
        if progress is not None:
            await progress(EvaluationProgress("reading: 1 of 2 files", 0.355))
        if self.gate is not None:
            await self.gate.wait()
        scores = tuple(ModeScore(mode, 0.5, 0.05, 0.6, 0.04, 0.7, 0.03, 0.8) for mode in SearchMode)
        group = QuestionGroup("all", 12, scores, relevance=1.25, at_least_as_good=0.9, answered=10)
        return Evaluation(
            root=str(path),
            total=group,
            sources=(group,),
            languages=(),
            folders=(),
            advice=(Advice(Topic.NOISE, "vendor/ takes 3 of 12", ("/vendor/",)),),
            asked=(Asked(Source.COMMITS, "what was done", ("caf\udce9.py",), {SearchMode.HYBRID: 2}),),
            elapsed_seconds=1.5,
            notices=("no git",),
        )


class FakeSettings:
    answer_limit = 5

    def report(self, folder: Path | None) -> ConfigReport:
        return ConfigReport({"folder": str(folder)}, {"llm.model": "user"}, ["one problem"])

    def search_limit(self, folders: Sequence[Path]) -> int:
        return 10


class FakeEmbeddings:
    space = VectorSpace("local", "fake", 4)
    problems: Sequence[str] = ()

    async def embed(self, texts: Sequence[str], *, queries: bool) -> EmbeddedTexts:
        rows = [[float(queries), 0.0, 0.0, float(len(text))] for text in texts]
        return EmbeddedTexts(np.array(rows, np.float32), self.space)


class FakeChecks:
    async def doctor(self) -> list[CheckReport]:
        return [CheckReport("store", CheckStatus.WARNING, "nearly full", "free some space")]


@dataclass
class Fakes:
    """The fakes behind one Services, for tests to steer and look at."""

    search: FakeSearches = field(default_factory=FakeSearches)
    buffers: FakeBuffers = field(default_factory=FakeBuffers)
    symbols: FakeSymbols = field(default_factory=FakeSymbols)
    workspaces: FakeWorkspaces = field(default_factory=FakeWorkspaces)
    assistant: Answers = field(default_factory=FakeAnswers)
    providers: ScriptedProviders = field(default_factory=ScriptedProviders)
    config: Config = field(default_factory=Config)
    evaluations: FakeEvaluations = field(default_factory=FakeEvaluations)
    completion_counts: CompletionCounts = field(default_factory=lambda: CompletionCounts(None))
    home: Path = Path("/home/me/.lucastra")

    def __post_init__(self) -> None:
        self.conversations = ConversationService(None, self.assistant, budget_tokens=lambda: 8000)

    def services(self) -> Services:
        return Services(
            search=self.search,
            buffers=self.buffers,
            symbols=self.symbols,
            assistant=self.assistant,
            conversations=self.conversations,
            completion=CompletionService(
                self.providers, self.search, lambda: self.config.completion, self.completion_counts
            ),
            providers=ProviderService(self.providers, self.config),
            workspaces=self.workspaces,
            evaluations=self.evaluations,
            settings=FakeSettings(),
            checks=FakeChecks(),
            embeddings=FakeEmbeddings(),
            home=self.home,
        )
