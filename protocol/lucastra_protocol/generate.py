"""Write what is derived from the contract: `python -m lucastra_protocol.generate`, from a source checkout.

protocol/schema/methods.schema.json and the editors' types are written whole; in protocol/README.md the part between the
markers is.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lucastra_protocol import answers, errors, lua, types, typescript
from lucastra_protocol.docstrings import attribute_docstrings, describe
from lucastra_protocol.errors import ErrorCode
from lucastra_protocol.examples import ERRORS, EXAMPLES
from lucastra_protocol.methods import CLIENT_NOTIFICATIONS, METHODS, NOTIFICATIONS, Method, Notification
from lucastra_protocol.schema_text import default, limits, reference_name
from lucastra_protocol.version import PROTOCOL_VERSION

FOLDER = Path(__file__).parents[1]
SCHEMA = FOLDER / "schema" / "methods.schema.json"
README = FOLDER / "README.md"
EDITORS = FOLDER.parent / "editor-extensions"
TYPESCRIPT = EDITORS / "vscode" / "src" / "protocol.ts"
LUA = EDITORS / "nvim" / "lua" / "lucastra" / "protocol.lua"
BEGIN = "<!-- begin: written by `python -m lucastra_protocol.generate` -->"
END = "<!-- end -->"


def schema_document() -> dict[str, Any]:
    """The JSON Schema (2020-12) of every method's params and result; the editors' types are rendered from it."""
    components = _components()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LucAstra methods",
        "description": "Params and result of every lucastra/* request, under `methods`; what the daemon sends unasked, "
        "under `notifications`; what clients do, under `clientNotifications`; error codes under `errors`.",
        "protocolVersion": PROTOCOL_VERSION,
        "methods": {
            method.name: {
                "summary": method.summary,
                "params": _reference(method.params),
                "result": _reference(method.result),
                "errors": [code.name for code in ERRORS[method.name]],
            }
            | ({"events": [_reference(event) for event in method.events]} if method.events else {})
            for method in METHODS
        },
        "notifications": _notifications(NOTIFICATIONS),
        "clientNotifications": _notifications(CLIENT_NOTIFICATIONS),
        "errors": {code.name: {"code": int(code), "description": text} for code, text in _error_texts()},
        "$defs": dict(sorted(components.items())),
    }


def render_all() -> dict[Path, str]:
    """Every generated file and the text that it must hold; the README keeps what is not between the markers."""
    document = schema_document()
    return {
        SCHEMA: json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        README: render_readme(README.read_text(encoding="utf-8")),
        TYPESCRIPT: typescript.render(document),
        LUA: lua.render(document),
    }


def render_readme(current: str) -> str:
    """The README `current` with its generated part replaced."""
    before, _, rest = current.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [*_method_table(), *_error_table()]
    components = _components()
    for method in METHODS:
        parts += _method_section(method, components)
    for sender, notifications in (("the daemon", NOTIFICATIONS), ("a client", CLIENT_NOTIFICATIONS)):
        for notification in notifications:
            parts += _notification_section(notification, components, sender)
    parts += _type_sections(components)
    return f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{after}"


def _components() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_structs(), ref_template="#/$defs/{name}")
    for module in (types, answers):
        describe(components, module, camel=True)
    return components


def _structs() -> list[type[types.Wire]]:
    """What messages are made of, each once."""
    of_methods = [struct for method in METHODS for struct in (method.params, method.result, *method.events)]
    of_notifications = [notification.params for notification in (*NOTIFICATIONS, *CLIENT_NOTIFICATIONS)]
    return list(dict.fromkeys([*of_methods, *of_notifications]))


def _notifications(notifications: Sequence[Notification]) -> dict[str, Any]:
    return {one.name: {"summary": one.summary, "params": _reference(one.params)} for one in notifications}


def _reference(struct: type[types.Wire]) -> dict[str, str]:
    return {"$ref": f"#/$defs/{struct.__name__}"}


def _error_texts() -> Iterator[tuple[ErrorCode, str]]:
    texts = attribute_docstrings(errors)[ErrorCode.__name__]
    for code in ErrorCode:
        yield code, texts.get(code.name, "As JSON-RPC 2.0 and LSP 3.18 define it.")


def _method_table() -> Iterator[str]:
    yield "## Methods\n"
    yield "| method | params | result | what it does |"
    yield "| --- | --- | --- | --- |"
    for method in METHODS:
        anchor = method.name.replace("/", "").lower()
        yield (
            f"| [`{method.name}`](#{anchor}) | `{method.params.__name__}` | `{method.result.__name__}` "
            f"| {method.summary} |"
        )
    yield ""


def _error_table() -> Iterator[str]:
    yield "## Error codes\n"
    yield "| code | name | when |"
    yield "| --- | --- | --- |"
    for code, text in _error_texts():
        yield f"| {int(code)} | `{code.name}` | {text} |"
    yield ""


def _method_section(method: Method, components: dict[str, Any]) -> Iterator[str]:
    yield f"### {method.name}\n"
    yield f"{method.summary}\n"
    yield from _fields("Params", components[method.params.__name__])
    yield from _fields("Result", components[method.result.__name__])
    if method.events:
        names = ", ".join(f"`{event.__name__}`" for event in method.events)
        yield f"Events on `partialResultToken`, in this order: {names}.\n"
    codes = ", ".join(f"`{code.name}`" for code in ERRORS[method.name])
    yield f"Errors: {codes or 'only those of every method'}.\n"
    params, result = EXAMPLES[method.name]
    yield "```json"
    yield _json({"jsonrpc": "2.0", "id": 1, "method": method.name, "params": msgspec.to_builtins(params)})
    yield _json({"jsonrpc": "2.0", "id": 1, "result": msgspec.to_builtins(result)})
    yield "```\n"


def _notification_section(notification: Notification, components: dict[str, Any], sender: str) -> Iterator[str]:
    yield f"### {notification.name}\n"
    yield f"A notification of {sender}. {notification.summary}\n"
    yield from _fields("Params", components[notification.params.__name__])


def _type_sections(components: dict[str, Any]) -> Iterator[str]:
    """The types that params and results are made of."""
    yield "## Types\n"
    used = {struct.__name__ for method in METHODS for struct in (method.params, method.result)}
    used |= {notification.params.__name__ for notification in (*NOTIFICATIONS, *CLIENT_NOTIFICATIONS)}
    for name, component in sorted(components.items()):
        if name not in used:
            yield f"### {name}\n"
            yield f"{component.get('description', '')}\n"
            yield from _fields("Field", component)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(title: str, component: dict[str, Any]) -> Iterator[str]:
    properties = component["properties"]
    if not properties:
        yield f"{title}: none.\n"
        return
    yield f"| {title.lower()} | type | default | |"
    yield "| --- | --- | --- | --- |"
    for name, schema in properties.items():
        value = default(schema)
        shown = "required" if value is None else f"`{value}`"
        yield f"| `{name}` | {_type(schema)} | {shown} | {schema.get('description', '')} |"
    yield ""


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": _}:
            return f"`{reference_name(schema)}`"
        case {"anyOf": options}:
            return " or ".join(_type(option) for option in options)
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            bounds = limits(schema)
            return f"list of {_type(items)}" + (f" ({bounds})" if bounds else "")
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"type": kind}:
            return f"{kind} {limits(schema)}".rstrip()
        case _:
            return "any"


if __name__ == "__main__":
    for path, text in render_all().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
