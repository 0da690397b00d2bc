"""Searches while one embedding model takes the place of another: each workspace is asked in the space it answers in."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from in_process import ThreadPool
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.protocol import Embedder
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.service import SearchService
from lucastrad.types import Freshness, Passage, SearchMode, SearchQuery, VectorSpace, WorkspaceState
from lucastrad.workspace.scanner import ScanRules

pytestmark = pytest.mark.trio

OLD = VectorSpace("local", "letters", 26)
NEW = VectorSpace("local", "letters", 13)


@dataclass
class LetterEmbedder:
    """A text's vector counts its letters. Passages wait for `gate`."""

    space: VectorSpace
    gate: trio.Event = field(default_factory=trio.Event)
    queries: list[str] = field(default_factory=list)
    batch_size = 16
    length: int = 0

    def _vector(self, text: str) -> NDArray[np.float32]:
        counts = [text.lower().count(chr(ord("a") + n)) for n in range(self.length or self.space.dimensions)]
        vector = np.array(counts, np.float32) + 0.01
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        await self.gate.wait()
        return np.stack([self._vector(passage.text) for passage in passages])

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        self.queries.append(text)
        return self._vector(text)


@asynccontextmanager
async def daemon(
    home: Path, configured: LetterEmbedder, *others: Embedder
) -> AsyncIterator[tuple[WorkspaceService, SearchService]]:
    """The services, as long as the block lasts."""
    embeddings = EmbeddingSpaces(
        configured,
        lambda space: EmbeddingCache(home / "embeddings", space, max_bytes=1 << 24),
        embedder_for=lambda space: next((embedder for embedder in others if embedder.space == space), None),
    )
    pool: Any = ThreadPool()
    service = WorkspaceService(home, pool=pool, builders=pool, embeddings=embeddings, rules_for=lambda _: ScanRules())
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        with trio.fail_after(30):
            yield service, SearchService(service, embeddings)
        nursery.cancel_scope.cancel()
    embeddings.close()


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """Two projects; "a" and "b" are words of their files."""
    roots = []
    for name in ("first", "second"):
        root = tmp_path.resolve() / name
        root.mkdir()
        for letter in "abc":
            (root / f"{letter}.txt").write_text(f"{letter * 20} {name}\n")
        roots.append(root)
    return roots


@pytest.fixture
async def home(tmp_path: Path, roots: list[Path]) -> Path:
    """Both projects are indexed in the old space."""
    home = tmp_path / "home"
    embedder = LetterEmbedder(OLD)
    embedder.gate.set()
    async with daemon(home, embedder) as (service, _):
        for root in roots:
            await service.index(root, wait=True)
    return home


async def pending(service: WorkspaceService) -> list[list[str]]:
    """Wait until nothing but vectors is missing; the notices of each workspace."""
    while True:
        reports = await service.reports()
        # A report that was begun before its store was open counts nothing, and has no notice.
        if len(reports) == 2 and all(r.state is WorkspaceState.EMBEDDING and r.chunks for r in reports):
            return [report.notices for report in reports]
        await trio.sleep(0.01)


async def test_a_query_is_embedded_once_for_each_space_that_answers(home: Path, roots: list[Path]) -> None:
    before, after = LetterEmbedder(OLD), LetterEmbedder(NEW)
    async with daemon(home, after, before) as (service, search):
        for (notice,) in await pending(service):
            assert "0 of 3 passages have one; searches use those" in notice
        outcome = await search.find(SearchQuery("bbbb", mode=SearchMode.VECTOR))
        assert outcome.freshness is Freshness.PENDING
        assert {(hit.workspace, hit.chunk.path) for hit in outcome.hits[:2]} == {(str(r), "b.txt") for r in roots}
        assert (before.queries, after.queries) == (["bbbb"], [])
        related = await search.related(roots[0] / "b.txt", 1, SearchQuery("", folders=(str(roots[1]),)))
        assert related.hits[0].chunk.path == "b.txt"
        after.gate.set()
        for root in roots:
            report = (await service.index(root, wait=True)).workspace
            assert (report.freshness, report.notices) == (Freshness.FRESH, [])
        outcome = await search.find(SearchQuery("bbbb", mode=SearchMode.VECTOR))
        assert {(hit.workspace, hit.chunk.path) for hit in outcome.hits[:2]} == {(str(r), "b.txt") for r in roots}
        assert (before.queries, after.queries) == (["bbbb"], ["bbbb"])
        assert outcome.freshness is Freshness.FRESH


async def test_workspaces_at_different_stages_are_each_asked_in_their_own_space(
    tmp_path: Path, roots: list[Path]
) -> None:
    home = tmp_path / "home"
    for space, known in ((NEW, roots[:1]), (OLD, roots)):
        embedder = LetterEmbedder(space)
        embedder.gate.set()
        async with daemon(home, embedder) as (service, _):
            for root in known:
                await service.index(root, wait=True)
    before, after = LetterEmbedder(OLD), LetterEmbedder(NEW)
    async with daemon(home, after, before) as (service, search):
        assert (await service.index(roots[0], wait=True)).workspace.notices == []  # the cache knows it all
        await service.holding(roots[1]).opened()
        outcome = await search.find(SearchQuery("bbbb", mode=SearchMode.VECTOR))
        assert {(hit.workspace, hit.chunk.path) for hit in outcome.hits[:2]} == {(str(r), "b.txt") for r in roots}
        assert (before.queries, after.queries) == (["bbbb"], ["bbbb"])
        before.gate.set()  # a passage of one workspace is embedded in the space of the other
        related = await search.related(roots[0] / "b.txt", 1, SearchQuery("", folders=(str(roots[1]),)))
        assert related.hits[0].chunk.path == "b.txt"
        assert related.hits[0].components["vector"] > 0


async def test_where_nothing_embeds_queries_for_the_old_vectors_words_are_searched(
    home: Path, roots: list[Path]
) -> None:
    async with daemon(home, LetterEmbedder(NEW)) as (service, search):
        for (notice,) in await pending(service):
            assert "found by keyword only" in notice
        assert (await search.find(SearchQuery("bbbb", mode=SearchMode.VECTOR))).hits == []
        found = await search.find(SearchQuery("b" * 20))
        assert {hit.chunk.path for hit in found.hits} == {"b.txt"}
        related = await search.related(roots[0] / "b.txt", 1, SearchQuery(""))
        assert any("no embedding yet" in notice for notice in related.notices)


async def test_a_query_vector_of_another_length_is_a_clear_error(home: Path) -> None:
    async with daemon(home, LetterEmbedder(OLD, length=25)) as (service, search):
        for indexer in service.all():
            await indexer.opened()
        with pytest.raises(LucAstraError, match="25 dimensions where the space") as refused:
            await search.find(SearchQuery("bbbb"))
        assert refused.value.code == ErrorCode.SPACE_MISMATCH
