"""Render the contract as a Lua module with annotations for LuaLS.

Invariant: the JSON Schema document is the only input. A null of JSON is `nil` here, as Neovim's LSP client decodes it,
so that a field at null and a field left out are the same.
"""

import json
import re
from collections.abc import Iterator

from lucastra_protocol.schema_text import Schema, default, limits, reference_name

_PREFIX = "lucastra/"


def render(document: Schema) -> str:
    """The text of the module, from the document of `generate.schema_document`."""
    parts = ["-- Written by `python -m lucastra_protocol.generate`; the source is protocol/lucastra_protocol.\n"]
    for name, component in document["$defs"].items():
        parts += _class(name, component)
    parts += [*_events(document["methods"]), "local M = {}\n"]
    parts += [
        "--- The version of the contract that these types are of.",
        f"M.version = {document['protocolVersion']}\n",
    ]
    parts += ["--- Names of the requests that the daemon answers.", *_method_names(document["methods"])]
    parts += ["--- Names of what the daemon sends unasked."]
    parts += _notification_names("notifications", document["notifications"])
    parts += ["--- Names of the notifications that the daemon takes."]
    parts += _notification_names("client_notifications", document["clientNotifications"])
    parts += ["--- Codes that a reply's `error.code` may hold.", *_error_codes(document["errors"])]
    return "\n".join([*parts, "return M", ""])


def _class(name: str, component: Schema) -> Iterator[str]:
    if text := component.get("description"):
        yield f"--- {text}"
    yield f"---@class lucastra.{name}"
    required = component["required"]
    for field, schema in component["properties"].items():
        mark = "" if field in required else "?"
        kind = _type(schema).removesuffix("|nil") if mark else _type(schema)
        yield f"---@field {field}{mark} {kind} {_field_text(schema)}".rstrip()
    yield ""


def _events(methods: Schema) -> Iterator[str]:
    """What each method sends to a `partialResultToken`, as one type to decode."""
    for name, method in methods.items():
        if events := method.get("events"):
            yield f"--- What `{name}` sends to its `partialResultToken`."
            yield f"---@alias lucastra.{_pascal(name)}Event {'|'.join(_type(event) for event in events)}\n"


def _method_names(methods: Schema) -> Iterator[str]:
    yield "M.methods = {"
    for name, method in methods.items():
        errors = f"; errors: {', '.join(method['errors'])}" if method["errors"] else ""
        yield f"  --- {method['summary']}"
        yield f"  --- Params: `{_type(method['params'])}`; result: `{_type(method['result'])}`{errors}."
        yield f"  {_snake(name)} = {json.dumps(name)},"
    yield "}\n"


def _notification_names(table: str, notifications: Schema) -> Iterator[str]:
    yield f"M.{table} = {{"
    for name, notification in notifications.items():
        yield f"  --- {notification['summary']} Params: `{_type(notification['params'])}`."
        yield f"  {_snake(name)} = {json.dumps(name)},"
    yield "}\n"


def _error_codes(errors: Schema) -> Iterator[str]:
    yield "M.errors = {"
    for name, entry in errors.items():
        yield f"  --- {entry['description']}"
        yield f"  {name} = {entry['code']},"
    yield "}\n"


def _field_text(schema: Schema) -> str:
    """Description, limits and default; a default of null goes without saying."""
    bounds, value = limits(schema), default(schema)
    return " ".join(
        filter(
            None,
            (
                schema.get("description"),
                f"Limits: {bounds}." if bounds else "",
                f"Default: `{value}`." if value not in {None, "null"} else "",
            ),
        )
    )


def _snake(method: str) -> str:
    """`lucastra/conversation/followUp` → `conversation_follow_up`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method.removeprefix(_PREFIX)).replace("/", "_").lower()


def _pascal(method: str) -> str:
    return "".join(word.capitalize() for word in _snake(method).split("_"))


def _type(schema: Schema) -> str:
    match schema:
        case {"$ref": _}:
            return f"lucastra.{reference_name(schema)}"
        case {"anyOf": options}:
            return "|".join(dict.fromkeys(_type(option) for option in options))
        case {"enum": values}:
            return "|".join(json.dumps(value) for value in values)
        case {"type": "array", "items": items}:
            inner = _type(items)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"table<string, {_type(values)}>"
        case {"type": "object"}:
            return "table<string, any>"
        case {"type": "null"}:
            return "nil"
        case {"type": "integer" | "number" | "string" | "boolean" as kind}:
            return str(kind)
        case _:
            return "any"
