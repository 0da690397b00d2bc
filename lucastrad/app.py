"""The daemon as a whole: the only place that builds concrete services, and the root of every task."""

import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypedDict

import trio
from lucastra_protocol import __version__
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.assistant.providers import ProviderService
from lucastrad.assistant.service import AssistantService
from lucastrad.completion.counts import CompletionCounts
from lucastrad.completion.service import CompletionService
from lucastrad.config.schema import Config
from lucastrad.config.service import ConfigChange, Configuration
from lucastrad.conversation import window
from lucastrad.conversation.service import ConversationService
from lucastrad.doctor import Doctor
from lucastrad.embeddings.known import KnownSpaces
from lucastrad.embeddings.minilm import MiniLmEmbedder
from lucastrad.embeddings.service import Embedders, EmbeddingService
from lucastrad.embeddings.spaces import EmbeddingSpaces, cache_folder, open_cache
from lucastrad.evaluation.service import EvaluationService
from lucastrad.indexing.worker import set_grammar_folder
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.llm.registry import Providers
from lucastrad.logs import DaemonLog, log_event, open_log
from lucastrad.memory import limit_arenas
from lucastrad.search.buffers import BufferCutter, LiveBuffers
from lucastrad.search.reranking import Reranker
from lucastrad.search.service import SearchService
from lucastrad.search.symbols import SymbolService
from lucastrad.server.daemon import serve_clients
from lucastrad.server.services import Services
from lucastrad.storage.fs import ensure_private_folder
from lucastrad.storage.lock import own_store
from lucastrad.storage.vectors.policy import Policy
from lucastrad.workers import default_size, open_pool
from lucastrad.workspace.events import ListFolders
from lucastrad.workspace.scanner import ScanRules
from lucastrad.workspace.secrets import redact
from lucastrad.workspace.watcher import Watcher, native_source, no_source

_log = logging.getLogger(__name__)

_SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter while the event loop waits; Python's default is five times as long."""


async def run(paths: Paths, *, tcp: bool, idle_exit_minutes: float | None, offline: bool) -> int:
    """Run the daemon until it is stopped; return its exit status.

    Raises LucAstraError when another daemon owns the store, or the socket cannot be made.
    """
    limit_arenas()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        ensure_private_folder(paths.home)
    except OSError as error:
        raise LucAstraError(
            f"{paths.home} cannot be made or written ({error.strerror}); make it writable, or set LUCASTRA_HOME",
            code=ErrorCode.STORE_UNAVAILABLE,
        ) from error
    with own_store(paths.lock):
        flags: dict[str, object] = {}
        if offline:
            flags["offline"] = True
        if idle_exit_minutes is not None:
            flags["limits.idle_exit_minutes"] = idle_exit_minutes
        configuration = Configuration.load(paths, flags=flags)
        with open_log(paths.log, **_log_settings(configuration.current)) as log:
            log_event(_log, logging.INFO, "started", version=__version__, home=str(paths.home))
            reason = await _serve(paths, configuration, log, tcp=tcp)
            log_event(_log, logging.INFO, "stopped", reason=reason)
    return 0


