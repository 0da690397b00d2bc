"""The catalog: the single truth about a workspace's files and chunks.

Invariant: every change is one transaction with the next sequence number, and chunk ids are never
used twice, so that derived indexes can replay what came after the number they have reached.
"""

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lucastrad.storage.sqlite import (
    StoreClosed,
    StoreCorrupt,
    connect,
    damage,
    transaction,
    translated_errors,
    translated_values,
)
from lucastrad.types import Chunk, FileReport, FileState, Stat, StoredChunk, VectorSpace

SCHEMA_VERSION = 2
"""Raise it with every change to the tables, or to how files are cut: a catalog of another version is built anew."""
_IDLE_READERS = 4
_OUTLINES = 16_384
"""Remembered for searches: about 5 MB."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spaces(
    role TEXT PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, dimensions INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, state TEXT NOT NULL, reason TEXT NOT NULL,
    language TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, hash BLOB NOT NULL, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL,
    seq INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_by_chunk ON files(first_chunk);
CREATE INDEX IF NOT EXISTS files_by_seq ON files(seq);
CREATE TABLE IF NOT EXISTS chunks(
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    symbol TEXT NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, embedded_seq INTEGER);
CREATE TABLE IF NOT EXISTS texts(chunk INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deletions(seq INTEGER NOT NULL, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL);
"""

_CHUNK_COLUMNS = (
    "c.id, f.path, f.language, c.symbol, c.kind, c.start_line, c.end_line, t.text"
    " FROM chunks c JOIN files f ON f.id = c.file JOIN texts t ON t.chunk = c.id"
)


class ChunkTerms(msgspec.Struct, frozen=True, array_like=True):
    """Keyword terms, blank-separated."""

    body: str
    symbol: str


class IndexedFile(msgspec.Struct, frozen=True, array_like=True):
    """What a worker found out about one file; `chunks` is empty unless it was indexed."""

    path: str
    state: FileState
    reason: str
    language: str
    stat: Stat
    hash: bytes
    chunks: list[Chunk] = []
    keys: list[bytes] = []
    """The embedding key of each chunk."""
    terms: list[ChunkTerms] = []
    """The keyword terms of each chunk."""
    path_terms: str = ""


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """Chunk ids `first`..`last`, inclusive: all chunks of one version of one file."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the next scan compares with."""

    stat: Stat
    state: FileState
    reason: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What one transaction changed."""

    seq: int
    added: list[tuple[IndexedFile, ChunkSpan]]
    removed: list[ChunkSpan]


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk without a vector."""

    id: int
    key: bytes
    path: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class Spaces:
    """The vector spaces that a workspace is concerned with."""

    current: VectorSpace | None
    """The one that chunks are embedded in; None before the first `enter_space`."""
    replaced: VectorSpace | None
    """The one before it, until every chunk has a vector in the current one."""


@dataclass(frozen=True, slots=True)
class Counts:
    files: int
    skipped: int
    failed: int
    chunks: int
    embedded: int
    languages: dict[str, int]


NO_CHUNKS = ChunkSpan(0, -1)


