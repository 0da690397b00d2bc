"""What editors hold and have not saved: cut a moment after the last keystroke, and searched in the place of its files.

Of a file that several editors have open, the text that was written last counts. A text that is what its file holds is
forgotten at once: it costs nothing until it is changed.

Invariant: nothing of a buffer is written to disk, neither its text nor its vectors nor their keys, for what is typed
may be a password that is deleted again before the file is saved. The embedding cache is only read. For the same reason
no provider is asked for vectors: with one, a passage that is new is found by keyword until it is saved.
"""

import itertools
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
import trio
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray

from lucastrad.embeddings.protocol import Metered, fitting
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.analysis import passage
from lucastrad.indexing.buffers import BYTE_ORDER_MARK, BufferRequest, buffer_job, decode_buffer_reply
from lucastrad.indexing.signals import Wake
from lucastrad.indexing.workspaces import RulesFor, WorkspaceService
from lucastrad.search.overlay import LiveFile
from lucastrad.types import VectorSpace
from lucastrad.workers import WorkerPool

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode

QUIET_SECONDS = 0.05
"""How long nothing must be typed before a buffer is cut for the first time; later, half of what that took last."""
SHORTEST_QUIET_SECONDS = 0.02
LONGEST_QUIET_SECONDS = 2.0
"""1 MB takes half a second: cut at every pause between two letters, it would keep a core busy while somebody types."""
MAX_FILES = 64
MAX_BYTES = 4_000_000
"""Of all buffers in the overlay, as UTF-8: about ten times as much in memory. Beyond either limit the buffer that was
changed longest ago is left to its file until it is changed again."""
LARGEST_BYTES = 1_000_000
"""A larger buffer is left to its file, as it takes longer than a second to cut; so is one over
`indexing.max_file_bytes`."""
_NOT_OPEN_SECONDS = 0.5
_CUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A buffer that holds what its file holds."""

    file_hash: bytes
    """The content hash of the file."""
    own_hash: bytes
    """The content hash that a file with the bytes of the buffer has."""


class NotOpenYet(Exception):
    """The index of the workspace is being opened."""


class Cuts(Protocol):
    """Makes of a buffer what searches look through."""

    async def cut(self, path: Path, text: str) -> LiveFile | Unchanged | None:
        """The chunks, without vectors; None for a buffer that is not to be searched.

        Raises NotOpenYet, and whatever a parser raises.
        """
        ...

    async def embedded(self, live: LiveFile) -> LiveFile:
        """`live` with the vectors that it lacks, in the space that its workspace answers in."""
        ...

    async def rules_changed(self) -> None:
        """Wait until another buffer than before may be one that is not to be searched."""
        ...


class Editor:
    """The open documents of one client; paths are absolute."""

    def __init__(self, buffers: "LiveBuffers") -> None:
        self._buffers = buffers
        self._open: set[Path] = set()

    def opened(self, path: Path, text: str) -> None:
        """A document was opened. That is no writing: what another editor has written still counts.

        May be told late: when it was edited already, that stands, and it is looked at again.
        """
        if path in self._open:
            self._buffers.compare(path)
            return
        self._open.add(path)
        self._buffers.put(path, self, text, written=False)

    def changed(self, path: Path, text: str) -> None:
        """A document was edited."""
        self._open.add(path)
        self._buffers.put(path, self, text, written=True)

    def saved(self, path: Path) -> None:
        """A document was saved: its file is to be compared with it."""
        self._buffers.compare(path)

    def closed(self, path: Path) -> None:
        """A document was closed: the file counts again, or another editor's text."""
        self._open.discard(path)
        self._buffers.drop(path, self)

    def close(self) -> None:
        """The client left."""
        for path in tuple(self._open):
            self.closed(path)


