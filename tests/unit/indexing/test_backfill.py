"""The backlog of passages without a vector: told before it is sent, embedded once, and waited with where nobody can."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from embedding_provider import EmbeddingProvider, OneProvider
from in_process import ThreadPool

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.provider import ProviderEmbedder, Source
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.llm.errors import RequestRejected, ServerFailed
from lucastrad.llm.protocol import EmbeddingRequest
from lucastrad.search.service import SearchService
from lucastrad.types import Freshness, SearchMode, SearchQuery, VectorSpace, WorkspaceReport, WorkspaceState
from lucastrad.workspace.scanner import ScanRules

pytestmark = pytest.mark.trio

SPACE = VectorSpace("openai", "letters", 26)
OTHER = VectorSpace("openai", "letters", 13)
BUSY = ServerFailed("it is overloaded", provider="llm")
REFUSED = RequestRejected("input is not valid", provider="llm")


class Daemon:
    """The services over one folder of twelve files, and a provider that embeds three passages a call."""

    def __init__(self, home: Path, root: Path, provider: EmbeddingProvider, *, enabled: bool) -> None:
        self.root = root
        self.provider = provider
        self.embeddings = EmbeddingSpaces(
            self.embedder(SPACE),
            lambda space: EmbeddingCache(home / "embeddings", space, max_bytes=1 << 24),
            embedder_for=self.embedder,
            enabled=enabled,
        )
        pool: Any = ThreadPool()
        self.workspaces = WorkspaceService(
            home, pool=pool, builders=pool, embeddings=self.embeddings, rules_for=lambda _: ScanRules()
        )
        self.search = SearchService(self.workspaces, self.embeddings)

    def embedder(self, space: VectorSpace) -> ProviderEmbedder:
        source = Source("openai", "letters", space.dimensions)
        return ProviderEmbedder(OneProvider(self.provider), source, space, batch_size=3, redact=str)

    async def report(self) -> WorkspaceReport:
        (report,) = await self.workspaces.reports()
        return report

    async def until_report(self, condition: Callable[[WorkspaceReport], bool]) -> WorkspaceReport:
        while True:
            report = await self.report()
            if condition(report):
                return report
            await trio.sleep(0.01)

    async def until(self, state: WorkspaceState, *, embedded: int, chunks: int = 12) -> WorkspaceReport:
        expected = (state, chunks, embedded)
        return await self.until_report(lambda report: (report.state, report.chunks, report.embedded) == expected)

    async def modes(self) -> dict[SearchMode, int]:
        """How many passages each mode finds."""
        outcomes = {mode: await self.search.find(SearchQuery("zebra", mode)) for mode in SearchMode}
        return {mode: len(outcome.hits) for mode, outcome in outcomes.items()}

    async def near(self, text: str) -> list[str]:
        """The files whose vectors are like that of a text."""
        return [hit.chunk.path for hit in (await self.search.find(SearchQuery(text, SearchMode.VECTOR))).hits]

    def embedded_texts(self) -> list[str]:
        """Every text that was sent but for questions."""
        return [text for sent in self.provider.sent for text in sent if text != "zebra"]


@asynccontextmanager
async def daemon(tmp_path: Path, provider: EmbeddingProvider, *, enabled: bool = True) -> AsyncIterator[Daemon]:
    root = tmp_path.resolve() / "project"
    root.mkdir(exist_ok=True)
    for number, letter in enumerate("abcdefghijkz"):
        (root / f"{letter}.txt").write_text(f"{letter * 20} {'zebra' if letter == 'z' else number}\n")
    one = Daemon(tmp_path / "home", root, provider, enabled=enabled)
    async with trio.open_nursery() as nursery:
        await nursery.start(one.workspaces.run)
        await one.workspaces.attach(root)
        with trio.fail_after(30):
            yield one
        nursery.cancel_scope.cancel()
    one.embeddings.close()


class Gated(EmbeddingProvider):
    """Answers once `gate` is set; `asked` is set by the first request."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gate, self.asked = trio.Event(), trio.Event()

    async def embed(self, request: EmbeddingRequest) -> Any:
        self.asked.set()
        await self.gate.wait()
        return await super().embed(request)


async def test_how_much_is_sent_is_told_before_the_first_of_it(tmp_path: Path) -> None:
    provider = Gated()
    async with daemon(tmp_path, provider, enabled=False) as one:
        await one.workspaces.index(one.root, wait=True)
        one.embeddings.enable(True)
        await provider.asked.wait()
        assert provider.sent == []
        (notice,) = (await one.report()).notices
        assert notice == "12 passages, about 197 tokens, are being sent to openai-letters-26"
        provider.gate.set()
        report = await one.until(WorkspaceState.READY, embedded=12)
        assert report.notices == []


async def test_what_a_failing_call_leaves_is_embedded_later_and_nothing_twice(tmp_path: Path) -> None:
    answered: list[str] = []

    def fails(request: EmbeddingRequest) -> ServerFailed | None:
        if any("bbbb" in text for text in request.texts) and len(answered) < 9:
            return BUSY
        answered.extend(request.texts)
        return None

    async with daemon(tmp_path, EmbeddingProvider(fails=fails), enabled=False) as one:
        await one.workspaces.index(one.root, wait=True)
        one.embeddings.enable(True)
        report = await one.until_report(lambda report: bool(report.problems and report.embedded))
        assert report.embedded % 3 == 0  # calls that were sent side by side with the one that failed
        answered += [""] * 9
        one.embeddings.use(one.embedder(SPACE))  # a change of the settings ends the pause
        await one.until(WorkspaceState.READY, embedded=12)
        assert len([text for text in answered if text]) == len({text for text in answered if text}) == 12


