"""The peers, installed once into a folder of the cache, from which this process imports them.

They run in the process that runs LucAstra's kernel, on the same pinned core with the same numpy: that is what makes
their times comparable. The folder comes last on the path, so nothing that LucAstra uses comes from it. Annoy is
LucAstra's own dependency and is measured as installed.
"""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.errors import BenchmarkError

PINNED = (
    "hnswlib==0.8.0",
    "faiss-cpu==1.15.1",
    "usearch==2.26.6",
    "numkong==7.8.6",  # usearch's only dependency that is imported
    "voyager==2.2.3",
    "sqlite-vec==0.1.9",
    "apsw==3.54.1.0",  # an SQLite that loads extensions, which many builds of Python's own do not
)


def install(cache: Path) -> None:
    """Make the peers importable, installing them on first use. Raises BenchmarkError."""
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / f"vector-peers-{version}-{hashlib.sha256(' '.join(PINNED).encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="install-", dir=cache) as name:
            unfinished = Path(name) / "peers"
            _pip("install", "--no-deps", "--target", str(unfinished), *PINNED)
            unfinished.rename(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    # Child processes import them too.
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(folder) not in places:
        os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, places), str(folder)])


def versions() -> list[str]:
    """Name and version of every peer."""
    return [*PINNED, f"annoy=={importlib.metadata.version('annoy')}", f"numpy=={importlib.metadata.version('numpy')}"]


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(
            "the peers cannot be installed; this needs pip, a package index, and for hnswlib a C++ compiler with "
            f"Python's headers:\n{done.stderr}"
        )
