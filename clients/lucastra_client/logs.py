"""Read the daemon's log: the last lines of it, and what is appended later."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_BLOCK_BYTES = 64 * 1024
_POLL_SECONDS = 0.25


def last_lines(log: BinaryIO, count: int) -> list[str]:
    """The last `count` lines, read from the end; leaves `log` at its end."""
    position = log.seek(0, io.SEEK_END)
    data = b""
    while position > 0 and data.count(b"\n") <= count:
        step = min(_BLOCK_BYTES, position)
        position = log.seek(position - step)
        data = log.read(step) + data
    log.seek(0, io.SEEK_END)
    return [line.decode(errors="replace") for line in data.splitlines()[-count:]]


def follow(path: Path, log: BinaryIO) -> Iterator[str]:
    """Lines as they are appended, for ever; goes on with the new file when the log is rotated.

    Takes ownership of `log`, which is `path` opened, and closes it.
    """
    unfinished = b""
    while True:
        if block := log.read(_BLOCK_BYTES):
            *lines, unfinished = (unfinished + block).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
        elif (newer := _replacement(path, log)) is not None:
            log.close()
            log, unfinished = newer, b""
        else:
            time.sleep(_POLL_SECONDS)


def _replacement(path: Path, log: BinaryIO) -> BinaryIO | None:
    """The file that has taken the log's place, or the log itself when it has been cut."""
    old = os.fstat(log.fileno())
    try:
        newer = path.open("rb")
    except FileNotFoundError:  # between the two renames of a rotation
        return None
    new = os.fstat(newer.fileno())
    if (new.st_dev, new.st_ino) != (old.st_dev, old.st_ino) or new.st_size < log.tell():
        return newer
    newer.close()
    return None
