"""When to try again: exponential backoff with jitter, and never before the provider's Retry-After.

Invariant: reads no clock; the time and the randomness are parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

from lucastrad.llm.errors import ProviderError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Waits of about 0.5, 1, 2, 4 … seconds, each drawn from the upper half of its range."""

    attempts: int = 3
    """Tries after the first."""
    first_seconds: float = 0.5
    longest_seconds: float = 20.0
    longest_asked_seconds: float = 60.0
    """A Retry-After beyond this is told to the caller instead of waited for."""

    def wait_seconds(self, error: ProviderError, tries: int, random: Random) -> float | None:
        """How long to wait after `tries` failures, of which `error` was the last; None to give up."""
        if not error.passing or tries > self.attempts:
            return None
        backoff = min(self.first_seconds * 2.0 ** (tries - 1), self.longest_seconds)
        asked = error.retry_after_seconds
        if asked is None:
            return backoff * random.uniform(0.5, 1.0)
        if asked > self.longest_asked_seconds:
            return None
        return asked + backoff * random.uniform(0.0, 0.5)  # spread: many requests were told the same time


def retry_after_seconds(headers: Mapping[str, str], now_epoch_seconds: float) -> float | None:
    """What `Retry-After` (RFC 9110, section 10.2.3: seconds or a date), or `retry-after-ms`, asks for.

    A date is measured from the reply's own `Date` where it has one, so that clocks that differ do not matter.
    None where there is no such header or it cannot be read; never negative.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    until = _date(value)
    if until is None:
        return None
    since = _date(headers.get("date"))
    return max(0.0, until - (now_epoch_seconds if since is None else since))


def _number(text: str | None) -> float | None:
    number: float
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _date(text: str | None) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
