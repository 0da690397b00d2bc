"""`python -m benchmarks.vector_index [--quick] [--check] [--json FILE] [--only CELL,...]`"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.command import Options, main
from benchmarks.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmarks.vector_index.results import VectorReport

_DESCRIPTION = (
    "Compare the vector index with others, on one pinned thread. For developers: --only CELL,... measures these cells "
    "and holds only their bars, such as --only hnsw:100k or --only scan,levels:100k:256."
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(options: Options, only: Sequence[str]) -> "VectorReport":
    """Measure every cell, or those asked for."""
    os.environ |= dict.fromkeys(_ONE_THREAD, "1")  # read when numpy is loaded, which therefore happens below
    from benchmarks.vector_index import libraries

    libraries.install(options.cache)
    try:
        from benchmarks.vector_index import suite
    except ImportError as error:
        raise BenchmarkError(
            f"the native vector kernel or a peer cannot be imported ({error}); reinstall LucAstra, and delete "
            f"{options.cache}/vector-peers-* to install the peers again"
        ) from error
    options.cache.mkdir(parents=True, exist_ok=True)
    # On the disk of the cache folder: mapped files in /tmp may be memory.
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.cache) as scratch:
        return suite.measure(options.cache, Path(scratch), quick=options.quick, only=only)


def _only(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(cells asked for, the arguments that all benchmarks share)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--only", default="")
    found, shared = parser.parse_known_args(arguments)
    return [cell for cell in found.only.split(",") if cell], shared


if __name__ == "__main__":
    cells, shared = _only(sys.argv[1:])
    sys.exit(main("benchmarks.vector_index", _DESCRIPTION, partial(measure, only=cells), shared))
