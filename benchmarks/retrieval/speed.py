"""How fast and how large the embedding model is: each use of it in a process of its own, pinned to one core."""

import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.corpora import DJANGO, LIBRARY
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError
from benchmarks.retrieval.results import Speed
from benchmarks.retrieval.speed_probe import Probed
from lucastrad.embeddings.static import SPACE

CHUNKS = 20_000
QUICK_CHUNKS = 8_000


def measure(cache: Path, *, quick: bool) -> Speed:
    """Measure over windows of Django and the standard library. Raises BenchmarkError."""
    trees = [corpus.tree(cache) for corpus in (DJANGO, LIBRARY)]
    windows = QUICK_CHUNKS if quick else CHUNKS
    queries = _probe("queries", windows, trees)
    passages = _probe("passages", windows, trees)
    return Speed(
        model=SPACE.identity,
        load_seconds=max(queries.load_seconds, passages.load_seconds),
        chunks=passages.chunks,
        chunks_per_second=passages.chunks / passages.seconds,
        query_ms=Distribution.of([one * 1000 for one in queries.query_seconds]),
        query_memory_mb=queries.memory_bytes / 1e6,
        passage_memory_mb=passages.memory_bytes / 1e6,
    )


def _probe(kind: str, windows: int, trees: list[Path]) -> Probed:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.retrieval.speed_probe", kind, str(windows), *map(str, trees)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"the embedding model could not be measured:\n{done.stderr}")
    return msgspec.json.decode(done.stdout, type=Probed)
