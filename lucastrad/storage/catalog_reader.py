"""What a catalog is asked: by searches, by reports, and by the indexes that follow it."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lucastrad.storage.records import ChunkSpan, Counts, KnownFile, PendingChunk, Spaces
from lucastrad.storage.sqlite import StoreClosed, connect, damage, translated_values
from lucastrad.types import FileReport, FileState, Outline, Stat, StoredChunk, VectorSpace

SCHEMA_VERSION = 3
"""Raise it with every change to the tables, or to how files are cut: a catalog of another version is built anew."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spaces(
    role TEXT PRIMARY KEY, provider TEXT NOT NULL, model TEXT NOT NULL, dimensions INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files(
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    language TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, hash BLOB NOT NULL, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL,
    seq INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_by_chunk ON files(first_chunk);
CREATE INDEX IF NOT EXISTS files_by_name ON files(name);
CREATE INDEX IF NOT EXISTS files_by_seq ON files(seq);
CREATE TABLE IF NOT EXISTS chunks(
    id INTEGER PRIMARY KEY, file INTEGER NOT NULL, start_line INTEGER NOT NULL, end_line INTEGER NOT NULL,
    symbol TEXT NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, embedded_seq INTEGER);
CREATE TABLE IF NOT EXISTS texts(chunk INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deletions(seq INTEGER NOT NULL, first_chunk INTEGER NOT NULL, last_chunk INTEGER NOT NULL);
"""

_IDLE_READERS = 4
_OUTLINES = 16_384
"""Remembered for searches: about 5 MB."""
_CHUNK_COLUMNS = (
    "c.id, f.path, f.language, c.symbol, c.kind, c.start_line, c.end_line, t.text"
    " FROM chunks c JOIN files f ON f.id = c.file JOIN texts t ON t.chunk = c.id"
)


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
        self._outlines: dict[int, Outline] = {}

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

    def outlines(self, ids: Sequence[int]) -> dict[int, Outline]:
        """By id, what ranking needs of many candidates.

        Remembered until a commit deletes them: a chunk never changes, and its id is never used again.
        """
        known = self._outlines
        if len(known) > _OUTLINES:
            known = self._outlines = {}
        if unknown := [chunk for chunk in ids if chunk not in known]:
            with self._reader() as reader:
                marks = ",".join("?" * len(unknown))
                rows = reader.execute(
                    "SELECT c.id, f.path, f.language, c.symbol, c.start_line"
                    f" FROM chunks c JOIN files f ON f.id = c.file WHERE c.id IN ({marks})",
                    unknown,
                )
                known.update((row[0], Outline(*row[1:])) for row in rows)
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

    def files_named(self, name: str) -> list[str]:
        """The paths of indexed files whose own name is `name`."""
        with self._reader() as reader:
            rows = reader.execute("SELECT CAST(path AS TEXT) FROM files WHERE name = ? AND first_chunk > 0", (name,))
            return [path for (path,) in rows]

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
            return [] if version == SCHEMA_VERSION else [other_version(version)]

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


def _like(letters: str) -> str:
    """`letters` as they stand in a pattern of LIKE."""
    return "".join(f"\\{letter}" if letter in "%_\\" else letter for letter in letters)


def _below(folder: str) -> tuple[str, list[str]]:
    """The condition on chunks `c` that their files are below `folder` (none for ""), and its values."""
    if not folder:
        return "", []
    return " AND c.file IN (SELECT id FROM files WHERE path >= ? AND path < ?)", [f"{folder}/", f"{folder}0"]


def other_version(version: int) -> str:
    """What is wrong with a catalog of `version`."""
    return f"catalog version {version}, this daemon writes {SCHEMA_VERSION}"
