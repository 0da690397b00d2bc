"""The embedders and caches of this daemon, by vector space.

One space is configured: chunks are embedded in it. Others are asked for while a workspace is still served from them.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from lucastrad.config.schema import EmbeddingsConfig
from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.protocol import Embedder
from lucastrad.types import VectorSpace

OpenCache = Callable[[VectorSpace], EmbeddingCache]
EmbedderFor = Callable[[VectorSpace], Embedder | None]


class EmbeddingSpaces:
    """Safe for use from several threads."""

    def __init__(
        self, configured: Embedder, open_cache: OpenCache, *, embedder_for: EmbedderFor = lambda space: None
    ) -> None:
        """`embedder_for` makes an embedder of another space; None where this installation has none."""
        self.configured = configured
        self._open_cache = open_cache
        self._embedder_for = embedder_for
        self._lock = threading.Lock()
        self._embedders: dict[VectorSpace, Embedder | None] = {configured.space: configured}
        self._caches: dict[VectorSpace, EmbeddingCache] = {}

    def embedder(self, space: VectorSpace) -> Embedder | None:
        """What embeds queries of `space`; None where nothing does any more."""
        # No lock: the event loop asks too, and opening a cache may take the other one for seconds.
        if space not in self._embedders:
            self._embedders.setdefault(space, self._embedder_for(space))
        return self._embedders[space]

    def cache(self, space: VectorSpace) -> EmbeddingCache:
        """The cache of `space`, opened on first use. Blocking: call it from a thread."""
        with self._lock:
            if space not in self._caches:
                self._caches[space] = self._open_cache(space)
            return self._caches[space]

    def cache_if_usable(self, space: VectorSpace) -> EmbeddingCache | None:
        """The cache of `space`; None where no query could be embedded in it."""
        return None if self.embedder(space) is None else self.cache(space)

    def close(self) -> None:
        """Close every cache."""
        with self._lock:
            for cache in self._caches.values():
                cache.close()
            self._caches.clear()


def cache_folder(home: Path, settings: EmbeddingsConfig) -> Path:
    """Where the caches of all spaces stand."""
    return settings.cache_dir or home / "embeddings"


def open_cache(home: Path, settings: EmbeddingsConfig, space: VectorSpace) -> EmbeddingCache:
    """The cache of a space, where and as large as is configured."""
    return EmbeddingCache(cache_folder(home, settings), space, max_bytes=settings.cache_max_mb * 1_048_576)
