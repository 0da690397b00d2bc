"""Contrastive training of the table of piece vectors.

A text's vector is the weighted sum of its pieces' vectors; the weights depend on the piece and on where it stands
(in a question, a body, a path, a symbol), and are learned with the vectors. The loss is InfoNCE (van den Oord et al.,
2018) with the other passages of a batch as negatives, summed over the vectors' first 64, 128 and 256 components
(Matryoshka representation learning: Kusupati et al., 2022). Batches are made of passages that lie close together, so
that negatives are hard: the leaves of random hyperplane trees over what the model itself thinks of them.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch.nn import functional

from lucastrad.embeddings.static import FIELDS
from training.dataset import Dataset

_QUESTION, _BODY, _PATH, _SYMBOL = range(4)
_CACHED_ROWS: Final = 512
_SORTED_BY: Final = 64
"""Components that decide what is close."""
_BACK: Final = np.float32(0.5)
"""The weight of finding the question for a passage, beside finding the passage for a question."""
_SHORTEST: Final = np.float32(1e-8)
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """What a run is made of."""

    steps: int = 700
    batch: int = 2_048
    block: int = 128
    """Examples of one package, or close to each other, that a batch holds together."""
    dimensions: int = 256
    truncated: tuple[int, ...] = (64, 128)
    truncated_weight: float = 0.5
    rate: float = 0.01
    temperature: float = 0.05
    start_length: float = 0.8
    """Of the vectors to start from."""
    dropout: float = 0.35
    question_dropout: float = 0.1
    hidden_names: float = 0.1
    with_doc: float = 0.25
    """How often a passage shows the rest of its documentation."""
    neighbours: float = 0.05
    """The share of batches that ask with a passage for another of its file and class."""
    symbol_weight: float = 3.0
    weights: bool = True
    """Learn weights of pieces by field."""
    weight_rate: float = 0.3
    """Of the weights' learning rate, relative to `rate`."""
    hard_after: float = 1.0
    """From this share of the steps on, blocks are neighbours; 1 for never."""
    seed: int = 1
    """Of the batches, and of what is dropped."""


RECIPES: Final = (Recipe(seed=1), Recipe(seed=2))
"""The runs whose mean is the packaged model."""


class Table(torch.nn.Module):
    """The vectors of the pieces and their weights by field."""

    def __init__(self, start: NDArray[np.float32], recipe: Recipe) -> None:
        super().__init__()
        self.vectors = torch.nn.Parameter(torch.from_numpy(start).clone())
        weights = torch.zeros((len(FIELDS), len(start)))
        weights[_SYMBOL] = float(np.log(recipe.symbol_weight))
        self.weights = torch.nn.Parameter(weights, requires_grad=recipe.weights)

    def forward(self, bags: "Bags") -> torch.Tensor:
        at = torch.from_numpy(bags.fields * self.vectors.shape[0] + bags.pieces)
        weights = self.weights.view(-1)[at].exp()
        summed: torch.Tensor = _WeightedSum.apply(self.vectors, weights, bags)  # type: ignore[no-untyped-call]
        return summed


