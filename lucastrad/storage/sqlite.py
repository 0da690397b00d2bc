"""SQLite connections as every store here opens them, and its errors in the user's words."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DAMAGE = re.compile(r"Could not decode to UTF-8|no such (?:column|table)|has no column named")
"""What the sqlite3 module says, with no telling code, of a text column or a schema that was overwritten."""
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


class StoreUnavailable(LucAstraError):
    """The disk is full, or the store's folder cannot be written. Nothing committed is lost."""

    code = ErrorCode.STORE_UNAVAILABLE


class StoreClosed(StoreUnavailable):
    """The store was closed meanwhile: its workspace is being rebuilt, or was removed."""


class StoreCorrupt(Exception):
    """A database file is damaged: set it aside and build a new one."""


def connect(path: Path, *, durable: bool, read_only: bool = False) -> sqlite3.Connection:
    """Open in WAL mode with autocommit; `durable` commits survive a power cut, others a kill -9."""
    target = f"file:{_quote(path)}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        target, uri=True, isolation_level=None, check_same_thread=False, cached_statements=64, timeout=10.0
    )
    try:
        # KiB: readers are several a workspace, and the system caches the file's pages as well.
        connection.execute(f"PRAGMA cache_size = {-1024 if read_only else -8192}")
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; raises StoreUnavailable or StoreCorrupt in place of SQLite's own errors."""
    with translated_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn SQLite's errors into the two that callers act on."""
    try:
        yield
    except UnicodeDecodeError as error:  # the message of an error that quotes a damaged schema
        raise StoreCorrupt(str(error)) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT or _DAMAGE.search(str(error)):
            raise StoreCorrupt(str(error)) from error
        if code in _FULL:
            raise StoreUnavailable(
                f"the index cannot be written ({error}); free disk space or check the permissions of the"
                " LucAstra folder: indexing resumes by itself"
            ) from error
        raise


@contextmanager
def translated_values() -> Iterator[None]:
    """`translated_errors` for reading: a value that no writer has written is damage too."""
    with translated_errors():
        try:
            yield
        except ValueError as error:
            raise StoreCorrupt(str(error)) from error


def damage(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's own check finds wrong with the pages of a database; takes as long as reading it."""
    try:
        with translated_errors():
            found = [str(message) for (message,) in connection.execute("PRAGMA quick_check(5)")]
    except StoreCorrupt as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def set_aside(path: Path, label: str) -> Path:
    """Rename a damaged database (and drop its WAL) so that a new one can take its place."""
    target = path.with_name(f"{path.name}.{label}")
    path.replace(target)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return target


def _quote(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))
