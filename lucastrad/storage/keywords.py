"""The keyword index: BM25 over code-aware terms, by tantivy. Derived from the catalog.

Invariant: it can be deleted at any time; `reached` says which catalog transactions it holds, and
applying one twice leaves it as applying it once. Terms arrive ready-made (see `lucastrad.text`), so
tantivy only splits at blanks.
"""

import json
import logging
import mmap
import shutil
import threading
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import tantivy

from lucastrad.storage.bm25 import FieldStatistics, counts_of
from lucastrad.storage.fs import ensure_private_folder, publish
from lucastrad.storage.records import ChunkSpan
from lucastrad.storage.sqlite import StoreUnavailable

_log = logging.getLogger(__name__)

_FORMAT = 3
_HEAP_BYTES = 20_000_000
"""tantivy's minimum is 15 MB for its one writer thread; more only delays the flush."""
_PARTS = frozenset({"idx", "pos", "term", "store", "fast", "fieldnorm"})
"""How the files of a segment end."""
_FOOTER_MAGIC = 1337
"""Every tantivy file ends in: JSON footer with a CRC-32, u32 footer length, u32 magic (tantivy directory/footer.rs)."""


MOST_SPANS = 64
"""Of a search within some chunks: each costs a look at the column of ids."""
_BEGINNINGS = (*"setaiorn", "")
"""How terms begin, the likeliest first; in the end, in any way."""
_NAME = "name"
EDITS_FROM = (5, 8)
"""Letters of a name from which on one of them, and two, may be wrong."""
BEGINNING = 4
"""So many letters are the beginning of few enough names."""

Pair = tuple[str, str]
"""Two terms, one after the other."""


class Field(StrEnum):
    """The text fields of a chunk."""

    BODY = "body"
    SYMBOL = "symbol"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class KeywordChunk:
    """A chunk's blank-separated terms; `group` is the first chunk id of its file version."""

    id: int
    group: int
    body: str
    symbol: str
    path: str
    name: str
    """As `text.words.spelling` has it: a single word."""


