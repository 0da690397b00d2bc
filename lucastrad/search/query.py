"""What a query's shape tells: its terms, and the identifiers in it."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, pairwise

from lucastrad.search.places import Place, places
from lucastrad.search.quotes import Quote, quotes
from lucastrad.search.uses import used
from lucastrad.text.words import STOPWORDS, identifiers, last_part, parts_of, stem, terms, written

_CODE_SHAPED = re.compile(r"[a-z0-9][A-Z]|\w_\w")
"""camelCase or snake_case. An acronym among words (URL, HTML) is prose."""
_QUALIFIED = re.compile(r"(?<!\w)\w++(?:(?:\.|::|->|#)\w++)++")
"""`Basket.total`, `std::sort`: symbols are stored with dots. Possessive: 4,096 letters took 0.4 s."""
_IDENTIFIER = re.compile(r"[\w$@-]++(?:(?:\.|::|->|#)[\w$@-]++)*+(?:\(\))?")
"""One name, maybe with what it belongs to. A `-` may stand in it: so CSS and Lisp name things."""
_MEMBER = re.compile(r"(?<!\w)(?:[A-Z]\w*+\.|\w++(?:::|->|#))(\w{4,})")
"""What a class or a pointer has: a dot after a small letter may as well end a file's name or a sentence."""
_MAX_TERMS = 48
"""A 4,096-character query must not cost a thousand postings lists."""


_ASKED_FOR = re.compile(
    r"(?:an?\s+|the\s+)?(?:function|method|code|helper)\s+(?:that|which|to)\s+(?=\S)", re.IGNORECASE
)
_ACTIONS = """
    accept add allocate allow append apply assert assign attach attempt authenticate build calculate call cancel
    capture cast check choose clean clear clone close collect combine compare compute concatenate configure connect
    construct consume convert copy count create decide decode decrypt define delete destroy detach detect determine
    disable discard disconnect dispatch display divide download draw duplicate emit enable encode encrypt ensure escape
    estimate evaluate execute expand export extract fetch fill find flatten flush fold force format generate get give
    group guess hide identify ignore import include increment indicate infer initialize insert inspect install
    invoke iterate join keep launch list load locate lock look make mark mask match measure merge modify move multiply
    normalize notify obtain open override pad parse perform populate prepare prevent print produce prune publish
    push put raise read rebuild receive redirect reduce refresh register release reload remove rename render replace
    reset resize resolve restart restore retrieve return reverse rewrite rotate round run save scale schedule select
    send serialize set shift show shuffle simplify skip solve sort start stop strip submit subscribe subtract swap
    synchronize take tell throw toggle tokenize transform translate traverse trim truncate try turn uninstall
    unregister update upload validate verify visit wait walk wrap write yield
"""
"""What functions are said to do. Words that name things as often (`filter`, `map`, `query`, `request`, `test`) are left
out: "request context handling" asks about a thing."""

_ASKS = re.compile(
    r"(?:how|where|what|which|who|why|when|is|are|do|does|can|should|explain|describe|summari[sz]e|(?:tell|show) me)\b"
    r"|[^?]*\?+\s*$",
    re.IGNORECASE,
)
_HOW_TO = re.compile(r"how\s+(?:(?:do|can|should|would)\s+(?:i|we|you|one)|to)\b", re.IGNORECASE)
_IS_SENTENCE = re.compile(
    r"(?<!\bin )(?<!\bof )(?<!\bon )(?<!\bfor )(?<!\bfrom )(?<!\bto )(?<!\bwith )"
    r"\b(?:the|an?|this|these|its?|whether|if|that|all|each|every|any|given|is|are)\b",
    re.IGNORECASE,
)
"""Documentation is written in sentences ("handles the rest", "names that all options have"), topics mostly are not
("thread pool and work queue for async operations", "error handling in the parser")."""
_SAYS_WHAT_FOR = re.compile(
    r"(?:\W*+\w++\s++){0,3}?(?:function|method|helper|decorator|hook|callback|wrapper|alias|shortcut|predicate|version)\s+"
    r"(?:to|for|of|that|which)\b",
    re.IGNORECASE,
)
"""As many functions are introduced: "Class decorator to mark algorithms". Possessive: three runs of 200 blanks took a
second."""

_VOWELS = frozenset("aeiouy")
_SHORTEST_STEM = 4
"""`hash` and `hasher` are of one family; `in` and `index` are not."""


def names_of(text: str) -> frozenset[str]:
    """The stems of the words in a path or a symbol: the parts of identifiers, without the whole of them."""
    parts = (part for word in written(text) for part in parts_of(word))
    return frozenset(stem(part) for part in parts if part not in STOPWORDS)


_ACTION_STEMS = frozenset(map(stem, _ACTIONS.split()))


