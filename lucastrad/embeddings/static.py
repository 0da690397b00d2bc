"""A static embedding model: a text's vector is the mean of its word pieces' vectors.

The weights are wordllama's (MIT): 32,000 Llama-2 pieces, 256 dimensions, read straight from the
files in its wheel, since its own loader wants the network. Words are embedded one by one: the
tokenizer never joins pieces across a blank, so the sum over words equals the sum over the text, and
a word's pieces can be remembered.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.text.words import unique_words
from lucastrad.types import Passage, VectorSpace

SPACE = VectorSpace(provider="local", model="wordllama-l2-supercat-r1", dimensions=256)
"""`r1` names the revision of the text preprocessing: raise it with every change to `_passage_words`."""

_SYMBOL_WEIGHT = 3.0
"""Measured on docstring questions: naming the symbol three times beats once."""
_MAX_REMEMBERED_WORDS = 100_000
_MAX_WORDS = 400


class StaticModel:
    """Not safe for concurrent use: each process has its own."""

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.float16] | NDArray[np.float32]) -> None:
        self._tokenizer = tokenizer
        self._table = table
        self._pieces: dict[str, NDArray[np.intp]] = {}

    @classmethod
    def load(cls, *, for_passages: bool) -> "StaticModel":
        """Read the packaged files.

        `for_passages` holds the table as float32 in memory (32 MB), eight times as fast per passage;
        without it the half-precision file is mapped, which is enough for queries.
        """
        folder = _package_folder()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        table = _map_table(folder / "weights" / "l2_supercat_256.safetensors")
        return cls(tokenizer, table.astype(np.float32) if for_passages else table)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(passages), 256)."""
        weighted = [list(_passage_words(passage)) for passage in passages]
        self._learn({word for words in weighted for word, _ in words})
        return self._unit(np.stack([self._sum(words) for words in weighted]) if weighted else _no_rows())

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (256,)."""
        words = [(word, 1.0) for word in unique_words(text)[:_MAX_WORDS]]
        self._learn({word for word, _ in words})
        unit: NDArray[np.float32] = self._unit(self._sum(words)[np.newaxis])[0]
        return unit

    def _sum(self, words: list[tuple[str, float]]) -> NDArray[np.float32]:
        if not words:
            return np.zeros(SPACE.dimensions, np.float32)
        pieces = [self._pieces[word] for word, _ in words]
        index = np.concatenate(pieces)
        weights = np.repeat(np.array([w for _, w in words], np.float32), [len(p) for p in pieces])
        # One gather and one matrix-vector product a text: np.add.reduceat over a whole batch is 30 times slower.
        total: NDArray[np.float32] = weights @ self._table.take(index, axis=0).astype(np.float32, copy=False)
        return total

    def _learn(self, words: set[str]) -> None:
        unseen = [word for word in words if word not in self._pieces]
        if not unseen:
            return
        if len(self._pieces) + len(unseen) > _MAX_REMEMBERED_WORDS:
            self._pieces.clear()
            unseen = list(words)
        encodings = self._tokenizer.encode_batch(unseen, add_special_tokens=False)
        for word, encoding in zip(unseen, encodings, strict=True):
            self._pieces[word] = np.array(encoding.ids, np.intp)

    @staticmethod
    def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
        return unit


def _passage_words(passage: Passage) -> Iterable[tuple[str, float]]:
    for word in unique_words(passage.path):
        yield word, 1.0
    for word in unique_words(passage.symbol):
        yield word, _SYMBOL_WEIGHT
    for word in unique_words(passage.text)[:_MAX_WORDS]:
        yield word, 1.0


def _no_rows() -> NDArray[np.float32]:
    return np.zeros((0, SPACE.dimensions), np.float32)


def _package_folder() -> Path:
    spec = importlib.util.find_spec("wordllama")  # found, not imported: its import costs 1 s and pydantic
    if spec is None or not spec.submodule_search_locations:
        raise LucAstraError(
            "the embedding model's package is missing; reinstall with `pip install --force-reinstall lucastra`"
        )
    return Path(spec.submodule_search_locations[0])


def _map_table(path: Path) -> NDArray[np.float16]:
    """Map the one tensor of a safetensors file without reading it."""
    import json

    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    entry = header["embedding.weight"]
    if entry["dtype"] != "F16" or entry["shape"][1] != SPACE.dimensions:
        raise LucAstraError(f"{path.name} does not hold half-precision vectors of 256 dimensions; reinstall wordllama")
    return np.memmap(path, np.float16, "r", 8 + header_bytes + entry["data_offsets"][0], tuple(entry["shape"]))
