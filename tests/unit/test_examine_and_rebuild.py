"""What `lucastrad doctor` finds on disk, and what `lucastrad rebuild` makes of it."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.config.schema import EmbeddingsConfig
from lucastrad.embeddings.cache import EmbeddingCache, passage_key
from lucastrad.embeddings.spaces import open_cache
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.maintenance import Rebuilt, _confirmed, examine, rebuild
from lucastrad.storage.keywords import Field
from lucastrad.storage.lock import own_store
from lucastrad.storage.records import IndexedFile
from lucastrad.types import CheckStatus, Chunk, FileState, Stat, VectorSpace

OLD = VectorSpace("local", "test", 8)
NEW = VectorSpace("local", "test", 4)
SETTINGS = EmbeddingsConfig()


def a_file(path: str, text: str) -> IndexedFile:
    return IndexedFile(
        path, FileState.INDEXED, "", "python", Stat(1, 2, 3, 4), text.encode(),
        [Chunk(1, 1, 0, len(text), text, "", "window")], [passage_key(passage(path, "", text))],
        [chunk_terms("", text)], path_terms(path),
    )  # fmt: skip


class Home:
    """A LucAstra folder with one workspace of three passages in it."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(home=folder / "home", run=folder / "run")
        self.root = folder / "project"
        self.store = self.paths.home / "workspaces" / "0123"
        self.store.mkdir(parents=True)
        (self.store / "workspace.json").write_text(json.dumps({"root": str(self.root)}))
        self._caches: list[EmbeddingCache] = []

    def cache(self, space: VectorSpace) -> EmbeddingCache:
        self._caches.append(open_cache(self.paths.home, SETTINGS, space))
        return self._caches[-1]

    def close_caches(self) -> None:
        for cache in self._caches:
            cache.close()

    def open(self, space: VectorSpace) -> WorkspaceStore:
        store = WorkspaceStore(self.store, space, self.cache(space), cache_of=self.cache)
        store.replay_vectors()
        return store

    def embed(self, store: WorkspaceStore, limit: int = 100) -> None:
        pending = store.catalog.pending(0, limit)
        rows = np.eye(len(pending), store.space.dimensions, dtype=np.float32)
        ids, keys = [chunk.id for chunk in pending], [chunk.key for chunk in pending]
        store.embed(ids, keys, rows, new=range(len(pending)))

    def examine(self) -> dict[str, str]:
        """Finding by its subject; whole parts are left out."""
        findings = examine(self.paths.home, SETTINGS)
        assert all(finding.cure for finding in findings if finding.status is not CheckStatus.OK)
        return {
            finding.name.removeprefix(f"workspace {self.root}: "): finding.detail
            for finding in findings
            if finding.status is not CheckStatus.OK
        }

    def rebuild(self, *folders: Path, keywords: bool = True, vectors: bool = True) -> list[Rebuilt]:
        return list(rebuild(self.paths, SETTINGS, folders, keywords=keywords, vectors=vectors))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    with closing(home.open(OLD)) as store:
        store.commit([a_file("a.py", "apple"), a_file("b.py", "banana"), a_file("c.py", "cherry")])
        home.embed(store)
        store.publish()
    home.close_caches()
    return home


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_nothing_is_wrong_with_a_whole_index_nor_with_none(home: Home, tmp_path: Path) -> None:
    assert home.examine() == {}
    assert len(examine(home.paths.home, SETTINGS)) == 4
    (finding,) = examine(tmp_path / "nowhere", SETTINGS)
    assert finding.status is CheckStatus.OK


def test_a_daemon_that_has_not_saved_or_was_killed_leaves_no_damage(home: Home) -> None:
    with closing(home.open(OLD)) as store:
        store.commit([a_file("d.py", "damson")], ["a.py"])
        assert home.examine() == {}
        home.embed(store)
        assert home.examine() == {}
        store.publish()
        store.save()
        store.commit([], ["b.py"])
        assert home.examine() == {}


