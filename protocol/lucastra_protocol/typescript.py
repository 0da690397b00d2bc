"""Render the contract as TypeScript declarations.

Invariant: the JSON Schema document is the only input; what it does not say, the declarations do not say either.
"""

import json
import textwrap
from collections.abc import Iterator

from lucastra_protocol.schema_text import Schema, default, limits, reference_name

_WIDTH = 100


def render(document: Schema) -> str:
    """The text of a module for the `strict` compiler, from the document of `generate.schema_document`."""
    parts = [
        "// Written by `python -m lucastra_protocol.generate`; the source is protocol/lucastra_protocol.\n",
        *_doc("The version of the contract that these types are of.", indent=""),
        f"export const PROTOCOL_VERSION = {document['protocolVersion']};\n",
        *_error_codes(document["errors"]),
    ]
    for name, component in document["$defs"].items():
        parts += _interface(name, component)
    parts += _methods(document["methods"])
    parts += _notifications(
        "Notification", "Every notification that the daemon sends unasked, and its params.", document["notifications"]
    )
    parts += _notifications(
        "ClientNotification",
        "Every notification that the daemon takes, and its params.",
        document["clientNotifications"],
    )
    return "\n".join(parts)


def _error_codes(errors: Schema) -> Iterator[str]:
    yield from _doc("Codes that a reply's `error.code` may hold.", indent="")
    yield "export const ErrorCode = {"
    for name, entry in errors.items():
        yield from _doc(entry["description"])
        yield f"  {name}: {entry['code']},"
    yield "} as const;"
    yield "export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];\n"


def _interface(name: str, component: Schema) -> Iterator[str]:
    yield from _doc(component.get("description", ""), indent="")
    if not component["properties"]:
        yield f"export type {name} = Record<string, never>;\n"
        return
    yield f"export interface {name} {{"
    required = component["required"]
    for field, schema in component["properties"].items():
        yield from _field_doc(schema)
        yield f"  {field}{'' if field in required else '?'}: {_type(schema)};"
    yield "}\n"


def _methods(methods: Schema) -> Iterator[str]:
    yield from _doc(
        "Every request that the daemon answers. `events` is what it sends as the value of `$/progress` to the "
        "request's `partialResultToken`.",
        indent="",
    )
    yield "export interface Methods {"
    for name, method in methods.items():
        yield from _doc(_method_text(method))
        events = " | ".join(_type(event) for event in method.get("events", ())) or "never"
        yield f"  {json.dumps(name)}: {{"
        yield f"    params: {_type(method['params'])};"
        yield f"    result: {_type(method['result'])};"
        yield f"    events: {events};"
        yield "  };"
    yield "}"
    yield "export type Method = keyof Methods;\n"


def _method_text(method: Schema) -> str:
    errors = ", ".join(f"`{name}`" for name in method["errors"])
    return f"{method['summary']} Errors: {errors}." if errors else method["summary"]


def _notifications(type_name: str, text: str, notifications: Schema) -> Iterator[str]:
    yield from _doc(text, indent="")
    yield f"export interface {type_name}s {{"
    for name, notification in notifications.items():
        yield from _doc(notification["summary"])
        yield f"  {json.dumps(name)}: {_type(notification['params'])};"
    yield "}"
    yield f"export type {type_name} = keyof {type_name}s;\n"


def _field_doc(schema: Schema) -> Iterator[str]:
    bounds = limits(schema)
    text = " ".join(filter(None, (schema.get("description"), f"Limits: {bounds}." if bounds else "")))
    value = default(schema)
    yield from _doc(text, *([] if value is None else [f"@default {value}"]))


def _doc(*paragraphs: str, indent: str = "  ") -> Iterator[str]:
    """A doc comment; nothing where there is nothing to say."""
    lines = [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(
            paragraph.replace("*/", "*\\/"), _WIDTH, break_long_words=False, break_on_hyphens=False
        )
    ]
    if len(lines) == 1:
        yield f"{indent}/** {lines[0]} */"
    elif lines:
        yield f"{indent}/**"
        yield from (f"{indent} * {line}" for line in lines)
        yield f"{indent} */"


def _type(schema: Schema) -> str:
    match schema:
        case {"$ref": _}:
            return reference_name(schema)
        case {"anyOf": options}:
            return " | ".join(_type(option) for option in options)
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"type": "array", "items": items}:
            inner = _type(items)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"Record<string, {_type(values)}>"
        case {"type": "object"}:
            return "Record<string, unknown>"
        case {"type": "integer" | "number"}:
            return "number"
        case {"type": "string" | "boolean" | "null" as kind}:
            return str(kind)
        case _:
            return "unknown"
