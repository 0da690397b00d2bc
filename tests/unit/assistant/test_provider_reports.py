"""What is told of providers: which there are, what is wrong with them, and nothing sent unless it was asked for."""

import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError
from scripted_provider import ScriptedProvider

from lucastrad.assistant.providers import ProviderService
from lucastrad.config.schema import Config, LlmConfig
from lucastrad.llm.errors import Unreachable
from lucastrad.llm.registry import Choice

pytestmark = pytest.mark.trio


class Listed:
    """Providers of which `auto` is off, `keyless` has no key, and `broken` lists no models."""

    names = ("llm", "keyless", "broken", "openai", "auto")

    def __init__(self) -> None:
        self.chosen: list[str | None] = []
        self.configs: list[Config] = []

    async def choose(self, choice: str | None = None) -> Choice | None:
        self.chosen.append(choice)
        if choice == "keyless":
            raise LucAstraError("set OPENAI_API_KEY", code=ErrorCode.CONFIG_INVALID)
        if choice == "auto":
            raise Unreachable("no language-model server runs on this machine", provider="auto")
        return Choice(Unlisted(name="broken") if choice == "broken" else ScriptedProvider(name=str(choice)))

    async def reconfigure(self, config: Config) -> None:
        self.configs.append(config)


class Unlisted(ScriptedProvider):
    async def models(self) -> tuple[()]:  # type: ignore[override]
        raise Unreachable("nothing listens there", provider=self.name)


CONFIG = Config(
    llm=LlmConfig(provider="ollama", model="llama3.2"),
    providers={"keyless": LlmConfig(provider="openai"), "broken": LlmConfig(provider="ollama")},
)


async def test_what_cannot_be_used_says_why_and_nothing_is_looked_for_unasked() -> None:
    listed = Listed()
    reports = await ProviderService(listed, CONFIG).reports(check=False)
    assert [(report.name, report.kind, report.configured, report.problem) for report in reports] == [
        ("llm", "ollama", True, ""),
        ("keyless", "openai", True, "set OPENAI_API_KEY"),
        ("broken", "ollama", True, ""),
        ("openai", "ollama", False, ""),
    ]
    assert "auto" not in listed.chosen
    assert all(report.health is None for report in reports)


async def test_a_check_asks_each_one_that_can_be_used() -> None:
    reports = {report.name: report for report in await ProviderService(Listed(), CONFIG).reports(check=True)}
    health = {name: None if report.health is None else report.health.ok for name, report in reports.items()}
    assert health == {"llm": True, "keyless": None, "broken": True, "openai": True, "auto": False}
    assert "no language-model server runs" in reports["auto"].problem


async def test_models_are_those_of_configured_providers_and_a_failure_hides_no_others() -> None:
    models, problems = await ProviderService(Listed(), CONFIG).models(None)
    assert [(name, model.id) for name, model in models] == [("llm", "scripted-1")]
    assert problems == ["keyless: set OPENAI_API_KEY", "broken: nothing listens there"]
    with pytest.raises(Unreachable):
        await ProviderService(Listed(), CONFIG).models("broken/any")


@pytest.mark.parametrize(
    ("config", "default"),
    [
        (Config(), None),
        (CONFIG, "ollama/llama3.2"),
        (Config(llm=LlmConfig(provider="anthropic")), "anthropic"),
        (Config(llm=LlmConfig(endpoint="http://127.0.0.1:8080")), "llamafile"),
    ],
)
async def test_the_default_is_told_by_kind_and_model(config: Config, default: str | None) -> None:
    listed = Listed()
    service = ProviderService(listed, Config())
    await service.reconfigure(config)
    assert service.default == default
    assert listed.configs == [config]
