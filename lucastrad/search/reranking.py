"""Re-ranking, where it is configured: a slower model judges a search's best hits once more, within a deadline.

A passage is embedded once, in the background, and its vector kept in the embedding cache. What is not there when a
search's deadline ends keeps its place and goes on being embedded, so that the same search is complete the next time.
Invariant: no search fails or waits past its deadline because of the model.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import trio
from lucastra_protocol.errors import LucAstraError
from numpy.typing import NDArray

from lucastrad.config.schema import SearchConfig
from lucastrad.embeddings.cache import EmbeddingCache, passage_key
from lucastrad.embeddings.protocol import Embedder
from lucastrad.indexing.analysis import passage
from lucastrad.search.query import parse
from lucastrad.search.ranking import best
from lucastrad.types import Hit, Passage, SearchMode, SearchOutcome, SearchQuery

_log = logging.getLogger(__name__)

DEPTH = 30
"""The hits that are judged again."""
WEIGHT = 1.0
"""Times the cosine of question and passage, added to the score of the first ranking. Of 0.1 to 5 the highest that
lowers no kind of question: NDCG@10 of 200 questions for files rises by .010 (standard error .005), MRR@10 of 120
docstring questions by .066 (.019); at 1.5 symbol questions fall."""
_MAX_QUEUED = 10 * (DEPTH + 1)
"""Passages that wait for the model. The newest search's come first, and what then exceeds this is dropped: the search
that asked for it asks again when it is repeated."""

_Vectors = dict[bytes, NDArray[np.float32]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A search that waits for vectors."""

    missing: set[bytes]
    found: _Vectors = field(default_factory=dict)
    failure: LucAstraError | None = None
    ended: trio.Event = field(default_factory=trio.Event)


