"""`lucastra/search` and `lucastra/related`."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lucastra_protocol.types import RELATED, SEARCH, RelatedParams, SearchParams, SearchResult

from lucastrad.server.handlers.wire import hit_to_wire, path_from_wire, query_from_wire, text_to_wire
from lucastrad.types import SearchMode, SearchOutcome

if TYPE_CHECKING:
    from lucastrad.server.session import Session


async def search(session: "Session", params: SearchParams) -> SearchResult:
    """Find passages."""
    started = time.perf_counter()
    query = query_from_wire(params.query, params, session.services.settings, mode=SearchMode(params.mode))
    outcome = await session.services.search.find(query)
    return _result(outcome, explain=params.explain, started=started)


async def related(session: "Session", params: RelatedParams) -> SearchResult:
    """Find passages like the one at a place."""
    started = time.perf_counter()
    path = path_from_wire(params.path, field="path")
    query = query_from_wire("", params, session.services.settings)
    outcome = await session.services.search.related(path, params.line + 1, query)
    return _result(outcome, explain=params.explain, started=started)


def _result(outcome: SearchOutcome, *, explain: bool, started: float) -> SearchResult:
    return SearchResult(
        hits=[hit_to_wire(hit, explain=explain) for hit in outcome.hits],
        freshness=outcome.freshness.value,
        notices=[text_to_wire(notice) for notice in outcome.notices],
        elapsed_ms=(time.perf_counter() - started) * 1000,
    )


HANDLERS: dict[str, Callable[..., Any]] = {SEARCH.name: search, RELATED.name: related}
