"""`python -m benchmarks.retrieval [--quick] [--check] [--json FILE] [--tuning FOLDER] [--only CELL,...]`"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.command import Options, main
from benchmarks.retrieval.results import RetrievalReport
from benchmarks.retrieval.suite import Settings
from benchmarks.retrieval.tuning import REPOSITORIES_VARIABLE, SET_VARIABLE

_DESCRIPTION = (
    f"Measure whether the right place comes first. Also: --tuning FOLDER (or {SET_VARIABLE}), the tuning set; "
    f"--repositories FOLDER (or {REPOSITORIES_VARIABLE}), its checkouts, where they need no cloning; --ablation, what "
    "each weight of the ranking is worth; --only CELL,... measures these cells; --no-peers leaves the others out."
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure(options: Options, settings: Settings) -> RetrievalReport:
    """Measure every cell, or those asked for."""
    from benchmarks.retrieval import suite

    cache = options.cache / "retrieval"
    cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SEMBLE_GRAMMARS_CACHE_DIR", str(options.cache / "grammars"))
    with tempfile.TemporaryDirectory(prefix="run-", dir=cache, ignore_cleanup_errors=True) as scratch:
        return suite.measure(cache, Path(scratch), quick=options.quick, settings=settings)


def parse(arguments: Sequence[str]) -> tuple[Settings, list[str]]:
    """(what is this benchmark's, the arguments that all benchmarks share)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--tuning", type=Path, default=_from_environment(SET_VARIABLE))
    parser.add_argument("--repositories", type=Path, default=_from_environment(REPOSITORIES_VARIABLE))
    parser.add_argument("--only", default="")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    found, shared = parser.parse_known_args(arguments)
    only = [cell.strip() for cell in found.only.split(",") if cell.strip()]
    return Settings(found.tuning, found.repositories, only, found.ablation, not found.no_peers), shared


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name, "")
    return Path(value).expanduser() if value else None


if __name__ == "__main__":
    os.environ |= dict.fromkeys(_ONE_THREAD, "1")
    own, shared = parse(sys.argv[1:])
    sys.exit(main("benchmarks.retrieval", _DESCRIPTION, partial(measure, settings=own), shared))
