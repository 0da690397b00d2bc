"""What a watcher is told by the operating system, whatever its interface."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

ListFolders = Callable[[list[str]], Awaitable[list[str]]]
"""Given folders relative to the root, those of them and below them to watch: see `scanner.folders`."""

REPOSITORY_FILES = frozenset({"HEAD", "index", "exclude"})
"""Files in a git folder whose change may mean that many files, or the rules about them, have changed."""


@dataclass(frozen=True, slots=True)
class Events:
    """Some changes, as hints: there may have been more, and some may be gone again."""

    paths: frozenset[str] = frozenset()
    """Relative to the root; a folder stands for everything in it."""
    lost: bool = False
    """Changes were dropped, nobody knows which."""
    repository: bool = False
    """git did something: a branch switch, a commit, a changed exclude file."""


class EventsLostError(Exception):
    """This source will report nothing more; a new one may. Its argument says why."""


class EventSource(Protocol):
    """Reports changes below one root."""

    async def start(self) -> None:
        """Return once every later change will be reported. Raises OSError when that is impossible."""
        ...

    async def receive(self) -> Events:
        """Wait for changes. Raises `EventsLostError`, or OSError when watching on is impossible.

        Events may be lost when it is cancelled: cancel it only to close the source.
        """
        ...

    def close(self) -> None:
        """Give everything back; called once, also after a failed start."""
        ...


OpenSource = Callable[[str, ListFolders], EventSource]
"""Makes a source for an absolute root."""
