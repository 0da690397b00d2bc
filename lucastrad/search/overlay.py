"""Open buffers as a search sees them: chunks in memory, in the place of those that the index has of their files.

Invariant: an overlaid chunk is scored as it would be in the index: the same terms and vectors, and the index's own
counts for BM25 (so a buffer does not change how rare a word is). Chunk ids are negative: none is ever an id of the
catalog.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.indexing.buffers import BufferReply
from lucastrad.storage.bm25 import FieldStatistics, bm25
from lucastrad.storage.keywords import Field, Pair
from lucastrad.types import Outline, StoredChunk, VectorSpace

Vectors = Mapping[bytes, NDArray[np.float32]]
"""Embedding key → vector."""
Passes = Callable[["LiveFile"], bool]
Found = list[tuple[int, float]]
"""Chunk ids and their scores."""


class _Terms:
    """The terms of some chunks in one field: how long each is, and which hold a term how often."""

    __slots__ = ("_counts", "lengths")

    def __init__(self, texts: Iterable[str]) -> None:
        self.lengths: list[int] = []
        self._counts: dict[str, list[tuple[int, int]]] = {}
        for number, text in enumerate(texts):
            words = text.split()
            self.lengths.append(len(words))
            for term, count in Counter(words).items():
                self._counts.setdefault(term, []).append((number, count))

    def holding(self, term: str) -> Sequence[tuple[int, int]]:
        """(number of the chunk, occurrences) wherever the term is."""
        return self._counts.get(term, ())


@dataclass(frozen=True, slots=True, eq=False)
class LiveFile:
    """A buffer that is not saved, cut into chunks."""

    root: Path
    path: str
    language: str
    size_bytes: int
    chunks: tuple[StoredChunk, ...]
    keys: tuple[bytes, ...]
    """The embedding key of each chunk."""
    bodies: tuple[str, ...]
    """The terms of each chunk's body in order, with a blank before and after each."""
    terms: Mapping[Field, _Terms]
    hashes: frozenset[bytes]
    """Content hashes of the files that hold what the buffer holds."""
    space: VectorSpace | None = None
    vectors: Vectors = field(default_factory=dict)
    """In `space`; those of some chunks may be missing."""

    @classmethod
    def of(cls, root: Path, path: str, size_bytes: int, cut: BufferReply, ids: Iterable[int]) -> "LiveFile":
        """What a worker made of a buffer; `ids` are for its chunks. Takes milliseconds: call it in a thread."""
        chunks = tuple(
            StoredChunk(id_, path, cut.language, c.symbol, c.kind, c.start_line, c.end_line, c.text)
            for id_, c in zip(ids, cut.chunks, strict=False)
        )
        bodies = tuple(f" {terms.body} " for terms in cut.terms)
        terms = {
            Field.BODY: _Terms(terms.body for terms in cut.terms),
            Field.SYMBOL: _Terms(terms.symbol for terms in cut.terms),
            Field.PATH: _Terms([cut.path_terms] * len(chunks)),
        }
        hashes = frozenset({cut.own_hash})
        return cls(root, path, cut.language, size_bytes, chunks, tuple(cut.keys), bodies, terms, hashes)

    def with_vectors_of(self, before: "LiveFile | None") -> "LiveFile":
        """With the vectors of those chunks that an earlier version has, too."""
        if before is None:
            return self
        known = {key: before.vectors[key] for key in self.keys if key in before.vectors}
        return replace(self, space=before.space, vectors=known)

    def chunk_at(self, line: int) -> StoredChunk | None:
        """The chunk that holds 1-based `line`, or the nearest before it; None in an empty buffer."""
        return min(self.chunks, key=lambda chunk: (chunk.start_line > line, abs(chunk.start_line - line)), default=None)

    def vector(self, chunk: StoredChunk, space: VectorSpace) -> NDArray[np.float32] | None:
        """The vector of one of its chunks in `space`; None where there is none (yet)."""
        return self.vectors.get(self.keys[self.chunks.index(chunk)]) if space == self.space else None


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """The buffers that stand in the place of their files, in one search of one workspace."""

    files: Mapping[str, LiveFile] = field(default_factory=dict)
    """By path."""
    saved: frozenset[str] = frozenset()
    """Paths whose files hold the same by now, which the indexes only do not tell yet."""
    hidden_chunks: int = 0
    """How many chunks the index has of these files."""

    def nearest(self, query: NDArray[np.float32], space: VectorSpace, passes: Passes) -> Found:
        """Every chunk that has a vector in `space`, with its cosine."""
        found: Found = []
        for live in filter(passes, self.files.values()):
            if live.space != space:
                continue
            for chunk, key in zip(live.chunks, live.keys, strict=True):
                if (vector := live.vectors.get(key)) is not None:
                    found.append((chunk.id, float(vector @ query)))
        return found

    def matching(
        self,
        terms: Sequence[tuple[str, float]],
        boosts: Mapping[Field, float],
        statistics: Mapping[Field, FieldStatistics],
        passes: Passes,
    ) -> Found:
        """Every chunk that holds any of the weighted terms, with its BM25 score."""
        scores: dict[int, float] = {}
        for live in filter(passes, self.files.values()):
            for where, boost in boosts.items():
                held = live.terms[where]
                for term, weight in terms:
                    for number, count in held.holding(term):
                        score = weight * boost * bm25(statistics[where], term, count, held.lengths[number])
                        id_ = live.chunks[number].id
                        scores[id_] = scores.get(id_, 0.0) + score
        return list(scores.items())

    def frequency(self, term: str) -> int:
        """How many bodies of chunks hold a term."""
        return sum(len(live.terms[Field.BODY].holding(term)) for live in self.files.values())

    def holders(self, term: str, passes: Passes) -> list[int]:
        """The chunks whose body holds a term."""
        return [
            live.chunks[number].id
            for live in filter(passes, self.files.values())
            for number, _ in live.terms[Field.BODY].holding(term)
        ]

    def adjacent(self, weights: Mapping[Pair, float], passes: Passes) -> Found:
        """Every chunk whose body holds pairs of terms side by side, with the sum of their weights."""
        found: Found = []
        for live in filter(passes, self.files.values()):
            for chunk, body in zip(live.chunks, live.bodies, strict=True):
                if held := sum(weight for (one, other), weight in weights.items() if f" {one} {other} " in body):
                    found.append((chunk.id, held))
        return found

    def saying(self, rows: Iterable[Sequence[str]], passes: Passes) -> list[StoredChunk]:
        """Every chunk whose body holds one of `rows`, each some terms, in a row."""
        wanted = [f" {' '.join(row)} " for row in rows]
        return [
            chunk
            for live in filter(passes, self.files.values())
            for chunk, body in zip(live.chunks, live.bodies, strict=True)
            if any(row in body for row in wanted)
        ]

    def is_unsaved(self, chunk: int, path: str) -> bool:
        """Whether a chunk of `path` stands in a buffer only."""
        return chunk < 0 and path not in self.saved

    def outlines(self) -> dict[int, Outline]:
        """What ranking needs to know, by chunk id."""
        return {
            c.id: Outline(c.path, c.language, c.symbol, c.start_line)
            for live in self.files.values()
            for c in live.chunks
        }

    def chunks(self, ids: Iterable[int]) -> dict[int, StoredChunk]:
        """Those of the chunks that are here."""
        wanted = set(ids)
        return {c.id: c for live in self.files.values() for c in live.chunks if c.id in wanted}


NO_OVERLAY = Overlay()


def over(files: Iterable[LiveFile], versions: Mapping[str, tuple[bytes, int]], *, settled: bool) -> Overlay:
    """What `files` lay over an index that has `versions`: path → content hash and number of chunks.

    A file that the index has as the buffer is needs none. While the index is not `settled`, its keywords and vectors
    may not tell of that version yet, and the buffer still answers for it.
    """
    standing: dict[str, LiveFile] = {}
    saved: set[str] = set()
    for live in files:
        content_hash, _ = versions.get(live.path, (None, 0))
        is_saved = content_hash in live.hashes
        if is_saved and settled:
            continue
        standing[live.path] = live
        if is_saved:
            saved.add(live.path)
    hidden = sum(versions[path][1] for path in standing if path in versions)
    return Overlay(standing, frozenset(saved), hidden)
