"""The embedding cache: content key → vector, one file per vector space, shared by all workspaces.

Invariant: a vector that this returns is the one that was put (each carries a CRC-32); a damaged
file or row counts as absent.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucastrad.storage.fs import ensure_private_folder
from lucastrad.storage.sqlite import StoreCorrupt, connect, set_aside, transaction, translated_errors
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
        self._path = folder / f"{space.identity}.sqlite3"
        self._space = space
        self._max_rows = max(1, max_bytes // (space.dimensions * 4 + 64))
        self._lock = threading.Lock()
        self._connection = self._open()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors that are there."""
        found: dict[bytes, NDArray[np.float32]] = {}
        try:
            with self._lock, translated_errors():
                for start in range(0, len(keys), _LOOKUP):
                    part = keys[start : start + _LOOKUP]
                    marks = ",".join("?" * len(part))
                    rows = self._connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                    for key, blob in rows:
                        vector = self._unpack(blob)
                        if vector is not None:
                            found[key] = vector
        except StoreCorrupt:
            self._recreate()
            return {}
        return found

    def put(self, items: Iterable[tuple[bytes, NDArray[np.float32]]]) -> None:
        """Store vectors; on return they survive a kill of the process."""
        rows = [(key, self._pack(vector)) for key, vector in items]
        try:
            self._insert(rows)
        except StoreCorrupt:
            self._recreate()
            self._insert(rows)

    def __len__(self) -> int:
        with self._lock, translated_errors():
            (count,) = self._connection.execute("SELECT count(*) FROM vectors").fetchone()
            return int(count)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _insert(self, rows: list[tuple[bytes, bytes]]) -> None:
        with self._lock, transaction(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO vectors(key, vector) VALUES (?, ?)", rows)
            (newest,) = self._connection.execute("SELECT max(rowid) FROM vectors").fetchone()
            # Rows are numbered in the order of their coming, so the oldest go first.
            self._connection.execute("DELETE FROM vectors WHERE rowid <= ?", (newest - self._max_rows,))

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except StoreCorrupt:
            set_aside(self._path, "damaged")
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        with translated_errors():
            connection = connect(self._path, durable=False)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors("
                "rowid INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"
            )
            return connection

    def _recreate(self) -> None:
        with self._lock:
            self._connection.close()
            if self._path.exists():
                set_aside(self._path, "damaged")
            self._connection = self._connect()

    @staticmethod
    def _pack(vector: NDArray[np.float32]) -> bytes:
        data = np.ascontiguousarray(vector, np.float32).tobytes()
        return data + zlib.crc32(data).to_bytes(4, "little")

    def _unpack(self, blob: bytes) -> NDArray[np.float32] | None:
        data = blob[:-4]
        if len(data) != self._space.dimensions * 4 or zlib.crc32(data) != int.from_bytes(blob[-4:], "little"):
            return None
        return np.frombuffer(data, np.float32)
