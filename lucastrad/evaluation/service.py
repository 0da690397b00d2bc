"""`eval`: how well the code of a workspace is found, asked with what its own authors wrote.

Questions about definitions are searched in a small index of their own, without the documentation that they are taken
from; questions about commits in the workspace's index. One evaluation runs at a time, and changes nothing.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.embeddings.protocol import Embedder, Metered
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.embeddings.static import SPACE
from lucastrad.evaluation import scoring
from lucastrad.evaluation.advice import advise
from lucastrad.evaluation.history import read_history
from lucastrad.evaluation.index import StrippedIndex
from lucastrad.evaluation.metrics import DEPTH, Place
from lucastrad.evaluation.questions import CommitQuestions, commit_questions, drawn, sampled, unambiguous
from lucastrad.evaluation.report import Corpus, Evaluation, EvaluationProgress, Question, Source
from lucastrad.evaluation.scoring import MODES, Measured
from lucastrad.evaluation.stripped import StrippedFile, StripRequest, decode_reply, strip_job
from lucastrad.indexing.chunking import TEXT
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.service import SearchService
from lucastrad.storage.catalog_reader import CatalogReader
from lucastrad.types import FileState, Freshness, SearchMode, SearchQuery
from lucastrad.workers import WorkerPool
from lucastrad.workspace.scanner import ScanRules

_log = logging.getLogger(__name__)

_MOST_PASSAGES = 20_000
"""Of the files that are read without their documentation: their vectors take 20 MB, their outlines as much."""
_FILES_A_JOB = 32
_JOB_SECONDS = 120.0
_READING_SHARE = 0.7
"""Of the progress: the rest is for the questions."""
_PLAIN = frozenset({"", ".txt", ".text", ".in", ".out", ".dat", ".data", ".list", ".lst", ".golden", ".expected"})
"""Endings of files that no grammar is missed for."""

ReportProgress = Callable[[EvaluationProgress], Awaitable[None]]
RulesFor = Callable[[Path], ScanRules]

_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class _Seen:
    """What reading the files gave beside the index."""

    questions: list[Question] = field(default_factory=list)
    files: int = 0
    definitions: int = 0
    documented: int = 0
    uncut: Counter[str] = field(default_factory=Counter)

    def note(self, file: StrippedFile) -> None:
        """Count one file, and keep what it asks."""
        self.files += 1
        self.questions += file.questions
        self.definitions += file.definitions
        self.documented += file.documented
        ending = PurePosixPath(file.path).suffix.lower()
        if file.uncut:
            self.uncut[file.language] += 1
        elif file.language == TEXT and ending not in _PLAIN:
            self.uncut[f"*{ending}"] += 1


class EvaluationService:
    """Measures retrieval on a workspace."""

    def __init__(
        self,
        home: Path,
        *,
        workspaces: WorkspaceService,
        search: SearchService,
        embeddings: EmbeddingSpaces,
        pool: WorkerPool,
        rules_for: RulesFor,
        most_passages: int = _MOST_PASSAGES,
    ) -> None:
        """`most_passages` bounds what is read for the questions about definitions."""
        self._folder = home / "evaluation"
        self._workspaces = workspaces
        self._search = search
        self._embeddings = embeddings
        self._pool = pool
        self._rules_for = rules_for
        self._most_passages = most_passages
        self._one = trio.Lock()

    async def evaluate(self, path: Path, *, questions: int, progress: ReportProgress | None = None) -> Evaluation:
        """Ask at most `questions` questions about the workspace that is or holds `path`, in each mode of searching.

        The same workspace gives the same questions. Raises LucAstraError when `path` is in no workspace
        (WORKSPACE_NOT_FOUND), and when there is nothing to ask.
        """
        report = progress or _to_nobody
        started = trio.current_time()
        indexer = self._workspaces.holding(await trio.to_thread.run_sync(path.resolve))
        root, catalog = indexer.root, (await indexer.opened()).catalog
        if self._one.locked():
            await report(EvaluationProgress("waiting for another evaluation", 0.0))
        embedder = self._own_embedder()
        async with self._one, self._own_index(embedder.space.dimensions) as index:
            await report(EvaluationProgress("reading the git history", 0.0))
            history = await read_history(root)
            from_commits = await trio.to_thread.run_sync(
                lambda: commit_questions(history.commits, lambda path: _reason(root, catalog, path))
            )
            spans = await trio.to_thread.run_sync(catalog.spans)
            files = sampled(spans, lambda item: item[1].last - item[1].first + 1, self._most_passages)
            seen = await self._read(root, [path for path, _ in files], index, embedder, report)
            asked = drawn(unambiguous(seen.questions), from_commits.questions, questions)
            if not asked:
                raise LucAstraError(
                    f"there is nothing to ask about {root}: {seen.files} indexed files document no definition, and"
                    f" {history.problem or 'no commit says what it does to them'}; write docstrings or doc comments,"
                    " or evaluate a repository with a git history"
                )
            results = await self._ask(root, asked, index, embedder, report)
        counts = await trio.to_thread.run_sync(catalog.counts)
        corpus = _corpus(seen, from_commits, chunks=counts.chunks, embedded=counts.embedded)
        notices = [history.problem] if history.problem else []
        if embedder is not self._embeddings.configured:
            notices.append("definitions were searched with the packaged model: a provider's would be paid each time")
        if len(files) < len(spans):
            notices.append(
                f"definitions were searched in {len(files):,} of {len(spans):,} files, drawn by chance, to read at most"
                f" {self._most_passages:,} passages: among all of them, answers are harder to find"
            )
        if indexer.freshness is Freshness.STALE:
            notices.append("files have changed that are not indexed yet; `lucastra-client index` brings them in")
        return Evaluation(
            root=str(root),
            total=scoring.group("all", results),
            sources=tuple(
                scoring.group(source.value, part)
                for source in Source
                if (part := [one for one in results if one.question.source is source])
            ),
            languages=scoring.by_language(results),
            folders=scoring.worst_folders(results),
            advice=advise(results, corpus),
            asked=tuple(one.asked() for one in results),
            elapsed_seconds=trio.current_time() - started,
            notices=tuple(notices),
        )

    # --- reading ---------------------------------------------------------------------------------

    def _own_embedder(self) -> Embedder:
        """What embeds an evaluation's own index, the same from its beginning to its end."""
        configured = self._embeddings.configured
        packaged = self._embeddings.embedder(SPACE) if isinstance(configured, Metered) else None
        return packaged or configured

    @asynccontextmanager
    async def _own_index(self, dimensions: int) -> AsyncIterator[StrippedIndex]:
        """An empty index, whose files are gone afterwards; so are those of a daemon that was killed over one."""
        index = await trio.to_thread.run_sync(_new_index, self._folder, dimensions)
        try:
            yield index
        finally:
            with trio.CancelScope(shield=True):  # bounded: some files are closed and removed
                await trio.to_thread.run_sync(index.close)
                await trio.to_thread.run_sync(shutil.rmtree, self._folder, True)

    async def _read(
        self, root: Path, paths: Sequence[str], index: StrippedIndex, embedder: Embedder, report: ReportProgress
    ) -> _Seen:
        """Fill the index with the files, without their documentation."""
        seen = _Seen()
        step = _FILES_A_JOB * self._pool.size
        for start in range(0, len(paths), step):
            share = _READING_SHARE * start / len(paths)
            await report(EvaluationProgress(f"reading: {start:,} of {len(paths):,} files", share))
            for file_batch in await self._stripped(root, paths[start : start + step]):
                for file in file_batch:
                    seen.note(file)
                await trio.to_thread.run_sync(index.add, file_batch)
                await _embed(file_batch, index, embedder)
        await trio.to_thread.run_sync(index.publish)
        return seen

    async def _stripped(self, root: Path, paths: Sequence[str]) -> list[list[StrippedFile]]:
        """The files in their order, read by as many workers as there are."""
        parts = [paths[start : start + _FILES_A_JOB] for start in range(0, len(paths), _FILES_A_JOB)]
        found: list[list[StrippedFile]] = [[] for _ in parts]

        async def strip(number: int) -> None:
            found[number] = await self._strip(root, parts[number])

        async with trio.open_nursery() as nursery:
            for number in range(len(parts)):
                nursery.start_soon(strip, number)
        return found

    async def _strip(self, root: Path, paths: Sequence[str]) -> list[StrippedFile]:
        """One job; a file that a worker dies of, or that no parser can take, is left out."""
        request = StripRequest(os.fsencode(root), self._rules_for(root), list(paths))
        try:
            return decode_reply(await self._pool.run(strip_job, _encode(request), timeout_seconds=_JOB_SECONDS))
        except Exception as error:  # whatever a parser does to one file, the others are read
            if len(paths) == 1:
                _log.warning("%s is left out of an evaluation: %s", paths[0], error)
                return []
            middle = len(paths) // 2
            return await self._strip(root, paths[:middle]) + await self._strip(root, paths[middle:])

    # --- asking ----------------------------------------------------------------------------------

    async def _ask(
        self,
        root: Path,
        asked: Sequence[Question],
        index: StrippedIndex,
        embedder: Embedder,
        report: ReportProgress,
    ) -> list[Measured]:
        results: list[Measured] = []
        for number, question in enumerate(asked):
            share = _READING_SHARE + (1 - _READING_SHARE) * number / len(asked)
            await report(EvaluationProgress(f"asking: {number:,} of {len(asked):,} questions", share))
            if question.source is Source.DEFINITIONS:
                hits = await _ask_own(question.text, index, embedder)
            else:
                hits = await self._ask_workspace(question.text, root)
            results.append(scoring.measured(question, hits))
        return results

    async def _ask_workspace(self, text: str, root: Path) -> dict[SearchMode, Sequence[Place]]:
        hits: dict[SearchMode, Sequence[Place]] = {}
        for mode in MODES:
            outcome = await self._search.find(SearchQuery(text, mode, DEPTH, (str(root),)))
            hits[mode] = [
                Place(hit.chunk.path, hit.chunk.start_line, hit.chunk.end_line)
                for hit in outcome.hits
                if hit.workspace == str(root)  # not of a workspace within this one
            ]
        return hits


