"""The rows that are indexed and the queries that are asked, in files that are made once.

Rows are distinct: chunks whose vectors are equal bit for bit count once, and a chunk that serves as a query is not
among the rows. A larger set begins with the smaller one. Beyond the real vectors, each further row is a real one with
noise added.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import step
from benchmarks.corpora import DJANGO, Sdist
from benchmarks.errors import BenchmarkError
from benchmarks.vector_index import embedding

# Permissively licensed, written by hand, and their metadata can be read without compiling anything.
FIRST = (
    DJANGO,
    Sdist("sympy", "1.14.0", "d3d3fe8df1e5a0b42f0e7bdf50541697dbe7d23746e894990c030e2b05e72517"),
    Sdist("transformers", "4.51.3", "e292fcab3990c6defe6328f0f7d2004283ca81a7a07b2de9a46d67fd81ea1409"),
    Sdist("nova", "31.0.0", "4c13bfd6be60ed110c973a8bf94532740ba746bd4d0e1a415e9bf2b6fef5bc24"),
    Sdist("Twisted", "24.11.0", "695d0556d5ec579dcc464d2856b634880ed1319f45b10d19043f2b57eb0115b5"),
)
FURTHER = (
    Sdist("homeassistant", "2023.12.4", "75e6b43da702cc25a1321da0c3f915247c180a84fbcc9e76a9341b1e6a9cc14f"),
    Sdist("cinder", "26.0.0", "dd6ffd583d657f7ed88d45313df568868adee1d438423d2f1ee5b3173b96772e"),
    Sdist("neutron", "26.0.0", "6cd5d7836c1905250dabebc7a8c0cc25501b88941ec9a38fc12d1b3b95febb82"),
    Sdist("salt", "3007.1", "b933ac4cb3e4b1118b46dada55c9cc6bdc6f0f94b4c92877aec44b25c6a28c9a"),
    Sdist("moto", "5.1.3", "078e73f6fe27a76283f82c6c5507b9c32c0d5cfe32ad4a3d1434f62798da6166"),
    Sdist("SQLAlchemy", "2.0.40", "d827099289c64589418ebbcaead0145cd19f4e3e8a93919a0100247af245fa00"),
    Sdist("networkx", "3.4.2", "307c3669428c5362aab27c8a1260aa8f47c4e91d3891f48be0141738d8d053e1"),
    Sdist("wagtail", "6.4.1", "cec3e6d4920a6d178fa1eb6f4af80b370fdd5570ed924b979104e157f10ca097"),
    Sdist("langchain-community", "0.3.21", "b87b9992cbeea7553ed93e3d39faf9893a8690318485f7dc861751c7878729f7"),
    Sdist("diffusers", "0.33.1", "fc7f140295d2ec82b1e7474b77bb7057fc0686c14eadc54ca0e52a66527e18a2"),
)
QUERIES = 2_000
"""Of each kind."""
SEED = 20_250_402
NOISE = 0.2
"""Length of what is added to a real unit vector to make another row of it: their cosine is about .98."""

_SLICE = 65_536


class Asked(StrEnum):
    """Kinds of queries."""

    QUESTION = "question"
    """A docstring's first sentence: natural language to code."""
    CHUNK = "chunk"
    """A chunk that is not in the index."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Unit vectors of one number of dimensions; the arrays are mapped from `files`."""

    rows: NDArray[np.float32]
    queries: dict[Asked, NDArray[np.float32]]
    file: Path
    """Of the rows, a .npy."""
    real: int
    """How many of the rows are real chunks; noise was added to those beyond."""
    packages: tuple[str, ...]

    @property
    def dimensions(self) -> int:
        return int(self.rows.shape[1])

    @property
    def offset(self) -> int:
        """Where in `file` row 0 begins, in bytes."""
        assert isinstance(self.rows, np.memmap)
        return int(self.rows.offset)

    @property
    def stride(self) -> int:
        """From one row to the next, in bytes."""
        return int(self.rows.strides[0])