class LiveBuffers:
    """Keeps the overlay of all editors. `run` is the one task that cuts: one buffer at a time, so that an older version
    never replaces a newer one."""

    def __init__(self, cuts: Cuts) -> None:
        self._cuts = cuts
        self._texts: dict[Path, dict[Editor, str | None]] = {}
        """Of each open document, by editor, the one that wrote last at the end; None where it was what the file is."""
        self._due: dict[Path, float] = {}
        """When each is to be cut."""
        self._quiet_seconds: dict[Path, float] = {}
        """How long nothing must be typed before each is cut again."""
        self._wake = Wake()
        self._live: dict[Path, LiveFile] = {}
        """The one that was changed last at the end."""

    def editor(self) -> Editor:
        """For the documents of one more client."""
        return Editor(self)

    def files(self, root: Path) -> list[LiveFile]:
        """What lies over the index of the workspace at `root`."""
        return [live for live in self._live.values() if live.root == root]

    def forget(self, files: Iterable[LiveFile]) -> None:
        """The index has these by now."""
        gone = set(files)
        self._live = {path: live for path, live in self._live.items() if live not in gone}

    # --- what editors tell -----------------------------------------------------------------------

    def put(self, path: Path, editor: Editor, text: str, *, written: bool) -> None:
        """Take a document's text."""
        others = {one: its for one, its in self._texts.get(path, {}).items() if one is not editor}
        # Who opens what another has open has read the file; one that is opened alone may come from a crash.
        self._texts[path] = {**others, editor: text} if written else {editor: None if others else text, **others}
        self.compare(path)

    def compare(self, path: Path) -> None:
        """Cut the document, and compare it with its file, once nothing is typed any more."""
        if path in self._texts:
            self._look_in(path, self._quiet_seconds.get(path, QUIET_SECONDS))

    def drop(self, path: Path, editor: Editor) -> None:
        """Forget an editor's text."""
        texts = self._texts.get(path, {})
        counted = next(reversed(texts), None)
        texts.pop(editor, None)
        if counted is editor:
            self._live.pop(path, None)
            self._look_in(path, 0)
        if not texts:
            self._texts.pop(path, None)
            self._due.pop(path, None)
            self._quiet_seconds.pop(path, None)

    # --- cutting ---------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Cut what was changed, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_rules)
            task_status.started()
            while True:
                path = await self._next()
                began = trio.current_time()
                await self._look(path)
                if path in self._texts:
                    took = trio.current_time() - began
                    self._quiet_seconds[path] = min(max(SHORTEST_QUIET_SECONDS, took / 2), LONGEST_QUIET_SECONDS)

    async def _follow_rules(self) -> None:
        while True:
            await self._cuts.rules_changed()
            # Those that lie over the index last and in their order, so that no other takes the place of one.
            for path in (*(self._texts.keys() - self._live.keys()), *self._live):
                self._look_in(path, 0)

    def _look_in(self, path: Path, seconds: float) -> None:
        self._due[path] = trio.current_time() + seconds
        self._wake.set()

    async def _next(self) -> Path:
        while True:
            path = min(self._due, key=self._due.__getitem__, default=None)
            if path is not None and self._due[path] <= trio.current_time():
                del self._due[path]
                return path
            with trio.move_on_at(self._due[path] if path is not None else float("inf")):
                await self._wake.wait()

    async def _look(self, path: Path) -> None:
        editor, text = next(reversed(self._texts[path].items()))
        before = self._live.get(path)
        if text is None:
            return
        found: LiveFile | Unchanged | NotOpenYet | None
        try:
            found = await self._cuts.cut(path, text)
        except NotOpenYet as error:
            found = error
        except Exception as error:  # whatever a parser does to one buffer, the others are cut
            _log.warning("the open buffer of %s is not searched: %s", path, type(error).__name__)
            found = None
        if next(reversed(self._texts.get(path, {})), None) is not editor:
            return  # closed, or written by another editor meanwhile
        if isinstance(found, LiveFile):
            live = found.with_vectors_of(before)
            self._publish(path, live)
            await self._embed(path, live)
            return
        if isinstance(found, NotOpenYet):
            self._due.setdefault(path, trio.current_time() + _NOT_OPEN_SECONDS)
        if isinstance(found, Unchanged) and self._texts[path][editor] is text:
            self._texts[path][editor] = None
        if isinstance(found, Unchanged) and before is not None and found.own_hash in before.hashes:
            # It was saved: its chunks answer until the index has them.
            self._live[path] = replace(before, hashes=before.hashes | {found.file_hash})
        else:
            self._live.pop(path, None)

    def _publish(self, path: Path, live: LiveFile) -> None:
        self._live.pop(path, None)
        self._live[path] = live
        while len(self._live) > MAX_FILES or sum(one.size_bytes for one in self._live.values()) > MAX_BYTES:
            del self._live[next(iter(self._live))]

    async def _embed(self, path: Path, live: LiveFile) -> None:
        try:
            embedded = await self._cuts.embedded(live)
        except Exception as error:  # whatever a model does to one buffer, the others are embedded
            _log.warning("the open buffer of %s is found by keyword only: %s", path, type(error).__name__)
            return
        if self._live.get(path) is live:
            self._live[path] = embedded


