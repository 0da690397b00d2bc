"""The generated contract files say what the code says."""

import json

import msgspec
import pytest
from lucastra_protocol import generate
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.examples import ERRORS, EXAMPLES
from lucastra_protocol.methods import METHODS, Method

from lucastrad.config import schema_json
from lucastrad.config.schema import Config


def test_config_schema_is_current() -> None:
    current = schema_json.TARGET.read_text(encoding="utf-8")
    assert current == schema_json.render(), "run `python -m lucastrad.config.schema_json`"


def test_methods_schema_is_current() -> None:
    current = generate.SCHEMA.read_text(encoding="utf-8")
    assert current == generate.render_schema(), "run `python -m lucastra_protocol.generate`"


def test_readme_is_current() -> None:
    current = generate.README.read_text(encoding="utf-8")
    assert current == generate.render_readme(current), "run `python -m lucastra_protocol.generate`"


def test_every_method_has_an_example_and_its_errors() -> None:
    names = {method.name for method in METHODS}
    assert set(EXAMPLES) == names
    assert set(ERRORS) == names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_examples_are_of_the_methods_own_types_and_survive_the_wire(method: Method) -> None:
    for example, struct in zip(EXAMPLES[method.name], (method.params, method.result), strict=True):
        assert msgspec.json.decode(msgspec.json.encode(example), type=struct) == example


def test_every_error_code_is_documented() -> None:
    documented = json.loads(generate.render_schema())["errors"]
    assert {name: entry["code"] for name, entry in documented.items()} == {code.name: int(code) for code in ErrorCode}
    assert all(entry["description"] for entry in documented.values())


def test_every_config_key_is_described_and_strangers_are_marked() -> None:
    schema = json.loads(schema_json.render())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert set(Config.__struct_fields__) | {"$schema"} == set(schema["properties"])
    for name, section in schema["$defs"].items():
        assert section["additionalProperties"] is False
        for key, value in section["properties"].items():
            assert value.get("description"), f"{name}.{key} has no docstring"


def test_the_schema_tells_where_a_key_belongs() -> None:
    schema = json.loads(schema_json.render())
    assert "${OPENAI_API_KEY}" in schema["$defs"]["LlmConfig"]["properties"]["api_key"]["description"]
