"""What the tests of this folder share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lucastra_protocol.paths import Paths


@pytest.fixture
def paths() -> Iterator[Paths]:
    """A home of the test's own; pytest's folders are too long for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="la-") as folder:
        yield Paths(home=Path(folder, "home"), run=Path(folder, "home", "run"))
