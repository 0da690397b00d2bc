"""Find language-model servers that run on this machine at their usual addresses.

Only `doctor`, and a provider configured as `auto`, look; and only at loopback addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import trio

from lucastrad.llm.errors import ProviderError
from lucastrad.llm.http import Deadlines, Endpoint, is_loopback, origin_of
from lucastrad.llm.providers import llamafile, ollama
from lucastrad.llm.providers.base import Defaults, HttpProvider
from lucastrad.llm.providers.llamafile import LlamafileProvider
from lucastrad.llm.providers.ollama import OllamaProvider
from lucastrad.llm.refusals import Target
from lucastrad.llm.settings import ollama_address

PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that answered."""

    kind: str
    address: str
    models: tuple[str, ...]


_PROVIDERS: Mapping[str, type[LlamafileProvider] | type[OllamaProvider]] = {
    "llamafile": LlamafileProvider,
    "ollama": OllamaProvider,
}


def usual_addresses(environ: Mapping[str, str]) -> dict[str, str]:
    """Where servers of this machine are looked for, by kind."""
    addresses = {"llamafile": llamafile.ENDPOINT, "ollama": ollama.ENDPOINT}
    try:
        named = ollama_address(environ.get("OLLAMA_HOST", "") or ollama.ENDPOINT)
    except ValueError:
        return addresses
    return addresses | {"ollama": named} if is_loopback(named) else addresses


async def find_local_servers(
    environ: Mapping[str, str], *, addresses: Mapping[str, str] | None = None
) -> tuple[LocalServer, ...]:
    """The servers that answer within PROBE_SECONDS, llamafile first."""
    looked_at = usual_addresses(environ) if addresses is None else addresses
    found: dict[str, LocalServer] = {}

    async def probe(kind: str, address: str) -> None:
        server = await _probe(kind, address)
        if server is not None:
            found[kind] = server

    async with trio.open_nursery() as nursery:
        for kind, address in looked_at.items():
            nursery.start_soon(probe, kind, address)
    return tuple(found[kind] for kind in looked_at if kind in found)


async def _probe(kind: str, address: str) -> LocalServer | None:
    target = Target(kind, kind, origin_of(address))
    deadlines = Deadlines(connect_seconds=PROBE_SECONDS, stall_seconds=PROBE_SECONDS, total_seconds=PROBE_SECONDS)
    provider: HttpProvider = _PROVIDERS[kind](Endpoint(address, target, deadlines=deadlines, offline=True), Defaults())
    try:
        models = await provider.models()
    except ProviderError:
        return None
    finally:
        await provider.aclose()
    return LocalServer(kind, address, tuple(model.id for model in models))
