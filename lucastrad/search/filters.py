"""Which chunks a search may find: by folder, by path pattern, by language."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pathspec
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.indexing.chunking import TEXT, language_of
from lucastrad.storage.catalog_reader import CatalogReader
from lucastrad.storage.records import ChunkSpan

_FILTERS = 8
"""Remembered over all workspaces."""


def eligible(
    catalog: CatalogReader, folder: str, languages: frozenset[str], patterns: Sequence[str]
) -> list[ChunkSpan] | None:
    """Chunk ids below `folder` that pass the filters, as ascending spans; None when there is no filter."""
    if not (folder or patterns or languages):
        return None
    return list(_passing(catalog, catalog.seq(), folder, languages, tuple(patterns)))


@lru_cache(_FILTERS)
def _passing(
    catalog: CatalogReader, seq: int, folder: str, languages: frozenset[str], patterns: tuple[str, ...]
) -> tuple[ChunkSpan, ...]:
    """Remembered until the catalog's next transaction: 60,000 paths take 0.4 s to match."""
    paths = path_filter(patterns)
    joined: list[ChunkSpan] = []
    for path, span in catalog.spans(folder, languages):
        if paths is not None and not paths.match_file(path):
            continue
        # Whole folders pass, and the chunks of their files stand together.
        follows = joined and joined[-1].last + 1 == span.first
        joined.append(ChunkSpan(joined.pop().first, span.last) if follows else span)
    return tuple(joined)


def path_filter(patterns: Sequence[str]) -> pathspec.PathSpec[Any] | None:
    """None for no patterns. Raises LucAstraError for one that is none."""
    if not patterns:
        return None
    positive = any(not pattern.startswith("!") for pattern in patterns)
    try:
        # Not GitIgnoreSpec: as in git, it lets no `!` pattern win over the folder above, which a filter must.
        return pathspec.PathSpec.from_lines("gitignore", patterns if positive else ["*", *patterns])
    except (ValueError, re.error) as error:
        named = ", ".join(map(repr, patterns))
        raise LucAstraError(
            f"{named} is not a path pattern in gitignore syntax ({error}); examples: src/, *.py, !tests/",
            code=ErrorCode.INVALID_PARAMS,
        ) from None


def languages_of(names: Sequence[str]) -> frozenset[str]:
    """Languages by name or by the ending of their files."""
    return frozenset(_by_ending(name.lower()) for name in names)


def _by_ending(name: str) -> str:
    language = language_of(f"a.{name.lstrip('.')}")
    return name if language == TEXT else language
