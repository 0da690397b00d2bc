"""The embedding cache: content key → vector, one file per vector space, shared by all workspaces.

Invariant: a vector that this returns is the one that was put (each carries a CRC-32); a damaged
file or row counts as absent.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import fitting
from lucastrad.storage.fs import ensure_private_folder
from lucastrad.storage.sqlite import (
    StoreCorrupt,
    connect,
    damage,
    set_aside,
    transaction,
    translated_errors,
    translated_values,
)
from lucastrad.types import Passage, VectorSpace

KEY_BYTES = 16
_LOOKUP = 500


def passage_key(passage: Passage) -> bytes:
    """The content address of what an embedder sees of a passage."""
    digest = blake2b(digest_size=KEY_BYTES)
    for part in (passage.path, passage.symbol, passage.text):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "little"))
        digest.update(data)
    return digest.digest()


class EmbeddingCache:
    """Safe for use from several threads."""

    def __init__(self, folder: Path, space: VectorSpace, *, max_bytes: int) -> None:
        ensure_private_folder(folder)
        self._path = cache_file(folder, space)
        self._space = space
        self._max_rows = max(1, max_bytes // (space.dimensions * 4 + 64))
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        try:
            self._open()
        except StoreCorrupt:
            self._recreate()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are there."""
        found: dict[bytes, NDArray[np.float32]] = {}
        try:
            with self._lock, translated_errors():
                for start in range(0, len(keys), _LOOKUP):
                    part = keys[start : start + _LOOKUP]
                    marks = ",".join("?" * len(part))
                    rows = self._open().execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                    for key, blob in rows:
                        vector = self._unpack(blob)
                        if vector is not None:
                            found[key] = vector
        except StoreCorrupt:
            self._recreate()
            return {}
        return found

    def put(self, items: Iterable[tuple[bytes, NDArray[np.float32]]]) -> None:
        """Store vectors; on return they survive a kill of the process.

        Raises LucAstraError (SPACE_MISMATCH) for vectors of another length.
        """
        rows = [(key, self._pack(vector)) for key, vector in items]
        if not rows:
            return
        try:
            self._insert(rows)
        except StoreCorrupt:
            self._recreate()
            self._insert(rows)

    def __len__(self) -> int:
        with self._lock, translated_errors():
            (count,) = self._open().execute("SELECT count(*) FROM vectors").fetchone()
            return int(count)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _insert(self, rows: list[tuple[bytes, bytes]]) -> None:
        with self._lock, translated_errors(), transaction(connection := self._open()):
            connection.executemany("INSERT OR REPLACE INTO vectors(key, vector) VALUES (?, ?)", rows)
            (newest,) = connection.execute("SELECT max(rowid) FROM vectors").fetchone()
            # Rows are numbered in the order of their coming, so the oldest go first.
            connection.execute("DELETE FROM vectors WHERE rowid <= ?", (newest - self._max_rows,))

    def _open(self) -> sqlite3.Connection:
        """The connection; a new one where the last attempt to open it failed (a full disk)."""
        if self._connection is None:
            with translated_errors():
                connection = connect(self._path, durable=False)
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors("
                    "rowid INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"
                )
            self._connection = connection
        return self._connection

    def _recreate(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._path.exists():
                set_aside(self._path, "damaged")
            self._open()

    def _pack(self, vector: NDArray[np.float32]) -> bytes:
        data = np.ascontiguousarray(fitting(vector, self._space), np.float32).tobytes()
        return data + zlib.crc32(data).to_bytes(4, "little")

    def _unpack(self, blob: bytes) -> NDArray[np.float32] | None:
        return np.frombuffer(blob[:-4], np.float32) if _is_whole(blob, self._space) else None


def cache_file(folder: Path, space: VectorSpace) -> Path:
    """Where the cache of a space stands."""
    return folder / f"{space.identity}.sqlite3"


def verify_cache(folder: Path, space: VectorSpace) -> tuple[int, list[str]]:
    """How many vectors the cache holds, and what is wrong with it. Reads only; raises StoreUnavailable."""
    path = cache_file(folder, space)
    if not path.exists():
        return 0, []
    try:
        with translated_values(), closing(connect(path, durable=False, read_only=True)) as connection:
            if found := damage(connection):
                return 0, found
            wholes = [_is_whole(blob, space) for (blob,) in connection.execute("SELECT vector FROM vectors")]
    except StoreCorrupt as error:
        return 0, [str(error)]
    lost = wholes.count(False)
    return len(wholes), [f"{lost} of {len(wholes)} vectors fail their checksum"] if lost else []


def _is_whole(blob: bytes, space: VectorSpace) -> bool:
    data = blob[:-4]
    return len(data) == space.dimensions * 4 and zlib.crc32(data) == int.from_bytes(blob[-4:], "little")
