"""Give freed memory back to the system: a daemon that has just indexed a project should be small again.

glibc keeps one arena per thread that ever allocated, and trims only the top of each. Other C libraries
have neither call; there this does nothing.
"""

import ctypes
from functools import cache

_M_ARENA_MAX = -8


@cache
def _libc() -> ctypes.CDLL | None:
    process = ctypes.CDLL(None)
    return process if hasattr(process, "malloc_trim") else None


def limit_arenas(count: int = 2) -> None:
    """Let threads share arenas; call before any thread starts."""
    if (library := _libc()) is not None:
        library.mallopt(_M_ARENA_MAX, count)


def release_freed() -> None:
    """Return free pages to the system; takes milliseconds. Blocking: call it from a thread."""
    if (library := _libc()) is not None:
        library.malloc_trim(0)
