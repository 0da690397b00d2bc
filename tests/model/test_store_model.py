"""The workspace store against a twin that is a dictionary.

Whatever order commits, deletions, embeddings, checkpoints, lost files and restarts come in: searches find
what the twin holds, nothing deleted comes back, and no chunk whose vector is in the cache is embedded again.
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
from lucastrad.storage.catalog import IndexedFile
from lucastrad.storage.keywords import Field
from lucastrad.text.words import terms
from lucastrad.types import Chunk, FileState, Stat, VectorSpace

SPACE = VectorSpace("local", "model-test", 16)
PATHS = st.sampled_from(["a.py", "b.py", "pkg/a.py", "pkg/c.py", "pkg/sub/d.py"])
WORDS = ["apple", "banana", "cherry", "damson", "elder"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)


def vector_of(text: str) -> np.ndarray:
    seed = int.from_bytes(text.encode()[:8].ljust(8, b"\0"), "little")
    vector = np.random.default_rng(seed).standard_normal(SPACE.dimensions).astype(np.float32)
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
        self.embedded_keys: set[bytes] = set()
        self.reopen()

    def reopen(self) -> None:
        self.cache = EmbeddingCache(self.folder / "embeddings", SPACE, max_bytes=1 << 24)
        self.store = WorkspaceStore(self.folder / "store", SPACE, self.cache)
        assert self.store.replay_vectors() == 0
        self.store.publish()

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
        known = self.cache.get(list(first))
        missing = [row for key, row in first.items() if key not in known]
        new_keys = {pending[row].key for row in missing}
        assert not new_keys & self.embedded_keys, "a vector that is in the cache was embedded again"
        self.embedded_keys |= new_keys
        rows = np.stack([vector_of(chunk.text) for chunk in pending])
        self.store.embed([c.id for c in pending], [c.key for c in pending], rows, new=missing)

    @rule(force=st.booleans())
    def checkpoint(self, force: bool) -> None:
        self.store.checkpoint(force=force)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.cache.close()
        self.reopen()

    @rule()
    def crash(self) -> None:
        """A kill: nothing is saved on the way out, so the derived indexes are behind the catalog."""
        self.store.keywords.close()
        self.store.catalog.close()
        self.cache.close()
        self.reopen()

    @rule(name=st.sampled_from(["keywords", "vectors"]))
    def lose_a_derived_index(self, name: str) -> None:
        self.store.close()
        self.cache.close()
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
    def vector_search_finds_exactly_what_was_embedded(self, word: str) -> None:
        pending = {chunk.id for chunk in self.store.catalog.pending(0, 1000)}
        found = self.store.vectors.search(vector_of(word), 100)
        chunks = self.store.catalog.chunks([chunk for chunk, _ in found])
        assert len(found) == len(chunks), "a deleted chunk was found"
        expected = sum(len(texts) for texts in self.files.values()) - len(pending)
        assert len(found) == expected
        if found and any(c.text == word for c in chunks.values()):
            assert chunks[found[0][0]].text == word

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
            self.store.close()
            self.cache.close()
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
