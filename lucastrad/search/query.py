"""What a query's shape tells: its terms, and the identifiers in it."""

import re
from collections import Counter
from dataclasses import dataclass

from lucastrad.text.words import identifiers, terms

_CODE_SHAPED = re.compile(r"[a-z0-9][A-Z]|\w_\w")
"""camelCase or snake_case. An acronym among words (URL, HTML) is prose."""
_MAX_TERMS = 48
"""A 4,096-character query must not cost a thousand postings lists."""


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as the ranking sees it."""

    text: str
    terms: tuple[tuple[str, float], ...]
    """Keyword terms with weights, most frequent first."""
    words: frozenset[str]
    """Stems without stopwords, for matching paths and symbols."""
    symbols: frozenset[str]
    """Lower-case identifiers that the user wrote as code."""

    @property
    def is_symbol(self) -> bool:
        """Whether the query is nothing but one identifier."""
        return len(self.symbols) == 1 and not re.search(r"\s", self.text.strip())


def parse(text: str) -> ParsedQuery:
    """Read a query's shape."""
    counts = Counter(terms(text))
    single = not re.search(r"\s", text.strip())
    names = {name for name in identifiers(text) if single or _CODE_SHAPED.search(name)}
    symbols = {name.lower() for name in names}
    return ParsedQuery(
        text=text,
        terms=tuple((term, float(count)) for term, count in counts.most_common(_MAX_TERMS)),
        words=frozenset(counts),
        symbols=frozenset(symbols),
    )
