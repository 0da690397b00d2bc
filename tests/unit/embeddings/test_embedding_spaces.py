"""Which embedder and which cache belong to a space."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.protocol import fitting
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.types import Passage, VectorSpace

HERE = VectorSpace("local", "test", 8)
BEFORE = VectorSpace("local", "test", 4)
UNKNOWN = VectorSpace("remote", "retired", 8)


class FakeEmbedder:
    batch_size = 1

    def __init__(self, space: VectorSpace) -> None:
        self.space = space

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        return np.ones((len(passages), self.space.dimensions), np.float32)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        return np.ones(self.space.dimensions, np.float32)


def test_each_space_has_one_embedder_and_one_cache_of_its_own(tmp_path: Path) -> None:
    made: list[VectorSpace] = []

    def embedder_for(space: VectorSpace) -> FakeEmbedder | None:
        made.append(space)
        return FakeEmbedder(space) if space == BEFORE else None

    configured = FakeEmbedder(HERE)
    spaces = EmbeddingSpaces(
        configured, lambda space: EmbeddingCache(tmp_path, space, max_bytes=1 << 20), embedder_for=embedder_for
    )
    assert spaces.embedder(HERE) is configured
    before = spaces.embedder(BEFORE)
    assert before is not None
    assert before.space == BEFORE
    assert spaces.embedder(BEFORE) is before
    assert spaces.cache_if_usable(UNKNOWN) is None
    assert spaces.cache_if_usable(BEFORE) is spaces.cache(BEFORE)
    assert spaces.cache(HERE) is not spaces.cache(BEFORE)
    assert made == [BEFORE, UNKNOWN]
    assert {path.stem for path in tmp_path.glob("*.sqlite3")} == {HERE.identity, BEFORE.identity}
    spaces.close()


@pytest.mark.parametrize("shape", [(4,), (2, 4), (3, 9), (0,)])
def test_what_is_not_of_the_space_is_refused_with_both_lengths(shape: tuple[int, ...]) -> None:
    with pytest.raises(LucAstraError, match=rf"{shape[-1]} dimensions where the space {HERE.identity} has 8") as error:
        fitting(np.zeros(shape, np.float32), HERE)
    assert error.value.code == ErrorCode.SPACE_MISMATCH


@pytest.mark.parametrize("shape", [(8,), (2, 8), (0, 8)])
def test_what_is_of_the_space_is_returned_as_it_is(shape: tuple[int, ...]) -> None:
    vectors = np.zeros(shape, np.float32)
    assert fitting(vectors, HERE) is vectors


def test_every_space_has_a_file_name_of_its_own() -> None:
    models = ["bge-m3", "bge/m3", "bge:m3", "BAAI/bge m3", "default#0f621987", "default-0f621987", "модель", "модели"]
    names = {VectorSpace("openai", model, dimensions).identity for model in models for dimensions in (8, 16)}
    assert len(names) == len(models) * 2
    assert all(name.isascii() and not {*name} & {*"/\\:#?* "} for name in names)
    assert VectorSpace("openai", "bge-m3", 8).identity == "openai-bge-m3-8"
