"""Which provider is asked, at which address, with which key."""

import logging
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.schema import Config, LlmConfig, Secret
from lucastrad.llm.build import build_provider
from lucastrad.llm.discovery import LocalServer, usual_addresses
from lucastrad.llm.errors import Unreachable
from lucastrad.llm.http import is_loopback, origin_of
from lucastrad.llm.protocol import Provider
from lucastrad.llm.registry import KINDS, Providers
from lucastrad.llm.settings import CONVENTIONS, Settings, ollama_address, settle

ENV_KEY = "sk-env-0123456789abcdef"
OWN_KEY = "sk-own-0123456789abcdef"


def settled(environ: Mapping[str, str] | None = None, **config: Any) -> Settings:
    section = LlmConfig(**config)
    return settle(section, section.provider or "llamafile", name="llm", environ=environ or {})


def sent_key(settings: Settings) -> tuple[str, str] | None:
    """The header and value that a request to the settings' address carries."""
    if settings.credential is None:
        return None
    request = httpx.Request("POST", settings.address)
    before = set(request.headers)
    next(settings.credential.auth_flow(request))
    ((header, value),) = [(name, request.headers[name]) for name in request.headers if name not in before]
    return header, value


@pytest.mark.parametrize(
    ("kind", "address", "model"),
    [
        ("openai", "https://api.openai.com/v1", "gpt-4o-mini"),
        ("anthropic", "https://api.anthropic.com", "claude-sonnet-4-5"),
        ("llamafile", "http://127.0.0.1:8080", None),
        ("ollama", "http://127.0.0.1:11434", None),
    ],
)
def test_each_kind_has_its_own_address_and_model(kind: Any, address: str, model: str | None) -> None:
    settings = settled(provider=kind)
    assert (settings.address, settings.defaults.model, settings.credential) == (address, model, None)


@pytest.mark.parametrize(
    ("kind", "endpoint", "address"),
    [
        ("openai", "http://localhost:1234", "http://localhost:1234/v1"),
        ("openai", "http://localhost:1234/", "http://localhost:1234/v1"),
        ("openai", "https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("llamafile", "http://localhost:8080/v1", "http://localhost:8080"),
        ("llamafile", "http://localhost:8080/gpu/v1", "http://localhost:8080/gpu"),
        ("anthropic", "https://proxy.example/v1", "https://proxy.example"),
        ("ollama", "http://box:11434/api", "http://box:11434"),
        ("azure", "https://me.openai.azure.com/openai/v1/", "https://me.openai.azure.com"),
    ],
)
def test_an_address_is_understood_with_and_without_what_the_adapter_adds(
    kind: Any, endpoint: str, address: str
) -> None:
    assert settled(provider=kind, endpoint=endpoint, model="m").address == address


CONVENTIONAL = [
    ("openai", {"OPENAI_API_KEY": ENV_KEY}, "https://api.openai.com/v1", ("authorization", f"Bearer {ENV_KEY}")),
    (
        "openai", {"OPENAI_API_KEY": ENV_KEY, "OPENAI_BASE_URL": "https://gateway.example/v1"},
        "https://gateway.example/v1", ("authorization", f"Bearer {ENV_KEY}"),
    ),
    (
        "azure",
        {
            "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com/", "AZURE_OPENAI_API_KEY": ENV_KEY,
            "AZURE_OPENAI_DEPLOYMENT": "d",
        },
        "https://me.openai.azure.com", ("api-key", ENV_KEY),
    ),
    (
        "azure",
        {
            "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com", "AZURE_OPENAI_AD_TOKEN": "token-123456",
            "AZURE_OPENAI_DEPLOYMENT_NAME": "d",
        },
        "https://me.openai.azure.com", ("authorization", "Bearer token-123456"),
    ),
    ("anthropic", {"ANTHROPIC_API_KEY": ENV_KEY}, "https://api.anthropic.com", ("x-api-key", ENV_KEY)),
    ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "tok-1"}, "https://api.anthropic.com", ("authorization", "Bearer tok-1")),
    ("ollama", {"OLLAMA_HOST": "0.0.0.0:1234"}, "http://127.0.0.1:1234", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "environ", "address", "key"), CONVENTIONAL)
