"""One file's text to its chunks: by definitions, by headings, or by windows."""

import msgspec
import semble_grammars

from lucastrad.indexing.chunking import headings, kinds, tree
from lucastrad.indexing.chunking.cuts import Cut, chunks_of
from lucastrad.indexing.chunking.grammars import CLAUSES
from lucastrad.indexing.chunking.languages import TEXT, language_of
from lucastrad.indexing.chunking.limits import DEFAULT, Limits
from lucastrad.indexing.chunking.lines import Lines
from lucastrad.types import Chunk

# Their grammars see no structure that a window does not: ignore patterns, inline mark-up, template text.
_WINDOWED = frozenset({TEXT, "gitignore", "markdown_inline", "embedded_template"})


class ChunkedFile(msgspec.Struct, frozen=True, array_like=True):
    """A file's chunks, in order and without overlap; together they hold every non-blank line."""

    language: str
    chunks: list[Chunk]
    problem: str = ""
    """Why the chunks are windows although the language has a grammar; empty when they are not."""


def chunk_file(
    path: str, text: str, *, limits: Limits = DEFAULT, deadline: tree.ParseDeadline | None = None
) -> ChunkedFile:
    """Cut a text; `path` gives the language only. Raises nothing for any text.

    Lines end with `\\n`; byte offsets are those of `text` in UTF-8.
    """
    language = language_of(path, text[:400].partition("\n")[0])
    lines = Lines(text)
    if language in headings.SCANNERS:
        cuts = headings.cuts_of(lines.data.decode(), language)
        return ChunkedFile(language, chunks_of(lines, cuts, limits))
    if language in _WINDOWED:
        return ChunkedFile(language, _windows(lines, limits))
    try:
        cuts = tree.cuts_of(lines, language, limits, deadline)
    except (
        tree.Unparsable,
        semble_grammars.GrammarLoadError,
        semble_grammars.LanguageNotFoundError,
        semble_grammars.UnsupportedPlatformError,
    ) as error:
        return ChunkedFile(language, _windows(lines, limits), f"cut into windows: {error}")
    return ChunkedFile(language, chunks_of(lines, cuts, limits, clauses=language in CLAUSES))


def _windows(lines: Lines, limits: Limits) -> list[Chunk]:
    return chunks_of(lines, [Cut(0, "", kinds.WINDOW, 0, 0)], limits)
