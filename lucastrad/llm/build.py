"""Build providers from the configuration and the environment, and keep each while its configuration stands."""

import difflib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random

from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.schema import Config, LlmConfig
from lucastrad.llm.discovery import LocalServer, find_local_servers
from lucastrad.llm.errors import Unreachable
from lucastrad.llm.http import Deadlines, Endpoint
from lucastrad.llm.limits import RateLimit
from lucastrad.llm.protocol import Provider
from lucastrad.llm.providers.anthropic import AnthropicProvider
from lucastrad.llm.providers.azure import AzureProvider
from lucastrad.llm.providers.llamafile import LlamafileProvider
from lucastrad.llm.providers.ollama import OllamaProvider
from lucastrad.llm.providers.openai import OpenAiProvider
from lucastrad.llm.retry import RetryPolicy
from lucastrad.llm.settings import CONVENTIONS, Settings, sends_key_in_the_clear, settle
from lucastrad.logs import log_event

logger = logging.getLogger(__name__)

AUTO = "auto"
DEFAULT = "llm"
"""The name of the provider that the section `llm` configures."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, and the model that was asked of it; None for its own."""

    provider: Provider
    model: str | None = None


def build_provider(
    config: LlmConfig,
    *,
    name: str = DEFAULT,
    kind: str | None = None,
    environ: Mapping[str, str] | None = None,
    offline: bool = False,
    random: Random | None = None,
    epoch_seconds: Callable[[], float] = time.time,
) -> Provider:
    """The provider that `config` describes, without a connection yet.

    `kind` is that of a configuration that names none; a v1.0 file's is llamafile. `auto` has to be looked for first:
    `Providers` does. Raises LucAstraError (CONFIG_INVALID) where an address, a deployment or a usable key is missing.
    """
    kind = config.provider or kind or "llamafile"
    if kind not in CONVENTIONS:
        raise ValueError(f"no provider can be built of the kind {kind!r}")
    settings = settle(config, kind, name=name, environ=os.environ if environ is None else environ)
    if sends_key_in_the_clear(settings):
        log_event(
            logger, logging.WARNING, "provider key crosses the network without TLS; use https://",
            provider=name, origin=settings.target.origin,
        )  # fmt: skip
    endpoint = Endpoint(
        settings.address,
        settings.target,
        credential=settings.credential,
        headers=settings.headers,
        deadlines=Deadlines(
            connect_seconds=min(10.0, config.timeout_secs),
            stall_seconds=config.timeout_secs,
            total_seconds=config.deadline_secs,
        ),
        retry=RetryPolicy(attempts=config.retry_attempts),
        rate_limit=RateLimit(
            requests_per_minute=config.requests_per_minute, tokens_per_minute=config.tokens_per_minute
        ),
        max_concurrent=config.max_concurrent,
        offline=offline,
        random=random,
        epoch_seconds=epoch_seconds,
    )
    return _adapter(kind, endpoint, settings, config)


def _adapter(kind: str, endpoint: Endpoint, settings: Settings, config: LlmConfig) -> Provider:
    match kind:
        case "openai":
            return OpenAiProvider(endpoint, settings.defaults, api=config.api)
        case "azure":
            return AzureProvider(endpoint, settings.defaults, api=config.api, api_version=settings.api_version)
        case "anthropic":
            return AnthropicProvider(endpoint, settings.defaults)
        case "ollama":
            return OllamaProvider(endpoint, settings.defaults)
        case _:
            return LlamafileProvider(endpoint, settings.defaults)


class Providers:
    """Every provider that can be asked, by name; each is built when it is first asked for."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        random: Random | None = None,
        find_servers: Callable[[Mapping[str, str]], Awaitable[tuple[LocalServer, ...]]] = find_local_servers,
    ) -> None:
        self._config = config
        self._environ = os.environ if environ is None else environ
        self._random = random
        self._find_servers = find_servers
        self._built: dict[str, Provider] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """What `choose` takes: `llm` where it is configured, then the named ones, then the kinds."""
        default = (DEFAULT,) if is_configured(self._config.llm) else ()
        return tuple(dict.fromkeys((*default, *self._config.providers, *CONVENTIONS, AUTO)))

    async def choose(self, choice: str | None = None) -> Choice | None:
        """The provider that `choice` names, as `NAME` or `NAME/MODEL`; without one, that of `llm`.

        None where nothing is chosen and nothing configured. Raises LucAstraError for a name that there is not,
        or ProviderError where `auto` finds no server.
        """
        if choice is None:
            return Choice(await self._provider(DEFAULT)) if is_configured(self._config.llm) else None
        name, _, model = choice.partition("/")
        if name not in self.names:
            raise LucAstraError(self._unknown(name), code=ErrorCode.CONFIG_INVALID)
        if name not in self._config.providers and name == self._config.llm.provider:
            name = DEFAULT  # its key and address are the ones that the user gave for this kind
        return Choice(await self._provider(name), model or None)

    async def reconfigure(self, config: Config) -> None:
        """Use `config` from now on; requests under way end as they began."""
        before, self._config = self._config, config
        for name in tuple(self._built):
            if before.offline != config.offline or _section(before, name) != _section(config, name):
                await self._built.pop(name).aclose()

    async def aclose(self) -> None:
        """Close every provider; requests under way end first."""
        while self._built:
            _, provider = self._built.popitem()
            await provider.aclose()

    async def _provider(self, name: str) -> Provider:
        if name in self._built:
            return self._built[name]
        config = _section(self._config, name)
        kind = config.provider or (name if name in {*CONVENTIONS, AUTO} else None)
        if kind == AUTO:
            return await self._local(name, config)
        return self._keep(name, config, kind)

    def _keep(self, name: str, config: LlmConfig, kind: str | None) -> Provider:
        provider = build_provider(
            config, name=name, kind=kind, environ=self._environ, offline=self._config.offline, random=self._random
        )
        self._built[name] = provider
        return provider

    async def _local(self, name: str, config: LlmConfig) -> Provider:
        servers = await self._find_servers(self._environ)
        if name in self._built:  # another task has found it meanwhile
            return self._built[name]
        if not servers:
            raise Unreachable(
                "no language-model server runs on this machine: start a llamafile (port 8080) or Ollama (port 11434),"
                f" or configure a provider in `{name if name == DEFAULT else f'providers.{name}'}`",
                provider=name,
            )
        server = servers[0]
        changes = {field: getattr(config, field) for field in config.__struct_fields__}
        found = LlmConfig(**(changes | {"provider": server.kind, "endpoint": server.address, "api_key": None}))
        return self._keep(name, found, server.kind)

    def _unknown(self, name: str) -> str:
        shown = name if name.isprintable() else ascii(name)
        close = difflib.get_close_matches(name, self.names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"there is no provider {shown[:80]!r}; {hint}There are {', '.join(self.names)}"


def is_configured(config: LlmConfig) -> bool:
    """Whether `llm` names a provider, or says enough to be a v1.0 file's llamafile."""
    return config.provider is not None or config.endpoint is not None


def _section(config: Config, name: str) -> LlmConfig:
    return config.llm if name == DEFAULT else config.providers.get(name, LlmConfig())
