"""Neovim beside a browser: Playwright holds an asyncio loop in the tests' thread, so another one drives Neovim."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

# pynvim takes the thread that first imports it for the main one, and handles signals there: not the one below.
import pynvim  # noqa: F401
from nvim_session import Editor

Result = TypeVar("Result")


class Beside:
    """One Neovim and the thread that it is driven from."""

    def __init__(self, thread: ThreadPoolExecutor, editor: Editor) -> None:
        self._thread = thread
        self._editor = editor

    def do(self, work: Callable[[Editor], Result]) -> Result:
        """What `work` returns of the editor."""
        return self._thread.submit(work, self._editor).result()


@contextmanager
def neovim_beside(folder: Path, environment: Mapping[str, str]) -> Iterator[Beside]:
    """A Neovim in `folder`, which is closed when the block ends."""
    with ThreadPoolExecutor(1, "neovim") as thread:
        beside = Beside(thread, thread.submit(Editor, folder, environment).result())
        try:
            yield beside
        finally:
            beside.do(Editor.close)