async def _serve(paths: Paths, configuration: Configuration, log: DaemonLog, *, tcp: bool) -> str:
    set_grammar_folder(paths.home)
    settings = configuration.current
    workers = settings.indexing.workers or default_size()
    # Vectors are merged by a worker of their own: it takes minutes, and files must not wait for it. The model that
    # re-ranks has one too, which is started when it is used.
    async with open_pool(workers) as pool, open_pool(1) as builders, open_pool(1) as judges:
        known = KnownSpaces(cache_folder(paths.home, settings.embeddings) / "spaces.json")
        async with (
            _open_providers(settings) as providers,
            _open_embeddings(Embedders(pool, providers, known, redact=redact), paths, settings) as (
                embeddings,
                embedding_service,
            ),
            trio.open_nursery() as nursery,
        ):

            def rules_for(root: Path) -> ScanRules:
                return _rules(configuration.for_workspace(root))

            workspaces = WorkspaceService(
                paths.home,
                pool=pool,
                builders=builders,
                embeddings=embeddings,
                rules_for=rules_for,
                forget_rules=configuration.forget_workspace,
                open_watcher=partial(_open_watcher, configuration),
                policy=Policy(m=settings.vector_search.m, ef_construction=settings.vector_search.ef_construction),
            )
            reranking_model = MiniLmEmbedder(judges)
            reranker = Reranker(
                reranking_model,
                lambda: embeddings.cache(reranking_model.space),
                lambda: configuration.current.search,
            )
            buffers = LiveBuffers(BufferCutter(workspaces, embeddings, pool=pool, rules_for=rules_for))
            search = SearchService(workspaces, embeddings, reranker, buffers)

            provider_service = ProviderService(providers, settings)

            def budget_tokens() -> int:
                return configuration.current.conversation.max_context_tokens

            assistant = AssistantService(search, providers, fit=window.fit, budget_tokens=budget_tokens)
            conversations = ConversationService(
                _conversations_file(paths, settings), assistant, budget_tokens=budget_tokens
            )

            completion_counts = CompletionCounts(paths.home / "completions.json")

            async def apply(change: ConfigChange) -> None:
                log.configure(**_log_settings(change.after))
                if change.before.indexing != change.after.indexing or change.workspaces:
                    workspaces.rescan_all()
                await provider_service.reconfigure(change.after)
                if _embedded_by(change.before) != _embedded_by(change.after):
                    embedding_service.reconfigure(change.after)
                if _where_kept(change.before) != _where_kept(change.after):
                    _log.info("where conversations are kept comes into force when the daemon starts again")
                if _where_cached(change.before) != _where_cached(change.after):
                    _log.info("where embeddings are cached comes into force when the daemon starts again")

            services = Services(
                search=search,
                buffers=buffers,
                symbols=SymbolService(workspaces, pool),
                assistant=assistant,
                conversations=conversations,
                completion=CompletionService(
                    providers, search, lambda: configuration.current.completion, completion_counts
                ),
                providers=provider_service,
                workspaces=workspaces,
                evaluations=EvaluationService(
                    paths.home,
                    workspaces=workspaces,
                    search=search,
                    embeddings=embeddings,
                    pool=pool,
                    rules_for=rules_for,
                ),
                settings=configuration,
                checks=Doctor(
                    paths,
                    configuration,
                    pool=pool,
                    embeddings=embedding_service,
                    reranking_model=reranking_model,
                    providers=providers,
                    workspaces=workspaces,
                ),
                embeddings=embedding_service,
                home=paths.home,
            )
            await nursery.start(workspaces.run)
            await nursery.start(buffers.run)
            await nursery.start(conversations.run)
            await nursery.start(configuration.watch, apply)
            nursery.start_soon(completion_counts.run)
            nursery.start_soon(embedding_service.run)
            nursery.start_soon(reranker.run)
            nursery.start_soon(_attach_configured, workspaces, settings)
            # Modules and classes stay as long as the daemon does: a collection need not visit them, which would hold
            # up a search for tens of milliseconds every few hundred requests.
            gc.freeze()
            try:
                reason = await serve_clients(
                    services,
                    paths,
                    tcp=tcp,
                    idle_exit_seconds=settings.limits.idle_exit_minutes * 60,
                )
            finally:
                gc.unfreeze()  # what is left in a cycle is freed on the way out; nanobind reports what is not
            nursery.cancel_scope.cancel()
    return reason


async def _attach_configured(workspaces: WorkspaceService, settings: Config) -> None:
    for folder in settings.workspaces:
        try:
            await workspaces.attach(folder)
        except LucAstraError as error:
            _log.warning("the configured workspace %s is left out: %s", folder, error.message)


@asynccontextmanager
async def _open_embeddings(
    embedders: Embedders, paths: Paths, settings: Config
) -> AsyncIterator[tuple[EmbeddingSpaces, EmbeddingService]]:
    """The configured space, those that vectors may still be of from before a change, and what chooses between them."""
    spaces = EmbeddingSpaces(
        embedders.configured(settings.embeddings),
        partial(open_cache, paths.home, settings.embeddings),
        embedder_for=embedders.for_space,
        enabled=settings.vector_search.enabled,
    )
    try:
        await trio.to_thread.run_sync(spaces.cache, spaces.configured.space)
        yield spaces, EmbeddingService(spaces, embedders, settings.embeddings)
    finally:
        spaces.close()


@asynccontextmanager
async def _open_providers(settings: Config) -> AsyncIterator[Providers]:
    """The language-model providers, each built when it is first asked."""
    providers = Providers(settings)
    try:
        yield providers
    finally:
        with trio.CancelScope(shield=True):  # bounded: idle connections are closed, and no request is left
            await providers.aclose()


def _embedded_by(settings: Config) -> tuple[object, ...]:
    """What decides how passages are embedded."""
    return settings.offline, settings.llm, settings.providers, settings.embeddings, settings.vector_search.enabled


def _where_cached(settings: Config) -> tuple[Path | None, int]:
    return settings.embeddings.cache_dir, settings.embeddings.cache_max_mb


def _where_kept(settings: Config) -> tuple[bool, Path | None]:
    return settings.conversation.persist, settings.conversation.persist_path


def _conversations_file(paths: Paths, settings: Config) -> Path | None:
    """Where conversations are kept; None for in memory."""
    persist, folder = _where_kept(settings)
    # A folder of our own in the one that the user names: it is closed to other users, which theirs need not be.
    return (folder or paths.home) / "conversations" / "conversations.sqlite3" if persist else None


def _open_watcher(configuration: Configuration, root: str, list_folders: ListFolders) -> Watcher:
    polled = configuration.current.indexing.poll == "always"
    return Watcher(root, list_folders, open_source=no_source if polled else native_source)


def _rules(config: Config) -> ScanRules:
    indexing = config.indexing
    return ScanRules(
        max_file_bytes=indexing.max_file_bytes,
        extra_ignore=indexing.ignore,
        include_generated=indexing.include_generated,
    )


class _LogSettings(TypedDict):
    level: str
    max_mb: float
    keep: int
    secrets: list[str]


def _log_settings(config: Config) -> _LogSettings:
    return _LogSettings(
        level=config.logging.level,
        max_mb=config.logging.max_mb,
        keep=config.logging.keep,
        secrets=[secret.reveal() for secret in config.secrets()],
    )
