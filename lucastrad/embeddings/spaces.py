"""The embedders and caches of this daemon, by vector space.

One space is configured: chunks are embedded in it. Others are asked for while a workspace is still served from them.
Which one is configured may change while the daemon runs: `changed` tells.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import trio

from lucastrad.config.schema import EmbeddingsConfig
from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.protocol import Embedder
from lucastrad.types import VectorSpace

OpenCache = Callable[[VectorSpace], EmbeddingCache]
EmbedderFor = Callable[[VectorSpace], Embedder | None]


class EmbeddingSpaces:
    """Safe for use from several threads, but for `use`, `enable` and `changed`: those are the event loop's."""

    def __init__(
        self,
        configured: Embedder,
        open_cache: OpenCache,
        *,
        embedder_for: EmbedderFor = lambda space: None,
        enabled: bool = True,
    ) -> None:
        """`embedder_for` makes an embedder of another space; None where this installation has none."""
        self.configured = configured
        """What embeds chunks."""
        self.enabled = enabled
        """Whether there is search by meaning: without it nothing is embedded, and what is kept stays."""
        self._changed = trio.Event()
        self._open_cache = open_cache
        self._embedder_for = embedder_for
        self._lock = threading.Lock()
        self._embedders: dict[VectorSpace, Embedder | None] = {configured.space: configured}
        self._caches: dict[VectorSpace, EmbeddingCache] = {}

    def use(self, embedder: Embedder, *, without: VectorSpace | None = None) -> None:
        """Embed chunks by `embedder` from now on; `without` names a space that nothing embeds queries in meanwhile."""
        excluded = without is None or self._embedders.get(without, self.configured) is None
        if embedder is self.configured and excluded:
            return
        if without is not None:
            self._embedders[without] = None
        self._embedders[embedder.space] = self.configured = embedder
        self._tell()

    def enable(self, enabled: bool) -> None:
        """Embed, or no longer."""
        if enabled != self.enabled:
            self.enabled = enabled
            self._tell()

    async def changed(self) -> None:
        """Wait until `configured` or `enabled` becomes another."""
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

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
