"""What a query quotes: lines of code, strings and sentences that are wanted where they stand as they were pasted."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lucastrad.text.words import terms

_IN_QUOTES = re.compile(r"\"([^\"\n]+)\"|`([^`\n]+)`|“([^”\n]+)”")
_NAME = re.compile(r"\w+(?:(?:\.|::|->|#)\w+)*(?:\(\))?|\S*[/\\]\S+\.\w+")
"""An identifier, which is wanted where it is defined, or a file."""
_ENDS_AS_CODE = re.compile(r"[;,{}(\[\\]$|\):$")
_PLAIN = re.compile(r"`{0,2}[^\W\d_]+`{0,2}[,.:]?")
"""A token as prose has them: documentation names what it speaks of between backticks."""
_SENTENCE = 5
"""So many terms in a row are no chance."""
_LONGEST = 400
"""Characters of a line: longer ones are data."""
_MOST = 8
"""Of more lines, the longest: each costs a look into the index."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A text of a single line."""

    letters: str
    """Without blanks, in lower case: how code is spaced is a matter of taste."""
    terms: tuple[str, ...]
    """Two at least."""


def quotes(text: str, *, asks: Callable[[str], bool], acts: bool) -> tuple[Quote, ...]:
    """What `text` quotes: of a line that `asks`, what stands in quotes; of others, those that look pasted, as all do
    where there are several.

    Quotes in an error message, which asks nothing, hold values. A sentence is no quote where the text `acts`, which
    documentation does: whoever asks for what it says wants the code, and other documentation may say it as well (with
    it, MRR@10 of JSDoc sentences was .009 lower).
    """
    lines = list(filter(None, map(str.strip, text.split("\n"))))
    parts: dict[str, None] = {}
    for line in lines:
        if asks(line) or _IN_QUOTES.fullmatch(line):
            parts.update(("".join(filter(None, match.groups())), None) for match in _IN_QUOTES.finditer(line))
        elif len(lines) > 1 or _is_pasted(line, acts=acts):
            parts[line] = None
    found = (Quote(letters(part), tuple(terms(part))) for part in parts if len(part) <= _LONGEST)
    return tuple(sorted((quote for quote in found if len(quote.terms) > 1), key=lambda it: -len(it.letters))[:_MOST])


def share_held(wanted: Sequence[Quote], text: str) -> float:
    """How much of what is `wanted` a passage holds, from 0 to 1."""
    held = letters(text)
    return _length(quote for quote in wanted if quote.letters in held) / _length(wanted)


def letters(text: str) -> str:
    """As they are compared."""
    return "".join(text.lower().split())


def _is_pasted(line: str, *, acts: bool) -> bool:
    """Whether a line is unlike what someone asks who has never seen it: as code is spelled, or a whole sentence."""
    tokens = line.split()
    if len(tokens) < 2:
        return not _NAME.fullmatch(line)
    coded = sum(not _PLAIN.fullmatch(token) for token in tokens)
    if 2 * coded >= len(tokens) or _ENDS_AS_CODE.search(line):
        return True
    return not acts and len(terms(line)) >= _SENTENCE


def _length(them: Iterable[Quote]) -> int:
    return sum(len(quote.letters) for quote in them)