class KeywordIndex:
    """One writer, many searchers. Blocking: call it from a thread."""

    def __init__(self, folder: Path) -> None:
        """Open, or start empty where the files are missing, damaged, or of another format."""
        self._folder = folder
        self._lock = threading.Lock()
        self._schema = _schema()
        self.reached = 0
        """Catalog sequence number up to which commits are searchable after a restart."""
        ensure_private_folder(folder)
        self.behind = False
        """What was added does not follow on what is committed: replay from `reached`, after `begin_replay`."""
        self._writer: tantivy.IndexWriter | None = None
        self._lengths: dict[Field, tuple[int, float]] = {}
        """(documents, average length) of each field, at the commit that is searchable."""
        with _as_unavailable():
            self._index = _read_by_hand(self._open_verified() or self._create())

    # --- writing ---------------------------------------------------------------------------------

    # Each raises StoreUnavailable when tantivy cannot write (disk full): the index then stands at its last
    # commit, and is `behind` until the caller has replayed what came after `reached`.

    def begin_replay(self) -> None:
        """What is added from now on follows on `reached`."""
        with self._lock:
            self._writer = None
            self.behind = False

    def delete(self, groups: Iterable[int]) -> None:
        """Remove file versions, from the next commit on."""
        with self._writing() as writer:
            for group in groups:
                writer.delete_documents_by_term("group", group)

    def add(self, chunks: Iterable[KeywordChunk]) -> None:
        """Add chunks, from the next commit on. Delete their groups first when replaying."""
        with self._writing() as writer:
            for chunk in chunks:
                document = tantivy.Document()
                document.add_unsigned("chunk", chunk.id)
                document.add_integer("group", chunk.group)
                document.add_text(Field.BODY, chunk.body)
                document.add_text(Field.SYMBOL, chunk.symbol)
                document.add_text(Field.PATH, chunk.path)
                document.add_text(_NAME, chunk.name)
                writer.add_document(document)

    def commit(self, seq: int) -> None:
        """Make everything up to catalog transaction `seq` searchable and durable."""
        with self._writing() as writer:
            if self.behind:
                raise StoreUnavailable("the keyword index has lost what was added; it is replayed from the catalog")
            writer.commit()
            self._index.reload()
            self._lengths = {}
            state = {"format": _FORMAT, "seq": seq, "crc": _state_crc(seq)}
            publish(self._folder / "state.json", json.dumps(state).encode())
            self.reached = seq

    def clear(self) -> None:
        """Empty the index: the caller replays the catalog from 0."""
        with self._lock, _as_unavailable():
            self._writer = None
            self._lengths = {}
            self._index = _read_by_hand(self._create())

    def close(self) -> None:
        """Stop the writer; what was not committed is replayed from the catalog next time."""
        with self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                with suppress(ValueError):  # a writer that an I/O error has killed
                    writer.rollback()
                    writer.wait_merging_threads()

    @contextmanager
    def _writing(self) -> Iterator["tantivy.IndexWriter"]:
        with self._lock, _as_unavailable():
            try:
                if self._writer is None:
                    self._writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)
                yield self._writer
            except BaseException:
                self._writer = None  # releases tantivy's lock; the next call opens another
                self.behind = True
                raise

    # --- reading ---------------------------------------------------------------------------------

    def search(
        self,
        terms: Sequence[tuple[str, float]],
        boosts: dict[Field, float],
        limit: int,
        within: Sequence[ChunkSpan] | None = None,
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25 score) of the best `limit` chunks that hold any of the weighted terms.

        `within` are the chunks that may be found, as MOST_SPANS at most; None for all.
        """
        clauses: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for term, weight in terms:
            for field, boost in boosts.items():
                query = tantivy.Query.term_query(self._schema, field.value, term, index_option="freq")
                clauses.append((tantivy.Occur.Should, tantivy.Query.boost_query(query, weight * boost)))
        return self._best(clauses, limit, within)

    def adjacent(
        self, weights: Mapping[Pair, float], limit: int, within: Sequence[ChunkSpan] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, sum of the weights of the pairs that stand side by side in its body) of the best `limit`.

        `within` as in `search`.
        """
        clauses: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for pair, weight in weights.items():
            query = tantivy.Query.phrase_query(self._schema, Field.BODY.value, [*pair])
            clauses.append((tantivy.Occur.Should, tantivy.Query.const_score_query(query, weight)))
        return self._best(clauses, limit, within)

    def phrase(
        self, terms: Sequence[str], limit: int, within: Sequence[ChunkSpan] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25 score) of the best `limit` whose body holds two or more `terms` in a row; `within` as in
        `search`."""
        query = tantivy.Query.phrase_query(self._schema, Field.BODY.value, [*terms])
        return self._best([(tantivy.Occur.Should, query)], limit, within)

    def named(self, name: str, limit: int, within: Sequence[ChunkSpan] | None = None) -> list[tuple[int, float]]:
        """(chunk id, any score) of `limit` chunks at most whose name this is. `within` as in `search`."""
        query = tantivy.Query.term_query(self._schema, _NAME, name, index_option="basic")
        return self._best([(tantivy.Occur.Should, query)], limit, within)

    def named_alike(self, name: str, limit: int, within: Sequence[ChunkSpan] | None = None) -> list[tuple[int, float]]:
        """The same of those whose name begins so, or is this but for a letter or two."""
        like = partial(tantivy.Query.fuzzy_term_query, self._schema, _NAME, name)
        ways = [like(distance=sum(len(name) >= length for length in EDITS_FROM))]
        if len(name) >= BEGINNING:
            ways.append(like(distance=0, prefix=True))
        return self._best([(tantivy.Occur.Should, way) for way in ways], limit, within)

    def frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Term → how many bodies hold it; deleted ones count until their segment is merged away."""
        searcher = self._index.searcher()
        return {term: searcher.doc_freq(Field.BODY.value, term) for term in terms}

    def holders(self, terms: Iterable[str], most: int) -> dict[str, list[int]]:
        """Term → the chunks whose body holds it: the rarest terms first, for `most` chunks together. Terms that no
        chunk holds are there too, with none."""
        searcher = self._index.searcher()
        # Deleted documents are counted until their segment is merged away.
        counted = sorted((searcher.doc_freq(Field.BODY.value, term), term) for term in set(terms))
        found: dict[str, list[int]] = {}
        room = most
        for count, term in counted:
            if count > 2 * most:
                break
            query = tantivy.Query.term_query(self._schema, Field.BODY.value, term, index_option="freq")
            hits = searcher.search(query, room + 1, count=False).hits
            if len(hits) > room:
                break
            ids = searcher.fast_field_values("chunk", [address for _, address in hits])
            found[term] = [int(chunk or 0) for chunk in ids]
            room -= len(hits)
        return found

    def statistics(self, terms: Collection[str]) -> dict[Field, FieldStatistics]:
        """What BM25 is made of for these terms, so that it can be counted for chunks that are not in the index."""
        searcher, lengths = self._index.searcher(), self._lengths
        found = {}
        for field in Field:
            if field not in lengths:
                lengths[field] = self._measured(searcher, field)
            frequencies = {term: searcher.doc_freq(field.value, term) for term in terms}
            found[field] = FieldStatistics(*lengths[field], frequencies)
        return found

    def _measured(self, searcher: "tantivy.Searcher", field: Field) -> tuple[int, float]:
        """(documents, average length) of a field: tantivy tells them only where it explains the score of some term."""
        # A letter at a time: a walk over all the terms of a large index takes tens of milliseconds.
        for prefix in _BEGINNINGS:
            for term, _ in searcher.terms_with_prefix(field.value, prefix, limit=1):
                query = tantivy.Query.term_query(self._schema, field.value, term, index_option="freq")
                for _, address in searcher.search(query, 1, count=False).hits:
                    if counts := counts_of(query.explain(searcher, address).to_json()):
                        return counts
        return int(searcher.num_docs), 0.0

    def _best(
        self, clauses: list[tuple["tantivy.Occur", "tantivy.Query"]], limit: int, within: Sequence[ChunkSpan] | None
    ) -> list[tuple[int, float]]:
        if not clauses:
            return []
        query = tantivy.Query.boolean_query(clauses)
        if within is not None:
            query = tantivy.Query.boolean_query(
                [(tantivy.Occur.Must, query), (tantivy.Occur.Must, self._among(within))]
            )
        searcher = self._index.searcher()
        hits = searcher.search(query, limit, count=False).hits
        ids = searcher.fast_field_values("chunk", [address for _, address in hits])
        return [(int(chunk or 0), float(score)) for chunk, (score, _) in zip(ids, hits, strict=True)]

    def _among(self, spans: Sequence[ChunkSpan]) -> "tantivy.Query":
        """Adds nothing to a score."""
        unsigned = tantivy.FieldType.Unsigned
        ranges = [
            (tantivy.Occur.Should, tantivy.Query.range_query(self._schema, "chunk", unsigned, span.first, span.last))
            for span in spans
        ]
        return tantivy.Query.const_score_query(tantivy.Query.boolean_query(ranges), 0.0)

    def __len__(self) -> int:
        return int(self._index.searcher().num_docs)

    # --- opening ---------------------------------------------------------------------------------

    def _open_verified(self) -> "tantivy.Index | None":
        try:
            seq = verified_seq(self._folder)
            if not seq:
                return None
            index = tantivy.Index.open(str(self._folder))
            if index.schema != self._schema:
                raise ValueError("the schema is another one")
            self.reached = seq
        except (OSError, ValueError) as error:
            _log.warning("keyword index damaged, rebuilding from the catalog: %s", error)
            return None
        return index

    def _create(self) -> "tantivy.Index":
        shutil.rmtree(self._folder, ignore_errors=True)
        ensure_private_folder(self._folder)
        self.reached = 0
        return tantivy.Index(self._schema, path=str(self._folder))


