"""The workspace store against a twin that is a dictionary.

Whatever order commits, deletions, embeddings, checkpoints, lost files, restarts and changes of the vector space come
in: searches find what the twin holds, nothing deleted comes back, no chunk whose vector is in the cache is embedded
again, and what a vector search finds before a change of the space it finds after it.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lucastrad.embeddings.cache import EmbeddingCache, passage_key
from lucastrad.indexing.analysis import chunk_terms, passage, path_terms
from lucastrad.indexing.store import WorkspaceStore
from lucastrad.storage.keywords import Field
from lucastrad.storage.records import IndexedFile
from lucastrad.text.words import terms
from lucastrad.types import Chunk, FileState, Stat, VectorSpace

SPACES = [VectorSpace("local", "model-test", 16), VectorSpace("local", "model-test", 8), VectorSpace("b", "other", 16)]
GONE = VectorSpace("retired", "model", 4)
"""A space that no query can be embedded in, once another one is configured."""
PATHS = st.sampled_from(["a.py", "b.py", "pkg/a.py", "pkg/c.py", "pkg/sub/d.py"])
WORDS = ["apple", "banana", "cherry", "damson", "elder"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)


def vector_of(text: str, space: VectorSpace) -> np.ndarray:
    seed = int.from_bytes(text.encode()[:8].ljust(8, b"\0"), "little")
    vector = np.random.default_rng([seed, len(space.identity)]).standard_normal(space.dimensions).astype(np.float32)
    return vector / np.linalg.norm(vector)


def indexed(path: str, texts: list[str]) -> IndexedFile:
    chunks = [Chunk(i + 1, i + 1, 0, 0, text, "", "window") for i, text in enumerate(texts)]
    return IndexedFile(
        path,
        FileState.INDEXED,
        "",
        "python",
        Stat(1, 2, 3, 4),
        b"",
        chunks,
        [passage_key(passage(path, "", text)) for text in texts],
        [chunk_terms("", text) for text in texts],
        path_terms(path),
    )


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lucastra-model-"))
        self.files: dict[str, list[str]] = {}
        self.embedded_keys: set[tuple[VectorSpace, bytes]] = set()
        self.space = SPACES[0]
        self.findable: set[int] = set()
        """Chunks that a vector search must find, as long as they exist."""
        self.caches: dict[VectorSpace, EmbeddingCache] = {}
        self.reopen()

    def cache_of(self, space: VectorSpace) -> EmbeddingCache:
        if space not in self.caches:
            self.caches[space] = EmbeddingCache(self.folder / "embeddings", space, max_bytes=1 << 24)
        return self.caches[space]

    def reopen(self) -> None:
        self.store = WorkspaceStore(
            self.folder / "store",
            self.space,
            self.cache_of(self.space),
            cache_of=lambda space: None if space == GONE else self.cache_of(space),
        )
        assert self.store.replay_vectors() == 0
        self.store.publish()

    def close(self) -> None:
        self.store.close()
        self.close_caches()

    def close_caches(self) -> None:
        for cache in self.caches.values():
            cache.close()
        self.caches.clear()

    def existing_ids(self) -> set[int]:
        return {chunk for chunk, _ in self.store.catalog.chunk_keys()}

    @rule(path=PATHS, texts=TEXTS)
    def index(self, path: str, texts: list[str]) -> None:
        self.store.commit([indexed(path, texts)])
        self.files[path] = texts

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        self.store.commit([], [path])
        self.files.pop(path, None)

    @rule()
    def delete_folder(self) -> None:
        self.store.commit([], ["pkg/"])
        self.files = {path: texts for path, texts in self.files.items() if not path.startswith("pkg/")}

    @rule()
    def publish(self) -> None:
        self.store.publish()

    @rule(limit=st.integers(1, 4))
    def embed(self, limit: int) -> None:
        pending = self.store.catalog.pending(0, limit)
        if not pending:
            return
        first = {chunk.key: row for row, chunk in reversed(list(enumerate(pending)))}
        known = self.cache_of(self.space).get(list(first))
        missing = [row for key, row in first.items() if key not in known]
        new_keys = {(self.space, pending[row].key) for row in missing}
        assert not new_keys & self.embedded_keys, "a vector that is in the cache was embedded again"
        self.embedded_keys |= new_keys
        rows = np.stack([vector_of(chunk.text, self.space) for chunk in pending])
        ids = [chunk.id for chunk in pending]
        self.store.embed(ids, [c.key for c in pending], rows, new=missing)
        if self.store.served.space == self.space:
            self.findable |= set(ids)

    @rule(space=st.sampled_from([*SPACES, GONE]), crash=st.booleans())
    def change_the_space(self, space: VectorSpace, crash: bool) -> None:
        if crash:
            self.kill()
        else:
            self.close()
        if self.store.served.space == GONE != space:
            self.findable.clear()
        self.space = space
        self.reopen()

    @rule()
    def complete_the_space(self) -> None:
        if not self.store.catalog.pending(0, 1):
            before = self.store.replaced
            assert self.store.space_complete() == before
            assert self.store.served.space == self.space
            assert self.store.replaced is None
            self.findable = self.existing_ids()

    @rule(all_rows=st.booleans())
    def save(self, all_rows: bool) -> None:
        self.store.save(all_rows=all_rows)

    @rule()
    def restart(self) -> None:
        self.close()
        self.reopen()

    @rule()
    def crash(self) -> None:
        self.kill()
        self.reopen()

    def kill(self) -> None:
        """Nothing is saved on the way out, so the derived indexes are behind the catalog."""
        self.store.keywords.close()
        self.store.catalog.close()
        self.close_caches()

    @rule(name=st.sampled_from(["keywords", "vectors"]))
    def lose_a_derived_index(self, name: str) -> None:
        self.close()
        shutil.rmtree(self.folder / "store" / name)
        self.reopen()

    @precondition(lambda self: self.files)
    @rule(word=st.sampled_from(WORDS))
    def keyword_search_finds_exactly_what_the_twin_holds(self, word: str) -> None:
        self.store.publish()
        found = self.store.keywords.search([(terms(word)[0], 1.0)], {Field.BODY: 1.0}, 100)
        chunks = self.store.catalog.chunks([chunk for chunk, _ in found])
        expected = sorted((p, t) for p, texts in self.files.items() for t in texts if t == word)
        assert sorted((c.path, c.text) for c in chunks.values()) == expected
        assert len(found) == len(chunks), "a deleted chunk was found"

    @rule(word=st.sampled_from(WORDS))
    def vector_search_finds_what_was_embedded(self, word: str) -> None:
        served = self.store.served
        found = [chunk for chunk, _ in served.index.search(vector_of(word, served.space), 1000)]
        chunks = self.store.catalog.chunks(found)
        assert len(found) == len(chunks), "a deleted chunk was found"
        assert set(found) >= self.findable & self.existing_ids()
        if self.store.replaced is None:
            pending = {chunk.id for chunk in self.store.catalog.pending(0, 1000)}
            assert set(found) >= self.existing_ids() - pending
        if found and any(chunk.text == word for chunk in chunks.values()):
            assert chunks[found[0]].text == word

    @invariant()
    def only_the_indexes_that_are_needed_are_there(self) -> None:
        if hasattr(self, "store"):
            needed = {self.space.identity, self.store.served.space.identity}
            assert {path.stem for path in (self.folder / "store" / "vectors").iterdir()} <= needed

    @invariant()
    def the_catalog_holds_what_the_twin_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        held = {
            path: [c.text for c in self.store.catalog.chunks_between(span)] for path, span in self.store.catalog.spans()
        }
        assert held == self.files

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.close()
            shutil.rmtree(self.folder)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],
)
