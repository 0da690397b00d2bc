"""An exact vector index: every query is compared with every row, by numpy.

Rows live in blocks: one memory-mapped block that a checkpoint wrote, and fixed-size blocks in memory
for what came after. Within a block ids ascend, so a deletion is a slice.

Invariant: the file is checked (CRC-32) before it is mapped; a damaged one counts as absent, and
`reached` is then 0.
"""

import json
import logging
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from lucastra_protocol.errors import ErrorCode, LucAstraError
from numpy.typing import NDArray

from lucastrad.storage.catalog import ChunkSpan
from lucastrad.storage.fs import ensure_private_folder, publish
from lucastrad.types import VectorSpace

_log = logging.getLogger(__name__)

_FORMAT = 1
_BLOCK_ROWS = 8192
"""8 MB a block at 256 dimensions: growth copies nothing, and at most one block is partly empty."""


class _Block:
    """Rows in ascending id order; `alive` is False where a row was deleted."""

    __slots__ = ("alive", "ids", "rows", "size")

    def __init__(self, ids: NDArray[np.int64], rows: NDArray[np.float32], size: int) -> None:
        self.ids = ids
        self.rows = rows
        self.size = size
        self.alive = np.ones(len(ids), np.bool_)

    @classmethod
    def empty(cls, dimensions: int) -> "_Block":
        return cls(np.empty(_BLOCK_ROWS, np.int64), np.empty((_BLOCK_ROWS, dimensions), np.float32), 0)

    def slice(self, span: ChunkSpan) -> slice:
        ids = self.ids[: self.size]
        return slice(int(np.searchsorted(ids, span.first)), int(np.searchsorted(ids, span.last, "right")))


