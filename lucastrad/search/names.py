"""What the name of a file or of a symbol tells, whatever the query: worked out once and remembered."""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

from lucastrad.search.query import names_of
from lucastrad.storage.keywords import BEGINNING, EDITS_FROM
from lucastrad.text.words import NAME_SEPARATORS, spelling

_REMEMBERED = 32_768
_TEST = re.compile(
    r"(^|/)(tests?|testing|specs?|__tests__|testdata|fixtures)/"  # in a folder of tests
    r"|(^|/)(test_|conftest)[^/]*$|[._-](tests?|specs?)\.\w+$"  # test_a.py, a_test.go, a.spec.ts
    r"|(?-i:[a-z0-9]Tests?\.\w+$)",  # BasketTest.java
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(^|/)(examples?|samples?|demos?|docs?|benchmarks?|locale|i18n)(/|$)", re.IGNORECASE)
_HEADER = re.compile(r"\.(h|hh|hpp|hxx|pyi|d\.ts)$")
_FOREIGN = re.compile(
    r"(^|[/_.-])(win|win32|win64|windows|nt|msvc|mingw|cygwin|aix|sunos|solaris|os390|zos|haiku|qnx|ibmi)([/_.-]|$)",
    re.IGNORECASE,
)
_RECORD = re.compile(
    r"(^|/)(change(s|_?log)|history|news|releases?|licen[cs]es?|copying|authors|notice)\b[^/]*$", re.IGNORECASE
)
"""What tells how things came about, not what to do."""
_MARKS = {"test": _TEST, "example": _EXAMPLE, "header": _HEADER, "platform": _FOREIGN, "record": _RECORD}
"""What a path may be of: each a component of the score, but for the records, which only are no instructions. A platform
is one that LucAstra does not run on."""
_VERSION = re.compile(r"(?:^|/)v(\d{1,3})(?=/)")
_LEAST_ALIKE = 0.75
"""Of difflib's ratio: one letter in four may be another."""


@dataclass(frozen=True, slots=True)
class FileName:
    """Of a path relative to the workspace."""

    names: frozenset[str]
    """Stems of the words of the whole path."""
    stem_names: frozenset[str]
    """Those of the file's own name, without its endings."""
    versions: tuple[tuple[str, int], ...]
    """Folders named `v1`, `v2`…, as the folder around each and its number."""
    marks: tuple[str, ...]
    """Those of `_MARKS` that it bears."""

    @property
    def is_test(self) -> bool:
        """Whether it is one of the tests."""
        return "test" in self.marks

    @staticmethod
    @lru_cache(_REMEMBERED)
    def of(path: str) -> "FileName":
        """Read a path."""
        stem = path.rpartition("/")[2].lstrip(".").partition(".")[0]
        return FileName(
            names=names_of(path),
            stem_names=names_of(stem),
            versions=tuple((path[: match.start(1)], int(match[1])) for match in _VERSION.finditer(path)),
            marks=tuple(mark for mark, pattern in _MARKS.items() if pattern.search(path)),
        )


@dataclass(frozen=True, slots=True)
class SymbolName:
    """Of a symbol as chunks have it: `Basket.total`."""

    lower: str
    last: str
    """Its last part, as written."""
    names: frozenset[str]
    """Stems of its words."""
    spelling: str

    @staticmethod
    @lru_cache(_REMEMBERED)
    def of(symbol: str) -> "SymbolName":
        """Read a symbol."""
        parts = [part.strip("_$@") or part for part in NAME_SEPARATORS.split(symbol)]
        return SymbolName(".".join(parts).lower(), parts[-1], names_of(symbol), spelling(symbol))


def closeness(typed: str, symbol: str) -> float:
    """How much a name as somebody types it (`text.words.spelling`) is like that of a symbol, from 0 to 1: the same, its
    beginning, or with a letter or two wrong, as `KeywordIndex.named` and `named_alike` find them."""
    defined = SymbolName.of(symbol).spelling
    if typed == defined:
        return 1.0
    if defined.startswith(typed):
        return len(typed) / len(defined) if len(typed) >= BEGINNING else 0.0
    if len(typed) < EDITS_FROM[0] or abs(len(typed) - len(defined)) > len(EDITS_FROM):
        return 0.0
    ratio = difflib.SequenceMatcher(None, typed, defined, autojunk=False).ratio()
    return ratio if ratio >= _LEAST_ALIKE else 0.0
