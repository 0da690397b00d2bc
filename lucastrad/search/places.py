"""Places in a query: files, and lines of them, that a traceback, a compiler's message or the user names."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lucastrad.indexing.chunking import TEXT, language_of

_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,7})')
"""Python's tracebacks."""
_NAMED = re.compile(
    r"(?<![\w./\\@~+-])(?!//)"  # from its beginning on, and no address of the web
    r"([\w./\\@~+-]{0,999}[\w@~+-]\.\w{1,10})"
    r"(?::(\d{1,7})\b|\((\d{1,7})(?=[,)]))?"  # a.c:12, a.js:12:34, A.java:12; a.ts(12,5)
)
_DRIVE = re.compile(r"[A-Za-z]:(?=/)")
_UPWARDS = re.compile(r"^(\.{1,2}/)+")
_INSTALLED = re.compile(r"/(site-packages|dist-packages|node_modules|vendor|usr|lib|python3[.\d]*)/")
"""Below these stands code of others, whose `main.py` is not the workspace's."""
_ENDS = 8
"""Of more places, so many of the first and of the last: where a traceback begins, and where it ends."""
_MOST_FILES = 3
"""A name that more files have equally means none of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """As it is written, but with `/` between folders, and without what leads to another folder first."""

    path: str
    line: int = 0
    """From 1 on; 0 for none."""

    @property
    def name(self) -> str:
        """The file's own."""
        return self.path.rpartition("/")[2]


def places(text: str) -> tuple[Place, ...]:
    """What `text` names, each once: files of known languages with a line, a folder, or as all of it, and whatever has
    both a folder and a line. The file of "where is pyproject.toml read" is what the answer speaks of, not where it is.
    """
    alone = text.strip()
    frames = list(_FRAME.finditer(text))
    between = _FRAME.sub(lambda frame: " " * len(frame[0]), text)
    found: dict[Place, None] = {}
    for match in sorted([*frames, *_NAMED.finditer(between)], key=lambda match: match.start()):
        line = int(next(filter(None, match.groups()[1:]), 0))
        path = _UPWARDS.sub("", _DRIVE.sub("", match[1].replace("\\", "/"), count=1))
        in_folder, known = "/" in path, language_of(path) != TEXT
        if (in_folder and line) or (known and (in_folder or line or match[0] == alone)):
            found[Place(path, line)] = None
    named = list(found)
    return tuple(named if len(named) <= 2 * _ENDS else named[:_ENDS] + named[-_ENDS:])


def files_meant(place: Place, paths: Collection[str], root: str, roots: Iterable[str] = ()) -> list[str]:
    """Those of `paths`, which have the file's name, that `place` means in the workspace at `root`: that very path, or
    those that end as it does, or else the longest with which it ends; none where too many fit, or where it lies below
    another of `roots`, those of all workspaces."""
    if place.path.startswith(f"{root}/"):
        return [path for path in paths if f"{root}/{path}" == place.path]
    if any(place.path.startswith(f"{other}/") for other in roots):
        return []
    if place.path in paths:
        return [place.path]
    written = f"/{place.path.lstrip('/')}"
    fitting = [path for path in paths if f"/{path}".endswith(written)]
    if not fitting:
        of_others = _INSTALLED.search(written) is not None
        ends = [path for path in paths if written.endswith(f"/{path}") and ("/" in path or not of_others)]
        fitting = [max(ends, key=len)] if ends else []
    return fitting if len(fitting) <= _MOST_FILES else []
