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
_PAIR = 2
_ROW = 12
"""Eight lines of a hundred terms each, as tables of numbers have, took 1.8 s over 2,000 passages of such. The letters
decide anyway."""
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
    """Of it, in a row, as it is looked up: two at least, of more not all the same, and _ROW at most."""


def quotes(text: str, *, asks: Callable[[str], bool], acts: bool) -> tuple[Quote, ...]:
    """What `text` quotes: of a line that `asks`, what stands in quotes; of others, those that look pasted, as all do
    where there are several.

    Quotes in an error message, which asks nothing, hold values. A sentence is no quote where the text `acts`, which
    documentation does: whoever asks for what it says wants the code, and other documentation may say it as well (with
    it, MRR@10 of JSDoc sentences was .009 lower).
    """
    lines = [line for line in map(str.strip, text.split("\n")) if 0 < len(line) <= _LONGEST]
    parts: dict[str, None] = {}
    for line in lines:
        quoted = ["".join(filter(None, match.groups())) for match in _IN_QUOTES.finditer(line)]
        is_asked = asks(line)
        if quoted and (is_asked or _IN_QUOTES.fullmatch(line)):
            parts.update(dict.fromkeys(quoted))
        elif len(lines) > 1 or _is_pasted(line, is_prose=acts or is_asked):
            parts[line] = None
    found = (Quote(letters(part), _window(terms(part))) for part in parts)
    telling = (quote for quote in found if len(set(quote.terms)) > 1 or len(quote.terms) == _PAIR)
    return tuple(sorted(telling, key=lambda it: -len(it.letters))[:_MOST])


def share_held(wanted: Sequence[Quote], text: str) -> float:
    """How much of what is `wanted` a passage holds, from 0 to 1."""
    held = letters(text)
    return _length(quote for quote in wanted if quote.letters in held) / _length(wanted)


def letters(text: str) -> str:
    """As they are compared."""
    return "".join(text.lower().split())


def _is_pasted(line: str, *, is_prose: bool) -> bool:
    """Whether a line is unlike what someone asks who has never seen it: as code is spelled, or a whole sentence."""
    tokens = line.split()
    if len(tokens) < 2:
        return not _NAME.fullmatch(line)
    coded = sum(not _PLAIN.fullmatch(token) for token in tokens)
    if 2 * coded >= len(tokens) or _ENDS_AS_CODE.search(line):
        return True
    return not is_prose and len(terms(line)) >= _SENTENCE


def _window(found: Sequence[str]) -> tuple[str, ...]:
    """The longest words in a row: those are the rarest ones, mostly."""
    starts = range(max(1, len(found) - _ROW + 1))
    return tuple(max((found[start : start + _ROW] for start in starts), key=lambda row: sum(map(len, row))))


def _length(them: Iterable[Quote]) -> int:
    return sum(len(quote.letters) for quote in them)
