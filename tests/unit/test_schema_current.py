"""The generated contract files say what the code says."""

import json

import msgspec
import pytest
from lucastra_protocol import generate, lua, typescript
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.examples import ERRORS, EXAMPLES
from lucastra_protocol.methods import METHODS, Method

from lucastrad.config import schema_json
from lucastrad.config.schema import Config


def test_config_schema_is_current() -> None:
    current = schema_json.TARGET.read_text(encoding="utf-8")
    assert current == schema_json.render(), "run `python -m lucastrad.config.schema_json`"


@pytest.mark.parametrize("name", ["methods.schema.json", "README.md", "protocol.ts", "protocol.lua"])
def test_what_is_derived_from_the_contract_is_current(name: str) -> None:
    path, text = next((path, text) for path, text in generate.render_all().items() if path.name == name)
    if path.is_relative_to(generate.EDITORS) and not generate.EDITORS.is_dir():
        pytest.skip("a source distribution leaves the editors' extensions out")
    assert path.read_text(encoding="utf-8") == text, "run `python -m lucastra_protocol.generate`"


def test_no_generated_file_escapes_the_test_above() -> None:
    assert len(generate.render_all()) == 4


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_editors_know_every_method_and_what_it_takes(method: Method) -> None:
    document = generate.schema_document()
    params, result = method.params.__name__, method.result.__name__
    assert f'"{method.name}": {{\n    params: {params};\n    result: {result};' in typescript.render(document)
    assert f'= "{method.name}",' in lua.render(document)


def test_a_field_that_may_be_left_out_is_optional_and_tells_its_default() -> None:
    document = generate.schema_document()
    assert '  /** @default "hybrid" */\n  mode?: "hybrid" | "keyword" | "vector";' in typescript.render(document)
    assert '---@field mode? "hybrid"|"keyword"|"vector" Default: `"hybrid"`.' in lua.render(document)
    assert "---@field provider? string `NAME` or" in lua.render(document)


def test_every_method_has_an_example_and_its_errors() -> None:
    names = {method.name for method in METHODS}
    assert set(EXAMPLES) == names
    assert set(ERRORS) == names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_examples_are_of_the_methods_own_types_and_survive_the_wire(method: Method) -> None:
    for example, struct in zip(EXAMPLES[method.name], (method.params, method.result), strict=True):
        assert msgspec.json.decode(msgspec.json.encode(example), type=struct) == example


def test_every_error_code_is_documented() -> None:
    documented = generate.schema_document()["errors"]
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
