"""Re-ranking with a model that embeds when the test says so."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import trio
import trio.testing
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.config.schema import SearchConfig
from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.search.reranking import DEPTH, WEIGHT, Reranker, reordered
from lucastrad.types import Freshness, Hit, Passage, SearchMode, SearchOutcome, SearchQuery, StoredChunk, VectorSpace

pytestmark = pytest.mark.trio

SPACE = VectorSpace("local", "agreement", 2)
ON = SearchConfig(rerank=True, rerank_deadline_ms=300)
QUERY = SearchQuery("which one", limit=10)


def hit(path: str, score: float, text: str = "") -> Hit:
    return Hit("/w", StoredChunk(len(path), path, "python", "", "window", 1, 9, text or path), score, {"vector": score})


def outcome(*hits: Hit) -> SearchOutcome:
    return SearchOutcome(list(hits), Freshness.FRESH, ["said before"])


def paths(found: SearchOutcome) -> list[str]:
    return [one.chunk.path for one in found.hits]


@dataclass
class Judge:
    """A passage whose text is in `liked` agrees with every question, others do not. Texts in `held` wait."""

    liked: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    failure: LucAstraError | None = None
    embedded: list[str] = field(default_factory=list)
    release: trio.Event = field(default_factory=trio.Event)
    reached: trio.Event = field(default_factory=trio.Event)
    """It has come to a text that is held."""
    space: VectorSpace = SPACE
    batch_size: int = 1

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        await trio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        for passage in passages:
            if passage.text in self.held:
                self.reached.set()
                await self.release.wait()
            self.embedded.append(passage.text)
        agrees = [not passage.path or passage.text in self.liked for passage in passages]
        return np.array([[1, 0] if one else [0, 1] for one in agrees], np.float32)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        raise AssertionError("questions take their turn with the passages")


@asynccontextmanager
async def reranking(folder: Path, judge: Judge, settings: SearchConfig = ON) -> AsyncIterator[Reranker]:
    """A re-ranker at work, its cache in `folder`."""
    cache = EmbeddingCache(folder, SPACE, max_bytes=1 << 20)
    reranker = Reranker(judge, lambda: cache, lambda: settings)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reranker.run)
        yield reranker
        nursery.cancel_scope.cancel()
    cache.close()


async def meet_the_deadline(judge: Judge, clock: trio.testing.MockClock) -> None:
    await judge.reached.wait()
    clock.jump(0.3)


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await trio.lowlevel.checkpoint()


async def test_hits_that_the_model_likes_rise_by_a_component_of_their_own(tmp_path: Path) -> None:
    async with reranking(tmp_path, Judge(liked=("c",))) as reranker:
        found = await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9), hit("c", 0.8)))
    assert paths(found) == ["c", "a", "b"]
    assert found.hits[0].score == pytest.approx(0.8 + WEIGHT)
    assert found.hits[0].components == {"vector": 0.8, "rerank": pytest.approx(WEIGHT)}
    assert found.hits[1].components == {"vector": 1.0, "rerank": 0.0}
    assert found.notices == ["said before"]
    assert found.freshness is Freshness.FRESH


async def test_a_little_agreement_does_not_outweigh_the_first_ranking(tmp_path: Path) -> None:
    async with reranking(tmp_path, Judge(liked=("b",))) as reranker:
        found = await reranker.apply(QUERY, outcome(hit("a", 3.0), hit("b", 3.0 - 2 * WEIGHT)))
    assert paths(found) == ["a", "b"]


async def test_what_is_late_keeps_its_place_and_is_ready_the_next_time(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    judge = Judge(liked=("c", "e"), held=("d",))
    hits = outcome(hit("a", 5.0), hit("b", 4.9), hit("c", 4.8), hit("d", 4.7), hit("e", 4.6))
    async with reranking(tmp_path, judge) as reranker, trio.open_nursery() as nursery:
        nursery.start_soon(meet_the_deadline, judge, mock_clock)
        first = await reranker.apply(QUERY, hits)
        assert paths(first) == ["c", "a", "b", "d", "e"]
        assert first.notices[1:] == [
            "2 of the best 5 hits could not be re-ranked within 300 ms and keep their places;"
            " the same search is complete in a moment"
        ]
        assert ["rerank" in one.components for one in first.hits] == [True, True, True, False, False]
        judge.release.set()
        await until(lambda: not reranker._queue)
        second = await reranker.apply(QUERY, hits)
    assert paths(second) == ["c", "e", "a", "b", "d"]
    assert second.notices == ["said before"]


async def test_without_the_questions_vector_all_hits_keep_their_places(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    judge = Judge(liked=("b",), held=(QUERY.text,))
    async with reranking(tmp_path, judge) as reranker, trio.open_nursery() as nursery:
        nursery.start_soon(meet_the_deadline, judge, mock_clock)
        found = await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9)))
    assert paths(found) == ["a", "b"]
    assert found.notices[1].startswith("2 of the best 2 hits could not be re-ranked")


async def test_a_passage_is_embedded_once_and_a_question_is_never_kept(tmp_path: Path) -> None:
    hits = outcome(hit("a", 1.0), hit("b", 0.9))
    judges = Judge(), Judge(liked=("b",))
    for judge in judges:
        async with reranking(tmp_path, judge) as reranker:
            await reranker.apply(QUERY, hits)
    assert [judge.embedded for judge in judges] == [["", QUERY.text, "a", "b"], ["", QUERY.text]]
    cache = EmbeddingCache(tmp_path, SPACE, max_bytes=1 << 20)
    assert len(cache) == 2
    cache.close()


async def test_a_newer_search_goes_before_what_an_older_one_left(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    judge = Judge(held=("a",))
    newer = SearchQuery("another one", limit=10)
    async with reranking(tmp_path, judge) as reranker, trio.open_nursery() as nursery:
        nursery.start_soon(meet_the_deadline, judge, mock_clock)
        await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9)))
        async with trio.open_nursery() as asking:
            asking.start_soon(reranker.apply, newer, outcome(hit("c", 1.0)))
            await until(lambda: len(reranker._queue) == 4)
            judge.release.set()
        await until(lambda: not reranker._queue)
    assert judge.embedded == ["", QUERY.text, "a", newer.text, "c", "b"]


async def test_a_missing_model_costs_the_new_order_and_nothing_else(tmp_path: Path) -> None:
    judge = Judge(failure=LucAstraError('run `pip install "lucastra[rerank]"`'))
    async with reranking(tmp_path, judge) as reranker:
        found = await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9)))
        assert paths(found) == ["a", "b"]
        assert found.notices == ["said before", 'run `pip install "lucastra[rerank]"`']
        judge.failure, judge.liked = None, ("b",)
        assert paths(await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9)))) == ["b", "a"]


async def test_a_full_disk_costs_the_memory_of_it_and_nothing_else(tmp_path: Path) -> None:
    def full() -> EmbeddingCache:
        raise LucAstraError("the disk is full", code=ErrorCode.STORE_UNAVAILABLE)

    reranker = Reranker(Judge(liked=("b",)), full, lambda: ON)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reranker.run)
        assert paths(await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9)))) == ["b", "a"]
        nursery.cancel_scope.cancel()


async def test_more_hits_are_looked_at_than_are_shown(tmp_path: Path) -> None:
    best = [hit(f"{n:02}", 3 - n / 100) for n in range(DEPTH + 5)]
    async with reranking(tmp_path, Judge(liked=("29", "33"))) as reranker:
        assert reranker.widened(QUERY).limit == DEPTH
        assert reranker.widened(SearchQuery("x", limit=100)).limit == 100
        found = await reranker.apply(SearchQuery("x", limit=2), outcome(*best))
    assert paths(found) == ["29", "00"]


async def test_the_best_passage_of_each_file_still_comes_first(tmp_path: Path) -> None:
    async with reranking(tmp_path, Judge(liked=("two", "three"))) as reranker:
        found = await reranker.apply(QUERY, outcome(hit("a", 1.0), hit("b", 0.9, "two"), hit("b", 0.8, "three")))
    assert [one.chunk.text for one in found.hits] == ["two", "a", "three"]


@pytest.mark.parametrize(
    ("settings", "mode"),
    [(SearchConfig(), SearchMode.HYBRID), (ON, SearchMode.KEYWORD)],
    ids=["not configured", "a keyword search"],
)
async def test_the_model_is_not_asked(tmp_path: Path, settings: SearchConfig, mode: SearchMode) -> None:
    judge = Judge(liked=("b",))
    query = SearchQuery("x", mode, limit=1)
    async with reranking(tmp_path, judge, settings) as reranker:
        assert reranker.widened(query) == query
        found = await reranker.apply(query, outcome(hit("a", 1.0), hit("b", 0.9)))
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert paths(found) == ["a"]
    assert found.hits[0].components == {"vector": 1.0}
    assert not set(judge.embedded) - {""}  # the model is loaded where it is configured


async def test_equal_hits_stay_as_they_were_ranked() -> None:
    hits = [hit("b", 1.0), hit("a", 1.0), hit("c", 1.0)]
    assert [one.chunk.path for one in reordered(hits, [0.5, 0.5, 0.5])] == ["b", "a", "c"]


async def test_what_is_not_saved_keeps_its_place_and_is_never_embedded_for_the_cache(tmp_path: Path) -> None:
    judge = Judge(liked=("b", "c"))
    typed = replace(hit("b", 0.9), unsaved=True)
    async with reranking(tmp_path, judge) as reranker:
        found = await reranker.apply(QUERY, outcome(hit("a", 1.0), typed, hit("c", 0.8)))
    assert paths(found) == ["c", "b", "a"]
    assert found.hits[1] == typed
    assert found.notices == ["said before"]
    assert "b" not in judge.embedded
