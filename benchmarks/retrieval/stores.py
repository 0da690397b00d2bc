"""Stores of many corpora, built on all cores; then each is open for the questions about it."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from benchmarks.retrieval.searcher import store_of_tree


def stores_of_trees(trees: Sequence[Path], cache: Path) -> list[Path]:
    """The folder of each tree's store, built where it is missing."""
    stores = cache / "stores"
    with pool(cache) as workers:
        return list(workers.map(store_of_tree, trees, [stores] * len(trees)))


@contextmanager
def pool(cache: Path) -> Iterator[ProcessPoolExecutor]:
    """Processes that know where grammars are unpacked."""
    context = get_context("spawn")
    with ProcessPoolExecutor(
        len(os.sched_getaffinity(0)), mp_context=context, initializer=_prepare, initargs=(cache.parent / "grammars",)
    ) as workers:
        yield workers


def _prepare(grammars: Path) -> None:
    os.environ["SEMBLE_GRAMMARS_CACHE_DIR"] = str(grammars)
