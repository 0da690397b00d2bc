"""Paths and lists as the contract wants them."""

import os
from collections.abc import Iterable
from pathlib import Path

StrPath = str | os.PathLike[str]


def absolute(path: StrPath) -> str:
    """The daemon's working directory is not the caller's, so only absolute paths and URIs are sent."""
    text = os.fspath(path)
    if text.startswith("file:"):
        return text
    absolute = os.path.abspath(text)  # noqa: PTH100 - keeps the links of the path
    try:
        absolute.encode()
    except UnicodeEncodeError:  # a name that is no UTF-8: JSON cannot carry it, a URI can
        return Path(absolute).as_uri()
    return absolute


def absolute_all(paths: StrPath | Iterable[StrPath]) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        paths = (paths,)
    return [absolute(path) for path in paths]


def listed(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)
