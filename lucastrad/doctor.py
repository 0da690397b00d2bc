"""`doctor`: does every part of this installation do what the daemon needs of it?"""

import importlib
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import trio
from lucastra_protocol import __version__
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.config.service import Configuration
from lucastrad.embeddings import static
from lucastrad.embeddings.minilm import INSTALL
from lucastrad.embeddings.protocol import Embedder
from lucastrad.embeddings.service import LOCAL, EmbeddingService
from lucastrad.indexing.worker import parse_job
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.llm.errors import AuthenticationFailed, OfflineRefused, Unreachable
from lucastrad.llm.registry import AUTO, DEFAULT, Choice, is_configured
from lucastrad.types import CheckReport, CheckStatus, Passage, WorkspaceState
from lucastrad.workers import WorkerPool

if TYPE_CHECKING:
    from lucastrad.assistant.providers import NamesProviders
    from lucastrad.llm.discovery import LocalServer

FindServers = Callable[[Mapping[str, str]], Awaitable[tuple["LocalServer", ...]]]

_LOW_DISK_BYTES = 500_000_000
_PARSE_SECONDS = 30.0
_FEW_WATCHES = 20_000
_MODELS_SHOWN = 5
_ANSWER, _QUESTION = "load_config: read the configuration file", "where is the configuration loaded"