class Shape(StrEnum):
    """What a query is, as far as its form tells."""

    NAME = "name"
    """One identifier and nothing else."""
    ACTION = "action"
    """What some function does, as its documentation would say it: "return the number of rows". The one passage that
    does it is wanted, whatever the rest of its file is about."""
    QUESTION = "question"
    """Anything else: where and how a thing is done, which whole files answer as well."""
    PASSAGE = "passage"
    """No query, but a passage whose like is looked for."""


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


_NONE: frozenset[str] = frozenset()


class _NamedBy(dict[str, frozenset[str]]):
    """Name → the words that it names."""

    def __init__(self, words: Collection[str]) -> None:
        self._beginnings: dict[str, frozenset[str]] = {}
        for word in words:
            for length in {len(word), *range(_SHORTEST_STEM, len(word))}:
                self._beginnings[word[:length]] = self._beginnings.get(word[:length], _NONE) | {word}
        self._long = tuple(word for word in words if len(word) >= _SHORTEST_STEM)

    def __missing__(self, name: str) -> frozenset[str]:
        found = self._beginnings.get(name, _NONE)
        if name.startswith(self._long):
            found = found.union(word for word in self._long if name.startswith(word))
        self[name] = found
        return found


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as the ranking sees it."""

    text: str
    terms: tuple[tuple[str, float], ...]
    """Keyword terms with weights, most frequent first."""
    pairs: tuple[tuple[str, str], ...]
    """Terms that follow one another, each two once."""
    words: frozenset[str]
    """Stems without stopwords."""
    symbols: frozenset[str]
    """Lower-case identifiers that the user wrote as code."""
    spelled: frozenset[str] = frozenset()
    """The same with the user's upper case, and the last part of qualified ones."""
    places: tuple[Place, ...] = ()
    """Files, and lines of them, that it names."""
    name: str = ""
    """The last part of the one identifier that the query is, as it is typed; empty for any other query."""
    used: str = ""
    """The name whose uses are asked for; empty for any other query."""
    quotes: tuple[Quote, ...] = ()
    """What is wanted as it stands."""
    shape: Shape = Shape.QUESTION

    @property
    def is_how_to(self) -> bool:
        """Whether it asks what to do, which documentation says, rather than what is done."""
        return _HOW_TO.match(self.text.lstrip()) is not None

    @property
    def code(self) -> frozenset[str]:
        """The terms of identifiers that the user wrote as code: `max_retries`, `Basket.total`, not `pyproject.toml`."""
        names = {name for name in self.spelled if _CODE_SHAPED.search(name.strip("_"))}
        names |= {match[1] for match in _MEMBER.finditer(self.text)}
        return frozenset(found[0] for name in names if (found := terms(name)))


def parse(text: str) -> ParsedQuery:
    """Read a query's shape."""
    said = terms(text)
    single = not re.search(r"\s", text.strip())
    names = {name for name in identifiers(text) if single or _CODE_SHAPED.search(name)}
    qualified = {re.sub(r"::|->|#", ".", match[0]) for match in _QUALIFIED.finditer(text)}
    spelled = names | {name.rpartition(".")[2] for name in qualified}
    shape = _shape(text, names, single=single)
    named_places = places(text)
    is_name = not named_places and _IDENTIFIER.fullmatch(text.strip()) is not None
    counts = Counter(said)
    return ParsedQuery(
        text=text,
        terms=tuple((term, float(count)) for term, count in counts.most_common(_MAX_TERMS)),
        pairs=tuple(dict.fromkeys(pairwise(said) if len(said) <= _MAX_TERMS else _pairs_of_ends(said))),
        words=frozenset(counts),
        symbols=frozenset(name.lower() for name in names | qualified),
        spelled=frozenset(spelled),
        places=named_places,
        name=last_part(text) if shape is Shape.NAME and is_name else "",
        used=used(text),
        quotes=() if single and named_places else quotes(text, asks=_asks, acts=shape is Shape.ACTION),
        shape=shape,
    )


def _pairs_of_ends(said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Those of the first words, and of the last: what failed stands at the end of a traceback."""
    return chain(pairwise(said[: _MAX_TERMS // 2]), pairwise(said[-_MAX_TERMS // 2 :]))


def _asks(text: str) -> bool:
    return _ASKS.match(text) is not None


def _shape(text: str, names: set[str], *, single: bool) -> Shape:
    if single:
        return Shape.NAME if names else Shape.QUESTION
    text = _ASKED_FOR.sub("", text.strip(), count=1)
    said = written(text)
    if not said or _asks(text):
        return Shape.QUESTION
    first = said[0].lower()
    # "parsing of dates" asks about a thing, "parses dates" and "bring it to the front" about a function.
    if first.endswith("ing") and not _VOWELS.isdisjoint(first[:-3]):
        return Shape.QUESTION
    acts = stem(first) in _ACTION_STEMS or _IS_SENTENCE.search(text) or _SAYS_WHAT_FOR.match(text)
    return Shape.ACTION if acts else Shape.QUESTION
