"""The daemon's own services over a small workspace, with threads for worker processes and a scripted model or none.

Evaluations and the doctor's checks are fakes: what they say is of this machine.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from fakes import FakeChecks, FakeEvaluations
from in_process import ThreadPool, open_unwatched
from lucastra_protocol.paths import Paths
from scripted_provider import ScriptedProvider, ScriptedProviders

from lucastrad.assistant.providers import ProviderService
from lucastrad.assistant.service import AssistantService
from lucastrad.completion.counts import CompletionCounts
from lucastrad.completion.service import CompletionService
from lucastrad.config.service import Configuration
from lucastrad.conversation import window
from lucastrad.conversation.service import ConversationService
from lucastrad.embeddings.known import KnownSpaces
from lucastrad.embeddings.service import Embedders, EmbeddingService
from lucastrad.embeddings.spaces import EmbeddingSpaces, open_cache
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.buffers import BufferCutter, LiveBuffers
from lucastrad.search.service import SearchService
from lucastrad.search.symbols import SymbolService
from lucastrad.server.services import Services
from lucastrad.workspace.scanner import ScanRules

FILES = {
    "README.md": "# Sample\n\nA web server that keeps its answers in a cache.\n",
    "src/cache.py": (
        "class Cache:\n"
        '    """Answers by address, the oldest dropped first."""\n'
        "\n"
        "    def __init__(self, size: int) -> None:\n"
        "        self.size = size\n"
        "        self.answers: dict[str, bytes] = {}\n"
        "\n"
        "    def put(self, address: str, answer: bytes) -> None:\n"
        "        if len(self.answers) >= self.size:\n"
        "            del self.answers[next(iter(self.answers))]\n"
        "        self.answers[address] = answer\n"
    ),
    "src/config.py": (
        "import json\n"
        "from pathlib import Path\n"
        "\n"
        "\n"
        "def load_config(path: Path) -> dict[str, object]:\n"
        '    """Read the settings from a JSON file."""\n'
        '    return json.loads(path.read_text(encoding="utf-8"))\n'
    ),
    "src/server.js": "function listen(port) {\n  return http.createServer(answer).listen(port);\n}\n",
}
"""The workspace: what its searches find must not hang on close scores."""


def write_workspace(root: Path) -> None:
    """Make the folder that the transcripts call `${workspace}`."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def _model(says: Sequence[str | None]) -> ScriptedProvider:
    pieces = [piece for piece in says if piece is not None]
    return ScriptedProvider(pieces, gate=trio.Event() if None in says else None)


@asynccontextmanager
async def real_services(home: Path, *, model_says: Sequence[str | None] | None) -> AsyncIterator[Services]:
    """Services that run as long as the block does.

    `model_says` are the pieces of every answer of the provider, and after a None it says nothing more, nor ends; None
    is for no provider.
    """
    paths = Paths(home=home, run=home / "run")
    configuration = Configuration.load(paths, environ={}, flags={"offline": True})
    settings = configuration.current
    pool: Any = ThreadPool()
    providers = ScriptedProviders(*([] if model_says is None else [_model(model_says)]))
    embedders = Embedders(pool, providers, KnownSpaces(home / "spaces.json"), redact=str)
    spaces = EmbeddingSpaces(embedders.local(settings.embeddings), partial(open_cache, home, settings.embeddings))
    embedding_service = EmbeddingService(spaces, embedders, settings.embeddings)
    workspaces = WorkspaceService(
        home,
        pool=pool,
        builders=pool,
        embeddings=spaces,
        rules_for=lambda _: ScanRules(),
        open_watcher=open_unwatched,
    )
    buffers = LiveBuffers(BufferCutter(workspaces, spaces, pool=pool, rules_for=lambda _: ScanRules()))
    search = SearchService(workspaces, spaces, buffers=buffers)
    assistant = AssistantService(search, providers, fit=window.fit, budget_tokens=lambda: 8000)
    conversations = ConversationService(None, assistant, budget_tokens=lambda: 8000)
    services = Services(
        search=search,
        buffers=buffers,
        symbols=SymbolService(workspaces, pool),
        assistant=assistant,
        conversations=conversations,
        completion=CompletionService(providers, search, lambda: settings.completion, CompletionCounts(None)),
        providers=ProviderService(providers, settings),
        workspaces=workspaces,
        evaluations=FakeEvaluations(),
        settings=configuration,
        checks=FakeChecks(),
        embeddings=embedding_service,
        home=home,
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(workspaces.run)
            await nursery.start(buffers.run)
            await nursery.start(conversations.run)
            yield services
            nursery.cancel_scope.cancel()
    finally:
        spaces.close()
