"""Why a benchmark could not be run."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio
from lucastra_protocol.errors import LucAstraError


class BenchmarkError(Exception):
    """The measurement cannot be taken; the message says what to do about it."""


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Cancel the body after `seconds` and raise BenchmarkError, which names `what`."""
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError as error:
        raise BenchmarkError(f"{what} took more than {seconds:,.0f} s and was given up") from error


def reasons(error: BaseException) -> list[str] | None:
    """The messages of an error that a benchmark expects, or of a group of them; None for any other."""
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted"]
    if isinstance(error, BaseExceptionGroup):
        parts = [reasons(part) for part in error.exceptions]
        return None if None in parts else [message for part in parts if part is not None for message in part]
    return [str(error)] if isinstance(error, BenchmarkError | LucAstraError) else None