async def _to_nobody(_: EvaluationProgress) -> None:
    pass


def _new_index(folder: Path, dimensions: int) -> StrippedIndex:
    shutil.rmtree(folder, ignore_errors=True)
    return StrippedIndex(folder, dimensions)


async def _embed(files: Sequence[StrippedFile], index: StrippedIndex, embedder: Embedder) -> None:
    passages = [chunk.passage for file in files for chunk in file.chunks]
    for start in range(0, len(passages), embedder.batch_size):
        index.embedded(await embedder.embed_passages(passages[start : start + embedder.batch_size]))


async def _ask_own(text: str, index: StrippedIndex, embedder: Embedder) -> dict[SearchMode, Sequence[Place]]:
    vector = await embedder.embed_query(text)
    return await trio.to_thread.run_sync(lambda: {mode: index.search(text, mode, vector) for mode in MODES})


def _reason(root: Path, catalog: CatalogReader, path: str) -> str | None:
    """Why a file is not in the index: "" where it is, None where there is no such file."""
    known = catalog.known_file(path)
    if known is not None and known.state is FileState.INDEXED:
        return ""
    if not (root / path).is_file():
        return None
    if known is not None:
        return known.reason
    parts = path.split("/")
    above = (catalog.known_file("".join(f"{part}/" for part in parts[:depth])) for depth in range(1, len(parts)))
    return next((folder.reason for folder in above if folder is not None), None)


def _corpus(seen: _Seen, commits: CommitQuestions, *, chunks: int, embedded: int) -> Corpus:
    return Corpus(
        chunks=chunks,
        embedded=embedded,
        files=seen.files,
        definitions=seen.definitions,
        documented=seen.documented,
        uncut=dict(seen.uncut),
        commits=len(commits.questions) + sum(commits.out_of_reach.values()),
        out_of_reach=commits.out_of_reach,
    )
