"""Answers as files that any editor can open: Markdown in the `answers` folder of LucAstra's home.

Invariant: for this user only (they quote source), and the newest MOST_FILES at most.
"""

import time
from contextlib import suppress
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.storage.fs import ensure_private_folder, publish

MOST_FILES = 50


def write_answer(home: Path, kind: str, text: str) -> Path:
    """Write a new file beneath `home`, and remove the oldest. Blocking: call it from a thread.

    Raises:
        LucAstraError: STORE_UNAVAILABLE when it cannot be written.
    """
    folder = home / "answers"
    try:
        ensure_private_folder(folder)
        # A new name each time: an editor does not read a file again that it has open. Names sort by time: in UTC, and
        # of one reading of the clock.
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{nanoseconds:09}-{kind}.md"
        publish(path, text.encode("utf-8", "replace"))
        for old in sorted(folder.glob("*.md"))[:-MOST_FILES]:
            with suppress(FileNotFoundError):  # another session removes it as well
                old.unlink()
    except OSError as error:
        raise LucAstraError(
            f"the answer cannot be written to {folder} ({error.strerror}); free disk space or make it writable",
            code=ErrorCode.STORE_UNAVAILABLE,
        ) from error
    return path
