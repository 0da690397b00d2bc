"""The packaged embedding model: a text's vector is the weighted sum of its word pieces' vectors.

A piece weighs what training found it to be worth where it stands: in a question, a passage's body, its path or its
symbol. The files beside this module are made by `python -m training`, which also documents them. Words are embedded
one by one: the tokenizer never joins pieces across a blank, so an identifier's pieces can be remembered.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.text.words import parts_of, written
from lucastrad.types import Passage, VectorSpace

SPACE: Final = VectorSpace(provider="local", model="lucastra-static-r1", dimensions=256)
"""`r1` names the revision of the vectors and of the text preprocessing: raise it with every change to either."""
TRUNCATED: Final = tuple(VectorSpace(SPACE.provider, SPACE.model, dimensions) for dimensions in (64, 128))
"""The model was trained so that the first 64 and 128 components of a vector, brought to length one again, are vectors
too (Matryoshka representation learning: Kusupati et al., 2022)."""

FIELDS: Final = ("question", "body", "path", "symbol")
"""Where a piece can stand: the rows of the weights."""
_QUESTION, _BODY, _PATH, _SYMBOL = range(len(FIELDS))
FOLDER: Final = Path(__file__).with_name("model")
MANIFEST: Final = "model.json"
TOKENIZER: Final = "tokenizer.json"
VECTORS: Final = "vectors.npy"
"""Signed bytes, shape (pieces, dimensions)."""
WEIGHTS: Final = "weights.npy"
"""float32, shape (fields, pieces): a piece's weight in a field, times what one step of its vector stands for."""
_MAX_REMEMBERED_WORDS: Final = 200_000
_MAX_PIECES: Final = 512


class PackagedFile(msgspec.Struct, frozen=True):
    """What a file must be like."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What `model.json` says of the files beside it."""

    name: str
    dimensions: int
    pieces: int
    files: dict[str, PackagedFile]


class StaticModel:
    """Not safe for concurrent use: each process has its own. The vectors' width is that of the table."""

    def __init__(self, tokenizer: Tokenizer, table: NDArray[np.int8], weights: NDArray[np.float32]) -> None:
        self.dimensions = table.shape[1]
        self._tokenizer = tokenizer
        self._table = table
        self._weights = weights
        self._pieces: dict[str, tuple[int, ...]] = {}

    @classmethod
    def load(cls, *, for_passages: bool, dimensions: int = SPACE.dimensions, folder: Path = FOLDER) -> "StaticModel":
        """Open the packaged files, of each piece's vector the first `dimensions`: the sum of these is what the sum
        of the whole would be cut to.

        `for_passages` reads the table into memory (8 MB of 256 dimensions); without it the file is mapped, and a
        query reads what it needs. Raises LucAstraError for files that are missing or of another size or shape; their
        content is checked by `verify`.
        """
        manifest = _manifest(folder)
        for name, expected in manifest.files.items():
            if _size_of(folder / name) != expected.bytes:
                raise _damaged(folder / name)
        try:
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            # As a plain array: every operation on a memmap object costs microseconds more.
            table = np.asarray(np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False))
            weights = np.load(folder / WEIGHTS, allow_pickle=False)
        except Exception as error:  # the tokenizer's parser raises plain Exception
            raise _damaged(folder) from error
        if table.shape != (manifest.pieces, manifest.dimensions) or weights.shape != (len(FIELDS), manifest.pieces):
            raise _damaged(folder)
        cut = table if dimensions == manifest.dimensions else table[:, :dimensions]
        return cls(tokenizer, np.array(cut) if for_passages else cut, weights)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(passages), dimensions)."""
        texts = [(set(written(p.text)), set(written(p.path)), set(written(p.symbol))) for p in passages]
        self._learn(set().union(*[words for sets in texts for words in sets]))
        sums = np.zeros((len(passages), self.dimensions), np.float32)
        for row, (text, path, symbol) in enumerate(texts):
            body = self._pieces_of(text)[:_MAX_PIECES]
            fields = [(_BODY, body), (_PATH, self._pieces_of(path)), (_SYMBOL, self._pieces_of(symbol))]
            self._add_up(fields, sums[row])
        return self._unit(sums)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (dimensions,)."""
        words = set(written(text))
        self._learn(words)
        total = np.zeros((1, self.dimensions), np.float32)
        self._add_up([(_QUESTION, self._pieces_of(words)[:_MAX_PIECES])], total[0])
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

    def _add_up(self, fields: list[tuple[int, list[int]]], into: NDArray[np.float32]) -> None:
        pieces = [piece for _, found in fields for piece in found]
        if pieces:
            at = np.array(pieces, np.intp)
            weights = np.empty(len(pieces), np.float32)
            start = 0
            for field, found in fields:
                end = start + len(found)
                weights[start:end] = self._weights[field].take(at[start:end])
                start = end
            # One gather and one matrix-vector product a text: np.add.reduceat over a batch is 30 times slower.
            np.dot(weights, self._table.take(at, axis=0).astype(np.float32), out=into)

    @staticmethod
    def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
        return unit


def verify(folder: Path = FOLDER) -> None:
    """Compare the files with their checksums (some 10 ms): raises LucAstraError for one that is damaged or missing."""
    for name, expected in _manifest(folder).files.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise _damaged(folder / name) from error
        if found != expected.sha256:
            raise _damaged(folder / name)


def _manifest(folder: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(folder / MANIFEST) from error
    if manifest.name != SPACE.model or manifest.dimensions != SPACE.dimensions:
        raise _damaged(folder / MANIFEST)
    return manifest


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _damaged(path: Path) -> LucAstraError:
    return LucAstraError(
        f"the packaged embedding model is damaged or incomplete ({path});"
        " reinstall with `pip install --force-reinstall lucastra`"
    )