def test_the_conventional_variables_are_understood(
    kind: Any, environ: dict[str, str], address: str, key: tuple[str, str] | None
) -> None:
    settings = settled(environ, provider=kind)
    assert (settings.address, sent_key(settings)) == (address, key)


def test_the_configuration_comes_before_the_environment() -> None:
    environ = {"OPENAI_API_KEY": ENV_KEY, "OPENAI_BASE_URL": "https://gateway.example/v1"}
    own = Secret(OWN_KEY, "${MY_KEY}")
    settings = settled(environ, provider="openai", endpoint="https://mine.example", api_key=own, model="m")
    assert settings.address == "https://mine.example/v1"
    assert sent_key(settings) == ("authorization", f"Bearer {OWN_KEY}")
    assert settings.target.key_source == "${MY_KEY}"


@pytest.mark.parametrize(
    ("kind", "variable", "endpoint"),
    [
        ("openai", "OPENAI_API_KEY", "http://localhost:1234/v1"),
        ("openai", "OPENAI_API_KEY", "http://api.openai.com/v1"),
        ("openai", "OPENAI_API_KEY", "https://api.openai.com:8443/v1"),
        ("openai", "OPENAI_API_KEY", "https://api.openai.com.evil.example/v1"),
        ("anthropic", "ANTHROPIC_API_KEY", "https://evil.example"),
        ("anthropic", "ANTHROPIC_AUTH_TOKEN", "https://evil.example"),
        ("azure", "AZURE_OPENAI_API_KEY", "https://evil.example"),
    ],
)
def test_a_key_of_the_environment_does_not_go_to_an_address_that_it_was_not_meant_for(
    kind: Any, variable: str, endpoint: str
) -> None:
    assert sent_key(settled({variable: ENV_KEY}, provider=kind, endpoint=endpoint, model="m")) is None


def test_a_credential_is_added_to_no_other_origin() -> None:
    credential = settled({"OPENAI_API_KEY": ENV_KEY}, provider="openai").credential
    assert credential is not None
    for url in ("https://api.openai.com:444/v1", "http://api.openai.com/v1", "https://openai.com", "https://a.example"):
        request = httpx.Request("POST", url)
        next(credential.auth_flow(request))
        assert "authorization" not in request.headers
    assert ENV_KEY not in repr(credential)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk a", "ключ", "sk-\x7f", "  "])
def test_a_key_that_http_cannot_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(LucAstraError, match=r"\$\{K\}") as refused:
        settled(provider="openai", api_key=Secret(key, "${K}"))
    assert refused.value.code is ErrorCode.CONFIG_INVALID
    assert key not in refused.value.message


def test_white_space_around_a_key_is_forgiven() -> None:
    assert sent_key(settled({"OPENAI_API_KEY": f"{ENV_KEY}\n"}, provider="openai")) == (
        "authorization", f"Bearer {ENV_KEY}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("config", "environ", "cure"),
    [
        ({"provider": "azure"}, {}, "`llm.endpoint`, or AZURE_OPENAI_ENDPOINT"),
        (
            {"provider": "azure", "endpoint": "https://me.openai.azure.com"},
            {},
            "`llm.model`, or AZURE_OPENAI_DEPLOYMENT",
        ),
        ({"provider": "openai"}, {"OPENAI_BASE_URL": "gateway"}, "OPENAI_BASE_URL holds no"),
        ({"provider": "openai"}, {"OPENAI_BASE_URL": "https://u:p@gateway"}, "OPENAI_BASE_URL holds no"),
        ({"provider": "ollama"}, {"OLLAMA_HOST": "ftp://x"}, "OLLAMA_HOST holds no"),
    ],
)
def test_what_is_missing_or_wrong_is_named(config: dict[str, Any], environ: dict[str, str], cure: str) -> None:
    with pytest.raises(LucAstraError) as refused:
        settled(environ, **config)
    assert refused.value.code is ErrorCode.CONFIG_INVALID
    assert cure in refused.value.message


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104
        ("[::]:1234", "http://[::1]:1234"),
        ("http://box", "http://box:80"),
        ("https://box.example", "https://box.example:443"),
        ("https://box.example:1234/ollama", "https://box.example:1234/ollama"),
        (' "127.0.0.1:1" ', "http://127.0.0.1:1"),
    ],
)
def test_ollamas_host_is_read_as_ollama_does(host: str, address: str) -> None:
    expected, found = httpx.URL(address), httpx.URL(ollama_address(host))
    assert (found.scheme, found.host, found.path) == (expected.scheme, expected.host, expected.path)
    assert origin_of(found) == origin_of(expected)


