"""Write protocol/schema/config.schema.json: `python -m lucastrad.config.schema_json`, from a source checkout."""

import json
from pathlib import Path
from typing import Any

import msgspec
from lucastra_protocol.docstrings import describe

from lucastrad.config import schema
from lucastrad.config.values import PROVIDER_NAME

TARGET = Path(__file__).parents[2] / "protocol" / "schema" / "config.schema.json"


def render() -> str:
    """The JSON Schema (2020-12) of `config.json`, as the file's text."""
    (_,), components = msgspec.json.schema_components(
        [schema.Config], schema_hook=_custom, ref_template="#/$defs/{name}"
    )
    describe(components, schema)
    root: dict[str, Any] = components.pop("Config")
    root["properties"] = {
        "$schema": {"type": "string", "description": "Where this schema is, for editors."},
        **root["properties"],
    }
    root["properties"]["providers"]["propertyNames"] = {"pattern": PROVIDER_NAME.pattern}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LucAstra configuration",
        **{key: value for key, value in root.items() if key not in {"title", "required"}},
        "$defs": dict(sorted(components.items())),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _custom(kind: type) -> dict[str, Any]:
    if kind is schema.Secret:
        return {"type": "string", "minLength": 1, "examples": ["${OPENAI_API_KEY}"]}
    if kind is Path:
        return {"type": "string", "minLength": 1}
    raise NotImplementedError(f"no JSON Schema for {kind}")


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
