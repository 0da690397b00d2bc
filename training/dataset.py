"""Examples as arrays of word pieces, each text's pieces once: exactly what `StaticModel` adds up."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.text.words import parts_of, written
from training.pairs import Example, Examples

_MAX_PIECES: Final = 512
"""As many of a text's pieces as StaticModel adds up."""


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths: row i is `values[starts[i]:starts[i + 1]]`."""

    values: NDArray[np.int32]
    starts: NDArray[np.int64]

    def rows(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the rows `index`, one after the other: where their values stand, and which of the rows each is of."""
        lengths = self.starts[index + 1] - self.starts[index]
        owner = np.repeat(np.arange(len(index)), lengths)
        ends = np.cumsum(lengths)
        at = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return at + np.repeat(self.starts[index], lengths), owner

    def select(self, index: NDArray[np.int64]) -> "Ragged":
        """Some of the rows."""
        at, _ = self.rows(index)
        lengths = self.starts[index + 1] - self.starts[index]
        return Ragged(self.values[at], np.concatenate(([0], np.cumsum(lengths))))


@dataclass(frozen=True)
class Dataset:
    """Columns of the same examples."""

    question: Ragged
    doc: Ragged
    body: Ragged
    path: Ragged
    symbol: Ragged
    named: NDArray[np.bool_]
    """Per value of `body`: it is there only because the definition's own name is."""
    package: NDArray[np.int64]
    group: NDArray[np.int64]
    """Equal for examples of one file and one enclosing class."""
    same: NDArray[np.int64]
    """Equal for equal questions, which are not each other's negatives."""
    content: NDArray[np.int64]
    """Equal for equal definitions."""
    language: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.package)

    def select(self, index: NDArray[np.int64]) -> "Dataset":
        """Some of the examples."""
        ragged: dict[str, Any] = {name: getattr(self, name).select(index) for name in _RAGGED}
        at, _ = self.body.rows(index)
        return Dataset(**ragged, named=self.named[at], **{name: getattr(self, name)[index] for name in _PLAIN})

    def save(self, target: Path) -> None:
        columns: dict[str, NDArray[np.generic]] = {}
        for name in _RAGGED:
            ragged: Ragged = getattr(self, name)
            columns[f"{name}_values"], columns[f"{name}_starts"] = ragged.values, ragged.starts
        for name in (*_PLAIN, "named"):
            columns[name] = getattr(self, name)
        np.savez(target, **columns)  # type: ignore[arg-type]  # numpy's stub reads **kwargs as allow_pickle

    @classmethod
    def load(cls, source: Path) -> "Dataset":
        with np.load(source) as stored:
            ragged: dict[str, Any] = {
                name: Ragged(stored[f"{name}_values"], stored[f"{name}_starts"]) for name in _RAGGED
            }
            return cls(**ragged, **{name: stored[name] for name in (*_PLAIN, "named")})


_RAGGED: Final = ("question", "doc", "body", "path", "symbol")
_PLAIN: Final = ("package", "group", "same", "content", "language")
LANGUAGES: Final = ("python", "javascript", "typescript", "tsx", "go", "rust", "java", "c", "cpp", "markdown")


class Pieces:
    """Word → pieces, remembered."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[int, ...]] = {}
        self._parts: dict[str, list[int]] = {}

    def of(self, words: Iterable[str]) -> set[int]:
        return {piece for word in words for piece in self._of_word(word)}

    def _of_word(self, word: str) -> tuple[int, ...]:
        found = self._known.get(word)
        if found is None:
            found = tuple(piece for part in parts_of(word) for piece in self._of_part(part))
            self._known[word] = found
        return found

    def _of_part(self, part: str) -> list[int]:
        found = self._parts.get(part)
        if found is None:
            found = self._parts[part] = self._tokenizer.encode(part, add_special_tokens=False).ids
        return found


class Builder:
    """Makes the arrays of one package's examples at a time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._pieces = Pieces(tokenizer)

    def build(self, found: Examples, package: int) -> Dataset:
        """`package` is the number that the examples get."""
        values = {name: array("i") for name in _RAGGED}
        starts = {name: [0] for name in _RAGGED}
        named: list[bool] = []
        plain: dict[str, list[int]] = {name: [] for name in _PLAIN}
        for example in found.examples:
            row, only_named = self._row(example)
            for name, pieces in row.items():
                values[name].extend(pieces)
                starts[name].append(len(values[name]))
            named += only_named
            plain["package"].append(package)
            plain["group"].append(_key(f"{found.package}\n{example.path}\n{example.symbol.rpartition('.')[0]}"))
            plain["same"].append(_key(example.question.lower()))
            plain["content"].append(_key(f"{example.symbol}\n{example.text[:400]}"))
            plain["language"].append(LANGUAGES.index(example.language))
        ragged: dict[str, Any] = {
            name: Ragged(np.array(values[name], np.int32), np.array(starts[name], np.int64)) for name in _RAGGED
        }
        columns: dict[str, Any] = {name: np.array(plain[name], np.int64) for name in _PLAIN}
        return Dataset(**ragged, named=np.array(named, np.bool_), **columns)

    def _row(self, example: Example) -> tuple[dict[str, list[int]], list[bool]]:
        """The pieces of each column, and which of the body's are there only for the definition's name."""
        pieces = self._pieces
        words = set(written(example.text))
        name = example.symbol.rpartition(".")[2]
        body = pieces.of(words)
        unnamed = pieces.of(words - {name}) if name in words else body
        ordered = sorted(body)[:_MAX_PIECES]
        row = {
            "question": sorted(pieces.of(written(example.question))),
            "doc": sorted(pieces.of(written(example.doc)))[:64],
            "body": ordered,
            "path": sorted(pieces.of(written(example.path))),
            "symbol": sorted(pieces.of(written(example.symbol))),
        }
        return row, [piece not in unnamed for piece in ordered]


def concatenated(parts: Sequence[Dataset]) -> Dataset:
    """One dataset of several, each content once: packages hold copies of each other."""
    ragged: dict[str, Any] = {}
    for name in _RAGGED:
        columns: list[Ragged] = [getattr(part, name) for part in parts]
        lengths = np.concatenate([np.diff(column.starts) for column in columns])
        ragged[name] = Ragged(
            np.concatenate([column.values for column in columns]), np.concatenate(([0], np.cumsum(lengths)))
        )
    columns_of: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in (*_PLAIN, "named")
    }
    whole = Dataset(**ragged, **columns_of)
    first = np.unique(whole.content, return_index=True)[1]
    return whole.select(np.sort(first))


def _key(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
