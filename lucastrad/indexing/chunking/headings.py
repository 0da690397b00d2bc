"""Cut prose at its headings (Markdown, reStructuredText, AsciiDoc, Org), Jinja templates at their blocks, and
justfiles at their recipes.

Line scanners, not the grammars: one pass, no ambiguity to explode, and the same sections come out.
(A section's symbol is its heading path, `Title > Sub`.)
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from lucastrad.indexing.chunking import kinds
from lucastrad.indexing.chunking.cuts import Cut

Heading = tuple[int, int, str]
"""Line (from 0), level (from 1), title."""

_LONGEST_TITLE: Final = 100
_LONGEST_LINE: Final = 1000
"""No heading is longer; keeps the patterns away from giant lines."""

_ATX: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_NOT_SETEXT_TITLE: Final = re.compile(r"\s*(?:[-*+>|#]|\d+[.)]\s|$)|\s{4}")
_LINK: Final = re.compile(r"!?\[([^\]\[]*)\]\([^()\s]*\)")
_ADORNMENT: Final = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")
_ASCIIDOC: Final = re.compile(r"(={1,6})[ \t]+(\S.*)$")
_ASCIIDOC_FENCE: Final = re.compile(r"(?:-{4,}|={4,}|\.{4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|```)\s*$")
_JINJA: Final = re.compile(r"\{%[-+]?\s*(?:macro|block)\s+(\w+)")
_JUST: Final = re.compile(r"@?([A-Za-z_][\w-]*)\b[^:=#\n]*:(?!=)|([A-Za-z_][\w-]*)\s*:=|alias\s+([\w-]+)\s*:=")
_ORG: Final = re.compile(r"(\*+)[ \t]+(\S.*)$")
_ORG_TAGS: Final = re.compile(r"\s+:[\w@#%:]+:\s*$")


def markdown(lines: Sequence[str]) -> Iterator[Heading]:
    """ATX and setext headings outside fenced code and front matter (CommonMark 0.31, sections 4.2 and 4.3)."""
    fence = ""
    skip_until = _front_matter_end(lines)
    for number, line in enumerate(lines):
        if number < skip_until or len(line) > _LONGEST_LINE:
            continue
        if match := _FENCE.match(line):
            mark = match[1]
            if not fence:
                fence = mark
            elif mark[0] == fence[0] and len(mark) >= len(fence) and not line.strip(f" \t\r{mark[0]}"):
                fence = ""
        elif fence:
            continue
        elif match := _ATX.match(line):
            yield number, len(match[1]), match[2] or ""
        elif (match := _SETEXT.match(line)) and number > skip_until:
            title = lines[number - 1]
            if not _NOT_SETEXT_TITLE.match(title) and len(title) <= _LONGEST_LINE:
                yield number - 1, 1 if match[1][0] == "=" else 2, title


def _front_matter_end(lines: Sequence[str]) -> int:
    if not lines or lines[0].rstrip() not in ("---", "+++"):
        return 0
    mark = lines[0].rstrip()
    return next((n + 1 for n, line in enumerate(lines[1:200], 1) if line.rstrip() == mark), 0)


def restructured_text(lines: Sequence[str]) -> Iterator[Heading]:
    """Titles underlined, or over- and underlined; levels in the order in which the styles appear."""
    levels: dict[tuple[str, bool], int] = {}
    number, count = 1, len(lines)
    while number < count:
        line, title = lines[number], lines[number - 1]
        match = _ADORNMENT.match(line) if len(line) <= _LONGEST_LINE else None
        if match is None or not title.strip() or title[:1].isspace() or _ADORNMENT.match(title):
            # An overlined title may be indented.
            over = number >= 2 and match is not None and lines[number - 2].rstrip() == line.rstrip()
            if not (over and title.strip() and not _ADORNMENT.match(title)):
                number += 1
                continue
        if len(line.rstrip()) < len(title.rstrip()) - 1:
            number += 1
            continue
        over = number >= 2 and lines[number - 2].rstrip() == line.rstrip()
        level = levels.setdefault((line[0], over), len(levels) + 1)
        yield number - 2 if over else number - 1, level, title
        number += 2


def asciidoc(lines: Sequence[str]) -> Iterator[Heading]:
    """`== Title` outside delimited blocks."""
    fence = ""
    for number, line in enumerate(lines):
        if len(line) > _LONGEST_LINE:
            continue
        if _ASCIIDOC_FENCE.match(line):
            if not fence:
                fence = line.rstrip()
            elif fence == line.rstrip():
                fence = ""
        elif not fence and (match := _ASCIIDOC.match(line)):
            yield number, len(match[1]), match[2]


def org(lines: Sequence[str]) -> Iterator[Heading]:
    """`** Title :tag:`."""
    for number, line in enumerate(lines):
        if len(line) <= _LONGEST_LINE and (match := _ORG.match(line)):
            yield number, len(match[1]), _ORG_TAGS.sub("", match[2])


def jinja(lines: Sequence[str]) -> Iterator[Heading]:
    """`{% macro name(…) %}` and `{% block name %}`; the package's grammar knows expressions only."""
    for number, line in enumerate(lines):
        if len(line) <= _LONGEST_LINE and (match := _JINJA.search(line)):
            yield number, 1, match[1]


def just(lines: Sequence[str]) -> Iterator[Heading]:
    """Recipes, variables and aliases of a justfile, each with the comment above it.

    The package's grammar reads memory that it never wrote (its external scanner crashed three runs in four of
    these tests, each time in another place), so it is not used.
    """
    for number, line in enumerate(lines):
        if len(line) > _LONGEST_LINE or not (match := _JUST.match(line)):
            continue
        start = number
        while start and lines[start - 1].startswith("#"):
            start -= 1
        yield start, 1, match[3] or match[2] or match[1]


SCANNERS: Final[dict[str, Callable[[Sequence[str]], Iterator[Heading]]]] = {
    "markdown": markdown,
    "rst": restructured_text,
    "asciidoc": asciidoc,
    "org": org,
    "jinja2": jinja,
    "just": just,
}
_KINDS: Final = {"just": kinds.TARGET}


def cuts_of(text: str, language: str) -> list[Cut]:
    """The cuts of a prose text: one at each heading, in a scope of its own."""
    kind = _KINDS.get(language, kinds.SECTION)
    path: list[tuple[int, str]] = []
    cuts = [Cut(0, "", kinds.SECTION, 0, 0)]
    scopes: dict[int, int] = {}
    for scope, (line, level, title) in enumerate(SCANNERS[language](text.split("\n")), 1):
        while path and path[-1][0] >= level:
            path.pop()
        above = scopes.get(path[-1][0], 0) if path else 0
        path.append((level, _clean(title)))
        scopes[level] = scope
        symbol = " > ".join(name for _, name in path if name)
        if line == cuts[-1].line:
            cuts.pop()
        cuts.append(Cut(line, symbol, kind, above, scope))
    return cuts


def _clean(title: str) -> str:
    title = _LINK.sub(r"\1", title)
    return re.sub(r"[\s`*]+", " ", title).strip()[:_LONGEST_TITLE]
