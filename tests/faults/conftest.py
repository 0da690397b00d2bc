"""What the tests of this folder share with the end-to-end tests: a daemon in a home of its own."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from real_daemon import RealDaemon, private_home


@pytest.fixture
def daemon() -> Iterator[RealDaemon]:
    """A daemon that does not run yet."""
    with private_home() as daemon:
        yield daemon
