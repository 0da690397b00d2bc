"""Measure the embedding model: `python -m benchmarks.retrieval.speed_probe queries|passages COUNT TREE...`

A process of its own, so that its memory is the model's: libraries are imported and texts read before. Prints JSON.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.queries import material
from lucastrad.embeddings.static import StaticModel
from lucastrad.types import Passage

WINDOW_LINES = 30
BATCH = 512
QUERIES = 1_000


class Probed(msgspec.Struct, frozen=True):
    """Times in seconds; memory is what the process's resident set grew by."""

    load_seconds: float
    """Until the first text is embedded."""
    memory_bytes: int
    query_seconds: list[float] = []
    chunks: int = 0
    seconds: float = 0.0


def queries(trees: Sequence[Path]) -> Probed:
    """Embed first sentences of docstrings one by one."""
    texts = list(islice(_sentences(trees), QUERIES))
    before = resident_bytes()
    began = time.perf_counter()
    model = StaticModel.load(for_passages=False)
    model.embed_query(texts[0])
    loaded = time.perf_counter() - began
    seconds: list[float] = []
    for text in texts:
        began = time.perf_counter()
        model.embed_query(text)
        seconds.append(time.perf_counter() - began)
    return Probed(loaded, resident_bytes() - before, query_seconds=seconds)


def passages(trees: Sequence[Path], count: int) -> Probed:
    """Embed windows in the daemon's batches; words that it has not seen are learned meanwhile, as in a cold index."""
    texts = list(islice(_windows(trees), count))
    before = resident_bytes()
    began = time.perf_counter()
    model = StaticModel.load(for_passages=True)
    model.embed_passages(texts[:1])
    loaded = time.perf_counter() - began
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        model.embed_passages(texts[start : start + BATCH])
    seconds = time.perf_counter() - began
    return Probed(loaded, resident_bytes() - before, chunks=len(texts), seconds=seconds)


def resident_bytes() -> int:
    """Of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _sources(trees: Sequence[Path]) -> Iterator[tuple[str, str]]:
    for tree in trees:
        for path in sorted(tree.rglob("*.py")):
            if path.is_file():
                yield path.relative_to(tree).as_posix(), path.read_text("utf-8", "replace")


def _sentences(trees: Sequence[Path]) -> Iterator[str]:
    for _, source in _sources(trees):
        yield from material(source)[0]


def _windows(trees: Sequence[Path]) -> Iterator[Passage]:
    """Each 30 lines of code; shorter ends are left out."""
    for path, source in _sources(trees):
        lines = [line for line in source.splitlines(keepends=True) if line.strip()]
        for start in range(0, len(lines) - WINDOW_LINES + 1, WINDOW_LINES):
            yield Passage("/".join(path.split("/")[-3:]), "", "".join(lines[start : start + WINDOW_LINES]))


def main() -> None:
    kind, count, *trees = sys.argv[1:]
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    folders = list(map(Path, trees))
    found = queries(folders) if kind == "queries" else passages(folders, int(count))
    sys.stdout.write(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
