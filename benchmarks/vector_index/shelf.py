"""The indexes over one set of rows, each built when it is first needed and kept for every cell that uses it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import step
from benchmarks.vector_index.data import Asked, Dataset
from benchmarks.vector_index.indexes import Index
from benchmarks.vector_index.measure import cpu_seconds, least_effort
from benchmarks.vector_index.results import Built, VectorReport
from benchmarks.vector_index.truth import Truth, exact

AnIndex = TypeVar("AnIndex", bound=Index)


@dataclass(slots=True)
class Shelf:
    """The first `rows` rows of a dataset, and what was made of them."""

    data: Dataset
    rows: int
    queries: int
    """How many of each kind are asked."""
    rounds: int
    folder: Path
    report: VectorReport
    _indexes: dict[str, Index] = field(default_factory=dict)
    _truths: dict[Asked, Truth] = field(default_factory=dict)
    _recalls: dict[tuple[str, Asked, int], float] = field(default_factory=dict)

    @property
    def dimensions(self) -> int:
        return self.data.dimensions

    @property
    def name(self) -> str:
        """For progress and bars."""
        return f"{self.rows:,} rows, {self.dimensions} dimensions"

    def index(self, kind: type[AnIndex]) -> AnIndex:
        """The index of a kind; what building it took is reported."""
        if kind.name not in self._indexes:
            step(f"{self.name}: building {kind.name}")
            made: list[Index] = []
            seconds = cpu_seconds(lambda: made.append(kind.build(self.data, self.rows, self.file(kind))))
            self._indexes[kind.name] = made[0]
            self.report.built.append(Built(kind.name, self.rows, self.dimensions, seconds))
        found = self._indexes[kind.name]
        assert isinstance(found, kind)
        return found

    def file(self, kind: type[Index]) -> Path:
        """Where an index of a kind is saved; an empty file name of its own."""
        return self.folder / f"{kind.name.replace(' ', '-')}-{self.rows}-{self.dimensions}"

    def saved(self, kind: type[Index]) -> Path:
        """The file of an index of a kind, which may be a file already."""
        index, file = self.index(kind), self.file(kind)
        if not file.exists():
            index.save(file)
        return file

    def truth(self, asked: Asked) -> Truth:
        """The right answers."""
        if asked not in self._truths:
            self._truths[asked] = exact(self.data.rows[: self.rows], self.asked(asked))
        return self._truths[asked]

    def asked(self, asked: Asked, index: Index | None = None) -> NDArray[np.float32]:
        """The queries of a kind, fewer for an index that is slow."""
        return self.data.queries[asked][: min(self.queries, index.most_queries if index else self.queries)]

    def recall(self, index: Index, asked: Asked, effort: int) -> float:
        """Recall@10 at an effort."""
        key = (index.name, asked, effort)
        if key not in self._recalls:
            self._recalls[key] = self.truth(asked).recall(index.many(self.asked(asked, index), effort))
        return self._recalls[key]

    def effort(self, index: Index, asked: Asked, target: float) -> int | None:
        """The least effort that reaches a recall, 0 for an index that knows none; None when there is none."""
        if index.efforts is None:
            return 0 if self.recall(index, asked, 0) >= target else None
        return least_effort(lambda effort: self.recall(index, asked, effort), target, *index.efforts)

    def pass_over(self, index: Index, asked: Asked, effort: int) -> Callable[[], object]:
        """All queries of a kind, one call each; what `single` sets up is set up at each pass, since indexes
        share settings (the instructions in use)."""
        prepared = index.prepare(self.asked(asked, index))

        def run() -> None:
            search = index.single(effort)
            for query in prepared:
                search(query)

        return run
