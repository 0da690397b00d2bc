"""Answers to questions: passages that are cited, and checked against the files before they are shown."""

from pathlib import Path

import trio

from lucastrad.search.service import SearchService
from lucastrad.types import Answer, Hit, SearchQuery

NO_PROVIDER = (
    "no language model writes the answer, so these are the passages it would be written from; to configure one,"
    ' add {"llm": {"provider": "ollama", "model": "NAME"}} to the file that `lucastra-client config path` names'
    " (this version keeps the setting and does not ask the model yet)"
)


class AssistantService:
    """Retrieves and cites."""

    def __init__(self, search: SearchService) -> None:
        self._search = search

    async def ask(self, query: SearchQuery) -> Answer:
        """The passages that answer `query.text`, best first."""
        outcome = await self._search.find(query)
        citations = await trio.to_thread.run_sync(_existing, outcome.hits)
        return Answer(citations, outcome.freshness, None, [NO_PROVIDER, *outcome.notices])


def _existing(hits: list[Hit]) -> list[Hit]:
    """The hits whose file is still there: a citation must open."""
    return [hit for hit in hits if (Path(hit.workspace) / hit.chunk.path).is_file()]
