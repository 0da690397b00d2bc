"""One owner of the store, whatever became of the last one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.storage.lock import own_store


def test_the_owner_is_named_to_the_second(tmp_path: Path) -> None:
    lock = tmp_path / "home" / "lucastrad.lock"
    with own_store(lock):
        assert lock.read_text() == f"{os.getpid()}\n"
        assert (lock.stat().st_mode & 0o777, lock.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        named = pytest.raises(LucAstraError, match=f"process {os.getpid()}; run `lucastra-client stop`")
        with named as refused, own_store(lock):
            pass
        assert refused.value.code == ErrorCode.INDEX_LOCKED
        assert lock.read_text() == f"{os.getpid()}\n"


def test_the_store_is_free_again_after_use_and_after_a_failure(tmp_path: Path) -> None:
    lock = tmp_path / "lucastrad.lock"
    for _ in range(2):
        with pytest.raises(KeyError), own_store(lock):
            raise KeyError
    with own_store(lock):
        pass


def test_what_a_lock_file_says_does_not_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lucastrad.lock"
    lock.write_text("1\n")
    with own_store(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_store_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file is in the way")
    with pytest.raises(LucAstraError, match="LUCASTRA_HOME") as refused, own_store(tmp_path / "home" / "lock"):
        pass
    assert refused.value.code == ErrorCode.STORE_UNAVAILABLE


@pytest.mark.slow
def test_a_killed_owner_frees_the_store(tmp_path: Path) -> None:
    lock = tmp_path / "lucastrad.lock"
    owner = (
        "import sys; from pathlib import Path; from lucastrad.storage.lock import own_store\n"
        "with own_store(Path(sys.argv[1])): print('owned', flush=True); sys.stdin.read()"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", owner, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"owned\n"
            with pytest.raises(LucAstraError, match=f"process {process.pid};"), own_store(lock):
                pass
            process.send_signal(signal.SIGKILL)
            process.wait()
            with own_store(lock):
                pass
