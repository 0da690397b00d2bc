"""How fast a provider is asked: token buckets for requests and for tokens a minute, and a common pause.

Reads Trio's clock only. Requests are admitted in the order in which they ask.
"""

import math

import trio


class TokenBucket:
    """Holds up to a minute's amount and refills steadily; a debt delays what comes after it."""

    def __init__(self, per_minute: float) -> None:
        self._capacity = per_minute
        self._per_second = per_minute / 60
        self._level = per_minute
        self._updated = -math.inf

    def seconds_until(self, amount: float) -> float:
        """How long until `amount` can be taken; an amount above the capacity needs a full bucket."""
        self._refill()
        missing = min(amount, self._capacity) - self._level
        # Rounding must not leave a wait too short for the clock to move by.
        return max(missing / self._per_second, 1e-6) if missing > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        """Take `amount`, into debt if need be; a negative amount gives back."""
        self._refill()
        self._level = min(self._level - amount, self._capacity)

    def _refill(self) -> None:
        now = trio.current_time()
        self._level = min(self._level + (now - self._updated) * self._per_second, self._capacity)
        self._updated = now


class RateLimit:
    """Admits requests to one provider."""

    def __init__(self, *, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self._requests = None if requests_per_minute is None else TokenBucket(requests_per_minute)
        self._tokens = None if tokens_per_minute is None else TokenBucket(tokens_per_minute)
        self._paused_until = -math.inf
        self._turn = trio.Lock()

    async def admit(self, tokens: int) -> None:
        """Wait until one more request, of about `tokens` tokens, may start; then count it."""
        async with self._turn:
            wait = self._seconds_until(tokens)
            while wait > 0:
                await trio.sleep(wait)
                wait = self._seconds_until(tokens)  # another request may have asked for a pause meanwhile
            if self._requests is not None:
                self._requests.take(1)
            if self._tokens is not None:
                self._tokens.take(tokens)

    def settle(self, further_tokens: int) -> None:
        """Count tokens that a request took beyond what it was admitted with; negative where it took fewer."""
        if self._tokens is not None:
            self._tokens.take(further_tokens)

    def pause(self, seconds: float) -> None:
        """Admit nothing for `seconds`: the provider has asked one request to wait, which holds for all."""
        self._paused_until = max(self._paused_until, trio.current_time() + seconds)

    def _seconds_until(self, tokens: int) -> float:
        waits = [self._paused_until - trio.current_time()]
        if self._requests is not None:
            waits.append(self._requests.seconds_until(1))
        if self._tokens is not None:
            waits.append(self._tokens.seconds_until(tokens))
        return max(waits)
