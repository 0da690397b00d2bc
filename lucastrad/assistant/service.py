"""Answers to questions: passages that are cited, and checked against the files before they are shown."""

from collections.abc import Callable
from pathlib import Path

import trio

from lucastrad.search.service import SearchService
from lucastrad.types import Answer, Hit, SearchQuery

NO_PROVIDER = (
    "no language model is configured, so these are the passages an answer would be written from;"
    ' to configure one, add `"llm": {"provider": …}` to the file that `lucastra-client config path` names'
)
NOT_YET = "{provider} is configured; this version does not ask it yet, so these are the passages themselves"


class AssistantService:
    """Retrieves and cites."""

    def __init__(self, search: SearchService, provider: Callable[[], str | None]) -> None:
        self._search = search
        self._provider = provider

    @property
    def provider(self) -> str | None:
        """The configured language-model provider."""
        return self._provider()

    async def ask(self, query: SearchQuery) -> Answer:
        """The passages that answer `query.text`, best first."""
        outcome = await self._search.find(query)
        citations = await trio.to_thread.run_sync(_existing, outcome.hits)
        notice = NOT_YET.format(provider=self.provider) if self.provider else NO_PROVIDER
        return Answer(citations, outcome.freshness, None, [notice, *outcome.notices])


def _existing(hits: list[Hit]) -> list[Hit]:
    """The hits whose file is still there: a citation must open."""
    return [hit for hit in hits if (Path(hit.workspace) / hit.chunk.path).is_file()]
