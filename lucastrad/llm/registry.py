"""The providers that can be asked, by name: each is built when it is first asked for, and kept while its configuration
stands.

Importing httpx takes 0.2 s, which a daemon that asks no model need not spend: what uses it is imported on first use.
"""

import difflib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.schema import Config, LlmConfig
from lucastrad.llm.errors import Unreachable
from lucastrad.llm.protocol import Provider

if TYPE_CHECKING:
    from lucastrad.llm.discovery import LocalServer

AUTO = "auto"
DEFAULT = "llm"
"""The name of the provider that the section `llm` configures."""
_AGAIN_SECONDS = 30.0
"""How long `auto` stands for the server that was found."""
KINDS = ("openai", "azure", "anthropic", "llamafile", "ollama")


@dataclass(frozen=True, slots=True)
class Choice:
    """A provider, and the model that was asked of it; None for its own."""

    provider: Provider
    model: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether no text leaves this machine: Ollama runs models named `…-cloud` and `…:cloud` elsewhere."""
        model = self.model or self.provider.model or ""
        return self.provider.capabilities.local and not model.endswith(("-cloud", ":cloud"))


class Providers:
    """Every provider that can be asked, by name; each is built when it is first asked for."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        random: Random | None = None,
        find_servers: "Callable[[Mapping[str, str]], Awaitable[tuple[LocalServer, ...]]] | None" = None,
    ) -> None:
        self._config = config
        self._environ = os.environ if environ is None else environ
        self._random = random
        self._find_servers = find_servers
        self._built: dict[str, Provider] = {}
        self._building = trio.Lock()
        self._found: dict[str, tuple[LocalServer, float]] = {}
        """What `auto` stands for by name, and when it was looked for."""

    @property
    def names(self) -> tuple[str, ...]:
        """What `choose` takes: `llm` where it is configured, then the named ones, then the kinds."""
        default = (DEFAULT,) if is_configured(self._config.llm) else ()
        return tuple(dict.fromkeys((*default, *self._config.providers, *KINDS, AUTO)))

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
                self._found.pop(name, None)
                await self._built.pop(name).aclose()

    async def aclose(self) -> None:
        """Close every provider; requests under way end first."""
        while self._built:
            _, provider = self._built.popitem()
            await provider.aclose()

    async def _provider(self, name: str) -> Provider:
        if name in self._built and name not in self._found:
            return self._built[name]
        async with self._building:
            await trio.to_thread.run_sync(_import_http)
            while True:
                config = _section(self._config, name)
                kind = config.provider or (name if name in {*KINDS, AUTO} else None)
                if kind != AUTO:
                    return self._keep(name, config, kind)
                server = await self._local(name)
                if config == _section(self._config, name):  # else it was changed during the search
                    return await self._keep_found(name, config, server)

    def _keep(self, name: str, config: LlmConfig, kind: str | None) -> Provider:
        from lucastrad.llm.build import build_provider

        if name in self._built:  # another task has built it meanwhile
            return self._built[name]
        provider = build_provider(
            config, name=name, kind=kind, environ=self._environ, offline=self._config.offline, random=self._random
        )
        self._built[name] = provider
        return provider

    async def _local(self, name: str) -> "LocalServer":
        from lucastrad.llm.discovery import find_local_servers

        found = self._found.get(name)
        if found is not None and name in self._built and trio.current_time() - found[1] < _AGAIN_SECONDS:
            return found[0]
        servers = await (self._find_servers or find_local_servers)(self._environ)
        if not servers:
            raise Unreachable(
                "no language-model server runs on this machine: start a llamafile (port 8080) or Ollama (port 11434),"
                f" or configure a provider in `{name if name == DEFAULT else f'providers.{name}'}`",
                provider=name,
            )
        return servers[0]

    async def _keep_found(self, name: str, config: LlmConfig, server: "LocalServer") -> Provider:
        before = self._found.get(name)
        self._found[name] = (server, trio.current_time() if before is None or before[0] is not server else before[1])
        if before is not None and before[0].address != server.address and name in self._built:
            await self._built.pop(name).aclose()
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


def _import_http() -> None:
    """In a thread: the event loop has others to serve meanwhile."""
    import lucastrad.llm.build
    import lucastrad.llm.discovery  # noqa: F401
