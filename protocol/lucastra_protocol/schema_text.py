"""Say in words what a JSON Schema says of one value, for every rendering of the contract."""

import json
from typing import Any

Schema = dict[str, Any]
_BOUNDS = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"))


def limits(schema: Schema) -> str:
    """What a value is held to, such as `1…100`, `1…4096 characters` or `1…100 items`; empty where it is to nothing."""
    for lowest, highest, unit in _BOUNDS:
        low, high = schema.get(lowest), schema.get(highest)
        if low is None and high is None:
            continue
        if high is None:
            return f"from {low}{unit}"
        return f"{low}…{high}{unit}" if low is not None else f"up to {high}{unit}"
    options = [limits(option) for option in schema.get("anyOf", ())]
    return next(filter(None, options), "")


def default(schema: Schema) -> str | None:
    """The JSON of the value that a field has when it is left out; None where it must not be left out."""
    return json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None


def reference_name(schema: Schema) -> str:
    """The name of the component that `schema` is a reference to."""
    name: str = schema["$ref"].rpartition("/")[2]
    return name
