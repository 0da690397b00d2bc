"""Places in a query: files, and lines of them, that a traceback, a compiler's message or the user names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lucastrad.indexing.chunking import TEXT, language_of

_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,7})')
"""Python's tracebacks."""
_NAMED = re.compile(
    r"(?<![\w./\\@~+-])"
    r"([\w./\\@~+-]{0,999}[\w@~+-]\.\w{1,10})"
    r"(?::(\d{1,7})\b|\((\d{1,7})(?=[,)]))?"  # a.c:12, a.js:12:34, A.java:12; a.ts(12,5)
)
_ENDS = 8
"""Of more places, so many of the first and of the last: where a traceback begins, and where it ends."""
_MOST_FILES = 3
"""A name that more files have equally means none of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """As it is written, but with `/` between folders."""

    path: str
    line: int = 0
    """From 1 on; 0 for none."""

    @property
    def name(self) -> str:
        """The file's own."""
        return self.path.rpartition("/")[2]


def places(text: str) -> tuple[Place, ...]:
    """What `text` names, each once: whatever has a line, and files of known languages with a folder, or that are all
    of it. The file of "where is pyproject.toml read" is what the answer speaks of, not where it stands.
    """
    found: dict[Place, None] = {}
    alone = text.strip()
    for match in sorted([*_FRAME.finditer(text), *_NAMED.finditer(text)], key=lambda match: match.start()):
        path, line = match[1].replace("\\", "/"), next(filter(None, match.groups()[1:]), None)
        if line or (("/" in path or match[0] == alone) and language_of(path) != TEXT):
            found[Place(path, int(line or 0))] = None
    for with_line in [place for place in found if place.line]:
        found.pop(Place(with_line.path), None)  # a frame's path is a file's name, too
    named = list(found)
    return tuple(named if len(named) <= 2 * _ENDS else named[:_ENDS] + named[-_ENDS:])


def files_meant(place: Place, paths: Iterable[str]) -> list[str]:
    """Those of `paths`, which have the file's name, that `place` means: of which one is the end of the other. The
    longest of them, where a path below another root was written; none where too many fit."""
    written = f"/{place.path.removeprefix('./').lstrip('/')}"
    ends_of_it = [path for path in paths if written.endswith(f"/{path}")]
    fitting = ends_of_it or [path for path in paths if f"/{path}".endswith(written)]
    longest = max(map(len, ends_of_it), default=0)
    meant = [path for path in fitting if not longest or len(path) == longest]
    return meant if len(meant) <= _MOST_FILES else []
