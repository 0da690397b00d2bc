"""Brackets that are open, as far as can be told without a grammar.

Strings that begin and end on one line are skipped, and an apostrophe without a partner on its line is no quote. What
is wrong then (a bracket in a comment, a string over several lines) costs a completion its end, never more.
"""

import re
from dataclasses import dataclass, field

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = frozenset(OPENERS.values())
_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*+"|'(?:\\.|[^'\\\n])*+'|`(?:\\.|[^`\\\n])*+`)|(?P<bracket>[()\[\]{}])"""
)
_QUOTES = "\"'`"


@dataclass(slots=True)
class Brackets:
    """What a text opens and does not close, and what it closes and has not opened."""

    pending: list[str] = field(default_factory=list)
    """The closers that open brackets wait for, outermost first."""
    surplus: list[tuple[int, str]] = field(default_factory=list)
    """Offset and closer, in order."""


def scan(text: str) -> Brackets:
    """Match the brackets of `text`."""
    found = Brackets()
    for token in _TOKEN.finditer(text):
        bracket = token["bracket"]
        if bracket is None:
            continue
        if bracket in OPENERS:
            found.pending.append(OPENERS[bracket])
        elif found.pending and found.pending[-1] == bracket:
            found.pending.pop()
        else:
            found.surplus.append((token.start(), bracket))
    return found


def imbalance(text: str) -> int:
    """How many brackets and quotes of `text` have no partner in it."""
    found = scan(text)
    return len(found.pending) + len(found.surplus) + sum(text.count(quote) % 2 for quote in _QUOTES)
