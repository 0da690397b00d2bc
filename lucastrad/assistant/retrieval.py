"""The passages that an answer is written from: found by the question and what it follows, and held to a budget."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import trio

from lucastrad.assistant.answers import Citation, Exchange, PassagesFound, Question
from lucastrad.assistant.citations import check_passages
from lucastrad.llm.tokens import estimate_texts
from lucastrad.text.words import STOPWORDS, written
from lucastrad.types import Hit, SearchOutcome, SearchQuery

MAX_QUERY_CHARACTERS = 4096
_HEAD_CHARACTERS = 1024
_FEW_WORDS = 4
"""A question with fewer words of its own is taken to follow the one before it."""
_CARRIED_WORDS = 16
_POINTING_WORDS = (
    "it its they them their that this these those there here he she him her same one ones else instead above other"
    " others again more also too"
)
_POINTING = frozenset(_POINTING_WORDS.split())
_FENCE_TOKENS = 50
"""A passage's fence, with its number and place."""
_LEAST_LINES = 5
"""A passage is not cut shorter than this to make it fit: it would be left out."""


class Finds(Protocol):
    """What retrieval asks of search."""

    async def find(self, query: SearchQuery) -> SearchOutcome: ...


def query_text(text: str, history: Sequence[Exchange]) -> str:
    """What to search for: the question, with the words of the one before it where it points back to that."""
    text = _shortened(text)
    words = [word.lower() for word in written(text)]
    telling = {word for word in words if word not in STOPWORDS and word not in _POINTING}
    if not history or (len(telling) >= _FEW_WORDS and not _POINTING.intersection(words)):
        return text
    before = dict.fromkeys(
        word for word in written(history[-1].question) if word.lower() not in STOPWORDS | _POINTING | telling
    )
    return " ".join([text, *list(before)[:_CARRIED_WORDS]])[:MAX_QUERY_CHARACTERS]


def _shortened(text: str) -> str:
    """Of a long one the beginning, where the question stands, and the end, where a traceback says what failed."""
    if len(text) <= MAX_QUERY_CHARACTERS:
        return text
    return f"{text[:_HEAD_CHARACTERS]}\n{text[_HEAD_CHARACTERS + 1 - MAX_QUERY_CHARACTERS :]}"


async def retrieve(search: Finds, question: Question, scope: SearchQuery, *, budget_tokens: int) -> PassagesFound:
    """The passages for `question`, best first and numbered from 1, each as its file has it now."""
    outcome = await search.find(replace(scope, text=query_text(question.text, question.history)))
    checked = await trio.to_thread.run_sync(check_passages, outcome.hits)
    hits = [found.hit for found in checked if found.hit is not None]
    notices = list(outcome.notices)
    if gone := len(checked) - len(hits):
        notices.append(f"{_passages(gone)} left out: changed or removed since they were indexed")
    fitting = within(hits, budget_tokens)
    if len(fitting) < len(hits):
        notices.append(f"{_passages(len(hits) - len(fitting))} left out: over the budget of {budget_tokens:,} tokens")
    citations = tuple(Citation(number, hit) for number, hit in enumerate(fitting, start=1))
    return PassagesFound(citations, outcome.freshness, tuple(notices))


def within(hits: Sequence[Hit], budget_tokens: int) -> list[Hit]:
    """The best of `hits` that fit the budget, by estimate; one may be cut at a line, the first always is there."""
    kept: list[Hit] = []
    left = budget_tokens
    for hit in hits:
        tokens = estimate_texts([hit.chunk.text]).tokens + _FENCE_TOKENS
        if tokens > left:
            cut = _cut(hit, left - _FENCE_TOKENS)
            if cut is None and not kept:
                cut = _first_lines(hit, _LEAST_LINES)
            if cut is not None:
                kept.append(cut)
            break
        kept.append(hit)
        left -= tokens
    return kept


def _cut(hit: Hit, tokens: int) -> Hit | None:
    """As many of the passage's first lines as fit; None where they would be too few to understand."""
    lines = hit.chunk.text.split("\n")
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_texts(["\n".join(lines[:middle])]).tokens <= tokens:
            low = middle
        else:
            high = middle - 1
    return _first_lines(hit, low) if low >= _LEAST_LINES else None


def _first_lines(hit: Hit, count: int) -> Hit:
    lines = hit.chunk.text.split("\n")[:count]
    last = hit.chunk.start_line + len(lines) - 1
    return replace(hit, chunk=replace(hit.chunk, text="\n".join(lines), end_line=min(hit.chunk.end_line, last)))


def _passages(count: int) -> str:
    return "1 passage was" if count == 1 else f"{count} passages were"
