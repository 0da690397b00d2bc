"""Two small wake-ups on top of trio.Event."""

import trio


class Wake:
    """A flag that one task waits for: setting it twice before it is seen counts once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """Wake the waiter, now or when it comes to wait."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether the waiter has something to do."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until set, and clear."""
        await self._event.wait()
        self._event = trio.Event()


class Broadcast:
    """Wakes every task that waits now."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def notify(self) -> None:
        """Wake all waiters."""
        self._event.set()
        self._event = trio.Event()

    async def wait(self) -> None:
        """Wait for the next notify."""
        await self._event.wait()
