"""Which model embeds: the one that is configured while it answers, and what stands in for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from embedding_provider import EmbeddingProvider, OneProvider
from in_process import ThreadPool

from lucastrad.config.schema import Config, EmbeddingsConfig, VectorSearchConfig
from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.known import KnownSpaces
from lucastrad.embeddings.protocol import EmbeddingFailed
from lucastrad.embeddings.provider import Found, Source
from lucastrad.embeddings.service import Embedders, EmbeddingService
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.embeddings.static import SPACE
from lucastrad.llm.errors import AuthenticationFailed, Unreachable
from lucastrad.types import VectorSpace

pytestmark = pytest.mark.trio

LETTERS = VectorSpace("openai", "letters", 26)
CONFIGURED = EmbeddingsConfig(provider="openai")
DOWN = Unreachable("nothing listens there", provider="llm")


@dataclass
class Installation:
    service: EmbeddingService
    spaces: EmbeddingSpaces
    provider: EmbeddingProvider

    async def until(self, space: VectorSpace) -> None:
        while self.spaces.configured.space != space:
            await self.spaces.changed()

    async def until_problem(self, text: str) -> None:
        while not any(text in problem for problem in self.service.problems):  # noqa: ASYNC110 - nothing announces it
            await trio.sleep(0.1)

    def configure(self, *, enabled: bool = True, **embeddings: Any) -> None:
        config = Config(embeddings=EmbeddingsConfig(**embeddings), vector_search=VectorSearchConfig(enabled=enabled))
        self.service.reconfigure(config)


@asynccontextmanager
async def installation(
    home: Path,
    settings: EmbeddingsConfig = CONFIGURED,
    *,
    provider: EmbeddingProvider | None = None,
    enabled: bool = True,
) -> AsyncIterator[Installation]:
    """A daemon's part that chooses between models, as long as the block lasts."""
    provider = EmbeddingProvider() if provider is None else provider
    pool: Any = ThreadPool()
    embedders = Embedders(pool, OneProvider(provider), KnownSpaces(home / "spaces.json"), redact=str)
    spaces = EmbeddingSpaces(
        embedders.configured(settings),
        lambda space: EmbeddingCache(home, space, max_bytes=1 << 24),
        embedder_for=embedders.for_space,
        enabled=enabled,
    )
    service = EmbeddingService(spaces, embedders, settings)
    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        yield Installation(service, spaces, provider)
        nursery.cancel_scope.cancel()
    spaces.close()


async def test_a_provider_takes_over_once_it_has_answered(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path) as one:
        assert one.service.space == SPACE
        await one.until(LETTERS)
        assert one.service.problems == []
        assert one.spaces.embedder(SPACE) is not None  # what a workspace may still be served from


async def test_its_space_is_known_when_the_daemon_starts_again_before_it_answers(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path) as one:
        await one.until(LETTERS)
    async with installation(tmp_path, provider=EmbeddingProvider(failure=DOWN)) as again:
        assert again.service.space == LETTERS
    async with installation(tmp_path, EmbeddingsConfig()) as other:
        assert other.service.space == SPACE
        assert other.spaces.embedder(LETTERS) is not None  # its vectors answer until the packaged model's are complete


async def test_the_packaged_model_stands_in_after_an_hour_and_the_provider_comes_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path) as one:
        await one.until(LETTERS)
        one.provider.failure = DOWN
        with pytest.raises(Exception, match="nothing listens there"):
            await one.service.embed(["where"], queries=True)
        await one.until_problem("searches go by keyword")
        assert one.service.space == LETTERS  # patient: changing over removes the index of what it has embedded
        failed_at = trio.current_time()
        await one.until(SPACE)
        assert 3600 <= trio.current_time() - failed_at <= 3670
        assert one.spaces.embedder(LETTERS) is None
        assert "the packaged model embeds in its place" in one.service.problems[0]
        one.provider.failure = None
        await one.until(LETTERS)
        assert one.spaces.embedder(LETTERS) is one.spaces.configured
        assert one.service.problems == []


REFUSED = AuthenticationFailed("check the key", provider="llm")


async def test_where_nothing_was_embedded_yet_a_failure_that_lasts_is_not_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path, EmbeddingsConfig(dimensions=64)) as one:
        one.provider.failure = REFUSED
        one.configure(provider="openai")
        configured_at = trio.current_time()
        await one.until(SPACE)
        assert trio.current_time() - configured_at < 1
        assert "check the key; until it answers, the packaged model embeds in its place" in one.service.problems[0]


async def test_a_key_that_is_refused_takes_no_vector_away_until_the_configuration_says_so(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path) as one:
        await one.until(LETTERS)
        one.provider.failure = REFUSED
        with pytest.raises(Exception, match="check the key"):
            await one.service.embed(["where"], queries=False)
        await trio.sleep(100 * 3600)
        assert one.service.space == LETTERS
        assert one.service.problems == [
            "embeddings: check the key; until it answers, searches go by keyword, and its vectors are kept"
        ]
        one.provider.failure = None
        one.configure(provider="openai")  # the key is mended
        await trio.sleep(1)
        assert (one.service.space, one.service.problems) == (LETTERS, [])
        one.configure(provider="local")
        await one.until(SPACE)