@pytest.mark.parametrize("host", ["ftp://x", "http://", "a b", "http://u@h", "x:99999", "x:y", "a%20b", "http://[::1"])
def test_what_is_no_host_of_ollama_is_refused(host: str) -> None:
    with pytest.raises(LucAstraError, match=r"OLLAMA_HOST holds no .* or set `llm\.endpoint`"):
        settled({"OLLAMA_HOST": host}, provider="ollama")


@pytest.mark.parametrize("endpoint", ["http://a b", "http://x:99999", "http://[::1", "http://u:p@x", "gopher://x"])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(LucAstraError, match=r"`llm\.endpoint` is no http"):
        settled(provider="openai", endpoint=endpoint)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://LOCALHOST.", True),
        ("http://a.localhost", False),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://0.0.0.0", False),
        ("http://192.168.0.1", False),
        ("http://[::2]", False),
        ("http://2130706433.example", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, local: bool) -> None:
    assert is_loopback(url) is local


def test_a_key_that_crosses_a_network_in_the_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    config = LlmConfig(provider="openai", endpoint="http://10.0.0.5/v1", api_key=Secret(OWN_KEY, "${K}"))
    build_provider(config, environ={})
    assert "without TLS" in caplog.text
    assert OWN_KEY not in caplog.text


def test_a_version_1_0_configuration_means_llamafile() -> None:
    provider = build_provider(LlmConfig(endpoint="http://localhost:9999"), environ={})
    assert (provider.kind, provider.origin) == ("llamafile", "http://localhost:9999")


def test_no_secret_is_in_the_representation_of_settings() -> None:
    settings = settled({"OPENAI_API_KEY": ENV_KEY}, provider="openai")
    assert ENV_KEY not in repr(settings)


# By name.


def configured(**config: Any) -> Config:
    return Config(**config)


async def chosen(providers: Providers, choice: str | None = None) -> tuple[Provider, str | None]:
    found = await providers.choose(choice)
    assert found is not None
    return found.provider, found.model


@pytest.mark.trio
async def test_nothing_configured_is_nobody_to_ask_whatever_keys_there_are() -> None:
    providers = Providers(Config(), environ={"OPENAI_API_KEY": ENV_KEY})
    assert await providers.choose() is None
    assert "llm" not in providers.names


@pytest.mark.trio
async def test_a_provider_is_chosen_by_name_with_or_without_a_model() -> None:
    config = Config(
        llm=LlmConfig(provider="ollama"),
        providers={"work": LlmConfig(provider="openai", model="m"), "anthropic": LlmConfig(model="claude-opus-4-5")},
    )
    providers = Providers(config, environ={})
    default, _ = await chosen(providers)
    work, model = await chosen(providers, "work/org/model:7b")
    claude, _ = await chosen(providers, "anthropic")
    bare, bare_model = await chosen(providers, "openai/gpt-5")
    assert (default.name, default.kind) == ("llm", "ollama")
    assert (work.name, work.kind, model) == ("work", "openai", "org/model:7b")
    assert (claude.kind, claude.model) == ("anthropic", "claude-opus-4-5")
    assert (bare.kind, bare_model) == ("openai", "gpt-5")
    assert (await chosen(providers, "work"))[0] is work
    assert (await chosen(providers, "ollama/qwen"))[0] is default, "the kind that `llm` has means `llm`"
    await providers.aclose()


@pytest.mark.parametrize(("name", "close"), [("opnai", "openai"), ("antropic/claude", "anthropic"), ("wrok", "work")])
@pytest.mark.trio
async def test_an_unknown_provider_is_told_with_the_closest_known_one(name: str, close: str) -> None:
    providers = Providers(Config(providers={"work": LlmConfig(provider="openai")}), environ={})
    with pytest.raises(LucAstraError, match=f"did you mean {close}\\?") as unknown:
        await providers.choose(name)
    assert unknown.value.code is ErrorCode.CONFIG_INVALID


async def found_none(_: Mapping[str, str]) -> tuple[LocalServer, ...]:
    return ()