@contextmanager
def _as_unavailable() -> Iterator[None]:
    """tantivy raises plain ValueError, and kills its writer, on any I/O error."""
    try:
        yield
    except StoreUnavailable:
        raise
    except (ValueError, OSError) as error:
        raise StoreUnavailable(
            f"the keyword index cannot be written ({error}); free disk space: indexing resumes by itself"
        ) from error


def _state_crc(seq: int) -> int:
    return zlib.crc32(b"%d %d" % (_FORMAT, seq))


def _read_by_hand(index: "tantivy.Index") -> "tantivy.Index":
    """Let `commit` alone open segments, after `_verify`: by default a thread of tantivy's does so whenever meta.json
    changes, and dies of SIGBUS when a file that it maps is cut short (one test run in four, on a busy machine).
    """
    index.config_reader("Manual")
    return index


def _schema() -> "tantivy.Schema":
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("chunk", stored=False, indexed=False, fast=True)
    builder.add_integer_field("group", stored=False, indexed=True, fast=False)
    for field in Field:
        option = "position" if field is Field.BODY else "freq"
        builder.add_text_field(field.value, stored=False, tokenizer_name="whitespace", index_option=option)
    builder.add_text_field(_NAME, stored=False, tokenizer_name="whitespace", index_option="basic")
    return builder.build()


def verified_seq(folder: Path) -> int:
    """The catalog sequence number that the index on disk holds, every file of it checked; 0 where there is none.

    Reads only. Raises ValueError or OSError, which say what is damaged.
    """
    try:
        state = json.loads((folder / "state.json").read_bytes())
        seq = int(state["seq"])
        if state["format"] != _FORMAT or state["crc"] != _state_crc(seq):
            raise ValueError("state.json is of another format, or damaged")
        _verify(folder)
    except FileNotFoundError:
        return 0
    except (KeyError, TypeError) as error:
        raise ValueError(f"state.json or meta.json is damaged ({error!r})") from error
    return seq


def _verify(folder: Path) -> None:
    """Raise ValueError unless every segment file that meta.json names is whole."""
    meta = json.loads((folder / "meta.json").read_bytes())
    names = {path.name for path in folder.iterdir()}
    for segment in meta["segments"]:
        stem = str(segment["segment_id"]).replace("-", "")
        deletes = segment.get("deletes")
        current = f"{stem}.{deletes['opstamp']}.del" if deletes else ""
        # A delete file that meta.json does not name yet was being written when the daemon was killed.
        files = [n for n in names if n.startswith(stem) and (n == current or not n.endswith(".del"))]
        if len({name.partition(".")[2] for name in files} & _PARTS) < len(_PARTS):
            raise ValueError(f"segment {stem} has lost files")
        for name in files:
            _verify_file(folder / name)


def _verify_file(path: Path) -> None:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if int.from_bytes(data[-4:], "little") != _FOOTER_MAGIC:
            raise ValueError(f"{path.name} has no footer")
        length = int.from_bytes(data[-8:-4], "little")
        footer = json.loads(data[-8 - length : -8])
        with memoryview(data) as view, view[: -8 - length] as body:
            if zlib.crc32(body) != footer["crc"]:
                raise ValueError(f"{path.name} fails its checksum")