async def test_a_daemon_that_starts_with_a_key_that_is_refused_keeps_its_vectors(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path) as one:
        await one.until(LETTERS)
    async with installation(tmp_path, provider=EmbeddingProvider(failure=REFUSED)) as again:
        await again.until_problem("its vectors are kept")
        await trio.sleep(100 * 3600)
        assert again.service.space == LETTERS


@pytest.mark.parametrize("loaded", ["", "gpt-3.5-turbo"])
async def test_models_of_a_server_that_does_not_tell_them_apart_have_a_space_each(tmp_path: Path, loaded: str) -> None:
    source = EmbeddingsConfig(provider="llamafile")
    first, second = (EmbeddingProvider(kind="llamafile", loaded=loaded, shift=shift) for shift in (0, 7))
    spaces: list[VectorSpace] = []
    for provider in (first, second, first, second):
        async with installation(tmp_path, source, provider=provider) as one:
            while True:
                with suppress(EmbeddingFailed):  # until it is noticed that another is loaded than in the run before
                    found = await one.service.embed(["passage"], queries=False)
                    if found.space.provider == "llamafile":
                        break
                await trio.sleep(0.01)
            spaces.append(found.space)
    assert spaces[:2] == spaces[2:]
    assert len({space.identity for space in spaces}) == 2
    assert all(space.model.startswith(loaded or "default") for space in spaces)


async def test_another_model_behind_a_running_daemon_mixes_no_vectors(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(
        tmp_path, EmbeddingsConfig(provider="llamafile"), provider=EmbeddingProvider(loaded="")
    ) as one:
        await one.spaces.changed()
        before = one.service.space
        await one.service.embed(["passage"], queries=False)
        one.provider.shift = 7
        with pytest.raises(EmbeddingFailed, match=r"another model loaded than before.*`embeddings.model` names"):
            await one.service.embed(["passage"], queries=False)
        await one.spaces.changed()
        assert one.service.space != before
        assert one.spaces.embedder(before) is None, "no question is embedded by the one model for vectors of the other"
        found = await one.service.embed(["passage"], queries=False)
        assert found.space == one.service.space


async def test_a_model_is_the_same_at_another_compression(tmp_path: Path) -> None:
    probe = np.random.default_rng(1).normal(size=64).round(4)
    rounded = (probe * 4).round() / 4
    known = KnownSpaces(tmp_path / "spaces.json")
    space = known.identify(Found(LETTERS, tuple(probe.tolist())))
    known.remember(Source("work"), space, probe.tolist())
    assert known.identify(Found(LETTERS, tuple(rounded))) == space
    assert known.identify(Found(LETTERS, tuple(np.roll(probe, 1)))) != space


async def test_without_a_fallback_the_provider_is_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    settings = EmbeddingsConfig(provider="openai", fallback="keyword")
    async with installation(tmp_path, settings) as one:
        await one.until(LETTERS)
        one.provider.failure = DOWN
        with pytest.raises(Exception, match="nothing listens there"):
            await one.service.embed(["where"], queries=True)
        await trio.sleep(600)
        assert one.service.space == LETTERS
        assert "by keyword" in one.service.problems[0]


async def test_another_setting_is_in_force_at_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with installation(tmp_path, EmbeddingsConfig(dimensions=128)) as one:
        assert one.service.space.dimensions == 128
        one.configure(dimensions=64)
        await one.until(VectorSpace(SPACE.provider, SPACE.model, 64))
        one.configure(provider="openai", dimensions=13)
        await one.until(VectorSpace("openai", "letters", 13))
        one.configure(dimensions=100)  # not one of its own: the configuration's problems say so
        await one.until(SPACE)


async def test_a_provider_that_was_given_up_is_asked_again_when_the_configuration_changes(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    refused = AuthenticationFailed("check the key", provider="llm")
    async with installation(tmp_path, provider=EmbeddingProvider(failure=refused)) as one:
        await one.until_problem("check the key")
        one.provider.failure = None
        one.provider.asked_at.clear()
        configured_at = trio.current_time()
        one.configure(provider="openai")
        await one.until(LETTERS)
        assert one.provider.asked_at == [configured_at]


async def test_nothing_is_asked_while_search_by_meaning_is_off(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with installation(tmp_path, enabled=False) as one:
        await trio.sleep(100)
        assert one.provider.sent == []
        one.configure(provider="openai")
        await one.until(LETTERS)


async def test_texts_are_embedded_by_the_model_in_use(tmp_path: Path) -> None:
    async with installation(tmp_path, EmbeddingsConfig()) as one:
        found = await one.service.embed(["load the configuration", "a cache"], queries=True)
        assert (found.space, found.vectors.shape) == (SPACE, (2, 256))
        passages = await one.service.embed(["a cache"], queries=False)
        assert np.allclose(np.linalg.norm(passages.vectors, axis=1), 1)


async def test_a_damaged_note_of_the_known_spaces_counts_as_none(tmp_path: Path) -> None:
    file = tmp_path / "notes" / "spaces.json"
    source = Source("work", "bge-m3", None)
    known = KnownSpaces(file)
    known.remember(source, LETTERS, (0.6, 0.8))
    assert (KnownSpaces(file).space_of(source), KnownSpaces(file).source_of(LETTERS)) == (LETTERS, source)
    file.write_text("{")
    assert KnownSpaces(file).space_of(source) is None
