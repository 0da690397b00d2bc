"""Whatever is overwritten in a vector index: no signal, no wrong hit, and the catalog brings everything back."""

import subprocess
import sys
from pathlib import Path

import pytest

from lucastrad.storage.vectors.native import kernel_or_none

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MUTATIONS = 500
KINDS = ("manifest.json", "graph", "vectors.ann", "ids.npy", "frozen", "active")


@pytest.mark.parametrize("native", ["native", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_five_hundred_mutations_of_each_kind_of_file(tmp_path: Path, kind: str, native: str) -> None:
    """In a process of their own, where a signal is seen."""
    if native == "native" and kernel_or_none() is None:
        pytest.skip("the native kernel is not built")
    if native == "plain" and kind == "graph":
        pytest.skip("there is none")
    program = Path(__file__).with_name("vector_index_mutations.py")
    command = [sys.executable, str(program), str(tmp_path), kind, str(MUTATIONS), native]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"after mutation {done.stdout[-5:]}: {done.returncode}\n{done.stderr[-3000:]}"
    assert done.stdout.split() == [str(number) for number in range(MUTATIONS)]
