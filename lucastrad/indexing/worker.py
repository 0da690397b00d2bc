"""The jobs that worker processes do: scan, check, and index files. Bytes in, bytes out.

Invariant: reads the workspace and the catalog, writes nothing. A file that cannot be indexed gets a
row with the reason; only a crash of the process itself is left to the daemon.
"""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from lucastrad.embeddings.cache import passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.chunking import chunk_file
from lucastrad.storage.records import IndexedFile, KnownFile
from lucastrad.storage.sqlite import connect, translated_values
from lucastrad.types import FileState, Stat
from lucastrad.workspace.defaults import VERSION_CONTROL
from lucastrad.workspace.generated import GENERATED, MINIFIED
from lucastrad.workspace.reader import ReadFile, read_file
from lucastrad.workspace.scanner import Candidate, Entry, ScanRules, Skipped, check, folders, scan

BLANK = "blank"


class ScanRequest(msgspec.Struct, frozen=True, array_like=True):
    """Compare a tree, or only some `paths` of it, with the catalog."""

    root: bytes
    """Names of files are bytes on their way to a worker: they need not be UTF-8, which all text here is."""
    catalog: str
    rules: ScanRules
    prune: list[bytes]
    """Absolute folders that are workspaces of their own."""
    paths: list[bytes] | None = None
    reread: bool = False
    """The rules have changed since the catalog was written: every file counts as changed."""


class ScanReply(msgspec.Struct, frozen=True, array_like=True):
    """What must be done so that the catalog agrees with the tree."""

    changed: list[Candidate]
    skipped: list[IndexedFile]
    """Files (and whole folders) that are newly skipped, or for another reason than before."""
    gone: list[str]
    files: int
    """Candidates seen."""


class IndexRequest(msgspec.Struct, frozen=True, array_like=True):
    root: bytes
    rules: ScanRules
    files: list[Candidate]
    hashes: dict[str, bytes]
    """Content hashes the catalog holds: an equal file is only touched."""


class IndexReply(msgspec.Struct, frozen=True, array_like=True):
    files: list[IndexedFile]
    touched: list[tuple[str, Stat]]
    """Content as before, a new Stat."""
    gone: list[str]


_encode = msgspec.msgpack.Encoder().encode
_scan_request = msgspec.msgpack.Decoder(ScanRequest).decode
_index_request = msgspec.msgpack.Decoder(IndexRequest).decode
decode_scan_reply = msgspec.msgpack.Decoder(ScanReply).decode
decode_index_reply = msgspec.msgpack.Decoder(IndexReply).decode


def scan_job(request: bytes) -> bytes:
    """ScanRequest to ScanReply. Raises FileNotFoundError or PermissionError for the root itself, and StoreCorrupt."""
    return _encode(_compare(_scan_request(request)))


def index_job(request: bytes) -> bytes:
    """IndexRequest to IndexReply."""
    return _encode(_index(_index_request(request)))


class FoldersRequest(msgspec.Struct, frozen=True, array_like=True):
    root: bytes
    rules: ScanRules
    prune: list[bytes]
    below: list[bytes]


_folders_request = msgspec.msgpack.Decoder(FoldersRequest).decode
decode_folders = msgspec.msgpack.Decoder(list[str]).decode


def folders_job(request: bytes) -> bytes:
    """The folders that a watcher has to watch."""
    asked = _folders_request(request)
    below = map(os.fsdecode, asked.below)
    return _encode(folders(os.fsdecode(asked.root), asked.rules, frozenset(map(os.fsdecode, asked.prune)), below))


def parse_job(source: bytes) -> bytes:
    """The first symbol of a Python source: shows that the grammars work in a worker."""
    cut = chunk_file("doctor.py", source.decode())
    return next((chunk.symbol for chunk in cut.chunks), "").encode()


