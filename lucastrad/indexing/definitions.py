"""The job that finds the definitions in passages: the index keeps small classes whole, and definitions of a line or
two together.

Invariant: reads no file and writes nothing. What is found depends on a passage alone, so that it may be remembered.
"""

import re
import textwrap
from collections.abc import Sequence

import msgspec

from lucastrad.indexing.chunking import Limits, chunk_file, kinds

DEFINITIONS = kinds.ALL - {kinds.BLOCK, kinds.WINDOW, kinds.SECTION, kinds.KEY, kinds.RULE}
"""Kinds of chunks that define something. Headings, keys and style rules are found by searching."""

_EACH = Limits(target=0, whole_function=1 << 30, whole_class=0, small=0, solo_lines=1)
"""Cuts at every definition."""
_COMMENT = re.compile(r"\s*(?:#\s|#$|#!|//|/?\*|--|;|%|@|\"\"\"|''')")
"""Lines that may name a definition above the one that makes it: comments, documentation, decorators."""


class Source(msgspec.Struct, frozen=True, array_like=True):
    """A passage, and the name of the file that it is of."""

    file_name: str
    text: str


class Definition(msgspec.Struct, frozen=True, array_like=True):
    """A symbol, and where its name stands: in the 0-based `line` of its passage, after `before`."""

    symbol: str
    kind: str
    line: int
    before: str


_encode = msgspec.msgpack.Encoder().encode
_decode_sources = msgspec.msgpack.Decoder(list[Source]).decode
_decode_definitions = msgspec.msgpack.Decoder(list[list[Definition]]).decode


def definitions_request(sources: Sequence[Source]) -> bytes:
    """What `definitions_job` takes."""
    return _encode(sources)


def definitions_reply(reply: bytes) -> list[list[Definition]]:
    """What `definitions_job` gives, passage by passage."""
    return _decode_definitions(reply)


def definitions_job(request: bytes) -> bytes:
    """The definitions in each of some passages."""
    return _encode([_definitions(source) for source in _decode_sources(request)])


def place(lines: Sequence[str], symbol: str) -> tuple[int, str]:
    """The 0-based line in which a definition's name stands, and what is before it; the first where that is not told."""
    word = re.compile(rf"(?<!\w){re.escape(symbol.rpartition('.')[2])}(?!\w)")
    for number, line in enumerate(lines):
        if not _COMMENT.match(line) and (match := word.search(line)):
            return number, line[: match.start()]
    return 0, ""


def _definitions(source: Source) -> list[Definition]:
    lines = source.text.split("\n")
    found = []
    # Dedented: a nested class stands alone here, and indentation means something to some grammars.
    for part in chunk_file(source.file_name, textwrap.dedent(source.text), limits=_EACH).chunks:
        if part.symbol and part.kind in DEFINITIONS:
            line, before = place(lines[part.start_line - 1 : part.end_line], part.symbol)
            found.append(Definition(part.symbol, part.kind, part.start_line - 1 + line, before))
    return found
