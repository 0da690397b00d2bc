"""The one place where the native kernel is imported.

Invariant: without it (no build for this machine, a damaged file) the daemon still runs; searches are then
answered by Annoy and numpy, and `condition()` says so.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from lucastrad.storage.vectors import _kernel

_log = logging.getLogger(__name__)


class Kernel(Protocol):
    """What is used of the `_kernel` module."""

    @property
    def Rows(self) -> type[_kernel.Rows]:  # noqa: N802 (a class)
        ...

    @property
    def Graph(self) -> type[_kernel.Graph]:  # noqa: N802 (a class)
        ...


@cache
def kernel_or_none() -> Kernel | None:
    """The native kernel; None, with the reason in the log, where it cannot be loaded."""
    try:
        from lucastrad.storage.vectors import _kernel
    except ImportError as error:
        _log.warning("the native vector kernel cannot be loaded (%s): Annoy and numpy answer, more slowly", error)
        return None
    return cast("Kernel", _kernel)
