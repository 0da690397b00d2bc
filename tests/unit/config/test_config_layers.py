"""What each source may set, how its values are judged, and which source wins."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.document import parse
from lucastrad.config.layers import (
    WORKSPACE_KEYS,
    Layer,
    Severity,
    environment_layer,
    flags_layer,
    merge,
    user_layer,
    workspace_layer,
)
from lucastrad.config.schema import Config
from lucastrad.config.values import KNOWN_KEYS, dotted

HOME = Path("/home/ada/.lucastra")
FILE = HOME / "config.json"


def user(content: object, environ: Mapping[str, str] | None = None) -> Layer:
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    return user_layer(parse(text.encode()), FILE, environ=environ or {}, home=HOME)


def workspace(content: object) -> Layer:
    return workspace_layer(parse(json.dumps(content, indent=1).encode()), Path("/w/.lucastra.json"), home=HOME)


def messages(layer: Layer) -> list[str]:
    return [str(problem) for problem in layer.problems]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"llm": {"provider": "openai", "max_tokens": "many"}}, '4: llm.max_tokens must be a whole number from 1 to'),
        ({"llm": {"provider": "openai", "max_tokens": 0}}, "must be a whole number from 1 to 1000000, not 0"),
        ({"llm": {"provider": "openai", "max_tokens": True}}, "llm.max_tokens must be a whole number"),
        ({"llm": {"provider": "openai", "timeout_secs": 0}}, "timeout_secs must be a number above 0 and up to 3600"),
        ({"llm": {"provider": "gpt"}}, 'llm.provider must be one of "anthropic", "auto", "azure"'),
        ({"llm": {"provider": "openai", "endpoint": "ftp://x"}}, "llm.endpoint must be an http:// or https:// address"),
        ({"llm": {"provider": "openai", "endpoint": "http://u:p@h/"}}, "without a user name or password"),
        ({"offline": "yes"}, 'offline must be true or false, not "yes"'),
        ({"indexing": {"ignore": "*.md"}}, 'indexing.ignore must be a list [ … ], each item text, not "*.md"'),
        ({"indexing": []}, "indexing must be an object: { … }"),
        ({"providers": {"a b": {}}}, "'a b' is no provider name"),
        ({"embeddings": {"cache_dir": 5}}, "embeddings.cache_dir must be a path, not 5"),
        ({"embeddings": {"model": "\ud800"}}, "embeddings.model is not valid Unicode text"),
    ],
)  # fmt: skip
def test_a_wrong_value_breaks_the_file_and_is_told_in_plain_words(content: object, expected: str) -> None:
    layer = user(content)
    assert layer.broken
    assert not layer.settings
    assert any(expected in message for message in messages(layer)), messages(layer)


def test_every_wrong_value_is_told_at_once_with_its_line() -> None:
    layer = user('{"llm": {"provider": "openai",\n "max_tokens": 0,\n "temperature": 9}}')
    assert [problem.where for problem in layer.problems] == [f"{FILE}:2", f"{FILE}:3"]


@pytest.mark.parametrize("key", [5, {"a": "hush"}, ["hush"], ""])
def test_a_wrong_credential_is_never_shown(key: object) -> None:
    layer = user({"llm": {"provider": "openai", "api_key": key}})
    assert layer.broken
    assert "hush" not in str(messages(layer))


@pytest.mark.parametrize(
    ("content", "closest"),
    [
        ({"llm": {"provider": "openai", "modle": "x"}}, "llm.model"),
        ({"idle_exit_minutes": 5}, "limits.idle_exit_minutes"),
        ({"ofline": True}, "offline"),
        ({"provider_s": {}}, "providers"),
        ({"providers": {"work": {"modle": "x"}}}, "providers.work.model"),
    ],
)
def test_an_unknown_key_names_the_closest_known_one(content: object, closest: str) -> None:
    layer = user(content)
    assert not layer.broken
    assert any(f"did you mean {closest}?" in message for message in messages(layer)), messages(layer)


def test_an_unknown_key_cannot_write_to_the_terminal() -> None:
    (message,) = messages(user({"\x1b[2J": 1}))
    assert message.isprintable()


def test_sections_of_older_versions_say_what_replaces_them() -> None:
    layer = user({"$schema": "x", "observability": {"level": "info"}, "security": {}})
    assert [problem.severity for problem in layer.problems] == [Severity.NOTICE, Severity.NOTICE]
    assert "logging" in messages(layer)[0]


@pytest.mark.parametrize(
    ("content", "endpoint"),
    [
        ({"llm": {"endpoint": "http://localhost:8000"}}, "http://localhost:8000"),
        ({"endpoint": "http://localhost:8000"}, "http://localhost:8000"),
        ({"endpoint": "http://old:1", "llm": {"endpoint": "http://new:1"}}, "http://new:1"),
        ({"llm": {}}, None),
    ],
)
def test_a_file_of_version_1_0_means_llamafile(content: object, endpoint: str | None) -> None:
    layer = user(content)
    config, _ = merge([layer])
    assert (config.llm.provider, config.llm.endpoint) == ("llamafile", endpoint)
    assert any("v1.0" in message for message in messages(layer))


def test_a_file_without_a_provider_section_configures_none() -> None:
    layer = user({"offline": False})
    assert merge([layer])[0].llm.provider is None
    assert not layer.problems


def test_the_schema_published_with_1_1_is_read_whole() -> None:
    layer = user(
        {
            "llm": {
                "provider": "openai", "api_key": "${OPENAI_API_KEY}", "model": "gpt-4o-mini", "endpoint": None,
                "temperature": 0.7, "max_tokens": 4096, "timeout_secs": 30, "retry_attempts": 3,
            },
            "embeddings": {
                "provider": "openai", "model": "text-embedding-3-small", "batch_size": 100,
                "cache_dir": "~/.lucastra/embeddings",
            },
            "vector_search": {
                "enabled": True, "index_path": "~/.lucastra/vector.index", "top_k": 5, "ef_construction": 200, "m": 16,
            },
            "conversation": {
                "max_context_tokens": 8000, "persist": True, "persist_path": "~/.lucastra/conversations",
            },
        },
        {"OPENAI_API_KEY": "k-123"},
    )  # fmt: skip
    assert [problem.severity for problem in layer.problems] == [Severity.NOTICE]
    assert "vector_search.index_path is of an older version" in layer.problems[0].message
    config, _ = merge([layer])
    assert (config.embeddings.provider, config.embeddings.model) == ("openai", "text-embedding-3-small")
    assert config.llm.api_key is not None
    assert config.llm.api_key.reveal() == "k-123"
    assert config.embeddings.cache_dir == Path.home() / ".lucastra/embeddings"


def test_relative_paths_start_in_lucastras_folder() -> None:
    config, _ = merge([user({"embeddings": {"cache_dir": "cache/../vectors"}, "workspaces": ["src"]})])
    assert config.embeddings.cache_dir == HOME / "vectors"
    assert config.workspaces == (HOME / "src",)


def test_variables_are_replaced_in_text_lists_and_numbers() -> None:
    content = {
        "llm": {"provider": "openai", "model": "${A}-${B}", "max_tokens": "${N}"},
        "indexing": {"ignore": ["${A}/", "b"]},
    }
    config, _ = merge([user(content, {"A": "x", "B": "y", "N": "12"})])
    assert (config.llm.model, config.llm.max_tokens) == ("x-y", 12)
    assert config.indexing.ignore == ("x/", "b")


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_a_missing_variable_is_told_by_key_and_name_and_the_value_is_unset(environ: dict[str, str]) -> None:
    layer = user({"llm": {"provider": "openai", "api_key": "${KEY}", "model": "m"}}, environ)
    config, _ = merge([layer])
    assert (config.llm.api_key, config.llm.model) == (None, "m")
    (message,) = messages(layer)
    assert message.startswith(f"{FILE}:4: llm.api_key names the environment variable KEY, which is not set")


def test_a_malformed_variable_is_not_sent_as_a_key() -> None:
    layer = user({"llm": {"provider": "openai", "api_key": "${KEY"}}, {"KEY": "x"})
    assert merge([layer])[0].llm.api_key is None
    assert "without a variable" in messages(layer)[0]


def test_a_credential_written_into_the_file_works_and_is_advised_against() -> None:
    layer = user({"llm": {"provider": "openai", "api_key": "k-literal"}})
    secret = merge([layer])[0].llm.api_key
    assert secret is not None
    assert secret.reveal() == "k-literal"
    assert layer.problems[0].severity is Severity.NOTICE
    assert "k-literal" not in str(messages(layer)) + repr(secret) + repr(merge([layer])[0])


def _value_for(key: tuple[str, ...]) -> object:
    default: Any = Config()
    for name in key:
        default = getattr(default, name)
    return default if default is not None and not isinstance(default, tuple) else [] if default == () else "openai"


@pytest.mark.parametrize("key", sorted(set(KNOWN_KEYS) - WORKSPACE_KEYS), ids=dotted)
def test_a_workspace_can_set_nothing_but_the_safe_keys(key: tuple[str, ...]) -> None:
    content: Any = _value_for(key)
    for name in reversed(key):
        content = {name: content}
    layer = workspace(content)
    assert not layer.settings
    assert any(f"may not set {dotted(key)}" in message for message in messages(layer))


def test_a_workspace_sets_the_safe_keys_beside_what_is_refused() -> None:
    layer = workspace(
        {
            "indexing": {"ignore": ["gen/"], "max_file_bytes": 4096, "include_generated": True},
            "search": {"limit": 3},
            "llm": {"endpoint": "http://evil.example", "api_key": "${HOME}"},
            "providers": {"x": {"endpoint": "http://evil.example"}},
        }
    )
    config, origins = merge([layer])
    assert set(origins) == {dotted(key) for key in WORKSPACE_KEYS}
    assert config.llm.endpoint is None
    assert not config.providers
    assert [problem.severity for problem in layer.problems] == [Severity.ERROR] * 3


def test_a_workspace_sees_no_environment_variable() -> None:
    layer = workspace({"indexing": {"ignore": ["${HOME}/x"]}})
    assert merge([layer])[0].indexing.ignore == ("${HOME}/x",)


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("LUCASTRA_OFFLINE", "true", "offline", True),
        ("LUCASTRA_OFFLINE", "0", "offline", False),
        ("LUCASTRA_LLM__PROVIDER", "ollama", "llm.provider", "ollama"),
        ("LUCASTRA_INDEXING__MAX_FILE_BYTES", "4096", "indexing.max_file_bytes", 4096),
        ("LUCASTRA_INDEXING__IGNORE", '["a", "b"]', "indexing.ignore", ("a", "b")),
        ("LUCASTRA_LLM__TEMPERATURE", "1.5", "llm.temperature", 1.5),
        ("LUCASTRA_PROVIDERS__WORK__MODEL", "m", "providers.work.model", "m"),
        ("LUCASTRA_WORKSPACES", '["/a"]', "workspaces", (Path("/a"),)),
        ("LUCASTRA_LLM__MODEL", "7", "llm.model", "7"),
    ],
)
def test_a_variable_sets_its_key(name: str, text: str, key: str, value: object) -> None:
    layer = environment_layer({name: text}, home=HOME)
    assert not layer.problems
    ((found, setting),) = layer.settings.items()
    assert (dotted(found), setting.value, setting.origin) == (key, value, name)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("LUCASTRA_LLM__TEMPERATURE", "hot", "llm.temperature must be a number from 0 to 2"),
        ("LUCASTRA_INDEXING__IGNORE", "a,b", "indexing.ignore must be a list"),
        ("LUCASTRA_LLM__MODLE", "x", "did you mean llm.model?"),
        ("LUCASTRA_OFLINE", "1", "did you mean offline?"),
        ("LUCASTRA_EMBEDDINGS__CACHE_DIR", "a\udcffb", "not valid Unicode"),
    ],
)
def test_a_wrong_variable_is_told_and_left_out(name: str, text: str, says: str) -> None:
    layer = environment_layer({name: text}, home=HOME)
    assert not layer.settings
    (message,) = messages(layer)
    assert message.startswith(f"{name}: ")
    assert says in message


@pytest.mark.parametrize("name", ["LUCASTRA_HOME", "LUCASTRA_TEST_RUN", "PATH", "lucastra_offline"])
def test_other_variables_are_let_be(name: str) -> None:
    assert environment_layer({name: "x"}, home=HOME) == Layer()


def test_an_empty_variable_sets_nothing() -> None:
    assert environment_layer({"LUCASTRA_LLM__MODEL": ""}, home=HOME) == Layer()


@pytest.mark.parametrize(("name", "value"), [("logging.level", "loud"), ("loging.level", "info"), ("llm", {})])
def test_a_wrong_flag_is_an_error(name: str, value: object) -> None:
    with pytest.raises(LucAstraError) as caught:
        flags_layer({name: value}, home=HOME)
    assert caught.value.code is ErrorCode.CONFIG_INVALID
    assert name in caught.value.message


_LIMITS = st.none() | st.integers(1, 100)


@given(st.tuples(_LIMITS, _LIMITS, _LIMITS, _LIMITS))
def test_the_highest_source_that_sets_a_key_wins(values: tuple[int | None, ...]) -> None:
    in_user, in_workspace, in_environment, in_flags = values

    def section(limit: int | None) -> dict[str, object]:
        return {} if limit is None else {"search": {"limit": limit}}

    environ = {} if in_environment is None else {"LUCASTRA_SEARCH__LIMIT": str(in_environment)}
    config, origins = merge(
        [
            user(section(in_user)),
            workspace(section(in_workspace)),
            environment_layer(environ, home=HOME),
            flags_layer({} if in_flags is None else {"search.limit": in_flags}, home=HOME),
        ]
    )
    expected = next((value for value in reversed(values) if value is not None), Config().search.limit)
    assert config.search.limit == expected
    sources = (f"{FILE}:3", "/w/.lucastra.json:3", "LUCASTRA_SEARCH__LIMIT", "flag")
    winner = next((s for s, v in zip(reversed(sources), reversed(values), strict=True) if v is not None), None)
    assert origins.get("search.limit") == winner