def load(cache: Path, *, dimensions: int, rows: int, quick: bool) -> Dataset:
    """At least `rows` rows with their queries, made on first use (downloads and embeds). Raises BenchmarkError."""
    sources = FIRST if quick else FIRST + FURTHER
    folder = cache / "vectors" / _key(sources)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="assemble-", dir=folder.parent) as name:
            unfinished = Path(name) / "set"
            unfinished.mkdir()
            for size in embedding.DIMENSIONS:
                _assemble(cache, sources, size, unfinished)
            unfinished.rename(folder)
    file = folder / f"rows-{dimensions}.npy"
    real = len(np.load(file, mmap_mode="r"))
    if rows > real:
        if quick:
            raise BenchmarkError(f"the packages gave {real:,} distinct vectors, not {rows:,}")
        file = _with_noise(file, rows)
    return Dataset(
        rows=np.load(file, mmap_mode="r"),
        queries={kind: np.load(folder / f"{kind}-{dimensions}.npy") for kind in Asked},
        file=file,
        real=real,
        packages=tuple(source.name for source in sources),
    )


def _assemble(cache: Path, sources: Sequence[Sdist], dimensions: int, folder: Path) -> None:
    chance = np.random.default_rng(SEED)
    first = _distinct(_chunks(cache, FIRST, dimensions))
    chance.shuffle(first)
    questions = _distinct(np.load(_part(cache, source) / f"questions-{dimensions}.npy") for source in FIRST)
    chance.shuffle(questions)
    if len(questions) < QUERIES:
        raise BenchmarkError(f"the packages gave {len(questions):,} questions, not {QUERIES:,}")
    rows = _distinct(iter([first, *_chunks(cache, sources[len(FIRST) :], dimensions)]))
    chance.shuffle(rows[len(first) :])
    np.save(folder / f"{Asked.CHUNK}-{dimensions}.npy", rows[:QUERIES])
    np.save(folder / f"{Asked.QUESTION}-{dimensions}.npy", questions[:QUERIES])
    np.save(folder / f"rows-{dimensions}.npy", rows[QUERIES:])


def _chunks(cache: Path, sources: Iterable[Sdist], dimensions: int) -> Iterator[NDArray[np.float32]]:
    for source in sources:
        yield np.load(_part(cache, source) / f"chunks-{dimensions}.npy")


def _part(cache: Path, source: Sdist) -> Path:
    """The folder with the vectors of one distribution."""
    folder = cache / "vectors" / f"{source.project}-{source.version}-{source.sha256[:12]}-{embedding.recipe()}"
    if not folder.is_dir():
        tree = source.tree(cache)
        step(f"{source.name}: embedding")
        found = embedding.embed_tree(tree, cache / "grammars")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="embed-", dir=folder.parent) as name:
            unfinished = Path(name) / "part"
            unfinished.mkdir()
            for size in embedding.DIMENSIONS:
                np.save(unfinished / f"chunks-{size}.npy", found.chunks[size])
                np.save(unfinished / f"questions-{size}.npy", found.questions[size])
            unfinished.rename(folder)
    return folder


def _distinct(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The rows that are not zero, each once, in order of first appearance."""
    seen: set[bytes] = set()
    kept: list[NDArray[np.float32]] = []
    for part in parts:
        fresh = np.zeros(len(part), np.bool_)
        for number, row in enumerate(part):
            # A digest in place of the row: half a million rows of 384 dimensions would be 800 MB of keys.
            key = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
            fresh[number] = key not in seen and row.any()
            seen.add(key)
        kept.append(part[fresh])
    return np.vstack(kept)


def _with_noise(file: Path, count: int) -> Path:
    """A file of `count` rows: those of `file`, then as many of them again as needed, each with its own noise."""
    made = file.with_name(f"{file.stem}-{count}-noise-{NOISE}.npy")
    if not made.is_file():
        step(f"{count:,} rows, of real ones and noise")
        real = np.load(file, mmap_mode="r")
        chance = np.random.default_rng(SEED)
        unfinished = made.with_suffix(".part")
        rows = np.lib.format.open_memmap(unfinished, "w+", np.float32, (count, real.shape[1]))
        for start in range(0, len(real), _SLICE):
            part = real[start : start + _SLICE]
            rows[start : start + len(part)] = part
        for start in range(len(real), count, _SLICE):
            chosen = real[np.sort(chance.integers(0, len(real), min(_SLICE, count - start)))]
            noise = chance.standard_normal(chosen.shape, np.float32)
            noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
            mixed = chosen + noise
            rows[start : start + len(mixed)] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        rows.flush()
        del rows
        unfinished.rename(made)
    return made


def _key(sources: Sequence[Sdist]) -> str:
    made_of = [embedding.recipe(), str(QUERIES), str(SEED), *(source.sha256 for source in sources)]
    return f"set-{hashlib.sha256(' '.join(made_of).encode()).hexdigest()[:16]}"