DAMAGES: dict[str, tuple[Callable[[Home], object], str]] = {
    "vectors": (
        lambda home: cut_short(home.store / "vectors" / OLD.identity / "manifest.json"),
        f"vectors of {OLD.identity}",
    ),
    "keywords": (lambda home: cut_short(next((home.store / "keywords").glob("*.idx"))), "keyword index"),
    "keywords' state": (lambda home: cut_short(home.store / "keywords" / "state.json"), "keyword index"),
    "keywords' list": (lambda home: (home.store / "keywords" / "meta.json").write_text("{}"), "keyword index"),
    "catalog": (lambda home: (home.store / "catalog.sqlite3").write_bytes(b"nothing of the kind" * 500), "catalog"),
    "cache": (
        lambda home: (home.paths.home / "embeddings" / f"{OLD.identity}.sqlite3").write_bytes(b"\0 none" * 2000),
        f"embedding cache {OLD.identity}",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_kind_of_damage_is_found_and_nothing_else(home: Home, name: str) -> None:
    damage, subject = DAMAGES[name]
    damage(home)
    assert home.examine().keys() == {subject}


def test_a_damaged_workspace_file_is_named(home: Home) -> None:
    (home.store / "workspace.json").write_text("{")
    assert home.examine().keys() == {str(home.store / "workspace.json")}


def test_both_indexes_of_a_changed_space_are_checked(home: Home) -> None:
    with closing(home.open(NEW)) as store:
        home.embed(store, limit=2)
        store.save()
        assert home.examine() == {}
    for space in (OLD, NEW):
        cut_short(home.store / "vectors" / space.identity / "manifest.json")
    assert home.examine().keys() == {f"vectors of {OLD.identity}", f"vectors of {NEW.identity}"}


def test_what_is_rebuilt_answers_as_before(home: Home) -> None:
    for folder in ("vectors", "keywords"):
        for path in (home.store / folder).rglob("*"):
            if path.is_file():
                path.write_bytes(b"damaged")
    assert home.rebuild() == [Rebuilt(home.root, 3, 3)]
    assert home.examine() == {}
    with closing(home.open(OLD)) as store:
        assert len(store.vectors) == len(store.keywords) == 3
        ((chunk, _),) = store.keywords.search([("cherry", 1.0)], {Field.BODY: 1.0}, 5)
        assert store.catalog.chunks([chunk])[chunk].path == "c.py"


def test_a_half_built_space_stays_half_built_and_the_old_one_goes_on_answering(home: Home) -> None:
    with closing(home.open(NEW)) as store:
        home.embed(store, limit=2)
    assert home.rebuild() == [Rebuilt(home.root, 3, 2)]
    with closing(home.open(NEW)) as store:
        assert (store.replaced, store.served.space, len(store.served.index)) == (OLD, OLD, 3)
        assert (len(store.vectors), len(store.catalog.pending(0, 10))) == (2, 1)


def test_vectors_that_the_cache_has_lost_are_counted(home: Home) -> None:
    shutil.rmtree(home.paths.home / "embeddings")
    assert home.rebuild(keywords=False) == [Rebuilt(home.root, 3, 0)]
    with closing(home.open(OLD)) as store:
        assert len(store.catalog.pending(0, 10)) == 3


def test_it_touches_nothing_while_a_daemon_owns_the_store(home: Home) -> None:
    before = {path: path.read_bytes() for path in home.store.rglob("*") if path.is_file()}
    with own_store(home.paths.lock), pytest.raises(LucAstraError, match="lucastra-client stop") as refused:
        home.rebuild()
    assert refused.value.code == ErrorCode.INDEX_LOCKED
    assert {path: path.read_bytes() for path in home.store.rglob("*") if path.is_file()} == before


def test_folders_are_found_by_the_workspace_that_holds_them(home: Home) -> None:
    assert [done.root for done in home.rebuild(home.root / "src" / "deep", home.root)] == [home.root]
    with pytest.raises(LucAstraError, match=f"known: {home.root}") as refused:
        home.rebuild(home.root.parent)
    assert refused.value.code == ErrorCode.WORKSPACE_NOT_FOUND


def test_nothing_is_removed_where_the_catalog_is_damaged(home: Home) -> None:
    (home.store / "catalog.sqlite3").write_bytes(b"nothing of the kind" * 500)
    with pytest.raises(LucAstraError, match="indexes the files anew"):
        home.rebuild()
    assert list((home.store / "vectors").iterdir())


def test_what_a_second_reading_finds_whole_is_no_damage() -> None:
    readings = iter([["torn", "damaged"], ["damaged"], ["damaged", "torn"]])
    assert _confirmed(lambda: next(readings)) == ["damaged"]
    readings = iter([["torn"], []])
    assert _confirmed(lambda: next(readings)) == []
