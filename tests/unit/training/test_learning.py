"""Training: what a model sees is what is embedded later, gradients are right, and more steps know more."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.embeddings.static import SPACE, StaticModel
from lucastrad.types import Passage
from training.dataset import Builder, Dataset, concatenated
from training.pairs import Example, Examples
from training.vocabulary import learn_tokenizer, part_counts

torch = pytest.importorskip("torch", reason="the `training` extra is not installed")
pytest.importorskip("scipy", reason="the `training` extra is not installed")

from training import learning  # noqa: E402
from training.export import export  # noqa: E402
from training.learning import Bags, Recipe, Table, averaged, learn, vectors_of  # noqa: E402
from training.teaching import start_of  # noqa: E402

SUBJECTS = ("cache", "socket", "parser", "matrix", "window", "thread", "colour", "kernel", "bridge", "ledger", "filter")
VERBS = ["open", "close", "merge", "split", "render", "encode", "verify", "rotate"]
TINY = Recipe(steps=60, hard_after=0.5, batch=32, block=8, dimensions=16, truncated=(4, 8), neighbours=0.1)


def random_start(pieces: int, dimensions: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((pieces, dimensions)).astype(np.float32) * 0.1


def examples() -> list[Example]:
    return [
        Example(f"how to {verb} the {subject}", "", f"lib/{subject}.py", f"{subject.title()}.{verb}",
                f"def {verb}(self):\n    return self.{subject}_{verb}_all({subject})\n", "python")
        for subject in SUBJECTS for verb in VERBS
    ]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return learn_tokenizer(part_counts([*examples()] * 3), pieces=400)


@pytest.fixture(scope="module")
def data(tokenizer: Tokenizer) -> Dataset:
    return Builder(tokenizer).build(Examples("thing", False, examples()), 0)


def test_a_definition_that_several_packages_hold_is_learnt_once(tokenizer: Tokenizer, data: Dataset) -> None:
    copy = Builder(tokenizer).build(Examples("copy", False, examples()), 1)
    both = concatenated([data, copy])
    assert len(both) == len(data)
    assert np.array_equal(both.body.values, data.body.values)
    assert set(both.package.tolist()) == {0}


def test_a_dataset_survives_its_file(tmp_path: Path, data: Dataset) -> None:
    data.save(tmp_path / "data.npz")
    again = Dataset.load(tmp_path / "data.npz")
    assert np.array_equal(again.symbol.starts, data.symbol.starts)
    assert np.array_equal(again.named, data.named)


def test_hiding_a_name_hides_the_pieces_that_only_it_has(tokenizer: Tokenizer) -> None:
    example = Example("q q q", "", "a.py", "zebra", "def zebra():\n    return parser\n", "python")
    built = Builder(tokenizer).build(Examples("thing", False, [example]), 0)
    shown = [tokenizer.id_to_token(piece) for piece in built.body.values[~built.named]]
    assert "parser" in shown
    assert not set(tokenizer.encode("zebra", add_special_tokens=False).tokens) & set(shown)


def test_the_loss_s_gradient_is_what_differences_say() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((12, 16)).astype(np.float32)
    same = np.array([0, 1, 2, 2, 3, 4])
    _, gradient = learning._loss(vectors, same, TINY, 4)
    for row, column in ((0, 0), (3, 2), (7, 15), (11, 5)):
        moved = [vectors.copy(), vectors.copy()]
        moved[0][row, column] += 1e-2
        moved[1][row, column] -= 1e-2
        up, down = (learning._loss(one, same, TINY, 4)[0] for one in moved)
        assert gradient[row, column] == pytest.approx((up - down) / 2e-2, rel=0.05, abs=2e-3)


def test_weighted_sums_have_the_gradients_of_the_library_s_own() -> None:
    table = Table(random_start(50, 16), TINY)
    rng = np.random.default_rng(0)
    bags = Bags(rng.integers(0, 50, 60), rng.integers(0, 4, 60), np.arange(0, 61, 6))
    weights = table.weights.view(-1)[torch.from_numpy(bags.fields * 50 + bags.pieces)].exp()
    plain = torch.nn.functional.embedding_bag(
        torch.from_numpy(bags.pieces), table.vectors, torch.from_numpy(bags.ends[:-1]), mode="sum",
        per_sample_weights=weights,
    )  # fmt: skip
    ours = table(bags)
    torch.testing.assert_close(ours, plain)
    above = torch.randn_like(plain)
    parameters = [table.vectors, table.weights]
    expected = torch.autograd.grad((plain * above).sum(), parameters)
    torch.testing.assert_close(torch.autograd.grad((ours * above).sum(), parameters), expected, rtol=1e-4, atol=1e-5)


def test_training_is_repeatable_and_finds_answers(data: Dataset, tokenizer: Tokenizer) -> None:
    first, again = (learn(data, random_start(tokenizer.get_vocab_size(), 16), TINY) for _ in range(2))
    assert torch.equal(first.vectors, again.vectors)
    everything = np.arange(len(data))
    questions, passages = vectors_of(first, data, everything, TINY)
    found = (questions @ passages.T).argmax(axis=1) == everything
    assert found.mean() > 0.9


def test_the_mean_of_a_run_with_itself_is_the_run(data: Dataset, tokenizer: Tokenizer) -> None:
    table = Table(random_start(tokenizer.get_vocab_size(), 16), TINY)
    torch.testing.assert_close(averaged([table, table]).vectors, table.vectors)


def test_the_packaged_files_embed_as_training_did(tmp_path: Path, data: Dataset, tokenizer: Tokenizer) -> None:
    recipe = Recipe(dimensions=SPACE.dimensions)
    table = Table(random_start(tokenizer.get_vocab_size(), SPACE.dimensions), recipe)
    manifest = export(
        tokenizer, table.vectors.detach().numpy(), table.weights.detach().exp().numpy(), tmp_path / "model"
    )
    assert manifest.pieces == tokenizer.get_vocab_size()
    model = StaticModel.load(for_passages=True, folder=tmp_path / "model")
    questions, passages = vectors_of(table, data, np.arange(len(data)), recipe)
    chosen = examples()[:5]
    embedded = model.embed_passages([Passage(one.path, one.symbol, one.text) for one in chosen])
    assert np.einsum("ij,ij->i", embedded, passages[:5]) == pytest.approx(1.0, abs=1e-3)
    assert model.embed_query(chosen[0].question) @ questions[0] == pytest.approx(1.0, abs=1e-3)


def test_a_start_keeps_what_the_teacher_holds_alike_the_widest_axis_first() -> None:
    taught = np.random.default_rng(0).standard_normal((40, 24)).astype(np.float32) * np.linspace(3, 0.1, 24)
    start = start_of(taught.astype(np.float32), 16, 0.8)
    assert np.linalg.norm(start, axis=1) == pytest.approx(0.8, rel=1e-4)
    spread = start.std(axis=0)
    assert spread[0] == spread.max()
    centred = taught - taught.mean(axis=0)
    nearest = [int(np.argsort(-(rows @ rows[0]) / np.linalg.norm(rows, axis=1))[1]) for rows in (centred, start)]
    assert nearest[0] == nearest[1]
