"""How often and how fast a provider is asked: backoff, Retry-After, token buckets."""

from itertools import pairwise
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from lucastrad.llm.errors import ProviderError, RateLimited, RequestRejected, ServerFailed
from lucastrad.llm.limits import RateLimit
from lucastrad.llm.retry import RetryPolicy, retry_after_seconds


class Highest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Lowest(Random):
    def uniform(self, a: float, b: float) -> float:
        return a


def failed(retry_after: float | None = None) -> ProviderError:
    return ServerFailed("x", provider="llm", retry_after_seconds=retry_after)


def test_waits_double_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=8, first_seconds=0.5, longest_seconds=20)
    assert [policy.wait_seconds(failed(), tries, Highest()) for tries in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 20, 20]
    assert [policy.wait_seconds(failed(), tries, Lowest()) for tries in range(1, 4)] == [0.25, 0.5, 1]


def test_after_the_last_try_and_for_lasting_errors_there_is_no_wait() -> None:
    policy = RetryPolicy(attempts=2)
    assert policy.wait_seconds(failed(), 2, Random()) is not None
    assert policy.wait_seconds(failed(), 3, Random()) is None
    assert policy.wait_seconds(RequestRejected("x", provider="llm"), 1, Random()) is None


@pytest.mark.parametrize("random", [Highest(), Lowest(), Random(0)])
def test_no_jitter_comes_before_what_the_provider_asked(random: Random) -> None:
    wait = RetryPolicy().wait_seconds(RateLimited("x", provider="llm", retry_after_seconds=7), 1, random)
    assert wait is not None
    assert 7 <= wait < 8


def test_a_wait_that_is_too_long_is_given_up() -> None:
    assert RetryPolicy(longest_asked_seconds=60).wait_seconds(failed(61), 1, Random()) is None


NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's example


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:44 GMT"}, 7.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:49:44 GMT"}, 7.0),
        ({"retry-after": "Sun Nov  6 08:49:44 1994"}, 7.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:30 GMT"}, 0.0),
        ({"retry-after": "Sun, 01 Mar 2026 10:00:07 GMT", "date": "Sun, 01 Mar 2026 10:00:00 GMT"}, 7.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:44 GMT", "date": "nonsense"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


async def admissions(limit: RateLimit, sizes: list[int]) -> list[float]:
    """When each request is admitted, in seconds from now."""
    start = trio.current_time()
    times = []
    for tokens in sizes:
        await limit.admit(tokens)
        times.append(trio.current_time() - start)
    return times


@pytest.mark.trio
async def test_a_minutes_requests_start_at_once_and_the_others_at_the_steady_rate(autojump_clock: Any) -> None:
    times = await admissions(RateLimit(requests_per_minute=60), [0] * 65)
    assert times[:60] == [0.0] * 60
    assert [later - sooner for sooner, later in pairwise(times[59:])] == pytest.approx([1.0] * 5, abs=1e-3)


@pytest.mark.trio
async def test_tokens_are_limited_too(autojump_clock: Any) -> None:
    times = await admissions(RateLimit(tokens_per_minute=600), [600, 10, 20])
    assert times == pytest.approx([0, 1, 3], abs=1e-3)


@pytest.mark.trio
async def test_a_request_of_more_than_a_minutes_tokens_waits_for_a_full_bucket_only(autojump_clock: Any) -> None:
    times = await admissions(RateLimit(tokens_per_minute=600), [100, 6000, 10])
    assert times == pytest.approx([0, 10, 10 + 541], abs=1e-2)


@pytest.mark.trio
async def test_tokens_that_an_answer_took_beyond_the_estimate_delay_the_next_request(autojump_clock: Any) -> None:
    limit = RateLimit(tokens_per_minute=600)
    await limit.admit(600)
    limit.settle(100)
    assert await admissions(limit, [10]) == pytest.approx([11], abs=1e-3)


@pytest.mark.trio
async def test_tokens_that_were_not_taken_are_given_back(autojump_clock: Any) -> None:
    limit = RateLimit(tokens_per_minute=600)
    await limit.admit(600)
    limit.settle(-500)
    assert await admissions(limit, [500]) == [0]


@pytest.mark.trio
async def test_a_pause_holds_for_everyone_and_the_longest_counts(autojump_clock: Any) -> None:
    limit = RateLimit()
    limit.pause(7)
    limit.pause(3)
    assert await admissions(limit, [0, 0]) == [7, 7]


@pytest.mark.trio
async def test_requests_are_admitted_in_the_order_in_which_they_ask(autojump_clock: Any) -> None:
    limit = RateLimit(requests_per_minute=1)
    admitted: list[int] = []

    async def ask(number: int) -> None:
        await limit.admit(0)
        admitted.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(ask, number)
            await trio.testing.wait_all_tasks_blocked(cushion=0)
    assert admitted == [0, 1, 2, 3, 4]


@pytest.mark.trio
async def test_a_cancelled_wait_lets_the_next_request_through(autojump_clock: Any) -> None:
    limit = RateLimit(requests_per_minute=60)
    await admissions(limit, [0] * 60)
    with trio.move_on_after(0.5):
        await limit.admit(0)
    assert await admissions(limit, [0]) == pytest.approx([0.5], abs=1e-3)
