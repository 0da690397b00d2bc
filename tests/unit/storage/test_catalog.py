"""The catalog is the single truth: whole transactions, ids that are never used twice, and a log of deletions."""

import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from lucastrad.storage.catalog import Catalog
from lucastrad.storage.records import NO_CHUNKS, ChunkSpan, IndexedFile
from lucastrad.storage.sqlite import StoreClosed, StoreCorrupt, StoreUnavailable, set_aside
from lucastrad.types import Chunk, FileState, Stat


def a_file(path: str, *texts: str, state: FileState = FileState.INDEXED, reason: str = "") -> IndexedFile:
    chunks = [Chunk(i + 1, i + 1, 0, len(t), t, f"symbol{i}", "function") for i, t in enumerate(texts)]
    keys = [f"{path}:{text}".encode() for text in texts]
    return IndexedFile(path, state, reason, "python", Stat(10, 20, 30, 40), b"hash", chunks, keys, [])


def known(catalog: Catalog) -> dict[str, str]:
    return {report.path: report.reason for report in catalog.file_reports(skipped_only=False, offset=0, limit=99)[0]}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite3")


def test_a_commit_reports_what_it_added_and_what_it_replaced(catalog: Catalog) -> None:
    first = catalog.commit([a_file("a.py", "one", "two")])
    second = catalog.commit([a_file("a.py", "three")])
    assert first.added[0][1] == ChunkSpan(1, 2)
    assert second.added[0][1] == ChunkSpan(3, 3)
    assert second.removed == [ChunkSpan(1, 2)]
    assert second.seq == first.seq + 1
    assert {chunk.text for chunk in catalog.chunks([1, 2, 3]).values()} == {"three"}


def test_chunk_ids_are_not_used_again_after_everything_was_deleted(catalog: Catalog, tmp_path: Path) -> None:
    catalog.commit([a_file("a.py", "one", "two")])
    catalog.commit([], gone=["a.py"])
    catalog.close()
    again = Catalog(tmp_path / "catalog.sqlite3")
    assert again.commit([a_file("b.py", "three")]).added[0][1] == ChunkSpan(3, 3)


def test_totals_follow_every_kind_of_write(catalog: Catalog) -> None:
    assert catalog.counts().chunks == 0
    catalog.commit([a_file("a.py", "one", "two")])
    assert (catalog.counts().chunks, catalog.counts().embedded) == (2, 0)
    catalog.mark_embedded([1, 2])
    assert catalog.counts().embedded == 2
    catalog.mark_unembedded([2])
    assert catalog.counts().embedded == 1
    catalog.commit([], gone=["a.py"])
    assert (catalog.counts().files, catalog.counts().chunks) == (0, 0)


def test_a_folder_that_goes_takes_only_what_is_below_it(catalog: Catalog) -> None:
    catalog.commit([a_file(p, "x") for p in ("pkg/a.py", "pkg/sub/b.py", "pkg.py", "pkg-two/c.py", "pkg0/d.py")])
    catalog.commit([], gone=["pkg/"])
    assert sorted(known(catalog)) == ["pkg-two/c.py", "pkg.py", "pkg0/d.py"]


def test_a_folder_skipped_as_a_whole_replaces_the_files_below_it(catalog: Catalog) -> None:
    catalog.commit([a_file("node_modules/x.js", "x"), a_file("src/y.js", "y")])
    catalog.commit([a_file("node_modules/", state=FileState.SKIPPED, reason="vendored dependencies")])
    assert known(catalog) == {
        "node_modules/": "vendored dependencies",
        "src/y.js": "",
    }


def test_a_file_that_takes_a_folders_name_replaces_it(catalog: Catalog) -> None:
    catalog.commit([a_file("thing/a.py", "x")])
    catalog.commit([a_file("thing", "y")])
    assert list(known(catalog)) == ["thing"]


def test_pending_chunks_end_with_their_embedding_and_come_back_with_a_new_version(catalog: Catalog) -> None:
    catalog.commit([a_file("a.py", "one", "two")])
    assert [chunk.id for chunk in catalog.pending(0, 10)] == [1, 2]
    before = catalog.seq()
    assert catalog.mark_embedded([1, 2, 99]) == {1, 2}
    assert catalog.pending(0, 10) == []
    assert [chunk for chunk, _ in catalog.embedded_after(before)] == [1, 2]
    catalog.commit([a_file("a.py", "one", "two changed")])
    assert [chunk.id for chunk in catalog.pending(0, 10)] == [3, 4]


def test_derived_indexes_can_ask_what_came_after_a_sequence_number(catalog: Catalog) -> None:
    first = catalog.commit([a_file("a.py", "one")])
    second = catalog.commit([a_file("b.py", "two")], gone=["a.py"])
    assert catalog.spans_after(first.seq) == [ChunkSpan(2, 2)]
    assert catalog.deletions_after(first.seq) == [ChunkSpan(1, 1)]
    catalog.forget_deletions(second.seq)
    assert catalog.deletions_after(0) == []