def _compare(request: ScanRequest) -> ScanReply:
    root, prune = os.fsdecode(request.root), frozenset(map(os.fsdecode, request.prune))
    entries: Iterable[Entry]
    if request.paths is None:
        below, entries = None, scan(root, request.rules, prune)
    else:
        checked = list(check(root, request.rules, map(os.fsdecode, request.paths), prune))
        below = [verdict.path for verdict in checked]
        entries = (entry for verdict in checked for entry in verdict.entries)
    with translated_values(), closing(connect(Path(request.catalog), durable=False, read_only=True)) as reader:
        known = _known(reader, below)
    changed: list[Candidate] = []
    skipped: list[IndexedFile] = []
    files = 0
    for entry in entries:
        if isinstance(entry, Skipped) and entry.reason == VERSION_CONTROL:
            continue  # nobody asks why `.git/` is left out
        before = known.pop(entry.path, None)
        if isinstance(entry, Candidate):
            files += 1
            if request.reread or before is None or before.stat != entry.stat or _wanted_now(entry, before):
                changed.append(entry)
        elif before is None or before.state is not FileState.SKIPPED or before.reason != entry.reason:
            skipped.append(_skipped(entry.path, entry.reason, Stat(entry.size_bytes, 0, 0, 0)))
    return ScanReply(changed, skipped, list(known), files)


def _wanted_now(entry: Candidate, before: KnownFile) -> bool:
    """A `!` line brought back what reading had turned down."""
    turned_down = before.state is FileState.SKIPPED and before.reason in (GENERATED, MINIFIED)
    return entry.wanted and turned_down


def _known(reader: sqlite3.Connection, below: list[str] | None) -> dict[str, KnownFile]:
    """What the catalog holds of these paths and below them; of everything for None and for ""."""
    columns = "SELECT path, size, mtime_ns, ctime_ns, inode, state, reason FROM files"
    if below is None or "" in below:
        rows = reader.execute(columns).fetchall()
    else:
        rows = []
        for path in below:
            span = (path, path + "/", path + "0")  # '0' follows '/'
            rows += reader.execute(f"{columns} WHERE path = ? OR (path >= ? AND path < ?)", span)
    return {row[0]: KnownFile(Stat(*row[1:5]), FileState(row[5]), row[6]) for row in rows}


def _index(request: IndexRequest) -> IndexReply:
    root = os.fsdecode(request.root)
    reply = IndexReply([], [], [])
    for found in request.files:
        path = found.path
        read = read_file(root, path, request.rules, wanted=found.wanted)
        if read is None:
            reply.gone.append(path)
        elif isinstance(read, Skipped):
            # What could not even be opened keeps the scan's Stat, so that it is not tried again until it changes.
            unsure = _never_equal(found.stat) if read.size_bytes else found.stat
            reply.files.append(_skipped(path, read.reason, read.stat or unsure))
        elif request.hashes.get(path) == read.content_hash:
            reply.touched.append((path, _stored_stat(read)))
        else:
            reply.files.append(_indexed(path, read))
    return reply


def _stored_stat(read: ReadFile) -> Stat:
    """A file that was changed within the clock tick of its reading is read again by the next scan."""
    return _never_equal(read.stat) if read.racy else read.stat


def _never_equal(stat: Stat) -> Stat:
    """A Stat that no file has: the next scan reads this one again."""
    return Stat(stat.size_bytes, -1, -1, -1)


def _indexed(path: str, read: ReadFile) -> IndexedFile:
    cut = chunk_file(path, read.text)
    if not cut.chunks:
        return _skipped(path, BLANK, _stored_stat(read))
    return IndexedFile(
        path=path,
        state=FileState.INDEXED,
        reason=cut.problem,
        language=cut.language,
        stat=_stored_stat(read),
        hash=read.content_hash,
        chunks=cut.chunks,
        keys=[passage_key(passage(path, chunk.symbol, chunk.text)) for chunk in cut.chunks],
        terms=[chunk_terms(chunk.symbol, chunk.text) for chunk in cut.chunks],
        path_terms=path_terms(path),
    )


def _skipped(path: str, reason: str, stat: Stat) -> IndexedFile:
    return IndexedFile(path, FileState.SKIPPED, reason, "", stat, b"")


def set_grammar_folder(home: Path) -> None:
    """Let the grammar package unpack below LucAstra's own home; inherited by worker processes."""
    os.environ.setdefault("SEMBLE_GRAMMARS_CACHE_DIR", str(home / "grammars"))
