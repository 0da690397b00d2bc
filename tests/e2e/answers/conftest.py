"""A real daemon whose providers are the replay server of tests/providers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_daemon import RealDaemon, private_home

sys.path.append(str(Path(__file__).parents[2] / "providers"))


@pytest.fixture
def daemon() -> Iterator[RealDaemon]:
    """A daemon of a home of its own, that does not run yet."""
    with private_home() as daemon:
        yield daemon
