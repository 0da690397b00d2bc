"""A workspace of any size: real Python sources, and copies of them in which the words of identifiers differ.

A copy's text, and with it its vectors and keywords, is another one wherever a word of four letters stands; Python's own
words stay, so that a copy is cut into chunks as its original is.
"""

import builtins
import keyword
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import count
from pathlib import Path

from benchmarks.corpora import Sdist
from benchmarks.vector_index.data import SEED

BYTES_A_CHUNK = 680
"""471,722 chunks in the 321 MB of Python that the vectors of this benchmark are made of."""

_MOST_BYTES = 1 << 20
_NOT_OWN_CODE = frozenset(
    {"vendor", "_vendor", "vendored", "third_party", "thirdparty", "node_modules", "site-packages", "dist", "build"}
)
_WORD = re.compile(r"[A-Za-z]{4,}")
_KEPT = frozenset(word.lower() for word in (*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "self"))
_ONE_WORD_IN = 3
"""Another word stands for every third one: most names differ, and a chunk still looks like code of its kind."""
_VOCABULARY_FILES = 2_000
_VOCABULARY = 5_000


class CopiedCode:
    """Writes files to `root`/copy-<number>/<project>/...; the originals are copy 0."""

    def __init__(self, cache: Path, sources: Sequence[Sdist], root: Path) -> None:
        """Fetches the sources into `cache` on first use. Raises BenchmarkError."""
        self.root = root
        self.chunks = 0
        """About how many the files written so far have."""
        originals = [(source.project, source.tree(cache)) for source in sources]
        self._files = [
            (project, tree, path)
            for project, tree in originals
            for path in sorted(tree.rglob("*.py"))
            if _is_own(path, tree)
        ]
        random.Random(SEED).shuffle(self._files)
        self._written = self._write()

    def grow(self, chunks: int) -> None:
        """Write files with about this many more chunks."""
        wanted = self.chunks + chunks
        for size in self._written:
            self.chunks += size // BYTES_A_CHUNK
            if self.chunks >= wanted:
                return

    def _write(self) -> Iterator[int]:
        """Write one file after the other, without end; yields their sizes."""
        for copy in count():
            words = {word: self._other(word, copy) for word in self._vocabulary} if copy else {}
            for project, tree, path in self._files:
                text = path.read_text("utf-8", "replace")
                if words:
                    text = _WORD.sub(partial(_replaced, words), text)
                made = self.root / f"copy-{copy}" / project / path.relative_to(tree)
                made.parent.mkdir(parents=True, exist_ok=True)
                yield made.write_text(text, "utf-8")

    def _other(self, word: str, copy: int) -> str:
        draw = zlib.crc32(f"{copy}:{word}".encode())
        return self._vocabulary[draw // _ONE_WORD_IN % len(self._vocabulary)] if draw % _ONE_WORD_IN == 0 else word

    @cached_property
    def _vocabulary(self) -> list[str]:
        """The words that the sources themselves use most."""
        seen: Counter[str] = Counter()
        for _, _, path in self._files[:_VOCABULARY_FILES]:
            seen.update(_WORD.findall(path.read_text("utf-8", "replace").lower()))
        return [word for word, _ in seen.most_common() if word not in _KEPT][:_VOCABULARY]


def _is_own(path: Path, tree: Path) -> bool:
    return (
        path.is_file()
        and not path.is_symlink()
        and 0 < path.stat().st_size <= _MOST_BYTES
        and _NOT_OWN_CODE.isdisjoint(path.relative_to(tree).parts)
    )


def _replaced(words: dict[str, str], found: re.Match[str]) -> str:
    word = found[0]
    other = words.get(word.lower())
    if other is None:
        return word
    if word.islower():
        return other
    return other.upper() if word.isupper() else other.capitalize()