class CatalogReader:
    """Reads only, beside whoever writes. Safe for use from several threads. Blocking: call it from a thread.

    Every method raises StoreCorrupt for a damaged file, StoreUnavailable for one that cannot be read, and StoreClosed
    after `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers: list[sqlite3.Connection] = []
        self._reading = 0
        self._readers_change = threading.Condition()
        self._closed = False
        self._outlines: dict[int, tuple[str, str, str, str, int]] = {}

    def seq(self) -> int:
        """The number of the last transaction."""
        with self._reader() as reader:
            (value,) = reader.execute("SELECT value FROM meta WHERE key='seq'").fetchone()
            return int(value)

    def rules(self) -> int:
        """The digest that `set_rules` was given last; 0 for none."""
        with self._reader() as reader:
            (value,) = reader.execute("SELECT value FROM meta WHERE key='rules'").fetchone()
            return int(value)

    def spaces(self) -> Spaces:
        """What `enter_space` noted."""
        with self._reader() as reader:
            rows = reader.execute("SELECT role, provider, model, dimensions FROM spaces").fetchall()
            noted = {role: VectorSpace(str(provider), str(model), int(size)) for role, provider, model, size in rows}
            return Spaces(noted.get("current"), noted.get("replaced"))

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """The chunks that (still) exist, by id."""
        with self._reader() as reader:
            marks = ",".join("?" * len(ids))
            rows = reader.execute(f"SELECT {_CHUNK_COLUMNS} WHERE c.id IN ({marks})", ids)
            return {row[0]: StoredChunk(*row) for row in rows}

    def outlines(self, ids: Sequence[int]) -> dict[int, tuple[str, str, str, str, int]]:
        """(path, language, symbol, kind, first line) by id: what ranking needs of many candidates.

        Remembered until a commit deletes them: a chunk never changes, and its id is never used again.
        """
        known = self._outlines
        if len(known) > _OUTLINES:
            known = self._outlines = {}
        if unknown := [chunk for chunk in ids if chunk not in known]:
            with self._reader() as reader:
                marks = ",".join("?" * len(unknown))
                rows = reader.execute(
                    "SELECT c.id, f.path, f.language, c.symbol, c.kind, c.start_line"
                    f" FROM chunks c JOIN files f ON f.id = c.file WHERE c.id IN ({marks})",
                    unknown,
                )
                known.update((row[0], row[1:]) for row in rows)
        # A commit may delete some of them between a look and the next.
        return {chunk: row for chunk in ids if (row := known.get(chunk)) is not None}

    def chunk_at(self, path: str, line: int) -> StoredChunk | None:
        """The chunk of `path` that holds 1-based `line`, or the nearest before it."""
        with self._reader() as reader:
            row = reader.execute(
                f"SELECT {_CHUNK_COLUMNS} WHERE f.path = ? AND c.id BETWEEN f.first_chunk AND f.last_chunk"
                " ORDER BY c.start_line > ?, abs(c.start_line - ?) LIMIT 1",
                (path, line, line),
            ).fetchone()
            return StoredChunk(*row) if row else None

    def definitions(self, letters: str, *, folder: str, kinds: Collection[str], limit: int) -> list[tuple[int, str]]:
        """(id, symbol) of chunks of `kinds` below `folder` whose symbol has `letters` in this order, others between.

        Case counts for letters outside ASCII only. The likeliest `limit`: symbols with a part that begins with
        `letters` first, then those that hold them unbroken; short ones first.
        """
        whole, loose = _like(letters), "".join(f"%{_like(letter)}" for letter in letters)
        matches, marks = "c.symbol LIKE ? ESCAPE '\\'", ",".join("?" * len(kinds))
        below, bounds = _below(folder)
        with self._reader() as reader:
            return reader.execute(
                f"SELECT c.id, c.symbol FROM chunks c WHERE {matches} AND c.kind IN ({marks}){below}"
                f" ORDER BY CASE WHEN {matches} OR {matches} THEN 0 WHEN {matches} THEN 1 ELSE 2 END,"
                " length(c.symbol), c.id LIMIT ?",
                (f"{loose}%", *kinds, *bounds, f"{whole}%", f"%.{whole}%", f"%{whole}%", limit),
            ).fetchall()

    def containing(self, letters: str, *, folder: str, kinds: Collection[str], limit: int) -> list[StoredChunk]:
        """At most `limit` chunks of `kinds` below `folder` whose text has `letters`; case as in `definitions`."""
        marks = ",".join("?" * len(kinds))
        below, bounds = _below(folder)
        with self._reader() as reader:
            rows = reader.execute(
                f"SELECT {_CHUNK_COLUMNS} WHERE c.kind IN ({marks}) AND t.text LIKE ? ESCAPE '\\'{below} LIMIT ?",
                (*kinds, f"%{_like(letters)}%", *bounds, limit),
            )
            return [StoredChunk(*row) for row in rows]

    def known_file(self, path: str) -> KnownFile | None:
        """One file's entry."""
        with self._reader() as reader:
            row = reader.execute(
                "SELECT size, mtime_ns, ctime_ns, inode, state, reason FROM files WHERE path=?", (path,)
            ).fetchone()
            return KnownFile(Stat(*row[:4]), FileState(row[4]), row[5]) if row else None

    def hashes(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Content hashes of indexed files."""
        with self._reader() as reader:
            marks = ",".join("?" * len(paths))
            rows = reader.execute(
                f"SELECT path, hash FROM files WHERE state='indexed' AND path IN ({marks})",
                paths,
            )
            return dict(rows.fetchall())

    def versions(self, paths: Collection[str]) -> dict[str, tuple[bytes, int]]:
        """(content hash, number of chunks) of those of `paths` that are indexed."""
        with self._reader() as reader:
            marks = ",".join("?" * len(paths))
            rows = reader.execute(
                "SELECT path, hash, last_chunk - first_chunk + 1 FROM files"
                f" WHERE state='indexed' AND path IN ({marks})",
                list(paths),
            )
            return {path: (content_hash, chunks) for path, content_hash, chunks in rows}

    def spans(self, folder: str = "", languages: Collection[str] = ()) -> list[tuple[str, ChunkSpan]]:
        """(path, chunk ids) of every file with chunks, by ascending id: below `folder`, in one of `languages`."""
        where, values = "first_chunk > 0", []
        if folder:
            where += " AND path >= ? AND path < ?"
            values += [f"{folder}/", f"{folder}0"]
        if languages:
            where += f" AND language IN ({','.join('?' * len(languages))})"
            values += list(languages)
        with self._reader() as reader:
            rows = reader.execute(
                f"SELECT path, first_chunk, last_chunk FROM files WHERE {where} ORDER BY first_chunk", values
            )
            return [(path, ChunkSpan(first, last)) for path, first, last in rows]

    def languages(self) -> set[str]:
        """Every language that an indexed file has."""
        with self._reader() as reader:
            return {name for (name,) in reader.execute("SELECT DISTINCT language FROM files WHERE first_chunk > 0")}

    def pending(self, after_id: int, limit: int) -> list[PendingChunk]:
        """Chunks without a vector, by ascending id."""
        with self._reader() as reader:
            rows = reader.execute(
                "SELECT c.id, c.key, f.path, c.symbol, t.text FROM chunks c JOIN files f ON f.id = c.file"
                " JOIN texts t ON t.chunk = c.id WHERE c.id > ? AND c.embedded_seq IS NULL ORDER BY c.id LIMIT ?",
                (after_id, limit),
            )
            return [PendingChunk(*row) for row in rows]

    def embedded_after(self, seq: int) -> list[tuple[int, bytes]]:
        """(id, key) of chunks embedded after `seq`, by ascending id."""
        with self._reader() as reader:
            return reader.execute("SELECT id, key FROM chunks WHERE embedded_seq > ? ORDER BY id", (seq,)).fetchall()

    def chunk_keys(self) -> list[tuple[int, bytes]]:
        """(id, key) of every chunk, by ascending id."""
        with self._reader() as reader:
            return reader.execute("SELECT id, key FROM chunks ORDER BY id").fetchall()

    def spans_after(self, seq: int) -> list[ChunkSpan]:
        """Chunk spans of files committed after `seq`."""
        with self._reader() as reader:
            rows = reader.execute(
                "SELECT first_chunk, last_chunk FROM files WHERE seq > ? AND first_chunk > 0 ORDER BY first_chunk",
                (seq,),
            )
            return [ChunkSpan(first, last) for first, last in rows]

    def deletions_after(self, seq: int) -> list[ChunkSpan]:
        """Chunk spans deleted after `seq`."""
        with self._reader() as reader:
            rows = reader.execute("SELECT first_chunk, last_chunk FROM deletions WHERE seq > ?", (seq,))
            return [ChunkSpan(first, last) for first, last in rows]

    def verify(self) -> list[str]:
        """What is wrong with the file: its pages, or its version."""
        with self._reader() as reader:
            if found := damage(reader):
                return found
            (version,) = reader.execute("SELECT value FROM meta WHERE key='version'").fetchone()
            return [] if version == SCHEMA_VERSION else [_other_version(version)]

    def ledger(self, seq: int) -> tuple[list[tuple[int, int]], list[ChunkSpan]]:
        """(id, number of the transaction that noted its vector; 0 for none) of every chunk, and the spans deleted
        after `seq`: both of one moment."""
        with self._reader() as reader:
            reader.execute("BEGIN")
            try:
                rows = reader.execute("SELECT id, coalesce(embedded_seq, 0) FROM chunks ORDER BY id").fetchall()
                deleted = reader.execute(
                    "SELECT first_chunk, last_chunk FROM deletions WHERE seq > ?", (seq,)
                ).fetchall()
            finally:
                reader.execute("ROLLBACK")
            return rows, [ChunkSpan(first, last) for first, last in deleted]

    def chunks_between(self, span: ChunkSpan) -> list[StoredChunk]:
        """A file version's chunks, by ascending id."""
        with self._reader() as reader:
            rows = reader.execute(
                f"SELECT {_CHUNK_COLUMNS} WHERE c.id BETWEEN ? AND ? ORDER BY c.id", (span.first, span.last)
            )
            return [StoredChunk(*row) for row in rows]

    def counts(self) -> Counts:
        """Totals for status."""
        with self._reader() as reader:
            states = dict(reader.execute("SELECT state, count(*) FROM files GROUP BY state").fetchall())
            chunks, embedded = reader.execute("SELECT count(*), count(embedded_seq) FROM chunks").fetchone()
            languages = reader.execute(
                "SELECT language, count(*) FROM files WHERE state='indexed' GROUP BY language ORDER BY 2 DESC"
            ).fetchall()
        return Counts(
            files=states.get("indexed", 0),
            skipped=states.get("skipped", 0),
            failed=states.get("failed", 0),
            chunks=chunks,
            embedded=embedded,
            languages=dict(languages),
        )

    def file_reports(self, *, skipped_only: bool, offset: int, limit: int) -> tuple[list[FileReport], int]:
        """One page of files by path, and how many there are."""
        where = "WHERE state != 'indexed'" if skipped_only else ""
        with self._reader() as reader:
            (total,) = reader.execute(f"SELECT count(*) FROM files {where}").fetchone()
            rows = reader.execute(
                f"SELECT path, state, reason, language, last_chunk - first_chunk + 1, size FROM files {where}"
                " ORDER BY path LIMIT ? OFFSET ?",
                (limit, offset),
            )
            return [FileReport(p, FileState(s), r, lang, n, size) for p, s, r, lang, n, size in rows], total

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._readers_change:
            if self._closed:
                raise StoreClosed("this index was closed while it was read; ask again")
            connection = self._readers.pop() if self._readers else None
            self._reading += 1
        try:
            with translated_values():
                if connection is None:
                    connection = connect(self._path, durable=False, read_only=True)
                yield connection
        finally:
            with self._readers_change:
                self._reading -= 1
                if connection is not None and len(self._readers) < _IDLE_READERS:
                    self._readers.append(connection)
                elif connection is not None:
                    connection.close()
                self._readers_change.notify_all()

    def close(self) -> None:
        """Close every connection, when those who read are through (no read takes longer than a second).

        Whoever sets the file aside relies on this: SQLite finds the -wal and -shm files by name, so that a reader of
        the old file would read, and truncate, those of the new one.
        """
        with self._readers_change:
            self._closed = True
            self._readers_change.wait_for(lambda: not self._reading)
            for reader in self._readers:
                reader.close()
            self._readers.clear()


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
        self._writer.executescript(_SCHEMA)
        with transaction(self._writer):
            for key, value in (("version", SCHEMA_VERSION), ("seq", 0), ("next_chunk", 1), ("rules", 0)):
                self._writer.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
        if self._meta("version") != SCHEMA_VERSION:
            raise StoreCorrupt(_other_version(self._meta("version")))

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
            "INSERT INTO files(path, state, reason, language, size, mtime_ns, ctime_ns, inode, hash,"
            " first_chunk, last_chunk, seq) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                file.path, file.state.value, file.reason, file.language, stat.size_bytes, stat.mtime_ns,
                stat.ctime_ns, stat.inode, file.hash, span.first, span.last, seq,
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


def _like(letters: str) -> str:
    """`letters` as they stand in a pattern of LIKE."""
    return "".join(f"\\{letter}" if letter in "%_\\" else letter for letter in letters)


def _below(folder: str) -> tuple[str, list[str]]:
    """The condition on chunks `c` that their files are below `folder` (none for ""), and its values."""
    if not folder:
        return "", []
    return " AND c.file IN (SELECT id FROM files WHERE path >= ? AND path < ?)", [f"{folder}/", f"{folder}0"]


def _other_version(version: int) -> str:
    return f"catalog version {version}, this daemon writes {SCHEMA_VERSION}"