async def found_ollama(_: Mapping[str, str]) -> tuple[LocalServer, ...]:
    return (LocalServer("ollama", "http://127.0.0.1:11434", ("llama3.2",)),)


@pytest.mark.trio
async def test_auto_uses_a_server_that_runs_here_and_sends_it_no_key() -> None:
    llm = LlmConfig(provider="auto", api_key=Secret(OWN_KEY), temperature=0.1)
    provider, _ = await chosen(Providers(Config(llm=llm), environ={}, find_servers=found_ollama))
    assert (provider.kind, provider.origin, provider.name) == ("ollama", "http://127.0.0.1:11434", "llm")
    assert OWN_KEY not in repr(vars(provider))


@pytest.mark.trio
async def test_auto_without_a_server_says_how_to_start_one() -> None:
    providers = Providers(Config(llm=LlmConfig(provider="auto")), environ={}, find_servers=found_none)
    with pytest.raises(Unreachable, match="start a llamafile"):
        await providers.choose()


@pytest.mark.trio
async def test_auto_looks_again_after_a_while(autojump_clock: object) -> None:
    answers = [
        LocalServer("llamafile", "http://127.0.0.1:8080", ()),
        LocalServer("ollama", "http://127.0.0.1:11434", ()),
    ]

    async def found(_: Mapping[str, str]) -> tuple[LocalServer, ...]:
        return (answers[0],)

    providers = Providers(Config(llm=LlmConfig(provider="auto")), environ={}, find_servers=found)
    first = (await chosen(providers))[0]
    del answers[0]
    assert (await chosen(providers))[0] is first
    await trio.sleep(31)
    assert (await chosen(providers))[0].kind == "ollama"


@pytest.mark.trio
async def test_a_configuration_that_changes_while_a_server_is_looked_for_is_the_one_that_counts() -> None:
    looking, go_on = trio.Event(), trio.Event()

    async def found(_: Mapping[str, str]) -> tuple[LocalServer, ...]:
        looking.set()
        await go_on.wait()
        return (LocalServer("ollama", "http://127.0.0.1:11434", ()),)

    providers = Providers(Config(llm=LlmConfig(provider="auto")), environ={}, find_servers=found)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(providers.choose)
        await looking.wait()
        await providers.reconfigure(Config(llm=LlmConfig(provider="anthropic")))
        go_on.set()
    assert (await chosen(providers))[0].kind == "anthropic"


@pytest.mark.trio
async def test_a_model_that_ollama_runs_elsewhere_is_not_local() -> None:
    providers = Providers(Config(llm=LlmConfig(provider="ollama", model="qwen3")), environ={})
    default, cloud = await providers.choose(), await providers.choose("ollama/gpt-oss:120b-cloud")
    assert default is not None and default.is_local
    assert cloud is not None and not cloud.is_local


@pytest.mark.trio
async def test_a_changed_configuration_replaces_its_own_provider_only() -> None:
    before = Config(llm=LlmConfig(provider="ollama"), providers={"work": LlmConfig(provider="openai")})
    providers = Providers(before, environ={})
    default, work = (await chosen(providers))[0], (await chosen(providers, "work"))[0]
    after = Config(llm=LlmConfig(provider="anthropic"), providers={"work": LlmConfig(provider="openai")})
    await providers.reconfigure(after)
    assert (await chosen(providers))[0].kind == "anthropic"
    assert (await chosen(providers))[0] is not default
    assert (await chosen(providers, "work"))[0] is work
    await providers.reconfigure(Config(llm=after.llm, providers=after.providers, offline=True))
    assert (await chosen(providers, "work"))[0] is not work


@pytest.mark.parametrize(
    ("environ", "ollama"),
    [
        ({}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": ":9999"}, "http://127.0.0.1:9999"),
        ({"OLLAMA_HOST": "box.example"}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "ftp://x"}, "http://127.0.0.1:11434"),
    ],
)
def test_servers_are_looked_for_on_this_machine_only(environ: dict[str, str], ollama: str) -> None:
    assert usual_addresses(environ) == {"llamafile": "http://127.0.0.1:8080", "ollama": ollama}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def test_every_kind_has_its_conventions() -> None:
    assert tuple(CONVENTIONS) == KINDS