class _WeightedSum(torch.autograd.Function):
    """What `embedding_bag` with weights does; its own backward takes five times as long on a CPU."""

    @staticmethod
    def forward(context: Any, vectors: torch.Tensor, weights: torch.Tensor, bags: "Bags") -> torch.Tensor:
        context.bags, context.needs = bags, context.needs_input_grad[1]
        context.save_for_backward(vectors, weights)
        matrix = csr_matrix((weights.numpy(), bags.pieces, bags.ends), (len(bags), len(vectors)))
        context.matrix = matrix
        return torch.from_numpy(matrix @ vectors.numpy())

    @staticmethod
    def backward(context: Any, *above: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        vectors, _ = context.saved_tensors
        gradient = above[0]
        for_vectors = torch.from_numpy(context.matrix.T @ gradient.numpy())
        for_weights = None
        if context.needs:
            for_weights = torch.from_numpy(_dots(vectors.numpy(), gradient.numpy(), context.bags))
        return for_vectors, for_weights, None


def _dots(vectors: NDArray[np.float32], gradient: NDArray[np.float32], bags: "Bags") -> NDArray[np.float32]:
    """Of each piece's vector with its text's gradient; in blocks that stay in the processor's cache."""
    owners = np.repeat(np.arange(len(bags)), np.diff(bags.ends))
    found = np.empty(len(owners), np.float32)
    for start in range(0, len(owners), _CACHED_ROWS):
        part = slice(start, start + _CACHED_ROWS)
        np.einsum("ij,ij->i", vectors.take(bags.pieces[part], 0), gradient.take(owners[part], 0), out=found[part])
    return found


@dataclass(frozen=True)
class Bags:
    """Texts as pieces, one text after the other."""

    pieces: Index
    fields: Index
    ends: Index
    """Text i is [ends[i], ends[i + 1])."""

    def __len__(self) -> int:
        return len(self.ends) - 1


class Bagger:
    """Makes bags of a dataset's questions and passages, with or without dropout."""

    def __init__(self, data: Dataset, recipe: Recipe, rng: np.random.Generator) -> None:
        self._data = data
        self._recipe = recipe
        self._rng = rng

    def pairs(self, index: Index) -> Bags:
        """The questions, then the passages, as training shows them."""
        return self._bags([self._questions(index), *self._passages(index, len(index))], 2 * len(index))

    def passage_pairs(self, index: Index, other: Index) -> Bags:
        """Passages, then others, as training shows them."""
        return self._bags([*self._passages(index, 0), *self._passages(other, len(index))], 2 * len(index))

    def questions(self, index: Index) -> Bags:
        at, owner = self._data.question.rows(index)
        return self._bags([(self._data.question.values[at], owner, _QUESTION)], len(index))

    def passages(self, index: Index) -> Bags:
        data, parts = self._data, []
        for column, field in ((data.body, _BODY), (data.path, _PATH), (data.symbol, _SYMBOL)):
            at, owner = column.rows(index)
            parts.append((column.values[at], owner, field))
        return self._bags(parts, len(index))

    def _questions(self, index: Index) -> tuple[NDArray[np.int32], Index, int]:
        at, owner = self._data.question.rows(index)
        kept = self._rng.random(len(at)) >= self._recipe.question_dropout
        return self._data.question.values[at[kept]], owner[kept], _QUESTION

    def _passages(self, index: Index, first: int) -> Iterator[tuple[NDArray[np.int32], Index, int]]:
        data, recipe, rng = self._data, self._recipe, self._rng
        hidden = rng.random(len(index)) < recipe.hidden_names
        told = rng.random(len(index)) < recipe.with_doc
        at, owner = data.body.rows(index)
        kept = (rng.random(len(at)) >= recipe.dropout) & ~(data.named[at] & hidden[owner])
        yield data.body.values[at[kept]], owner[kept] + first, _BODY
        at, owner = data.path.rows(index)
        kept = rng.random(len(at)) >= recipe.dropout
        yield data.path.values[at[kept]], owner[kept] + first, _PATH
        at, owner = data.symbol.rows(index)
        kept = (rng.random(len(at)) >= recipe.dropout / 2) & ~hidden[owner]
        yield data.symbol.values[at[kept]], owner[kept] + first, _SYMBOL
        at, owner = data.doc.rows(index)
        kept = (rng.random(len(at)) >= recipe.dropout) & told[owner]
        yield data.doc.values[at[kept]], owner[kept] + first, _BODY

    @staticmethod
    def _bags(parts: list[tuple[NDArray[np.int32], Index, int]], rows: int) -> Bags:
        pieces = np.concatenate([part[0] for part in parts]).astype(np.int64)
        owners = np.concatenate([part[1] for part in parts])
        fields = np.concatenate([np.full(len(part[0]), part[2], np.int64) for part in parts])
        order = np.argsort(owners, kind="stable")
        counts = np.bincount(owners, minlength=rows)
        return Bags(pieces[order], fields[order], np.concatenate(([0], np.cumsum(counts))))


def learn(
    data: Dataset,
    start: NDArray[np.float32],
    recipe: Recipe,
    *,
    report: Callable[[int, Table, str], None] = lambda *_: None,
) -> Table:
    """Train a table, which starts from the vectors `start` (shape (pieces, dimensions)), on the examples of `data`;
    `report` is called now and then with step, table and a message."""
    rng = np.random.default_rng(recipe.seed)
    table = Table(start, recipe)
    groups = [{"params": [table.vectors], "lr": recipe.rate}]
    if recipe.weights:
        groups.append({"params": [table.weights], "lr": recipe.rate * recipe.weight_rate})
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.98), fused=True)
    warm = max(recipe.steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(recipe.steps - step, 1) / (recipe.steps - warm))
    )
    batches = _batches(data, recipe, rng, table)
    bagger = Bagger(data, recipe, rng)
    neighbours = _neighbours(data)
    mean, began = 0.0, time.monotonic()
    for step in range(recipe.steps):
        index = next(batches)
        if rng.random() < recipe.neighbours:
            pairs = neighbours[rng.choice(len(neighbours), recipe.batch, replace=False)]
            bags, same = bagger.passage_pairs(pairs[:, 0], pairs[:, 1]), data.group[pairs[:, 0]]
        else:
            bags, same = bagger.pairs(index), data.same[index]
        vectors = table(bags)
        loss, gradient = _loss(vectors.detach().numpy(), same, recipe, int(rng.choice(recipe.truncated)))
        optimizer.zero_grad()
        vectors.backward(torch.from_numpy(gradient))
        optimizer.step()
        schedule.step()
        mean += (loss - mean) * (0.02 if step else 1.0)
        if (step + 1) % 500 == 0 or step + 1 == recipe.steps:
            report(step + 1, table, f"step {step + 1}: loss {mean:.3f}, {time.monotonic() - began:.0f} s")
    return table


