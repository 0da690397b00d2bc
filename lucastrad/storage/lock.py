"""One owner of the store.

Invariant: ownership is an flock, never the existence of a file, so the kernel ends it when the
owner dies, however it dies. The file itself is never removed: two processes that lock two files of
one name would both own the store.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError


@contextmanager
def own_store(lock: Path) -> Iterator[None]:
    """Own the store that `lock` stands for until the block ends; its text is the owner's pid.

    A child made by fork without exec would share the ownership and prolong it: start workers by spawn.

    Raises:
        LucAstraError: INDEX_LOCKED with the owner's pid while another process owns the store,
            STORE_UNAVAILABLE when the file cannot be made or locked.
    """
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unavailable(lock, error) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            raise _owned(fd) from None
        except OSError as error:
            raise _unavailable(lock, error) from error
        yield
        os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _owned(fd: int) -> LucAstraError:
    pid = os.pread(fd, 32, 0).strip().decode("ascii", "replace")
    owner = f"process {pid}" if pid.isdigit() else "another process"
    return LucAstraError(f"the index is open in {owner}; run `lucastra-client stop` first", code=ErrorCode.INDEX_LOCKED)


def _unavailable(lock: Path, error: OSError) -> LucAstraError:
    cure = "free disk space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make its folder writable"
    return LucAstraError(
        f"cannot lock {lock}: {error.strerror or error}; {cure}, or set LUCASTRA_HOME to another folder",
        code=ErrorCode.STORE_UNAVAILABLE,
    )
