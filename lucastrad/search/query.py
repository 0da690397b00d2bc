"""What a query's shape tells: its terms, and the identifiers in it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from lucastrad.text.words import identifiers, terms

_CODE_SHAPED = re.compile(r"[a-z0-9][A-Z]|\w_\w")
"""camelCase or snake_case. An acronym among words (URL, HTML) is prose."""
_QUALIFIED = re.compile(r"\w+(?:(?:\.|::|->|#)\w+)+")
"""`Basket.total`, `std::sort`: symbols are stored with dots."""
_MAX_TERMS = 48
"""A 4,096-character query must not cost a thousand postings lists."""


_SHORTEST_STEM = 4
"""`hash` and `hasher` are of one family; `in` and `index` are not."""


@lru_cache(8192)
def _names(text: str) -> tuple[str, ...]:
    return tuple(terms(text))


class WordFamilies:
    """A query's words, and what counts as naming them: the word, a longer one it begins, or its own beginning.

    Built once a query and asked for every candidate, so all the work is in look-ups.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._by_name: dict[str, set[str]] = {}
        for word in words:
            for length in {len(word), *range(_SHORTEST_STEM, len(word))}:
                self._by_name.setdefault(word[:length], set()).add(word)
        self._long = tuple(word for word in words if len(word) >= _SHORTEST_STEM)
        self._count = len(set(words))

    def share_named(self, text: str) -> float:
        """Share of the words that `text` names; 0 for no words."""
        named: set[str] = set()
        for name in _names(text):
            named |= self._by_name.get(name, _NONE)
            if name.startswith(self._long):
                named.update(word for word in self._long if name.startswith(word))
        return len(named) / self._count if named else 0.0


_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as the ranking sees it."""

    text: str
    terms: tuple[tuple[str, float], ...]
    """Keyword terms with weights, most frequent first."""
    words: frozenset[str]
    """Stems without stopwords."""
    symbols: frozenset[str]
    """Lower-case identifiers that the user wrote as code."""


def parse(text: str) -> ParsedQuery:
    """Read a query's shape."""
    counts = Counter(terms(text))
    single = not re.search(r"\s", text.strip())
    names = {name for name in identifiers(text) if single or _CODE_SHAPED.search(name)}
    qualified = {re.sub(r"::|->|#", ".", match[0]) for match in _QUALIFIED.finditer(text)}
    symbols = {name.lower() for name in names | qualified}
    return ParsedQuery(
        text=text,
        terms=tuple((term, float(count)) for term, count in counts.most_common(_MAX_TERMS)),
        words=frozenset(counts),
        symbols=frozenset(symbols),
    )