def _loss(
    vectors: NDArray[np.float32], same: Index, recipe: Recipe, truncated: int
) -> tuple[float, NDArray[np.float32]]:
    """Of the whole vectors and of one truncation (which, changes from step to step), and the loss's gradient."""
    gradient = np.zeros_like(vectors)
    equal = same[:, None] == same[None, :]
    np.fill_diagonal(equal, val=False)
    total = 0.0
    for dimensions, share in ((recipe.dimensions, 1.0), (truncated, recipe.truncated_weight)):
        lengths = np.linalg.norm(vectors[:, :dimensions], axis=1, keepdims=True) + _SHORTEST
        unit = vectors[:, :dimensions] / lengths
        loss, above = _contrast(unit, equal, recipe.temperature)
        above -= unit * np.einsum("ij,ij->i", unit, above)[:, None]
        gradient[:, :dimensions] += share * above / lengths
        total += share * loss
    return total, gradient


def _contrast(
    unit: NDArray[np.float32], equal: NDArray[np.bool_], temperature: float
) -> tuple[float, NDArray[np.float32]]:
    """InfoNCE from the first half of the rows to the second and, at half the weight, back; and its gradient.

    Cosines are bounded, so one exponential serves both softmaxes: that is why this is not left to autograd, which
    takes three times as long.
    """
    count = len(unit) // 2
    asking, asked = unit[:count], unit[count:]
    scores = asking @ asked.T
    right = np.diagonal(scores).copy()
    likely = np.exp((scores - 1) / np.float32(temperature))
    likely[equal] = 0
    rows, columns = likely.sum(axis=1), likely.sum(axis=0)
    loss = float(np.log(rows).mean() + _BACK * np.log(columns).mean() - (1 + _BACK) * (right - 1).mean() / temperature)
    likely *= 1 / rows[:, None] + _BACK / columns[None, :]
    np.fill_diagonal(likely, np.diagonal(likely) - (1 + _BACK))
    likely /= np.float32(count * temperature)
    return loss, np.concatenate((likely @ asked, likely.T @ asking))


def averaged(tables: Sequence[Table]) -> Table:
    """The mean of runs that started from the same values, as RECIPES do: those of different starts share no axes."""
    mean = copy.deepcopy(tables[0])
    with torch.no_grad():
        mean.vectors.copy_(torch.stack([table.vectors for table in tables]).mean(dim=0))
        mean.weights.copy_(torch.stack([table.weights for table in tables]).mean(dim=0))
    return mean


def _neighbours(data: Dataset) -> Index:
    """Pairs of examples that follow each other in one file and class."""
    first = np.flatnonzero(data.group[:-1] == data.group[1:])
    return np.stack((first, first + 1), axis=1)


def _batches(data: Dataset, recipe: Recipe, rng: np.random.Generator, table: Table) -> Iterator[Index]:
    """Batches of blocks, epoch after epoch: blocks of one package first, then of neighbours."""
    done = 0
    while True:
        if done >= recipe.hard_after * recipe.steps:
            order = _leaves(_embedded(table, data, recipe), recipe.block, rng)
        else:
            order = np.lexsort((rng.random(len(data)), data.package, data.language))
        order = np.roll(order, int(rng.integers(len(order))))
        blocks = order[: len(order) // recipe.block * recipe.block].reshape(-1, recipe.block)
        rng.shuffle(blocks)
        per_batch = recipe.batch // recipe.block
        for start in range(0, len(blocks) - per_batch + 1, per_batch):
            yield blocks[start : start + per_batch].reshape(-1)
            done += 1


def _embedded(table: Table, data: Dataset, recipe: Recipe) -> NDArray[np.float32]:
    """Questions and passages together, cut short: what is close in either is hard to tell apart."""
    cut = table.vectors.detach()[:, :_SORTED_BY]
    short = Table(cut.numpy(), recipe)
    short.weights.data.copy_(table.weights.data)
    questions, passages = vectors_of(short, data, np.arange(len(data)), recipe)
    return questions + passages


def vectors_of(
    table: Table, data: Dataset, index: Index, recipe: Recipe
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The unit vectors of questions and of passages."""
    bagger = Bagger(data, recipe, np.random.default_rng(0))
    questions, passages = [], []
    with torch.no_grad():
        for start in range(0, len(index), 8_192):
            part = index[start : start + 8_192]
            questions.append(functional.normalize(table(bagger.questions(part))).numpy())
            passages.append(functional.normalize(table(bagger.passages(part))).numpy())
    return np.concatenate(questions), np.concatenate(passages)


def _leaves(vectors: NDArray[np.float32], size: int, rng: np.random.Generator) -> Index:
    """An order in which neighbours stand together: halved by random directions down to `size`."""
    done: list[Index] = []
    waiting = [np.arange(len(vectors))]
    while waiting:
        part = waiting.pop()
        if len(part) <= size:
            done.append(part)
            continue
        first, second = rng.choice(len(part), 2, replace=False)
        along = vectors[part] @ (vectors[part[first]] - vectors[part[second]])
        half = len(part) // 2
        split = np.argpartition(along, half)
        waiting += [part[split[:half]], part[split[half:]]]
    return np.concatenate(done)
