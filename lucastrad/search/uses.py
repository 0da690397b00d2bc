"""Questions for the places that use a name: "who calls total_price", "usages of Basket", "where is Pool used"."""

import re
from functools import lru_cache

from lucastrad.text.words import last_part

_KIND = r"(?:the\s+)?(?:(?:function|method|class|constant|variable|type|macro|struct)\s+)?"
_NAME = r"`?(?P<name>[^\W\d][\w.:>#-]*?\w)(?:\(\))?`?"
_USES = r"(?:calls?|uses?|imports?|references?|invokes?|instantiates?|needs?|depends?\s+on)"
_USED = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?:who|what|what\s+else|which\s+\w+|where\s+do(?:es)?\s+\w+)\s+{_USES}\s+{_KIND}{_NAME}\W*",
        r"(?:(?:find|show|list)\s+)?(?:me\s+)?(?:all\s+)?(?:the\s+)?"
        r"(?:callers?|calls|call\s+sites?|uses?|usages?|references?|imports?|invocations?)\s+(?:of|to|for)\s+"
        rf"{_KIND}{_NAME}\W*",
        rf"(?:where|how|when)(?:\s+else)?\s+(?:is|are)\s+{_KIND}{_NAME}\s+(?:being\s+)?"
        r"(?:called|used|imported|referenced|invoked|instantiated|needed)(?:\s+(?:from|in|by))?\W*",
        rf"(?:find\s+|show\s+)?{_NAME}\s+(?:callers|usages?|references|call\s+sites)\W*",
    )
)
_LONGEST = 200
"""Characters of such a question: the patterns take longer by the square of them."""
_MENTIONED = 0.6
"""A passage that names it, and has no call of it."""


def used(text: str) -> str:
    """The name whose uses are asked for, as it is typed and without what it belongs to; empty for anything else."""
    asked = text.strip()
    if len(asked) > _LONGEST:
        return ""
    found = next(filter(None, (pattern.fullmatch(asked) for pattern in _USED)), None)
    return last_part(found["name"]) if found else ""


def use_of(name: str, symbol: str, text: str) -> float:
    """How much a passage uses a name, from 0 to 1: its own definition does not, and a call says more than a mention."""
    if last_part(symbol) == name:
        return 0.0
    use, call = _patterns(name)
    if call.search(text):
        return 1.0
    return _MENTIONED if use.search(text) else 0.0


@lru_cache(64)
def _patterns(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """It as a word, and where it is called: nothing that declares a function precedes it."""
    word = rf"(?<![\w$]){re.escape(name)}(?![\w$])"
    return re.compile(word), re.compile(rf"(?<!def )(?<!func )(?<!fn )(?<!function ){word}\s*[(<]")