class ExactIndex:
    """A VectorIndex. Safe for one writer beside many searchers. Blocking: call it from a thread."""

    def __init__(self, folder: Path, space: VectorSpace) -> None:
        self._path = folder / f"{space.identity}.exact"
        self._space = space
        self._lock = threading.Lock()
        self._reached = 0
        self._unsaved = 0
        ensure_private_folder(folder)
        for left_over in folder.glob(f".{self._path.name}.*"):  # of a daemon that was killed while saving
            left_over.unlink()
        base = self._open_verified()
        self._blocks: list[_Block] = [base] if base else []

    @property
    def reached(self) -> int:
        """Catalog sequence number of the last checkpoint; 0 when there is none."""
        return self._reached

    @property
    def unsaved(self) -> int:
        """Rows added or deleted since the last checkpoint."""
        return self._unsaved

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append rows; see VectorIndex.add."""
        if vectors.shape != (len(ids), self._space.dimensions):
            raise LucAstraError(
                f"vectors of shape {vectors.shape} do not fit the space {self._space.identity};"
                " an index holds one model's vectors only: run `lucastra-client doctor`",
                code=ErrorCode.SPACE_MISMATCH,
            )
        with self._lock:
            newest = max((int(block.ids[block.size - 1]) for block in self._blocks if block.size), default=0)
            new = [row for row, chunk in enumerate(ids.tolist()) if chunk > newest or self.vector(chunk) is None]
            ids, vectors = ids[new], vectors[new]
            self._unsaved += len(ids)
            while len(ids):
                block = self._block_for(int(ids[0]))
                count = min(len(block.ids) - block.size, len(ids))
                end = block.size + count
                block.ids[block.size : end] = ids[:count]
                block.rows[block.size : end] = vectors[:count]
                block.size = end  # last: a searcher reads `size` first, and then only rows below it
                ids, vectors = ids[count:], vectors[count:]

    def delete(self, spans: Sequence[ChunkSpan]) -> None:
        """Mark rows as deleted."""
        with self._lock:
            for block in self._blocks:
                for span in spans:
                    rows = block.slice(span)
                    self._unsaved += int(np.count_nonzero(block.alive[rows]))
                    block.alive[rows] = False

    def search(
        self, query: NDArray[np.float32], limit: int, within: Sequence[ChunkSpan] | None = None
    ) -> list[tuple[int, float]]:
        """Compare `query` with every live row; see VectorIndex.search."""
        best: list[tuple[int, float]] = []
        for block in list(self._blocks):
            size = block.size
            eligible = block.alive[:size]
            if within is not None:
                eligible = eligible & covered(block.ids[:size], within)
            scores = block.rows[:size] @ query
            scores[~eligible] = -np.inf
            top = np.argpartition(scores, -limit)[-limit:] if size > limit else np.arange(size)
            best += [(int(block.ids[row]), float(scores[row])) for row in top if scores[row] != -np.inf]
        best.sort(key=lambda item: (-item[1], item[0]))
        return best[:limit]

    def vector(self, chunk: int) -> NDArray[np.float32] | None:
        """The vector of one live chunk."""
        for block in list(self._blocks):
            rows = block.slice(ChunkSpan(chunk, chunk))
            if rows.start < rows.stop and block.alive[rows.start]:
                return np.array(block.rows[rows.start])
        return None

    def checkpoint(self, seq: int) -> None:
        """Write the live rows as one file, map it, and release the blocks in memory."""
        with self._lock:
            live = [np.flatnonzero(block.alive[: block.size]) for block in self._blocks]
            ids = _joined([b.ids[rows] for b, rows in zip(self._blocks, live, strict=True)], np.empty(0, np.int64))
            empty = np.empty((0, self._space.dimensions), np.float32)
            vectors = _joined([b.rows[rows] for b, rows in zip(self._blocks, live, strict=True)], empty)
            crc = zlib.crc32(vectors.data, zlib.crc32(ids.data, self._stamp_crc(seq, len(ids))))
            header = json.dumps(
                {"format": _FORMAT, "seq": seq, "rows": len(ids), "crc": crc, "space": self._space.identity}
            )
            publish(self._path, header.encode().ljust(_HEADER_BYTES), ids.data, vectors.data)
            del vectors, ids
            base = self._open_verified()
            self._blocks = [base] if base else []
            self._unsaved = 0

    def clear(self) -> None:
        """Forget everything: the caller replays the catalog from 0."""
        with self._lock:
            self._path.unlink(missing_ok=True)
            self._blocks, self._reached, self._unsaved = [], 0, 0

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(block.alive[: block.size])) for block in self._blocks)

    def _block_for(self, first_id: int) -> _Block:
        """The last block, or a new one where that is full, is mapped, or would lose its order."""
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.size == len(last.ids) or (last.size and first_id <= last.ids[last.size - 1]):
            last = _Block.empty(self._space.dimensions)
            self._blocks.append(last)
        return last

    def _stamp_crc(self, seq: int, rows: int) -> int:
        return zlib.crc32(f"{seq} {rows} {self._space.identity}".encode())

    def _open_verified(self) -> _Block | None:
        """Map the file; None where it is missing or empty; a damaged one is dropped."""
        try:
            with self._path.open("rb") as file:
                header = json.loads(file.read(_HEADER_BYTES))
            rows, dimensions = int(header["rows"]), self._space.dimensions
            if header["format"] != _FORMAT or header["space"] != self._space.identity:
                raise ValueError("another format or vector space")
            if self._path.stat().st_size != _HEADER_BYTES + rows * (8 + 4 * dimensions):
                raise ValueError("unexpected size")
            raw = np.memmap(self._path, np.uint8, "r")
            if zlib.crc32(raw.data[_HEADER_BYTES:], self._stamp_crc(int(header["seq"]), rows)) != header["crc"]:
                raise ValueError("checksum mismatch")
            self._reached = int(header["seq"])
            if rows == 0:
                return None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("vector index damaged, rebuilding from the catalog: %s", error)
            return None
        middle = _HEADER_BYTES + 8 * rows
        ids = raw[_HEADER_BYTES:middle].view(np.int64)
        vectors = raw[middle:].view(np.float32).reshape(rows, dimensions)
        return _Block(ids, vectors, rows)


_HEADER_BYTES = 256
_T = TypeVar("_T", bound=np.generic)


def covered(ids: NDArray[np.int64], spans: Sequence[ChunkSpan]) -> NDArray[np.bool_]:
    """Which ids lie in one of the sorted, disjoint spans."""
    if not spans:
        return np.zeros(len(ids), np.bool_)
    firsts = np.array([span.first for span in spans], np.int64)
    lasts = np.array([span.last for span in spans], np.int64)
    nearest = np.searchsorted(firsts, ids, "right") - 1
    covered: NDArray[np.bool_] = (nearest >= 0) & (ids <= lasts[np.maximum(nearest, 0)])
    return covered


def _joined(parts: list[NDArray[_T]], empty: NDArray[_T]) -> NDArray[_T]:
    return np.concatenate(parts) if parts else empty
