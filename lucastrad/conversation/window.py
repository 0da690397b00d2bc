"""The sliding window: which of a conversation's exchanges a prompt has room for.

Invariant: what is kept is the newest exchanges without a gap, each whole, a question with its answer. Instructions
and the new question are no part of the history, so they are never what is left out. Does no I/O but `count`.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence

from lucastrad.assistant.answers import Exchange

_FAR_OVER = 4
"""Histories estimated at so many times the budget are not counted: no tokenizer was four times below the estimate."""
_SURELY = 2
"""Nothing is counted where twice the estimate fits: the estimate is from above, but for some scripts."""
_GUIDED_ROUNDS = 3
"""Guesses from the tokens per estimated token seen so far; after these, halving."""


async def fit(
    history: Sequence[Exchange],
    budget_tokens: int,
    *,
    estimate: Callable[[Sequence[Exchange]], int],
    count: Callable[[Sequence[Exchange]], Awaitable[int]],
) -> int:
    """How many of the newest exchanges fit `budget_tokens` together with the rest of the prompt.

    `estimate` and `count` give the tokens of a whole prompt with the exchanges that they are passed; they grow with
    each one. A count may take a request to the provider: two to four are usual, none for a short conversation.
    """
    if not history or _SURELY * estimate(history) <= budget_tokens:
        return len(history)
    sizes = _estimates(history, budget_tokens, estimate)
    low, high = 0, len(sizes) - 1
    rounds, ratio = 0, 1.0
    while low < high:
        guided = bisect_right(sizes, budget_tokens / ratio) - 1
        middle = guided if rounds < _GUIDED_ROUNDS else (low + high + 1) // 2
        middle = min(high, max(low + 1, middle))
        tokens = await count(history[len(history) - middle :])
        rounds += 1
        ratio = max(tokens, 1) / max(sizes[middle], 1)
        if tokens <= budget_tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _estimates(
    history: Sequence[Exchange], budget_tokens: int, estimate: Callable[[Sequence[Exchange]], int]
) -> list[int]:
    """The estimate of the prompt with none, one, two … of the newest exchanges, as far as it is worth counting."""
    sizes = [estimate(())]
    for exchange in reversed(history):
        size = sizes[-1] + max(0, estimate((exchange,)) - sizes[0])
        if size > _FAR_OVER * max(budget_tokens, sizes[0]):
            break
        sizes.append(size)
    return sizes
