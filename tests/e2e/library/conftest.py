"""The daemon that the tests of this folder talk to through the client library."""

from collections.abc import Iterator

import pytest
from real_daemon import RealDaemon, private_home


@pytest.fixture
def daemon() -> Iterator[RealDaemon]:
    """A daemon of a home of its own, that does not run yet."""
    with private_home() as daemon:
        yield daemon
