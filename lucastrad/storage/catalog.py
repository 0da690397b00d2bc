"""The catalog: the single truth about a workspace's files and chunks.

Invariant: every change is one transaction with the next sequence number, and chunk ids are never
used twice, so that derived indexes can replay what came after the number they have reached.
"""

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from lucastrad.storage.catalog_reader import SCHEMA, SCHEMA_VERSION, CatalogReader, other_version
from lucastrad.storage.records import NO_CHUNKS, ChunkSpan, Commit, Counts, IndexedFile
from lucastrad.storage.sqlite import StoreCorrupt, connect, transaction, translated_errors
from lucastrad.types import Stat, VectorSpace


class Catalog(CatalogReader):
    """One writer, many readers. Blocking: call it from a thread."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises StoreCorrupt when the file is damaged or of an unknown version."""
        super().__init__(path)
        with translated_errors():
            self._writer = connect(path, durable=True)
            try:
                self._prepare()
            except BaseException:
                self._writer.close()
                raise
        self._write_lock = threading.Lock()
        self._counted: tuple[int, Counts] | None = None

    def counts(self) -> Counts:
        """Totals for status, remembered until something is written: 285,000 chunks take 75 ms to count."""
        # Under the lock: amid a transaction, its changes are numbered already while readers do not see them yet.
        with self._write_lock:
            changes = self._writer.total_changes
        counted = self._counted
        if counted is None or counted[0] != changes:
            # What is written while this counts only makes it count again.
            counted = self._counted = (changes, super().counts())
        return counted[1]

    def _prepare(self) -> None:
        if self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            self._check_version()  # before the tables of this version are added to those of another
        self._writer.executescript(SCHEMA)
        with transaction(self._writer):
            for key, value in (("version", SCHEMA_VERSION), ("seq", 0), ("next_chunk", 1), ("rules", 0)):
                self._writer.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
        self._check_version()

    def _check_version(self) -> None:
        noted = self._writer.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        if noted is not None and noted[0] != SCHEMA_VERSION:
            raise StoreCorrupt(other_version(noted[0]))

    def commit(self, files: Sequence[IndexedFile], gone: Iterable[str] = ()) -> Commit:
        """Replace what is known of `files` and forget `gone`, durably and as a whole.

        A folder in `gone` (its path ends in `/`) takes everything below it along.
        """
        with self._write_lock, transaction(self._writer):
            seq = self._next_seq()
            removed = [span for path in gone for span in self._forget(path)]
            next_chunk = self._meta("next_chunk")
            added: list[tuple[IndexedFile, ChunkSpan]] = []
            for file in files:
                removed += self._supersede(file)
                span = ChunkSpan(next_chunk, next_chunk + len(file.chunks) - 1) if file.chunks else NO_CHUNKS
                next_chunk += len(file.chunks)
                self._insert(file, span, seq)
                added.append((file, span))
            removed = [span for span in removed if span != NO_CHUNKS]
            for span in removed:
                self._writer.execute("DELETE FROM chunks WHERE id BETWEEN ? AND ?", (span.first, span.last))
                self._writer.execute("DELETE FROM texts WHERE chunk BETWEEN ? AND ?", (span.first, span.last))
                self._writer.execute("INSERT INTO deletions VALUES (?, ?, ?)", (seq, span.first, span.last))
            self._set_meta("next_chunk", next_chunk)
        for span in removed:
            for chunk in range(span.first, span.last + 1):
                self._outlines.pop(chunk, None)
        return Commit(seq, added, removed)

    def touch(self, files: Iterable[tuple[str, Stat]]) -> None:
        """Note the new Stat of files whose content did not change."""
        with self._write_lock, transaction(self._writer):
            self._writer.executemany(
                "UPDATE files SET size=?, mtime_ns=?, ctime_ns=?, inode=? WHERE path=?",
                [(s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode, path) for path, s in files],
            )

    def mark_embedded(self, ids: Sequence[int]) -> set[int]:
        """Note that these chunks' vectors are in the cache; returns those that still exist."""
        with self._write_lock, transaction(self._writer):
            seq = self._next_seq()
            alive: set[int] = set()
            for chunk in ids:
                cursor = self._writer.execute("UPDATE chunks SET embedded_seq=? WHERE id=?", (seq, chunk))
                if cursor.rowcount:
                    alive.add(chunk)
            return alive

    def mark_unembedded(self, ids: Iterable[int]) -> None:
        """Put chunks back in line for embedding."""
        with self._write_lock, transaction(self._writer):
            self._writer.executemany("UPDATE chunks SET embedded_seq=NULL WHERE id=?", [(i,) for i in ids])

    def enter_space(self, space: VectorSpace, *, replacing: VectorSpace | None) -> None:
        """Embed in `space` from now on: no chunk has a vector in it yet."""
        with self._write_lock, transaction(self._writer):
            self._writer.execute("UPDATE chunks SET embedded_seq=NULL WHERE embedded_seq IS NOT NULL")
            self._writer.execute("DELETE FROM spaces")
            for role, noted in (("current", space), ("replaced", replacing)):
                if noted is not None:
                    row = (role, noted.provider, noted.model, noted.dimensions)
                    self._writer.execute("INSERT INTO spaces VALUES (?,?,?,?)", row)

    def leave_replaced_space(self) -> None:
        """The current space has replaced the one before it."""
        with self._write_lock, transaction(self._writer):
            self._writer.execute("DELETE FROM spaces WHERE role='replaced'")

    def forget_deletions(self, through_seq: int) -> None:
        """Drop the deletions that every derived index has applied."""
        with self._write_lock, transaction(self._writer):
            self._writer.execute("DELETE FROM deletions WHERE seq <= ?", (through_seq,))

    def set_rules(self, digest: int) -> None:
        """Note under which rules every file was last looked at."""
        with self._write_lock, transaction(self._writer):
            self._set_meta("rules", digest)

    def _insert(self, file: IndexedFile, span: ChunkSpan, seq: int) -> None:
        stat = file.stat
        cursor = self._writer.execute(
            "INSERT INTO files(path, name, state, reason, language, size, mtime_ns, ctime_ns, inode, hash,"
            " first_chunk, last_chunk, seq) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                file.path, file.path.rpartition("/")[2], file.state.value, file.reason, file.language,
                stat.size_bytes, stat.mtime_ns, stat.ctime_ns, stat.inode, file.hash, span.first, span.last, seq,
            ),
        )  # fmt: skip
        owner = cursor.lastrowid
        rows = enumerate(zip(file.chunks, file.keys, strict=True), span.first)
        self._writer.executemany(
            "INSERT INTO chunks VALUES (?,?,?,?,?,?,?,NULL)",
            [(i, owner, c.start_line, c.end_line, c.symbol, c.kind, key) for i, (c, key) in rows],
        )
        self._writer.executemany(
            "INSERT INTO texts VALUES (?,?)", [(i, c.text) for i, c in enumerate(file.chunks, span.first)]
        )

    def _supersede(self, file: IndexedFile) -> list[ChunkSpan]:
        """Forget the older version of `file`, and anything that its path now rules out."""
        removed = self._forget(file.path)
        if not file.path.endswith("/"):
            # A folder was replaced by a file of the same name.
            removed += self._forget(file.path + "/")
        return removed

    def _forget(self, path: str) -> list[ChunkSpan]:
        if path.endswith("/"):
            # Everything from "a/" up to, not including, "a0": '0' follows '/' in UTF-8.
            where, values = "path >= ? AND path < ?", (path, path[:-1] + "0")
        else:
            where, values = "path = ? OR path = ?", (path, path + "/")
        rows = self._writer.execute(f"DELETE FROM files WHERE {where} RETURNING first_chunk, last_chunk", values)
        return [ChunkSpan(first, last) for first, last in rows.fetchall()]

    def _next_seq(self) -> int:
        seq = self._meta("seq") + 1
        self._set_meta("seq", seq)
        return seq

    def _meta(self, key: str) -> int:
        (value,) = self._writer.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return int(value)

    def _set_meta(self, key: str, value: int) -> None:
        self._writer.execute("UPDATE meta SET value=? WHERE key=?", (value, key))

    def close(self) -> None:
        """Close every connection; committed data needs no flush."""
        with self._write_lock:
            super().close()
            self._writer.close()
