"""What a query's shape tells: its terms, and the identifiers in it."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lucastrad.text.words import STOPWORDS, identifiers, parts_of, stem, terms, written

_CODE_SHAPED = re.compile(r"[a-z0-9][A-Z]|\w_\w")
"""camelCase or snake_case. An acronym among words (URL, HTML) is prose."""
_QUALIFIED = re.compile(r"\w+(?:(?:\.|::|->|#)\w+)+")
"""`Basket.total`, `std::sort`: symbols are stored with dots."""
_MAX_TERMS = 48
"""A 4,096-character query must not cost a thousand postings lists."""


_SHORTEST_STEM = 4
"""`hash` and `hasher` are of one family; `in` and `index` are not."""


def names_of(text: str) -> frozenset[str]:
    """The stems of the words in a path or a symbol: the parts of identifiers, without the whole of them."""
    parts = (part for word in written(text) for part in parts_of(word))
    return frozenset(stem(part) for part in parts if part not in STOPWORDS)


class WordFamilies:
    """A query's words, and what counts as naming them: the word, a longer one it begins, or its own beginning.

    Built once a query and asked for every candidate, so all the work is in look-ups. Names are stems, as `names_of`
    gives them.
    """

    def __init__(self, words: Collection[str]) -> None:
        self._named_by = _NamedBy(words)
        self._count = len(set(words))

    def share_named(self, names: Iterable[str]) -> float:
        """Share of the words that `names` name; 0 for no words."""
        named: set[str] = set()
        for found in map(self._named_by.__getitem__, names):
            if found:
                named |= found
        return len(named) / self._count if named else 0.0

    def share_naming(self, names: Collection[str]) -> float:
        """Share of `names` that name one of the words; 0 for no names."""
        return sum(map(bool, map(self._named_by.__getitem__, names))) / len(names) if names else 0.0


class _NamedBy(dict[str, frozenset[str]]):
    """Name → the words that it names."""

    def __init__(self, words: Collection[str]) -> None:
        self._beginnings: dict[str, set[str]] = {}
        for word in words:
            for length in {len(word), *range(_SHORTEST_STEM, len(word))}:
                self._beginnings.setdefault(word[:length], set()).add(word)
        self._long = tuple(word for word in words if len(word) >= _SHORTEST_STEM)

    def __missing__(self, name: str) -> frozenset[str]:
        words = set(self._beginnings.get(name, ()))
        if name.startswith(self._long):
            words.update(word for word in self._long if name.startswith(word))
        found = self[name] = frozenset(words)
        return found


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
    spelled: frozenset[str] = frozenset()
    """The same with the user's upper case, and the last part of qualified ones."""
    is_name: bool = False
    """Whether the query is one identifier and nothing else."""


def parse(text: str) -> ParsedQuery:
    """Read a query's shape."""
    counts = Counter(terms(text))
    single = not re.search(r"\s", text.strip())
    names = {name for name in identifiers(text) if single or _CODE_SHAPED.search(name)}
    qualified = {re.sub(r"::|->|#", ".", match[0]) for match in _QUALIFIED.finditer(text)}
    spelled = names | {name.rpartition(".")[2] for name in qualified}
    return ParsedQuery(
        text=text,
        terms=tuple((term, float(count)) for term, count in counts.most_common(_MAX_TERMS)),
        words=frozenset(counts),
        symbols=frozenset(name.lower() for name in names | qualified),
        spelled=frozenset(spelled),
        is_name=single and bool(names),
    )