async def test_one_passage_that_a_model_refuses_keeps_no_other_from_a_vector(tmp_path: Path) -> None:
    def fails(request: EmbeddingRequest) -> RequestRejected | None:
        return REFUSED if any("bbbb" in text for text in request.texts) else None

    async with daemon(tmp_path, EmbeddingProvider(fails=fails)) as one:
        report = await one.until(WorkspaceState.READY, embedded=12)
        assert report.problems == []
        found = await one.search.find(SearchQuery("bbbbbbbbbbbbbbbbbbbb", SearchMode.KEYWORD))
        assert found.hits[0].chunk.path == "b.txt"
        assert not any(path == "b.txt" for path in await one.near("kkkk"))


async def test_while_nobody_embeds_searches_find_by_keyword_and_the_report_says_why(tmp_path: Path) -> None:
    async with daemon(tmp_path, EmbeddingProvider(failure=BUSY)) as one:
        outcome = await one.workspaces.index(one.root, wait=True)  # which does not wait for what may never come
        assert outcome.workspace.problems == ["it is overloaded"]
        assert (outcome.workspace.state, outcome.workspace.freshness) == (WorkspaceState.EMBEDDING, Freshness.PENDING)
        found = await one.search.find(SearchQuery("zebra"))
        assert [hit.chunk.path for hit in found.hits] == ["z.txt"]
        assert found.notices == ["found by keyword only: it is overloaded"]
        with pytest.raises(Exception, match="it is overloaded"):
            await one.search.find(SearchQuery("zebra", SearchMode.VECTOR))
        one.provider.failure = None
        report = await one.until(WorkspaceState.READY, embedded=12)
        assert report.problems == []


async def test_a_trouble_ends_with_the_use_of_the_model_that_had_it(tmp_path: Path) -> None:
    async with daemon(tmp_path, EmbeddingProvider(failure=BUSY)) as one:
        await one.until_report(lambda report: bool(report.problems))
        one.embeddings.enable(False)
        report = await one.until(WorkspaceState.READY, embedded=0)
        assert report.problems == []


async def test_a_keyword_index_becomes_hybrid_in_the_background(tmp_path: Path) -> None:
    async with daemon(tmp_path, EmbeddingProvider(), enabled=False) as one:
        await one.workspaces.index(one.root, wait=True)
        report = await one.until(WorkspaceState.READY, embedded=0)
        assert report.freshness is Freshness.FRESH
        assert await one.modes() == {SearchMode.HYBRID: 1, SearchMode.VECTOR: 0, SearchMode.KEYWORD: 1}
        off = await one.search.find(SearchQuery("zebra", SearchMode.VECTOR))
        assert off.notices == ["search by meaning is off: `vector_search.enabled` turns it on"]
        assert one.provider.sent == []

        one.embeddings.enable(True)
        await one.until(WorkspaceState.READY, embedded=12)
        assert (await one.modes())[SearchMode.VECTOR] > 1

        one.embeddings.enable(False)  # and back: what is there is kept, and not searched
        assert (await one.modes())[SearchMode.VECTOR] == 0
        (one.root / "new.txt").write_text("nnnn new\n")
        await one.workspaces.index(one.root, wait=True)
        assert (await one.report()).embedded == 12
        one.embeddings.enable(True)
        await one.until(WorkspaceState.READY, embedded=13, chunks=13)
        assert len(one.embedded_texts()) == len(set(one.embedded_texts())) == 13


async def test_another_model_takes_over_while_the_old_one_answers(tmp_path: Path) -> None:
    async with daemon(tmp_path, EmbeddingProvider()) as one:
        await one.until(WorkspaceState.READY, embedded=12)
        gated = Gated(kind="openai")
        one.provider, before = gated, one.provider
        one.embeddings.use(one.embedder(OTHER))
        await gated.asked.wait()
        report = await one.until(WorkspaceState.EMBEDDING, embedded=0)
        assert "vectors of openai-letters-13 replace those of openai-letters-26" in report.notices[0]
        before.sent.clear()
        assert (await one.modes())[SearchMode.VECTOR] > 1
        assert before.sent == [("zebra",)]  # asked of the old model
        gated.gate.set()
        await one.until(WorkspaceState.READY, embedded=12)
        gated.sent.clear()
        one.embeddings.use(one.embedder(SPACE))  # and back: every vector is in the cache
        indexer = one.workspaces.holding(one.root)
        await one.until_report(lambda _: indexer.ready.is_set() and indexer.store.space == SPACE)
        await one.until(WorkspaceState.READY, embedded=12)
        assert gated.sent == []


async def test_a_workspace_is_not_ready_before_its_first_scan(tmp_path: Path) -> None:
    async with daemon(tmp_path, EmbeddingProvider()) as one:
        seen: list[WorkspaceReport] = [await one.report()]
        while seen[-1].chunks < 12:
            await trio.lowlevel.checkpoint()
            seen.append(await one.report())
    too_early = [report for report in seen if report.files == 0]
    assert too_early[0].state is WorkspaceState.SCANNING
    assert WorkspaceState.READY not in {report.state for report in too_early}
    assert Freshness.FRESH not in {report.freshness for report in too_early}
