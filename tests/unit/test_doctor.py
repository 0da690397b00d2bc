"""What `doctor` says of models: those that embed, those that are configured, and those that run on this machine."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths
from scripted_provider import ScriptedProvider

from lucastrad.config.service import Configuration
from lucastrad.doctor import Doctor
from lucastrad.embeddings.protocol import EmbeddingFailed
from lucastrad.embeddings.service import EmbeddedTexts
from lucastrad.llm.discovery import LocalServer
from lucastrad.llm.errors import AuthenticationFailed, OfflineRefused, ProviderError, Unreachable
from lucastrad.llm.protocol import Capabilities, Model
from lucastrad.llm.registry import Choice
from lucastrad.types import CheckReport, CheckStatus, VectorSpace

pytestmark = pytest.mark.trio

OLLAMA = LocalServer("ollama", "http://127.0.0.1:11434", ("qwen3:8b", "nomic-embed-text"))


class Asked(ScriptedProvider):
    async def models(self) -> tuple[Model, ...]:
        if self.failure is not None:
            raise self.failure
        return (Model("a"), Model("b"))


class Embeddings:
    """One model; every text has the same vector, or none."""

    def __init__(self, space: VectorSpace, *, problems: list[str], failure: EmbeddingFailed | None = None) -> None:
        self.space = space
        self.problems = problems
        self._failure = failure

    async def embed(self, texts: list[str], *, queries: bool) -> EmbeddedTexts:
        if self._failure is not None:
            raise self._failure
        return EmbeddedTexts(np.ones((len(texts), 1), np.float32), self.space)


async def findings(
    home: Path,
    config: str = "{}",
    *,
    providers: Mapping[str, ScriptedProvider | LucAstraError] | None = None,
    servers: tuple[LocalServer, ...] = (),
    embeddings: Embeddings | None = None,
) -> dict[str, CheckReport]:
    """What is found, by the name of the check; the last of each."""
    paths = Paths(home=home, run=home / "run")
    paths.config.write_text(config)

    class Named:
        async def choose(self, choice: str | None = None) -> Choice | None:
            found = (providers or {})[str(choice)]
            if isinstance(found, LucAstraError):
                raise found
            return Choice(found)

    async def find_servers(environ: Mapping[str, str]) -> tuple[LocalServer, ...]:
        return servers

    nothing: Any = SimpleNamespace()
    used: Any = embeddings or Embeddings(VectorSpace("local", "lucastra-static-r1", 256), problems=[])
    doctor = Doctor(
        paths,
        Configuration.load(paths, environ={}),
        pool=nothing,
        embeddings=used,
        reranking_model=nothing,
        providers=Named(),  # type: ignore[arg-type]
        workspaces=nothing,
        find_servers=find_servers,
    )
    return {finding.name: finding for finding in await doctor.doctor()}


async def test_a_server_of_this_machine_is_named_with_what_would_use_it(tmp_path: Path) -> None:
    found = (await findings(tmp_path, servers=(OLLAMA,)))["local models"]
    assert found.status is CheckStatus.OK
    assert "ollama answers at http://127.0.0.1:11434 with 2 models: qwen3:8b, nomic-embed-text" in found.detail
    assert f'{{"llm": {{"provider": "ollama"}}}} in {tmp_path / "config.json"} uses it' in found.detail


@pytest.mark.parametrize("provider", ["ollama", "auto"])
async def test_a_server_that_is_configured_already_needs_no_advice(tmp_path: Path, provider: str) -> None:
    config = f'{{"llm": {{"provider": "{provider}"}}}}'
    reports = await findings(tmp_path, config, servers=(OLLAMA,), providers={"llm": Asked()})
    assert "uses it" not in reports["local models"].detail


async def test_without_a_server_or_a_provider_it_says_where_it_looked(tmp_path: Path) -> None:
    reports = await findings(tmp_path)
    assert "http://127.0.0.1:8080 (llamafile)" in reports["local models"].detail
    assert "none is configured" in reports["providers"].detail


@pytest.mark.parametrize(
    ("kind", "failure", "cure"),
    [
        ("ollama", Unreachable("no connection", provider="llm"), "ollama serve"),
        ("llamafile", Unreachable("no connection", provider="llm"), "llama-server"),
        ("openai", Unreachable("check the network", provider="llm"), ""),
        ("openai", AuthenticationFailed("refused the key", provider="llm"), "keys set llm"),
        ("openai", OfflineRefused("offline mode", provider="llm"), "set `offline` to false"),
    ],
)
async def test_a_provider_that_does_not_answer_is_a_warning_with_its_cure(
    tmp_path: Path, kind: str, failure: ProviderError, cure: str
) -> None:
    provider = Asked(kind=kind, capabilities=Capabilities(local=kind != "openai"), failure=failure)
    config = f'{{"llm": {{"provider": "{kind}"}}}}'
    found = (await findings(tmp_path, config, providers={"llm": provider}))["provider llm"]
    assert (found.status, found.detail) == (CheckStatus.WARNING, failure.message)
    assert cure in found.cure
    assert bool(cure) == bool(found.cure)


async def test_every_configured_provider_is_asked(tmp_path: Path) -> None:
    config = '{"llm": {"provider": "ollama"}, "providers": {"work": {"provider": "azure"}}}'
    keyless = LucAstraError("azure needs the address of your resource", code=ErrorCode.CONFIG_INVALID)
    reports = await findings(tmp_path, config, providers={"llm": Asked(), "work": keyless})
    assert reports["provider llm"].detail == "ollama at http://127.0.0.1:11434 answers, with 2 models"
    assert reports["provider work"].detail == keyless.message


async def test_a_providers_embeddings_are_tried_and_what_stands_in_for_them_is_told(tmp_path: Path) -> None:
    space = VectorSpace("openai", "text-embedding-3-small", 1536)
    works = await findings(tmp_path, embeddings=Embeddings(space, problems=[]))
    assert works["embeddings"].detail == "openai text-embedding-3-small, 1536 dimensions"
    failing = Embeddings(space, problems=["embeddings: down"], failure=EmbeddingFailed("it is down", passing=True))
    found = (await findings(tmp_path, embeddings=failing))["embeddings"]
    assert (found.status, found.cure) == (CheckStatus.ERROR, "")
    assert found.detail.endswith("it is down")
