"""A small index of its own for files without their documentation, searched and ranked as a workspace is, but for what
`search/retrieval.py` looks up for names, uses, places and quotes: documentation and commit messages hardly ask for it.

Invariant: touches no workspace's store. Blocking: call it from a thread.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.evaluation.metrics import DEPTH, Place
from lucastrad.evaluation.stripped import StrippedFile
from lucastrad.search.query import parse
from lucastrad.search.ranking import (
    CANDIDATES,
    MATCHES,
    PHRASES,
    RARE,
    Holders,
    best,
    candidates_of,
    neighbours,
    pair_rarities,
    phrases,
    rank,
    rare_words,
    rarities,
)
from lucastrad.search.retrieval import FIELD_BOOSTS, best_bm25
from lucastrad.storage.keywords import KeywordChunk, KeywordIndex
from lucastrad.types import Outline, SearchMode


class StrippedIndex:
    """Filled by `add` and `embedded`, in the same order; then `publish`, then `search`."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        """`folder` is for the keyword index, and nobody else's."""
        self._keywords = KeywordIndex(folder)
        self._vectors: list[NDArray[np.float32]] = []
        self._matrix = np.zeros((0, dimensions), np.float32)
        self._outlines: list[Outline] = []
        self._places: list[Place] = []

    def __len__(self) -> int:
        """Passages."""
        return len(self._places)

    def add(self, files: Sequence[StrippedFile]) -> None:
        """Take the passages of some files."""
        found: list[KeywordChunk] = []
        for file in files:
            for chunk in file.chunks:
                number = len(self._places)
                self._places.append(Place(file.path, chunk.start_line, chunk.end_line))
                self._outlines.append(Outline(file.path, file.language, chunk.symbol, chunk.start_line))
                terms = chunk.terms
                found.append(KeywordChunk(number, number, terms.body, terms.symbol, file.path_terms, terms.name))
        self._keywords.add(found)

    def embedded(self, vectors: NDArray[np.float32]) -> None:
        """Take the vectors of passages that were added, in their order; one a row."""
        self._vectors.append(vectors)

    def publish(self) -> None:
        """Make everything searchable."""
        self._keywords.commit(1)
        if self._vectors:
            self._matrix = np.concatenate(self._vectors)
            self._vectors.clear()

    def search(self, question: str, mode: SearchMode, vector: NDArray[np.float32] | None) -> list[Place]:
        """The ten places that a user would see; `vector` is the question's, None or zero where it has none."""
        parsed = parse(question)
        nearest: list[tuple[int, float]] = []
        matching: Sequence[tuple[int, float]] = ()
        found_words = self._keywords.holders(rare_words(parsed, mode), RARE)
        holders = {word: Holders(len(chunks), chunks) for word, chunks in found_words.items()}
        rarity = rarities(parsed, holders, len(self))
        side_by_side = neighbours(parsed, mode)
        frequencies = self._keywords.frequencies({word for pair in side_by_side for word in pair})
        pairs = pair_rarities(side_by_side, frequencies, len(self))
        phrase = phrases(self._keywords.adjacent(pairs, PHRASES), pairs)
        if mode is not SearchMode.KEYWORD and vector is not None and vector.any():
            nearest = self._nearest(vector, [*rarity, *phrase])
        if mode is not SearchMode.VECTOR:
            limit = MATCHES if mode is SearchMode.HYBRID else CANDIDATES
            matching = self._keywords.search(parsed.terms, FIELD_BOOSTS, limit)
        found = candidates_of(nearest, matching, {"rare": rarity, "phrase": phrase})
        outlines = {one.chunk: self._outlines[one.chunk] for one in found}
        ranked = rank(parsed, mode, found, outlines, best_bm25=best_bm25(found))
        return [self._places[item.chunk] for item in best(parsed, ranked, DEPTH, lambda item: item.path)]

    def close(self) -> None:
        """Release the files of the keyword index."""
        self._keywords.close()

    def _nearest(self, vector: NDArray[np.float32], others: Collection[int]) -> list[tuple[int, float]]:
        """The nearest passages, and `others` whatever their cosines."""
        cosines = self._matrix @ vector
        # Stable: equal cosines come in the order of the passages, on every machine.
        best = map(int, np.argsort(-cosines, kind="stable")[:CANDIDATES])
        return [(number, float(cosines[number])) for number in dict.fromkeys([*best, *others])]
