"""The sliding window: newest turns first, each whole, and never more than the budget."""

from collections.abc import Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.assistant.answers import Exchange
from lucastrad.conversation.window import fit

SYSTEM = 40


class Tokens:
    """A tokenizer: `per_character` tokens each, where the estimate takes one for four."""

    def __init__(self, per_character: float) -> None:
        self.per_character = per_character
        self.counts = 0

    def exact(self, exchanges: Sequence[Exchange]) -> int:
        return SYSTEM + sum(int((len(one.question) + len(one.answer)) * self.per_character) for one in exchanges)

    async def count(self, exchanges: Sequence[Exchange]) -> int:
        self.counts += 1
        await trio.lowlevel.checkpoint()
        return self.exact(exchanges)

    @staticmethod
    def estimate(exchanges: Sequence[Exchange]) -> int:
        return SYSTEM + sum((len(one.question) + len(one.answer)) // 4 for one in exchanges)


def kept(sizes: Sequence[int], budget: int, tokens: Tokens) -> tuple[list[Exchange], int]:
    history = [Exchange("q", "a" * size) for size in sizes]
    found: list[int] = []

    async def run() -> None:
        found.append(await fit(history, budget, estimate=tokens.estimate, count=tokens.count))

    trio.run(run)
    return history, found[0]


@given(
    st.lists(st.integers(1, 3000), max_size=60),
    st.integers(0, 6000),
    st.sampled_from([0.1, 0.25, 0.3, 0.45]),
)
def test_as_many_of_the_newest_turns_are_kept_as_fit(sizes: list[int], budget: int, per_character: float) -> None:
    tokens = Tokens(per_character)
    history, count = kept(sizes, budget, tokens)
    window = history[len(history) - count :]
    assert not window or tokens.exact(window) <= budget
    wider = history[max(0, len(history) - count - 1) :]
    too_far = Tokens.estimate(wider) > 4 * max(budget, SYSTEM)
    assert count == len(history) or tokens.exact(wider) > budget or too_far


def test_a_short_conversation_is_not_counted() -> None:
    tokens = Tokens(0.25)
    assert kept([100] * 5, 8000, tokens)[1] == 5
    assert tokens.counts == 0


@pytest.mark.parametrize("per_character", [0.1, 0.25, 0.45])
def test_a_conversation_ten_times_longer_than_the_window_takes_few_counts(per_character: float) -> None:
    tokens = Tokens(per_character)
    history, count = kept([800] * 400, 8000, tokens)
    assert 0 < count < len(history)
    assert tokens.counts <= 6


def test_one_turn_over_the_budget_hides_those_before_it() -> None:
    assert kept([10, 10, 100_000, 10], 1000, Tokens(0.25))[1] == 1
    assert kept([10, 10, 100_000], 1000, Tokens(0.25))[1] == 0