class Reranker:
    """Orders the hits of searches anew."""

    def __init__(
        self, embedder: Embedder, open_cache: Callable[[], EmbeddingCache], settings: Callable[[], SearchConfig]
    ) -> None:
        """`open_cache` gives the cache of the embedder's space and may block; `settings` tells what is in force."""
        self._embedder = embedder
        self._open_cache = open_cache
        self._settings = settings
        self._queue: dict[bytes, Passage] = {}
        """The next one first; it stays until its vector is there."""
        self._filled = trio.Event()
        self._waiting: set[_Waiting] = set()

    async def run(self) -> None:
        """Embed what searches ask for, until cancelled; where re-ranking is on, load the model for the first one."""
        if self._settings().rerank:
            self._enqueue({b"": Passage("", "", "")})
        while True:
            if not self._queue:
                self._filled = trio.Event()
                await self._filled.wait()
            await self._embed_next(dict(islice(self._queue.items(), self._embedder.batch_size)))

    def widened(self, query: SearchQuery) -> SearchQuery:
        """`query` with as many hits as `apply` wants to choose from."""
        return replace(query, limit=max(query.limit, DEPTH)) if self._applies(query) else query

    async def apply(self, query: SearchQuery, outcome: SearchOutcome) -> SearchOutcome:
        """The best `query.limit` of the outcome's hits, in the new order; a notice says what kept its place."""
        if not (self._applies(query) and outcome.hits):
            return replace(outcome, hits=outcome.hits[: query.limit])
        asked = Passage("", "", query.text)
        passages = [passage(hit.chunk.path, hit.chunk.symbol, hit.chunk.text) for hit in outcome.hits[:DEPTH]]
        keys = [passage_key(one) for one in passages]
        # What is not saved keeps its place: its vector would be written to the cache.
        saved = {key: one for hit, key, one in zip(outcome.hits, keys, passages, strict=False) if not hit.unsaved}
        deadline_ms = self._settings().rerank_deadline_ms
        wanted = {passage_key(asked): asked} | saved
        vectors, failure = await self._vectors(wanted, deadline_ms / 1000)
        question = vectors.get(passage_key(asked))
        cosines = [None if question is None or key not in vectors else float(vectors[key] @ question) for key in keys]
        ranked = reordered(outcome.hits, cosines)
        hits = best(parse(query.text), ranked, query.limit, lambda hit: (hit.workspace, hit.chunk.path))
        notices = [*outcome.notices]
        if failure is not None:
            notices.append(failure.message)
        elif late := sum(
            cosine is None and not hit.unsaved for cosine, hit in zip(cosines, outcome.hits, strict=False)
        ):
            notices.append(
                f"{late} of the best {len(cosines)} hits could not be re-ranked within {deadline_ms:g} ms and keep"
                " their places; the same search is complete in a moment"
            )
        return replace(outcome, hits=hits, notices=notices)

    def _applies(self, query: SearchQuery) -> bool:
        # Who asks for keywords asks for no model's judgement.
        return self._settings().rerank and query.mode is not SearchMode.KEYWORD

    async def _vectors(self, wanted: Mapping[bytes, Passage], seconds: float) -> tuple[_Vectors, LucAstraError | None]:
        """What of `wanted`, the most important first, has a vector before `seconds` are over."""
        waiting = _Waiting(set(wanted))
        with trio.move_on_after(seconds):
            waiting.found = await trio.to_thread.run_sync(self._cached, list(wanted))
            waiting.missing.difference_update(waiting.found)
            if waiting.missing:
                self._enqueue({key: one for key, one in wanted.items() if key in waiting.missing})
                self._waiting.add(waiting)
                try:
                    await waiting.ended.wait()
                finally:
                    self._waiting.discard(waiting)
        return waiting.found, waiting.failure

    def _cached(self, keys: Sequence[bytes]) -> _Vectors:
        try:
            return self._open_cache().get(keys)
        except LucAstraError as error:  # the disk is full, or not there
            _log.warning("the cache of re-ranking cannot be read: %s", error.message)
            return {}

    def _enqueue(self, wanted: dict[bytes, Passage]) -> None:
        self._queue = dict(islice((wanted | self._queue).items(), _MAX_QUEUED))
        self._filled.set()

    async def _embed_next(self, batch: dict[bytes, Passage]) -> None:
        try:
            rows = await self._embedder.embed_passages(list(batch.values()))
        except LucAstraError as error:
            _log.info("%s", error.message)
            self._queue.clear()  # the others would fail alike
            for waiting in self._waiting:
                waiting.failure = error
                waiting.ended.set()
            return
        made = dict(zip(batch, rows, strict=True))
        await trio.to_thread.run_sync(self._keep, {key: row for key, row in made.items() if batch[key].path})
        for key in made:
            self._queue.pop(key, None)
        for waiting in self._waiting:
            waiting.found |= {key: row for key, row in made.items() if key in waiting.missing}
            waiting.missing.difference_update(made)
            if not waiting.missing:
                waiting.ended.set()

    def _keep(self, vectors: _Vectors) -> None:
        """Of passages only: what people ask is not written down."""
        try:
            self._open_cache().put(vectors.items())
        except LucAstraError as error:
            _log.warning("the cache of re-ranking cannot be written: %s", error.message)


def reordered(hits: Sequence[Hit], cosines: Sequence[float | None]) -> list[Hit]:
    """The hits that have a cosine (of question and passage) by their new scores, in the places that they had among
    the others, which keep theirs; `hits` may be longer than `cosines`."""
    places = [place for place, cosine in enumerate(cosines) if cosine is not None]
    judged = [
        replace(hit, score=hit.score + WEIGHT * cosine, components=hit.components | {"rerank": WEIGHT * cosine})
        for hit, cosine in zip(hits, cosines, strict=False)
        if cosine is not None
    ]
    judged.sort(key=lambda hit: -hit.score)  # stable: equals stay as they were ranked
    found = list(hits)
    for place, hit in zip(places, judged, strict=True):
        found[place] = hit
    return found
