"""A store whose keyword index cannot be written keeps every commit, and catches up once it can."""

from pathlib import Path

import numpy as np
import pytest

from lucastrad.embeddings.cache import EmbeddingCache, passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.storage.keywords import Field
from lucastrad.storage.records import IndexedFile
from lucastrad.storage.sqlite import StoreUnavailable
from lucastrad.types import Chunk, FileState, Stat, VectorSpace

SPACE = VectorSpace("local", "test", 4)


def a_file(path: str, text: str) -> IndexedFile:
    return IndexedFile(
        path, FileState.INDEXED, "", "python", Stat(1, 2, 3, 4), text.encode(),
        [Chunk(1, 1, 0, len(text), text, "", "window")], [passage_key(passage(path, "", text))],
        [chunk_terms("", text)], path_terms(path),
    )  # fmt: skip


def hits(store: WorkspaceStore, term: str) -> list[str]:
    found = [chunk for chunk, _ in store.keywords.search([(term, 1.0)], {Field.BODY: 1.0}, 10)]
    return [chunk.path for chunk in store.catalog.chunks(found).values()]


@pytest.fixture
def store(tmp_path: Path) -> WorkspaceStore:
    return WorkspaceStore(tmp_path / "store", SPACE, EmbeddingCache(tmp_path / "cache", SPACE, max_bytes=1 << 20))


def test_commits_survive_a_keyword_index_that_cannot_be_written(
    store: WorkspaceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit([a_file("a.py", "apple")])
    store.publish()

    def full(seq: int) -> None:
        raise StoreUnavailable("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(store.keywords, "commit", full)
        store.commit([a_file("b.py", "banana")], gone=["a.py"])
        with pytest.raises(StoreUnavailable):
            store.publish()
    store.commit([a_file("c.py", "cherry")])
    store.publish()
    assert [hits(store, term) for term in ("appl", "apple", "banana", "cherry")] == [[], [], ["b.py"], ["c.py"]]
    store.publish()
    assert len(store.keywords) == 2


def test_vectors_that_the_cache_has_lost_are_put_back_in_line(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "cache", SPACE, max_bytes=1 << 20)
    store = WorkspaceStore(tmp_path / "store", SPACE, cache)
    store.commit([a_file("a.py", "apple"), a_file("b.py", "banana")])
    pending = store.catalog.pending(0, 10)
    vectors = np.eye(2, 4, dtype=np.float32)
    store.embed([chunk.id for chunk in pending], [chunk.key for chunk in pending], vectors, new=[0])
    store.catalog.close()  # as a kill leaves it: no checkpoint
    again = WorkspaceStore(tmp_path / "store", SPACE, cache)
    assert again.replay_vectors() == 1
    assert [chunk.path for chunk in again.catalog.pending(0, 10)] == ["b.py"]
    assert again.vectors.vector(pending[0].id) is not None