class BufferCutter:
    """Cuts buffers in workers, by the code that cuts files, and embeds their chunks in the space that answers."""

    def __init__(
        self, workspaces: WorkspaceService, embeddings: EmbeddingSpaces, *, pool: WorkerPool, rules_for: RulesFor
    ) -> None:
        self._workspaces = workspaces
        self._embeddings = embeddings
        self._pool = pool
        self._rules_for = rules_for
        self._ids = itertools.count(-1, -1)

    async def cut(self, path: Path, text: str) -> LiveFile | Unchanged | None:
        """See Cuts."""
        path = await trio.to_thread.run_sync(path.resolve)
        try:
            indexer = self._workspaces.holding(path)
        except LucAstraError:
            return None
        if not indexer.ready.is_set():
            raise NotOpenYet
        # Names need not be UTF-8; files with such names are not indexed either.
        relative = path.relative_to(indexer.root).as_posix()
        if len(text) > LARGEST_BYTES or path == indexer.root or not _is_utf8(relative):
            return None
        content = text.removeprefix(BYTE_ORDER_MARK).encode("utf-8", "replace")
        if len(content) > LARGEST_BYTES:
            return None
        request = BufferRequest(os.fsencode(indexer.root), relative, content, self._rules_for(indexer.root))
        reply = await self._pool.run(buffer_job, _encode(request), timeout_seconds=_CUT_SECONDS)

        def read_reply() -> LiveFile | Unchanged | None:
            cut = decode_buffer_reply(reply)
            if cut.skipped:
                return None
            if cut.file_hash:
                return Unchanged(cut.file_hash, cut.own_hash)
            return LiveFile.of(indexer.root, relative, len(content), cut, self._ids)

        return await trio.to_thread.run_sync(read_reply)

    async def rules_changed(self) -> None:
        """See Cuts."""
        await self._workspaces.rules_changed()

    async def embedded(self, live: LiveFile) -> LiveFile:
        """See Cuts."""
        space = self._workspaces.holding(live.root).store.served.space
        embedder = self._embeddings.embedder(space)
        if embedder is None or not self._embeddings.enabled:
            return live
        vectors = dict(live.vectors) if live.space == space else {}
        if missing := [key for key in live.keys if key not in vectors]:
            vectors |= await trio.to_thread.run_sync(self._cached, space, missing)
        # Neither is what is not saved sent to anybody, nor paid for at every pause of the one who types it.
        new = (
            {}
            if isinstance(embedder, Metered)
            else {
                key: passage(live.path, chunk.symbol, chunk.text)
                for key, chunk in zip(live.keys, live.chunks, strict=True)
                if key not in vectors
            }
        )
        keys = list(new)
        for start in range(0, len(keys), embedder.batch_size):
            batch = keys[start : start + embedder.batch_size]
            rows = fitting(await embedder.embed_passages([new[key] for key in batch]), space)
            vectors |= zip(batch, rows, strict=True)
        return replace(live, space=space, vectors=vectors)

    def _cached(self, space: VectorSpace, keys: list[bytes]) -> dict[bytes, NDArray[np.float32]]:
        return self._embeddings.cache(space).get(keys)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
