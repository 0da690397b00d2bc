"""The packaged model as an Embedder: passages in worker processes, queries in the daemon."""

from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
import trio
from numpy.typing import NDArray

from lucastrad.embeddings.static import SPACE, TRUNCATED, StaticModel
from lucastrad.types import Passage, VectorSpace
from lucastrad.workers import WorkerPool

_BATCH_SECONDS = 60.0
_decode = msgspec.msgpack.Decoder(tuple[int, list[Passage]]).decode
_encode = msgspec.msgpack.Encoder().encode


class LocalEmbedder:
    """Embeds with the model that ships in a package: no network, no key."""

    spaces = (SPACE, *TRUNCATED)
    """Each of these it can embed in."""
    batch_size = 512

    def __init__(self, pool: WorkerPool, space: VectorSpace = SPACE) -> None:
        """`space` is one of `spaces`."""
        self._pool = pool
        self._space = space
        self._query_model: StaticModel | None = None
        self._loading = trio.Lock()

    @property
    def space(self) -> VectorSpace:
        return self._space

    async def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        reply = await self._pool.run(
            embed_in_worker, _encode((self._space.dimensions, passages)), timeout_seconds=_BATCH_SECONDS
        )
        return np.frombuffer(reply, np.float32).reshape(len(passages), self._space.dimensions)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        return (await self._model()).embed_query(text)

    async def warm_up(self) -> None:
        """Load the query model before the first question needs it."""
        await self._model()

    async def _model(self) -> StaticModel:
        if self._query_model is None:
            async with self._loading:
                if self._query_model is None:
                    self._query_model = await trio.to_thread.run_sync(_load_for_queries, self._space.dimensions)
        return self._query_model


def embed_in_worker(request: bytes) -> bytes:
    """Job of the worker pool: passages in, float32 rows out."""
    dimensions, passages = _decode(request)
    return _passage_model(dimensions).embed_passages(passages).tobytes()


@cache
def _passage_model(dimensions: int) -> StaticModel:
    return StaticModel.load(for_passages=True, dimensions=dimensions)


def _load_for_queries(dimensions: int) -> StaticModel:
    return StaticModel.load(for_passages=False, dimensions=dimensions)