class Doctor:
    """Runs each check for real; none of them changes anything."""

    def __init__(
        self,
        paths: Paths,
        configuration: Configuration,
        *,
        pool: WorkerPool,
        embeddings: EmbeddingService,
        reranking_model: Embedder,
        providers: "NamesProviders",
        workspaces: WorkspaceService,
        find_servers: FindServers | None = None,
    ) -> None:
        """`find_servers` looks for language-model servers of this machine; None for their usual addresses."""
        self._paths = paths
        self._configuration = configuration
        self._pool = pool
        self._embeddings = embeddings
        self._reranking_model = reranking_model
        self._providers = providers
        self._find_servers = find_servers
        self._workspaces = workspaces

    async def doctor(self) -> list[CheckReport]:
        """Every finding, in a fixed order; a check that itself fails is an error with its message."""
        checks: list[tuple[str, Callable[[], Awaitable[list[CheckReport]]]]] = [
            ("version", self._version),
            ("configuration", self._config),
            ("store", self._store),
            ("parsers", self._parsers),
            ("embeddings", self._embedding),
            ("re-ranking", self._reranking),
            ("providers", self._provider_states),
            ("local models", self._local_servers),
            ("watching", self._watching),
            ("workspaces", self._workspace_states),
        ]
        findings: list[CheckReport] = []
        for name, check in checks:
            try:
                findings += await check()
            except Exception as error:
                findings.append(CheckReport(name, CheckStatus.ERROR, f"{type(error).__name__}: {error}"))
        return findings

    async def _version(self) -> list[CheckReport]:
        python = ".".join(map(str, sys.version_info[:3]))
        return [
            CheckReport("version", CheckStatus.OK, f"lucastrad {__version__} on Python {python}, pid {os.getpid()}")
        ]

    async def _config(self) -> list[CheckReport]:
        report = self._configuration.report(None)
        if not report.problems:
            exists = await trio.Path(self._paths.config).exists()
            detail = str(self._paths.config) if exists else f"defaults: there is no {self._paths.config}"
            return [CheckReport("configuration", CheckStatus.OK, detail)]
        return [CheckReport("configuration", CheckStatus.WARNING, text, self._cure(text)) for text in report.problems]

    def _cure(self, problem: str) -> str:
        if problem.startswith("LUCASTRA_"):
            return "correct or unset the variable, then run `lucastra-client stop`"
        place = problem.partition(":")[0]
        return f"edit {place}; it is read again at once" if place.startswith("/") else ""

    async def _store(self) -> list[CheckReport]:
        home = self._paths.home
        free = (await trio.to_thread.run_sync(shutil.disk_usage, home)).free
        mode = (await trio.to_thread.run_sync(home.stat)).st_mode & 0o777
        findings = [CheckReport("store", CheckStatus.OK, f"{home}, {free / 1e9:.1f} GB free")]
        if free < _LOW_DISK_BYTES:
            findings = [CheckReport("store", CheckStatus.WARNING, f"{free / 1e6:.0f} MB free", "free disk space")]
        if mode & 0o077:
            findings.append(
                CheckReport("store", CheckStatus.ERROR, f"{home} has mode {mode:o}", f"run `chmod 700 {home}`")
            )
        return findings

    async def _parsers(self) -> list[CheckReport]:
        symbol = (await self._pool.run(parse_job, b"def f():\n    return 1\n", timeout_seconds=_PARSE_SECONDS)).decode()
        if symbol == "f":
            return [CheckReport("parsers", CheckStatus.OK, "tree-sitter grammars work")]
        return [
            CheckReport(
                "parsers", CheckStatus.ERROR, "the Python grammar found no function in a test file",
                "reinstall with `pip install --force-reinstall semble-grammars`",
            )
        ]  # fmt: skip

    async def _embedding(self) -> list[CheckReport]:
        findings = [CheckReport("embeddings", CheckStatus.WARNING, problem) for problem in self._embeddings.problems]
        space = self._embeddings.space
        detail = f"{space.provider} {space.model}, {space.dimensions} dimensions"
        cure = "reinstall with `pip install --force-reinstall --no-deps lucastra`" if space.provider == LOCAL else ""
        try:
            await trio.to_thread.run_sync(static.verify)
            (row,) = (await self._embeddings.embed([_ANSWER], queries=False)).vectors
            (query,) = (await self._embeddings.embed([_QUESTION], queries=True)).vectors
        except LucAstraError as error:
            return [*findings, CheckReport("embeddings", CheckStatus.ERROR, f"{detail}: {error.message}", cure)]
        cosine = float(np.dot(row, query))
        if cosine > 0.3 or space.provider != LOCAL:
            return [*findings, CheckReport("embeddings", CheckStatus.OK, detail)]
        problem = f"{detail}: a question and its answer have cosine {cosine:.2f}"
        return [*findings, CheckReport("embeddings", CheckStatus.ERROR, problem, cure)]

    async def _reranking(self) -> list[CheckReport]:
        if not self._configuration.current.search.rerank:
            return [CheckReport("re-ranking", CheckStatus.OK, "off; `search.rerank` turns it on")]
        space = self._reranking_model.space
        try:
            cosine = await _cosine_of_an_answer(self._reranking_model)
        except LucAstraError as error:
            detail, cure = f"searches are answered without it: {error.message}", f"run `{INSTALL}`"
            return [CheckReport("re-ranking", CheckStatus.WARNING, detail, cure)]
        detail = f"{space.provider} {space.model}, {space.dimensions} dimensions"
        if cosine > 0.3:
            return [CheckReport("re-ranking", CheckStatus.OK, detail)]
        return [
            CheckReport(
                "re-ranking", CheckStatus.ERROR, f"{detail}: a question and its answer have cosine {cosine:.2f}",
                "set `search.rerank` to false",
            )
        ]  # fmt: skip

    async def _provider_states(self) -> list[CheckReport]:
        """Each configured provider, asked side by side what models it has."""
        config = self._configuration.current
        names = [*([DEFAULT] if is_configured(config.llm) else []), *config.providers]
        if not names:
            return [CheckReport("providers", CheckStatus.OK, "none is configured: `ask` shows passages only")]
        found: dict[str, CheckReport] = {}

        async def ask(name: str) -> None:
            found[name] = await self._provider_state(name)

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(ask, name)
        return [found[name] for name in names]

    async def _provider_state(self, name: str) -> CheckReport:
        title = f"provider {name}"
        choice: Choice | None = None
        try:
            choice = await self._providers.choose(name)
            models = () if choice is None else await choice.provider.models()
        except LucAstraError as error:
            return CheckReport(title, CheckStatus.WARNING, error.message, _provider_cure(error, choice, name))
        where = "" if choice is None else f"{choice.provider.kind} at {choice.provider.origin} "
        return CheckReport(title, CheckStatus.OK, f"{where}answers, with {_models(len(models))}")

    async def _local_servers(self) -> list[CheckReport]:
        """Language-model servers that run on this machine, whether they are configured or not."""
        discovery = await trio.to_thread.run_sync(importlib.import_module, "lucastrad.llm.discovery")
        servers: tuple[LocalServer, ...] = await (self._find_servers or discovery.find_local_servers)(os.environ)
        if not servers:
            looked = ", ".join(f"{address} ({kind})" for kind, address in discovery.usual_addresses(os.environ).items())
            return [CheckReport("local models", CheckStatus.OK, f"no server at {looked}")]
        config = self._configuration.current
        configured = {llm.provider for llm in (config.llm, *config.providers.values())}
        findings = []
        for server in servers:
            shown = ", ".join(server.models[:_MODELS_SHOWN]) + (", …" if len(server.models) > _MODELS_SHOWN else "")
            detail = f"{server.kind} answers at {server.address} with {_models(len(server.models))}"
            detail += f": {shown}" if shown else ""
            if not configured & {server.kind, AUTO}:
                detail += f'; {{"llm": {{"provider": "{server.kind}"}}}} in {self._paths.config} uses it'
            findings.append(CheckReport("local models", CheckStatus.OK, detail))
        return findings

    async def _watching(self) -> list[CheckReport]:
        limit_file = trio.Path("/proc/sys/fs/inotify/max_user_watches")
        if not await limit_file.exists():
            return [CheckReport("watching", CheckStatus.OK, "file events by the operating system")]
        limit = int(await limit_file.read_text())
        if limit >= _FEW_WATCHES:
            return [CheckReport("watching", CheckStatus.OK, f"inotify, up to {limit:,} watches")]
        return [
            CheckReport(
                "watching", CheckStatus.WARNING, f"inotify allows {limit} watches; larger trees are polled",
                "run `sudo sysctl fs.inotify.max_user_watches=524288`",
            )
        ]  # fmt: skip

    async def _workspace_states(self) -> list[CheckReport]:
        findings = []
        for report in await self._workspaces.reports():
            name = f"workspace {report.root}"
            if report.state is WorkspaceState.MISSING:
                cure = f"bring the folder back, or run `lucastra-client workspaces remove {report.root}`"
                findings.append(
                    CheckReport(name, CheckStatus.WARNING, "the folder is not there; its index is kept", cure)
                )
                continue
            for problem in report.problems:
                findings.append(CheckReport(name, CheckStatus.WARNING, problem))
            if not report.problems:
                detail = f"{report.files} files, {report.chunks} chunks, {report.embedded} embedded, {report.freshness}"
                findings.append(CheckReport(name, CheckStatus.OK, "; ".join([detail, *report.notices])))
        return findings


async def _cosine_of_an_answer(embedder: Embedder) -> float:
    rows = await embedder.embed_passages([Passage("", "", _ANSWER)])
    return float(np.dot(rows[0], await embedder.embed_query(_QUESTION)))


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


def _provider_cure(error: LucAstraError, choice: Choice | None, name: str) -> str:
    """What to run, where the message says no more than what is wrong."""
    kind = "" if choice is None else choice.provider.kind
    match error:
        case Unreachable() if kind == "ollama" and choice is not None and choice.is_local:
            return "run `ollama serve`"
        case Unreachable() if kind == "llamafile":
            return "run `llama-server -m MODEL.gguf`, or a llamafile with `--server`"
        case AuthenticationFailed():
            section = name if name == DEFAULT else f"providers.{name}"
            return f'run `lucastra-client keys set {name}`, and set `{section}.api_key` to "${{keyring:{name}}}"'
        case OfflineRefused():
            return "start the daemon without `--offline`, or set `offline` to false"
        case _:
            return ""
