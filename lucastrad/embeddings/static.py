"""A static embedding model: a text's vector is the mean of its word pieces' vectors.

The weights are wordllama's (MIT): 32,000 Llama-2 pieces, 256 dimensions, read straight from the
files in its wheel, since its own loader wants the network. Words are embedded one by one: the
tokenizer never joins pieces across a blank, so an identifier's pieces can be remembered.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.text.words import parts_of, written
from lucastrad.types import Passage, VectorSpace

SPACE = VectorSpace(provider="local", model="wordllama-l2-supercat-r1", dimensions=256)
"""`r1` names the revision of the text preprocessing: raise it with every change to what is added up."""
TRUNCATED = tuple(VectorSpace(SPACE.provider, SPACE.model, dimensions) for dimensions in (64, 128))
"""The model was trained so that the first 64 and 128 components of a vector, brought to length one again, are vectors
too (Matryoshka representation learning: Kusupati et al., 2022)."""

_SYMBOL_WEIGHT = 3
"""Measured on docstring questions: naming the symbol three times beats once."""
_MAX_REMEMBERED_WORDS = 200_000
_MAX_PIECES = 512


class StaticModel:
    """Not safe for concurrent use: each process has its own. The table's width is the vectors'."""

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.float16] | NDArray[np.float32]) -> None:
        self.dimensions = table.shape[1]
        self._tokenizer = tokenizer
        self._table = table
        self._pieces: dict[str, tuple[int, ...]] = {}

    @classmethod
    def load(cls, *, for_passages: bool, dimensions: int = SPACE.dimensions) -> "StaticModel":
        """Read the packaged files, of each piece's vector the first `dimensions`: the mean of these is what the mean
        of the whole would be cut to.

        `for_passages` holds the table as float32 in memory (32 MB of 256 dimensions), eight times as fast per
        passage; without it the half-precision file is mapped, which is enough for queries.
        """
        folder = _package_folder()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        table = _map_table(folder / "weights" / "l2_supercat_256.safetensors")[:, :dimensions]
        return cls(tokenizer, table.astype(np.float32) if for_passages else table)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(passages), dimensions)."""
        texts = [(set(written(p.text)), set(written(p.path)), set(written(p.symbol))) for p in passages]
        self._learn(set().union(*[words for sets in texts for words in sets]))
        sums = np.zeros((len(passages), self.dimensions), np.float32)
        for row, (body, path, symbol) in enumerate(texts):
            pieces = self._pieces_of(body)[:_MAX_PIECES] + self._pieces_of(path)
            self._add_up(pieces + self._pieces_of(symbol) * _SYMBOL_WEIGHT, sums[row])
        return self._unit(sums)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (dimensions,)."""
        words = set(written(text))
        self._learn(words)
        total = np.zeros((1, self.dimensions), np.float32)
        self._add_up(self._pieces_of(words)[:_MAX_PIECES], total[0])
        unit: NDArray[np.float32] = self._unit(total)[0]
        return unit

    def _pieces_of(self, words: set[str]) -> list[int]:
        """The pieces of a text, each once: repeated words say less about a passage than its rarer ones."""
        return sorted(set().union(*map(self._pieces.__getitem__, words)))

    def _learn(self, words: set[str]) -> None:
        """Remember the pieces of words as written, whose parts are what the tokenizer sees."""
        unseen = words.difference(self._pieces)
        if len(self._pieces) + len(unseen) > _MAX_REMEMBERED_WORDS:
            self._pieces.clear()
            unseen = words
        split = {word: parts_of(word) for word in unseen}
        parts = sorted({part for found in split.values() for part in found})
        encodings = self._tokenizer.encode_batch(parts, add_special_tokens=False)
        pieces = {part: encoding.ids for part, encoding in zip(parts, encodings, strict=True)}
        for word, found in split.items():
            self._pieces[word] = tuple(piece for part in found for piece in pieces[part])

    def _add_up(self, pieces: list[int], into: NDArray[np.float32]) -> None:
        if pieces:
            # One gather and one matrix-vector product a text: np.add.reduceat over a batch is 30 times slower.
            rows = self._table.take(np.array(pieces, np.intp), axis=0).astype(np.float32, copy=False)
            np.dot(np.ones(len(pieces), np.float32), rows, out=into)

    @staticmethod
    def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
        return unit


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
