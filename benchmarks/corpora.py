"""The code that is indexed: source distributions from PyPI, pinned by hash, and Python's standard library.

Invariant: a tree in the cache folder is complete and never written to; what is measured is a copy of it.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.errors import BenchmarkError

DEFAULT_CACHE = Path.home() / ".cache" / "lucastra-benchmarks"
_NOT_LIBRARY = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__")


@dataclass(frozen=True, slots=True)
class Pinned(ABC):
    """An archive of a package registry, of which the digest is known."""

    project: str
    version: str
    sha256: str

    prefix: ClassVar[str] = ""
    """What tells its files in the cache from those of another registry."""
    suffix: ClassVar[str]

    @property
    def name(self) -> str:
        return f"{self.project} {self.version}"

    def tree(self, cache: Path) -> Path:
        """The unpacked archive, fetched into `cache` on first use. Raises BenchmarkError."""
        tree = cache / "trees" / f"{self.prefix}{self.project}-{self.version}-{self.sha256[:12]}"
        if not tree.is_dir():
            unpack(self._archive(cache), tree)
        return tree

    @abstractmethod
    def download(self, folder: Path) -> None:
        """Fetch the archive, and nothing else with its suffix, into an empty folder. Raises BenchmarkError."""

    def _archive(self, cache: Path) -> Path:
        archive = cache / f"{self.prefix}{self.project}-{self.version}{self.suffix}"
        if not archive.is_file() or sha256_of(archive) != self.sha256:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="download-", dir=cache) as folder:
                self.download(Path(folder))
                (fetched,) = Path(folder).glob(f"*{self.suffix}")
                if (found := sha256_of(fetched)) != self.sha256:
                    raise BenchmarkError(
                        f"{fetched.name} has the sha256 {found}, not {self.sha256}: what the package index serves "
                        "is another file; results would not compare with earlier ones"
                    )
                fetched.replace(archive)
        return archive


@dataclass(frozen=True, slots=True)
class Sdist(Pinned):
    """A source distribution on PyPI."""

    suffix: ClassVar[str] = ".tar.gz"

    def download(self, folder: Path) -> None:
        _download(f"{self.project}=={self.version}", self.project, folder)


@dataclass(frozen=True, slots=True)
class StandardLibrary:
    """The standard library of the Python that runs this."""

    @property
    def name(self) -> str:
        return f"{platform.python_implementation()} {platform.python_version()} library"

    def tree(self, cache: Path) -> Path:
        """A copy without installed packages and compiled files."""
        library = Path(sysconfig.get_path("stdlib"))
        tree = cache / "trees" / f"library-{platform.python_version()}"
        if not tree.is_dir():
            tree.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="copy-", dir=cache) as folder:
                unfinished = Path(folder) / "tree"
                shutil.copytree(library, unfinished, symlinks=True, ignore=_NOT_LIBRARY)
                unfinished.rename(tree)
        return tree


Corpus = Sdist | StandardLibrary

DJANGO = Sdist("Django", "5.2", "1a47f7a7a3d43ce64570d350e008d2949abe8c7e21737b351b6a1611277c6d89")
ANSIBLE = Sdist("ansible", "11.1.0", "d01b425990d960d2a33fc378e1b73dbca1c0e28bc22f4056ab6b3c8e9ae74fba")
LIBRARY = StandardLibrary()
CORPORA: tuple[Corpus, ...] = (DJANGO, LIBRARY, ANSIBLE)


@dataclass(frozen=True, slots=True)
class TreeSize:
    """What a tree holds before any ignore rule."""

    files: int
    size_bytes: int


def warm(tree: Path) -> TreeSize:
    """Read every file once, so that the first run finds the page cache as the later ones do; returns the totals."""
    files = total = 0
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            files += 1
            total += len(path.read_bytes())
    return TreeSize(files, total)


def unpack(archive: Path, tree: Path) -> None:
    """Unpack a tar archive that holds one folder to `tree`, which appears when it is complete.

    Raises BenchmarkError for an archive with members that would land outside, are devices, or lie beside the folder.
    """
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unpack-", dir=tree.parent) as folder:
        try:
            with tarfile.open(archive) as members:
                members.extractall(folder, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BenchmarkError(f"{archive} cannot be unpacked ({error}); delete it and try again") from error
        top = list(Path(folder).iterdir())
        if len(top) != 1 or not top[0].is_dir():
            raise BenchmarkError(f"{archive} does not hold one folder but {len(top)} entries")
        top[0].rename(tree)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(requirement: str, project: str, folder: Path) -> None:
    # Only the project itself as source: with `:all:`, pip would also build setuptools to read its metadata.
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--no-binary", project, "--dest", str(folder), requirement],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchmarkError(
            f"`pip download {requirement}` failed; it needs pip in {sys.executable} and a package index:\n{done.stderr}"
        )
