"""How long the daemon lives: since when, who is connected, and whether it was asked to stop.

Invariant: time is Trio's clock, so a suspended machine or a changed wall clock ends nothing early.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class Lifetime:
    """The daemon's age, its sessions and its end."""

    def __init__(self) -> None:
        self._started_at = trio.current_time()
        self._idle_since = self._started_at
        self._changed = trio.Event()
        self._stop = trio.Event()
        self.clients = 0
        self.stop_reason = ""

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the daemon started to listen."""
        return trio.current_time() - self._started_at

    @property
    def stopping(self) -> bool:
        """Whether the daemon was asked to stop."""
        return self._stop.is_set()

    def stop(self, reason: str) -> None:
        """Ask the daemon to stop; the first reason stands."""
        if not self.stopping:
            self.stop_reason = reason
            self._stop.set()

    async def until_stopped(self) -> None:
        """Return once the daemon was asked to stop."""
        await self._stop.wait()

    @contextmanager
    def client(self) -> Iterator[None]:
        """Count a client as connected until the block ends."""
        self.clients += 1
        self._announce()
        try:
            yield
        finally:
            self.clients -= 1
            self._idle_since = trio.current_time()
            self._announce()

    async def leave_when_idle(self, seconds: float) -> None:
        """Ask the daemon to stop once it has had no client for `seconds`."""
        while True:
            changed = self._changed
            left = self._idle_since + seconds - trio.current_time()
            if self.clients:
                await changed.wait()
            elif left > 0:
                with trio.move_on_after(left):
                    await changed.wait()
            else:
                self.stop(f"no client for {seconds / 60:g} minutes")
                return

    def _announce(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
