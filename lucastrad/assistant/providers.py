"""What can be told of the providers: which there are, how they are, and the models that they offer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import trio
from lucastra_protocol.errors import LucAstraError

from lucastrad.config.schema import Config
from lucastrad.llm.errors import ProviderError
from lucastrad.llm.protocol import Capabilities, Health, Model
from lucastrad.llm.registry import AUTO, DEFAULT, KINDS, Choice, is_configured


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """One provider, as far as it could be told without, or with, asking it."""

    name: str
    kind: str
    configured: bool
    """Whether the configuration names it."""
    default: bool
    origin: str | None = None
    model: str | None = None
    capabilities: Capabilities | None = None
    health: Health | None = None
    problem: str = ""
    """Why it cannot be used."""


class NamesProviders(Protocol):
    """What reports ask of `lucastrad.llm.registry.Providers`."""

    @property
    def names(self) -> tuple[str, ...]: ...

    async def choose(self, choice: str | None = None) -> Choice | None: ...

    async def reconfigure(self, config: Config) -> None: ...


class ProviderService:
    """Reports on providers; `config` is what they were built from."""

    def __init__(self, providers: NamesProviders, config: Config) -> None:
        self._providers = providers
        self._config = config

    @property
    def default(self) -> str | None:
        """What answers when no provider is named: its kind, and its model where that is configured."""
        llm = self._config.llm
        if not is_configured(llm):
            return None
        kind = llm.provider or "llamafile"
        return f"{kind}/{llm.model}" if llm.model else kind

    async def reconfigure(self, config: Config) -> None:
        """Use `config` from now on; requests under way end as they began."""
        self._config = config
        await self._providers.reconfigure(config)

    async def reports(self, *, check: bool) -> list[ProviderReport]:
        """Every provider, the default first; `check` asks each one that can be used whether it would answer."""
        names = [
            name for name in self._providers.names if check or self._is_configured(name) or self._kind(name) != AUTO
        ]
        reports: dict[str, ProviderReport] = {}

        async def report(name: str) -> None:
            reports[name] = await self._report(name, check=check)

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(report, name)
        return [reports[name] for name in names]

    async def models(self, choice: str | None) -> tuple[list[tuple[str, Model]], list[str]]:
        """The models of one provider, or of every configured one; and why some could not be listed.

        Raises LucAstraError only for a provider that is named.
        """
        if choice is not None:
            name = choice.partition("/")[0]
            return [(name, model) for model in await self._models(name)], []
        names = [name for name in self._providers.names if self._is_configured(name)]
        found: dict[str, Sequence[Model]] = {}
        problems: dict[str, str] = {}

        async def ask(name: str) -> None:
            try:
                found[name] = await self._models(name)
            except LucAstraError as error:
                problems[name] = f"{name}: {error.message}"

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(ask, name)
        models = [(name, model) for name in names for model in found.get(name, ())]
        return models, [problems[name] for name in names if name in problems]

    async def _models(self, name: str) -> Sequence[Model]:
        choice = await self._providers.choose(name)
        return () if choice is None else await choice.provider.models()

    async def _report(self, name: str, *, check: bool) -> ProviderReport:
        blank = ProviderReport(name, self._kind(name), self._is_configured(name), name == DEFAULT)
        if blank.kind == AUTO and not check:  # to choose it is to look for servers
            return blank
        try:
            choice = await self._providers.choose(name)
        except ProviderError as error:
            return replace(blank, problem=error.message, health=Health(False, error.message) if check else None)
        except LucAstraError as error:
            return replace(blank, problem=error.message)
        if choice is None:
            return blank
        provider = choice.provider
        return replace(
            blank,
            kind=provider.kind,
            origin=provider.origin,
            model=provider.model,
            capabilities=provider.capabilities,
            health=await provider.health() if check else None,
        )

    def _is_configured(self, name: str) -> bool:
        return is_configured(self._config.llm) if name == DEFAULT else name in self._config.providers

    def _kind(self, name: str) -> str:
        section = self._config.llm if name == DEFAULT else self._config.providers.get(name)
        if section is not None and section.provider is not None:
            return section.provider
        return name if name in {*KINDS, AUTO} else "llamafile"