def test_a_file_without_chunks_is_known_but_holds_none(catalog: Catalog) -> None:
    commit = catalog.commit([a_file("image.png", state=FileState.SKIPPED, reason="binary")])
    assert commit.added[0][1] == NO_CHUNKS
    assert catalog.spans() == []
    reports, total = catalog.file_reports(skipped_only=True, offset=0, limit=10)
    assert (total, reports[0].path, reports[0].reason, reports[0].chunks) == (1, "image.png", "binary", 0)


@pytest.mark.parametrize(("line", "text"), [(1, "one"), (2, "two"), (3, "three"), (99, "three")])
def test_the_chunk_at_a_line_is_the_one_that_holds_it_or_the_nearest_before(
    catalog: Catalog, line: int, text: str
) -> None:
    catalog.commit([a_file("a.py", "one", "two", "three")])
    found = catalog.chunk_at("a.py", line)
    assert found is not None
    assert found.text == text


def test_a_failed_commit_leaves_nothing_behind(catalog: Catalog) -> None:
    catalog.commit([a_file("a.py", "one")])
    broken = a_file("b.py", "two")
    with pytest.raises(ValueError, match="shorter"):
        catalog.commit([a_file("a.py", "changed"), IndexedFile(*[*_fields(broken)[:7], []])])
    assert [chunk.text for chunk in catalog.chunks([1, 2, 3]).values()] == ["one"]


def _fields(file: IndexedFile) -> tuple[object, ...]:
    return (file.path, file.state, file.reason, file.language, file.stat, file.hash, file.chunks)


def test_a_full_disk_is_an_error_that_names_the_cure_and_loses_nothing(catalog: Catalog) -> None:
    catalog.commit([a_file("a.py", "one")])
    pages = catalog._writer.execute("PRAGMA page_count").fetchone()[0]
    catalog._writer.execute(f"PRAGMA max_page_count = {pages}")  # SQLite answers SQLITE_FULL, as on a full disk
    with pytest.raises(StoreUnavailable, match="free disk space"):
        catalog.commit([a_file("b.py", *["x" * 5000] * 50)])
    catalog._writer.execute("PRAGMA max_page_count = 1000000")
    catalog.commit([a_file("b.py", "two")])
    assert sorted(known(catalog)) == ["a.py", "b.py"]


def test_a_damaged_file_is_told_apart_from_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    path.write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreCorrupt):
        Catalog(path)


def test_a_catalog_of_another_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 999 WHERE key = 'version'")
    connection.close()
    with pytest.raises(StoreCorrupt, match="version 999"):
        Catalog(path)


def test_a_catalog_with_other_tables_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
            "INSERT INTO meta VALUES ('version', 2);"
            "CREATE TABLE files(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
        )
    with pytest.raises(StoreCorrupt, match="version 2"):
        Catalog(path)
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"meta", "files"}


def test_files_are_found_by_their_own_name(catalog: Catalog) -> None:
    skipped = IndexedFile("c/a.py", FileState.SKIPPED, "large", "", Stat(1, 2, 3, 4), b"")
    catalog.commit([a_file(path, "x") for path in ("a.py", "b/a.py", "b/aa.py", "b/a_py", "d/a.py")] + [skipped])
    catalog.commit([], ["d/a.py"])
    assert sorted(catalog.files_named("a.py")) == ["a.py", "b/a.py"]
    assert catalog.files_named("a%") == catalog.files_named("nowhere.py") == []


def test_outlines_of_a_new_version_replace_those_of_the_old_one(catalog: Catalog) -> None:
    catalog.commit([a_file("a.py", "one"), a_file("b.py", "two")])
    assert {i: row.path for i, row in catalog.outlines([1, 2, 99]).items()} == {1: "a.py", 2: "b.py"}
    catalog.commit([a_file("a.py", "one changed")])
    assert {i: row.path for i, row in catalog.outlines([1, 2, 3]).items()} == {2: "b.py", 3: "a.py"}


def test_readers_of_a_catalog_that_is_replaced_meet_its_end_and_never_the_files_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    served = [Catalog(path)]
    done = threading.Event()

    def read() -> Counter[str]:
        met: Counter[str] = Counter()
        while not done.is_set():
            try:
                served[0].seq()
            except Exception as error:
                met[type(error).__name__] += 1
        return met

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        for number in range(40):
            served[0].set_rules(number)
            served[0].close()
            set_aside(path, "damaged")
            served[0] = Catalog(path)
        done.set()
    assert sum((reader.result() for reader in readers), Counter()).keys() <= {"StoreClosed"}
    served[0].close()
    with pytest.raises(StoreClosed, match="ask again"):
        served[0].seq()
