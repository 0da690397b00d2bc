"""What keeps one workspace from being indexed, and store operations that wait until it has passed."""

import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import ParamSpec, TypeVar

import trio

from lucastrad.indexing.signals import Broadcast
from lucastrad.storage.sqlite import StoreUnavailable

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_R = TypeVar("_R")

RETRY_SECONDS = 2.0
"""How long to wait before trying again when the disk is full or the folder is gone."""
_READS = frozenset({"reading", "reading the cache", "planning a merge", "abandoning a merge"})


class Trouble(StrEnum):
    """What keeps a workspace from being indexed; each clears when its next attempt succeeds."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    STORE = "store"
    CRASHED = "crashed"
    EMBEDDING = "embedding"
    """Passages are found by keyword meanwhile, and everything else goes on."""


class Troubles:
    """Those that one workspace has now, each with what to tell its user."""

    def __init__(self, root: Path, changed: Broadcast) -> None:
        """`changed` is notified of each that comes; of one that passed, whoever made it pass tells."""
        self._root = root
        self._changed = changed
        self._problems: dict[Trouble, str] = {}

    def __contains__(self, trouble: Trouble) -> bool:
        return trouble in self._problems

    @property
    def problems(self) -> list[str]:
        """What to tell the user."""
        return list(self._problems.values())

    @property
    def stuck(self) -> bool:
        """Whether files cannot be indexed: one with the embeddings does not keep them."""
        return bool(self._problems.keys() - {Trouble.EMBEDDING})

    def problem(self, *troubles: Trouble) -> str | None:
        """What to tell of the first of these that there is."""
        return next((self._problems[trouble] for trouble in troubles if trouble in self._problems), None)

    def note(self, trouble: Trouble, problem: str) -> None:
        """It is there, or goes on."""
        if self._problems.get(trouble) != problem:
            _log.warning("%s", problem)
        self._problems[trouble] = problem
        self._changed.notify()

    def clear(self, *troubles: Trouble) -> None:
        """These have passed, if there were any."""
        for trouble in troubles:
            if self._problems.pop(trouble, None):
                _log.info("indexing of %s resumes", self._root)

    async def persist(self, what: str, write: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Run a store operation in a thread; while the disk is full, wait and try again: nothing is lost.

        `what` names it for the user.
        """
        while True:
            try:
                result = await trio.to_thread.run_sync(lambda: write(*args, **kwargs))
            except StoreUnavailable as error:
                self.note(Trouble.STORE, error.message)
            except OSError as error:
                self.note(Trouble.STORE, f"{what} failed: {error}; free disk space or check permissions")
            else:
                if what not in _READS:  # a full disk can still be read
                    self.clear(Trouble.STORE)
                return result
            await trio.sleep(RETRY_SECONDS)
