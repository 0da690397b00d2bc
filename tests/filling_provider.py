"""A scripted provider that fills in the middle, and can be held up in it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
from scripted_provider import ScriptedAnswer, ScriptedProvider

from lucastrad.llm.errors import ProviderError
from lucastrad.llm.protocol import Answer, Capabilities, CompletionRequest, FillRequest


@dataclass
class FillingProvider(ScriptedProvider):
    """Writes `fill`; `gate`, where it is set, is waited for before the end, and `failure` is raised then."""

    fill: str | Sequence[str] = "return 1"
    """What it writes, in one piece or in several."""
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(fill_in_the_middle=True, fill_context=True, local=True)
    )
    unsupported: ProviderError | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read = ""
        """What of the last fill was read."""
        self.fills: list[FillRequest] = []
        self.open_fills = 0
        self.cancelled_fills = 0

    @asynccontextmanager
    async def stream_fill(self, request: FillRequest) -> AsyncIterator[Answer]:
        self.fills.append(request)
        if self.unsupported is not None:
            raise self.unsupported
        self.open_fills += 1
        self.pieces = [self.fill] if isinstance(self.fill, str) else self.fill
        answer = ScriptedAnswer(self, CompletionRequest((), model=request.model))
        try:
            yield answer
        except trio.Cancelled:
            self.cancelled_fills += 1
            raise
        finally:
            self.open_fills -= 1
            self.read = answer.text
