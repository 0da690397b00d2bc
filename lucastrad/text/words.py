"""Cut code and prose into words, the same way for documents and queries.

An identifier gives its parts and itself: `HTTPServer2` is `httpserver2`, `http`, `server`, `2`. Every distinct
word is analysed once per process and then looked up: source text repeats itself so much that this makes a
kilobyte cost some 20 microseconds.
"""

import re
from itertools import chain
from typing import Final

_CACHE_WORDS: Final = 200_000
"""Then a cache starts anew: about 40 MB, and no text keeps so many words in use."""
_LONGEST_WORD: Final = 40
"""Longer runs are hashes, keys and base64, which nobody types."""
_LONGEST_IDENTIFIER: Final = 100
"""…unless `_`, `-` or a change of case shows that they are made of words."""
_STEM_FROM: Final = 4

# ASCII text is cut by `translate` and `split`, five times as fast as a regular expression: everything but
# letters, digits, `_` and `-` becomes a blank. What hyphens mean is decided once per distinct word.
_BLANKS: Final = "".join(c if c.isalnum() or c in "_-" else " " for c in map(chr, range(128)))
_WORD: Final = re.compile(r"[\w-]+")
# `-` joins words of two letters and more (`text-align`, `well-known`), which `a-b`, `x-1` and `->` are not.
_HYPHENED: Final = re.compile(r"\w+(?:-[^\W\d_]\w+)*")
# Chinese, Japanese, Korean (kana, ideographs, hangul) and Thai put no blanks between words.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
# In order: an acronym before a word (`HTTP` in `HTTPServer`), a word, an acronym, digits.
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

# Between the parts of a qualified name, and of a heading.
NAME_SEPARATORS: Final = re.compile(r"->|[.:#/\\\s]")
_SEPARATORS: Final = re.compile(r"[\W_]+")

# Function words of English only. Words that are also keywords of languages (`for`, `if`, `in`, `is`, `not`, `with`,
# `while`, `do`, `from`, `as`, `and`, `or`, `this`) carry as little in code as they do in prose; words that name
# things in code (`all`, `any`, `each`, `only`, `over`, `on`, `off`, `up`, `down`, `by`, `no`, `new`) stay.
_FUNCTION_WORDS: Final = (
    "a an the and or but if then else of at for with about to from in into is are was were be been being am has "
    "have had do does did doing will would shall should can could may might must this that these those it its i "
    "you he she we they me him her us them my your his our their what which who whom how why where there here "
    "when while as so than too very just not also such s t"
)
STOPWORDS: Final = frozenset(_FUNCTION_WORDS.split())


class _Terms(dict[str, tuple[str, ...]]):
    """Word as written → its terms."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = tuple(_terms_of(word))
        if len(self) >= _CACHE_WORDS:
            self.clear()
        self[word] = found
        return found


class _Parts(dict[str, tuple[str, ...]]):
    """Word as written → its parts in lower case."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = tuple(_parts_of(word))
        if len(self) >= _CACHE_WORDS:
            self.clear()
        self[word] = found
        return found


_terms = _Terms()
_parts = _Parts()


def terms(text: str) -> list[str]:
    """The terms of a keyword index, in order and with repeats.

    For each word: its stemmed parts, and before them, when it has several, the whole of it in lower case.
    Stopwords are left out, as parts too.
    """
    return list(chain.from_iterable(map(_terms.__getitem__, written(text))))


def identifiers(text: str) -> list[str]:
    """The identifiers as written, in order and with repeats."""
    words = written(text.replace("-", " "))
    return [word for word in words if not word[0].isdigit() and (len(word) <= _LONGEST_WORD or _parts[word])]


def last_part(name: str) -> str:
    """Of a qualified name, as written: `total` of `Basket.total()`. Empty for several words, as headings have."""
    if len(name.split()) != 1:
        return ""
    parts = [part for part in NAME_SEPARATORS.split(name.strip().removesuffix("()")) if _SEPARATORS.sub("", part)]
    return parts[-1] if parts else ""


def spelling(name: str) -> str:
    """The letters of a name as somebody types it from memory: those of its last part, without case and separators."""
    return _SEPARATORS.sub("", last_part(name)).lower()[:_LONGEST_IDENTIFIER]


def parts_of(word: str) -> tuple[str, ...]:
    """The lower-case parts of one word as written."""
    return _parts[word]


def written(text: str) -> list[str]:
    """The words as written, in order and with repeats: what every other function here analyses once each."""
    return text.translate(_BLANKS).split() if text.isascii() else _WORD.findall(text)


def _terms_of(word: str) -> list[str]:
    found: list[str] = []
    for piece in _HYPHENED.findall(word):
        parts = _split(piece)
        kept = [stem(part) for part in parts if part not in STOPWORDS]
        whole = piece.strip("_").lower()
        if len(parts) > 1 and whole not in kept and not _UNSPACED.search(piece):
            found.append(whole)
        found += kept
    return found


def _parts_of(word: str) -> list[str]:
    return [part for piece in _HYPHENED.findall(word) for part in _split(piece)]


def _split(word: str) -> list[str]:
    """Parts in lower case; none for noise."""
    if len(word) > _LONGEST_IDENTIFIER:
        return []
    parts = _PART.findall(word) if word.isascii() else _split_unicode(word)
    if len(word) > _LONGEST_WORD and _is_blob(word, parts):
        return []
    return [part.lower() for part in parts if len(part) <= _LONGEST_WORD]


def _is_blob(word: str, parts: list[str]) -> bool:
    """Whether a long word is a hash, a key or base64: its parts are bits, or digits stand between letters."""
    return len(word) < 3 * len(parts) or ("_" not in word and any(map(str.isdigit, word)))


def _split_unicode(word: str) -> list[str]:
    """What `_PART` does, for letters of any script."""
    parts: list[str] = []
    start = 0
    for at in range(1, len(word) + 1):
        if at < len(word) and not _boundary(word, at):
            continue
        if part := word[start:at].strip("_-"):
            parts += _spaced(part)
        start = at
    return parts


def _boundary(word: str, at: int) -> bool:
    before, here, after = word[at - 1], word[at], word[at + 1 : at + 2]
    if before in "_-" or here in "_-":
        return True
    if before.isdigit() != here.isdigit():
        return True
    return here.isupper() and (before.islower() or (before.isupper() and after.islower()))


def _spaced(part: str) -> list[str]:
    """Scripts without blanks as overlapping pairs of characters (Lucene's CJKBigramFilter); others as they are."""
    found: list[str] = []
    end = 0
    for match in _UNSPACED.finditer(part):
        if match.start() > end:
            found.append(part[end : match.start()])
        run, end = match[0], match.end()
        found += [run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)]
    if end < len(part):
        found.append(part[end:])
    return found


def stem(word: str) -> str:
    """A light stem: plural and verb endings off, so that `files`, `filed` and `filing` meet `file`.

    After Harman's S stemmer (1991) and step 1b of Porter's (1980). The stem is a key, not a word: `file` and
    `filing` both become `fil`.
    """
    if len(word) < _STEM_FROM or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > _STEM_FROM:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            rest = word[: -len(ending)]
            if len(rest) >= 3 and not rest.endswith("e") and any(vowel in rest for vowel in "aeiouy"):
                word = rest[:-1] if rest[-1] == rest[-2] and rest[-1] not in "lsz" else rest
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
