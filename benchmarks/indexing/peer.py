"""The peer that is measured in the same run: semble, chunking and BM25 only."""

import json
import os
import statistics
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.indexing.results import Peer

VERSION = "0.7.0"
_SCRIPT = Path(__file__).with_name("peer_semble.py")
_RUN_SECONDS = 1_800


def install(cache: Path) -> Path:
    """The Python of a virtual environment that holds the peer, made on first use. Raises BenchmarkError."""
    folder = cache / f"semble-{VERSION}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"semble=={VERSION}"]
        done = subprocess.run(pip, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(f"semble {VERSION} cannot be installed; it needs a package index:\n{done.stderr}")
        complete.touch()
    return python


def measure(python: Path, tree: Path, runs: int) -> Peer:
    """Index `tree` with the peer, each time in a new process; only the indexing itself is timed."""
    results = [_run(python, tree) for _ in range(runs)]
    seconds = [float(result["seconds"]) for result in results]
    chunks = int(results[0]["chunks"])
    return Peer(
        version=f"semble {VERSION}, without embeddings",
        files=int(results[0]["files"]),
        chunks=chunks,
        text_bytes=int(results[0]["text_bytes"]),
        seconds=seconds,
        chunks_per_second=chunks / statistics.median(seconds),
    )


def _run(python: Path, tree: Path) -> dict[str, Any]:
    # -P: the script's own folder must not become a place to import from.
    done = subprocess.run(
        [str(python), "-P", str(_SCRIPT), str(tree)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"semble {VERSION} failed on {tree}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _environment() -> dict[str, str]:
    """Without our own packages, and without the settings that would make semble use more processes."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SEMBLE_"))}
