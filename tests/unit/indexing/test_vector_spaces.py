"""A store whose vector space changes: the old vectors answer until the new ones are complete."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.cache import EmbeddingCache, passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.storage.catalog import Catalog
from lucastrad.storage.records import IndexedFile, Spaces
from lucastrad.types import Chunk, FileState, Stat, VectorSpace

OLD = VectorSpace("local", "test", 8)
NEW = VectorSpace("local", "test", 4)
OTHER = VectorSpace("local", "other", 8)
FILES = {"a.py": "apple", "b.py": "banana", "c.py": "cherry"}


def a_file(path: str, text: str) -> IndexedFile:
    return IndexedFile(
        path, FileState.INDEXED, "", "python", Stat(1, 2, 3, 4), text.encode(),
        [Chunk(1, 1, 0, len(text), text, "", "window")], [passage_key(passage(path, "", text))],
        [chunk_terms("", text)], path_terms(path),
    )  # fmt: skip


def vector_of(text: str, space: VectorSpace) -> NDArray[np.float32]:
    row = np.random.default_rng(list(text.encode())).standard_normal(space.dimensions).astype(np.float32)
    return row / np.linalg.norm(row)


class Workspace:
    """A store in a folder, opened again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.usable = {OLD, NEW, OTHER}
        self.store: WorkspaceStore | None = None

    def cache(self, space: VectorSpace) -> EmbeddingCache:
        return EmbeddingCache(self.folder / "cache", space, max_bytes=1 << 20)

    def open(self, space: VectorSpace) -> WorkspaceStore:
        if self.store is not None:
            self.store.close()
        self.store = WorkspaceStore(
            self.folder / "store",
            space,
            self.cache(space),
            cache_of=lambda other: self.cache(other) if other in self.usable else None,
        )
        assert self.store.replay_vectors() == 0
        return self.store

    def embed(self, limit: int = 100) -> None:
        assert self.store is not None
        pending = self.store.catalog.pending(0, limit)
        rows = np.stack([vector_of(chunk.text, self.store.space) for chunk in pending])
        ids, keys = [chunk.id for chunk in pending], [chunk.key for chunk in pending]
        self.store.embed(ids, keys, rows, new=range(len(pending)))

    def found(self, text: str) -> list[str]:
        """The paths that a search by meaning finds, best first."""
        assert self.store is not None
        served = self.store.served
        ids = [chunk for chunk, _ in served.index.search(vector_of(text, served.space), 10)]
        chunks = self.store.catalog.chunks(ids)
        return [chunks[chunk].path for chunk in ids]

    def indexes(self) -> set[str]:
        return {path.stem for path in (self.folder / "store" / "vectors").iterdir()}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Complete in the old space."""
    workspace = Workspace(tmp_path)
    workspace.open(OLD).commit([a_file(path, text) for path, text in FILES.items()])
    workspace.embed()
    yield workspace
    assert workspace.store is not None
    workspace.store.close()


def test_the_old_vectors_answer_until_every_passage_has_a_new_one(workspace: Workspace) -> None:
    store = workspace.open(NEW)
    assert (store.replaced, store.served.space) == (OLD, OLD)
    assert store.catalog.counts().embedded == 0
    assert workspace.found("banana")[0] == "b.py"
    workspace.embed(limit=2)
    assert (store.served.space, len(workspace.found("cherry"))) == (OLD, 3)
    workspace.embed()
    assert store.space_complete() == OLD
    assert (store.replaced, store.served.space) == (None, NEW)
    assert workspace.found("banana")[0] == "b.py"
    assert workspace.indexes() == {NEW.identity}
    assert store.space_complete() is None


def test_it_goes_on_where_it_was_after_a_restart(workspace: Workspace) -> None:
    workspace.open(NEW)
    workspace.embed(limit=2)
    store = workspace.open(NEW)
    assert (store.replaced, store.served.space, store.catalog.counts().embedded) == (OLD, OLD, 2)
    assert [chunk.path for chunk in store.catalog.pending(0, 10)] == ["c.py"]
    assert workspace.found("cherry")[0] == "c.py"


def test_what_is_deleted_meanwhile_is_found_by_neither_also_after_a_restart(workspace: Workspace) -> None:
    store = workspace.open(NEW)
    store.commit([], ["b.py"])
    assert sorted(workspace.found("banana")) == ["a.py", "c.py"]
    store.publish()
    workspace.embed()
    store.vectors.commit(store.catalog.seq())  # only the old index still needs the deletion
    store.save()
    store.catalog.close()  # as a kill leaves it
    workspace.store = None
    assert workspace.open(NEW).served.space == OLD
    assert sorted(workspace.found("banana")) == ["a.py", "c.py"]


def test_old_vectors_that_are_lost_meanwhile_come_from_their_cache(workspace: Workspace) -> None:
    workspace.open(NEW).close()
    workspace.store = None
    (workspace.folder / "store" / "vectors" / OLD.identity / "manifest.json").write_bytes(b"damaged")
    assert workspace.open(NEW).served.space == OLD
    assert workspace.found("banana")[0] == "b.py"


def test_vectors_that_were_not_saved_before_the_change_answer_after_it(workspace: Workspace) -> None:
    store = workspace.open(OLD)
    store.commit([a_file("d.py", "damson")])
    workspace.embed()
    store.catalog.close()  # a kill: the index on disk is behind
    workspace.store = None
    workspace.open(NEW)
    assert workspace.found("damson")[0] == "d.py"


def test_going_back_half_way_serves_what_was_there_and_completes_from_the_cache(workspace: Workspace) -> None:
    workspace.open(NEW)
    workspace.embed(limit=1)
    store = workspace.open(OLD)
    assert (store.replaced, store.served.space) == (None, OLD)
    assert workspace.found("banana")[0] == "b.py"
    assert workspace.indexes() == {OLD.identity}
    keys = [chunk.key for chunk in store.catalog.pending(0, 10)]
    assert workspace.cache(OLD).get(keys).keys() == set(keys)


def test_of_three_spaces_the_complete_one_answers(workspace: Workspace) -> None:
    workspace.open(NEW)
    workspace.embed(limit=1)
    store = workspace.open(OTHER)
    assert (store.replaced, store.served.space) == (OLD, OLD)
    assert len(workspace.found("banana")) == 3
    assert NEW.identity not in workspace.indexes()


def test_an_index_of_the_new_space_from_an_earlier_time_is_not_trusted(workspace: Workspace) -> None:
    folder, kept = workspace.folder / "store" / "vectors" / NEW.identity, workspace.folder / "kept"
    store = workspace.open(NEW)
    workspace.embed()
    store.space_complete()
    shutil.copytree(folder, kept)
    store = workspace.open(OLD)
    workspace.embed()
    store.space_complete()
    store.commit([], ["b.py"])
    store.publish()
    store.save()  # nobody remembers the deletion now
    shutil.copytree(kept, folder)
    store = workspace.open(NEW)
    assert (len(store.vectors), store.served.space) == (0, OLD)


def test_without_an_embedder_for_the_old_space_only_new_vectors_are_searched(workspace: Workspace) -> None:
    workspace.usable.remove(OLD)
    store = workspace.open(NEW)
    assert (store.replaced, store.served.space) == (OLD, NEW)
    assert OLD.identity not in workspace.indexes()
    assert workspace.found("banana") == []
    workspace.embed(limit=2)
    assert workspace.found("banana")[0] == "b.py"
    workspace.usable.add(OLD)  # and once there is one again, the old ones come from their cache
    assert workspace.open(NEW).served.space == OLD
    assert workspace.found("cherry")[0] == "c.py"


def test_vectors_of_another_length_are_refused_everywhere(workspace: Workspace) -> None:
    store = workspace.open(NEW)
    chunk = store.catalog.pending(0, 1)[0]
    for wrong in (np.ones((1, 8), np.float32), np.ones((1, 3), np.float32)):
        with pytest.raises(LucAstraError) as refused:
            store.embed([chunk.id], [chunk.key], wrong, new=[0])
        assert refused.value.code == ErrorCode.SPACE_MISMATCH
        with pytest.raises(LucAstraError) as refused:
            store.embed([chunk.id], [chunk.key], wrong, new=[])
        assert refused.value.code == ErrorCode.SPACE_MISMATCH
    assert len(store.vectors) == 0
    assert chunk in store.catalog.pending(0, 10)
    assert workspace.cache(NEW).get([chunk.key]) == {}


def test_the_catalog_remembers_both_spaces(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.sqlite3")
    assert catalog.spaces() == Spaces(None, None)
    catalog.enter_space(OLD, replacing=None)
    catalog.enter_space(NEW, replacing=OLD)
    assert catalog.spaces() == Spaces(NEW, OLD)
    catalog.leave_replaced_space()
    assert catalog.spaces() == Spaces(NEW, None)
    catalog.close()


def test_a_replay_that_breaks_off_is_not_taken_for_complete(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.open(OLD).close()
    workspace.store = None
    shutil.rmtree(workspace.folder / "store" / "vectors")
    monkeypatch.setattr("lucastrad.indexing.store._REPLAY_ROWS", 1)
    answers = iter([None])

    def get(self: EmbeddingCache, keys: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        next(answers)  # the second time it raises
        return real(self, keys)

    real = EmbeddingCache.get
    monkeypatch.setattr(EmbeddingCache, "get", get)
    with pytest.raises((RuntimeError, StopIteration)):
        workspace.open(OLD)
    monkeypatch.setattr(EmbeddingCache, "get", real)
    assert len(workspace.open(OLD).vectors) == 3
