"""Read configuration files: the only code of `lucastrad.config` that touches the disk.

Invariant: never blocks on a FIFO or a device, never reads more than MAX_FILE_BYTES.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 1_048_576

Fingerprint = tuple[int, ...]
"""Changes when the file does: (device, inode, size in bytes, mtime and ctime in ns); empty where there is none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as it stood at one moment."""

    fingerprint: Fingerprint = ()
    data: bytes | None = None
    """None where there is no file, or `failure` says why it could not be read."""
    failure: str = ""
    readable_by_others: bool = False


def fingerprint(path: Path, *, follow_links: bool) -> Fingerprint:
    """What tells whether the file at `path` changed since it was read."""
    try:
        return _fingerprint(path.stat(follow_symlinks=follow_links))
    except (OSError, ValueError):
        return ()


def read(path: Path, *, follow_links: bool) -> Reading:
    """The file at `path`. A user may link to a config kept elsewhere; a workspace's links are not followed."""
    before = fingerprint(path, follow_links=follow_links)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return Reading(before)
    except OSError as error:
        is_link = not follow_links and path.is_symlink()
        reason = "it is a symbolic link" if is_link else _reason(error)
        return Reading(before, failure=f"the file cannot be read: {reason}")
    try:
        return _read_open(descriptor)
    finally:
        os.close(descriptor)


def _read_open(descriptor: int) -> Reading:
    info = os.fstat(descriptor)
    mark = _fingerprint(info)
    if not stat.S_ISREG(info.st_mode):
        return Reading(mark, failure="it is not a regular file")
    if info.st_size > MAX_FILE_BYTES:
        return Reading(mark, failure=f"the file has more than {MAX_FILE_BYTES} bytes")
    try:
        data = os.read(descriptor, MAX_FILE_BYTES)
    except OSError as error:
        return Reading(mark, failure=f"the file cannot be read: {_reason(error)}")
    return Reading(mark, data, readable_by_others=bool(info.st_mode & 0o044))


def _fingerprint(info: os.stat_result) -> Fingerprint:
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
