"""The packaged model: unit vectors, the same every time, near for what means alike."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lucastra_protocol.errors import LucAstraError

from lucastrad.embeddings.static import (
    FOLDER,
    MANIFEST,
    SPACE,
    TOKENIZER,
    TRUNCATED,
    VECTORS,
    WEIGHTS,
    StaticModel,
    verify,
)
from lucastrad.types import Passage, VectorSpace

RETRY = Passage("net/retry.py", "retry_with_backoff", "def retry_with_backoff(call):\n    time.sleep(2 ** attempt)\n")
TOTAL = Passage(
    "shop/basket.py", "Basket.total_price", "def total_price(self):\n    return sum(item.price for item in items)\n"
)
PARSE = Passage("config/json.py", "parse_config", "def parse_config(text):\n    return json.loads(text)\n")
PASSAGES = [RETRY, TOTAL, PARSE]


@cache
def _shared(dimensions: int = SPACE.dimensions) -> StaticModel:
    """Maps the table, which loads at once."""
    return StaticModel.load(for_passages=False, dimensions=dimensions)


@pytest.fixture
def model() -> StaticModel:
    return _shared()


def test_vectors_have_length_one_and_are_the_same_every_time(model: StaticModel) -> None:
    vectors = model.embed_passages(PASSAGES)
    assert vectors.shape == (3, SPACE.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0)
    assert np.array_equal(vectors, model.embed_passages(PASSAGES))
    assert np.array_equal(vectors, StaticModel.load(for_passages=False).embed_passages(PASSAGES))


def test_a_mapped_table_says_what_one_in_memory_says(model: StaticModel) -> None:
    assert np.array_equal(StaticModel.load(for_passages=True).embed_passages(PASSAGES), model.embed_passages(PASSAGES))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_batch_is_its_passages_one_by_one(texts: list[str]) -> None:
    model = _shared()
    passages = [Passage("a.py", "", text) for text in texts]
    together = model.embed_passages(passages)
    alone = np.concatenate([model.embed_passages([passage]) for passage in passages])
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("text", ["", "   ", "!?…", "\n\n", "----"])
def test_no_word_is_the_zero_vector(model: StaticModel, text: str) -> None:
    assert not model.embed_query(text).any()
    assert not model.embed_passages([Passage("", "", text)]).any()


def test_no_passages_are_no_vectors(model: StaticModel) -> None:
    assert model.embed_passages([]).shape == (0, SPACE.dimensions)


@pytest.mark.parametrize("dimensions", [SPACE.dimensions, *(space.dimensions for space in TRUNCATED)])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("how are failed calls repeated after a wait?", RETRY),
        ("what does everything in the basket cost?", TOTAL),
        ("where is the configuration read from JSON?", PARSE),
        ("parseConfig", PARSE),
    ],
)
def test_a_question_is_nearer_to_its_answer_than_to_others(question: str, answer: Passage, dimensions: int) -> None:
    model = _shared(dimensions)
    cosines = model.embed_passages(PASSAGES) @ model.embed_query(question)
    assert PASSAGES[int(np.argmax(cosines))] == answer


def test_the_spelling_of_an_identifier_does_not_matter(model: StaticModel) -> None:
    spelled = [model.embed_query(name) for name in ("parse_config", "parseConfig", "ParseConfig", "PARSE_CONFIG")]
    assert all(np.allclose(spelled[0], other, atol=1e-6) for other in spelled)


@pytest.mark.parametrize("space", TRUNCATED)
def test_shorter_vectors_are_the_beginning_of_longer_ones_brought_to_length_one(space: VectorSpace) -> None:
    cut = _shared().embed_passages(PASSAGES)[:, : space.dimensions]
    expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
    assert np.allclose(_shared(space.dimensions).embed_passages(PASSAGES), expected, atol=1e-6)
    assert _shared(space.dimensions).embed_query("parse config").shape == (space.dimensions,)
    assert not _shared(space.dimensions).embed_query("?!").any()


def test_the_packaged_files_are_those_of_the_manifest_and_fit_the_package() -> None:
    verify()
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 15_000_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "model"))


@pytest.mark.parametrize("name", [MANIFEST, TOKENIZER, VECTORS, WEIGHTS])
def test_a_missing_or_cut_file_is_an_error_that_names_the_cure(copied: Path, name: str) -> None:
    (copied / name).write_bytes((copied / name).read_bytes()[:-100])
    with pytest.raises(LucAstraError, match=r"damaged or incomplete.*reinstall"):
        StaticModel.load(for_passages=False, folder=copied)
    (copied / name).unlink()
    with pytest.raises(LucAstraError, match=r"damaged or incomplete.*reinstall"):
        StaticModel.load(for_passages=False, folder=copied)
    with pytest.raises(LucAstraError, match="reinstall"):
        verify(copied)


@pytest.mark.parametrize("name", [TOKENIZER, VECTORS, WEIGHTS])
def test_one_changed_byte_fails_the_checksum(copied: Path, name: str) -> None:
    changed = bytearray((copied / name).read_bytes())
    changed[-200] ^= 1
    (copied / name).write_bytes(changed)
    with pytest.raises(LucAstraError, match="damaged"):
        verify(copied)
