"""What a definition is called, where its node has no plain `name` field.

A namer takes a node and the file's bytes and returns `(name, kind)`, with an empty kind for "the one the
table says", or None when the node defines nothing after all.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from tree_sitter import Node

from lucastrad.indexing.chunking import kinds

Named = tuple[str, str]
Namer = Callable[[Node, bytes], Named | None]

_LONGEST_NAME: Final = 120
_HEAD_BYTES: Final = 400
"""How far into a node a pattern looks: its first lines."""
_DEPTH: Final = 6
_SEPARATORS: Final = re.compile(r"::|:|->|\\")
_BLANKS: Final = re.compile(r"\s+")
_NAME_TYPE: Final = re.compile(
    r"(?:.*(?:identifier|[Nn]ame|symbol|constant|alias|label|command_name|key)|word|atom|id|Name|path"
    r"|dotted_key|recipe|targets|(?:yaml_)?flow_node|string|expr|variable|value_name)$"
)
_NOT_A_NAME: Final = re.compile(
    r".*(?:modifier|comment|annotation|attribute|visibility|type_parameters|param(?:eter)?s|body|block)s?.*$"
)


def clean(name: str) -> str:
    """On one line, without quotes."""
    return _BLANKS.sub(" ", name.strip()).strip("\"'`")[:_LONGEST_NAME]


def qualified(name: str) -> str:
    """Cleaned, with `.` between the parts: `Shape::area`, `M:grow` and `App\\Geo` all use dots here."""
    if name.isidentifier():
        return name[:_LONGEST_NAME]
    return _SEPARATORS.sub(".", clean(name)).strip(".")


def text_of(node: Node, data: bytes) -> str:
    """A node's text, no more of it than a name can need."""
    start, end = node.byte_range
    return data[start : min(end, start + _HEAD_BYTES)].decode("utf-8", "replace")


def by_field(node: Node, data: bytes) -> Named | None:
    """The `name` field, else the innermost `declarator`, else the first child that looks like a name."""
    name = node.child_by_field_name("name")
    if name is not None:
        start, end = name.byte_range
        return qualified(data[start : min(end, start + _HEAD_BYTES)].decode("utf-8", "replace")), ""
    if node.child_by_field_name("declarator") is not None:
        return declared(node, data)
    return first_name(node, data)


def first_name(node: Node, data: bytes) -> Named | None:
    """The first name-like node on the way down the first children."""
    for _ in range(_DEPTH):
        below = None
        for child in node.named_children[:6]:
            kind = child.type
            if _NOT_A_NAME.match(kind):
                continue
            if _NAME_TYPE.match(kind):
                return qualified(text_of(child, data)), ""
            below = below or child
        if below is None:
            return None
        node = below
    return None


def declared(node: Node, data: bytes) -> Named | None:
    """C's declarators, from the outside in: `static int *(*add)(int)` is the function `add`."""
    kind = ""
    inner = node.child_by_field_name("declarator")
    for _ in range(_DEPTH):
        if inner is None:
            return None
        if inner.type == "function_declarator":
            kind = kinds.FUNCTION
        below = inner.child_by_field_name("declarator")
        if below is None and inner.type.endswith(("_declarator", "_declaration")):
            below = inner.named_children[0] if inner.named_child_count else None
        if below is None:
            break
        inner = below
    name = qualified(text_of(inner, data)) if inner is not None else ""
    if kind and "." in name:
        kind = kinds.METHOD
    return (name, kind) if name else None


def bodied(node: Node, data: bytes) -> Named | None:
    """`struct point {…}` defines point; `struct point p;` does not."""
    return by_field(node, data) if node.child_by_field_name("body") is not None else None


def field(name: str, kind: str = "") -> Namer:
    """The text of one field."""

    def namer(node: Node, data: bytes) -> Named | None:
        child = node.child_by_field_name(name)
        return (clean(text_of(child, data)), kind) if child is not None else None

    return namer


_FUNCTION_VALUES: Final = frozenset(
    {"arrow_function", "function_expression", "function", "generator_function", "function_definition"}
    | {"lambda", "lambda_literal", "anonymous_function", "fun_expression", "fun", "closure"}
)
_CLASS_VALUES: Final = {
    "class": kinds.CLASS,
    "struct_declaration": kinds.STRUCT,
    "enum_declaration": kinds.ENUM,
    "union_declaration": kinds.STRUCT,
    "opaque_declaration": kinds.STRUCT,
    "struct_type": kinds.STRUCT,
    "interface_type": kinds.INTERFACE,
}


def assigned(target: str = "", value: str = "") -> Namer:
    """`name = value`: the kind is the value's when that is a function or a class."""

    def namer(node: Node, data: bytes) -> Named | None:
        left = node.child_by_field_name(target) if target else None
        found = by_field(node, data) if left is None else (qualified(text_of(left, data)), "")
        if found is None or not found[0] or len(found[0]) >= _LONGEST_NAME:
            return None
        right = node.child_by_field_name(value) if value else None
        if right is None and node.named_child_count:
            right = node.named_children[-1]
        if right is not None and right.type == "expression_list" and right.named_child_count:
            right = right.named_children[0]
        kind = right.type if right is not None else ""
        if kind in _FUNCTION_VALUES:
            return found[0], kinds.FUNCTION
        return found[0], _CLASS_VALUES.get(kind, "")

    return namer


def simple_target(node: Node, data: bytes) -> Named | None:
    """Python's `NAME = value`; tuples, attributes and subscripts define nothing that one would look up."""
    left = node.child_by_field_name("left")
    if left is None or left.type not in ("identifier", "constant"):
        return None
    name = text_of(left, data)
    return name, kinds.CONSTANT if name.isupper() else ""


_EXPORTS: Final = re.compile(r"^(?:module\.)?exports\.|\.prototype(?=\.)")


def exported(node: Node, data: bytes) -> Named | None:
    """`exports.sub = function`, `Circle.prototype.grow = function`; plain data is a statement."""
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return None
    if right.type not in _FUNCTION_VALUES and right.type != "class":
        return None
    name = qualified(_EXPORTS.sub("", text_of(left, data)))
    if right.type == "class":
        return name, kinds.CLASS
    return name, kinds.METHOD if "." in name else kinds.FUNCTION


_RECEIVER: Final = re.compile(r"\(\s*(?:\w+\s+)?\*?\s*(\w+)")


def go_method(node: Node, data: bytes) -> Named | None:
    """`func (c *Circle) Area()` is `Circle.Area`."""
    receiver, name = node.child_by_field_name("receiver"), node.child_by_field_name("name")
    if receiver is None or name is None:
        return None
    owner = _RECEIVER.match(text_of(receiver, data))
    return (f"{owner[1]}." if owner else "") + text_of(name, data), kinds.METHOD


def rust_impl(node: Node, data: bytes) -> Named | None:
    """`impl<T> Shape for List<T>` belongs to `List`."""
    owner = node.child_by_field_name("type")
    return (clean(text_of(owner, data).partition("<")[0]), "") if owner is not None else None


_KEYWORDS: Final = {
    "class": kinds.CLASS,
    "struct": kinds.STRUCT,
    "enum": kinds.ENUM,
    "actor": kinds.CLASS,
    "extension": kinds.IMPL,
    "interface": kinds.INTERFACE,
}


def by_keyword(node: Node, data: bytes) -> Named | None:
    """Swift's and Kotlin's `class_declaration`: the keyword tells a struct from an interface."""
    found = by_field(node, data)
    if found is None:
        return None
    for child in node.children[:6]:
        if kind := _KEYWORDS.get(child.type):
            enum = kind == kinds.CLASS and b"enum" in data[node.start_byte : child.start_byte].split()
            return found[0], kinds.ENUM if enum else kind
    return found


def pattern(regex: str, by_head: Mapping[str, str] | None = None, other: str | None = None) -> Namer:
    """A regular expression on the node's first characters.

    Its groups: `name`, or `plain` for one whose punctuation stays; `head` to choose the kind by. A head that
    `by_head` does not list has the kind `other`, or defines nothing when that is None.
    """
    compiled = re.compile(regex, re.DOTALL)
    plain = "plain" in compiled.groupindex

    def namer(node: Node, data: bytes) -> Named | None:
        match = compiled.match(text_of(node, data))
        if match is None:
            return None
        kind: str | None = ""
        if by_head is not None:
            kind = by_head.get((match["head"] or "").lower(), other)
        if kind is None:
            return None
        return clean(match["plain"]) if plain else qualified(match["name"]), kind

    return namer


def elixir_call(node: Node, data: bytes) -> Named | None:
    """`defmodule My.App`, `def add(a, b)`, `defimpl Size, for: Map` (which is `Size.Map`)."""
    match = _ELIXIR.match(text_of(node, data))
    if match is None or (kind := _ELIXIR_HEADS.get(match["head"])) is None:
        return None
    name = clean(match["name"])
    return (f"{name}.{match['target']}" if match["target"] else name), kind


_ELIXIR: Final = re.compile(
    r"(?P<head>def\w*|test|describe)[\s(]+(?P<name>\"[^\"]*\"|[^\s(,]+)(?:,\s*for:\s*(?P<target>[\w.]+))?"
)
_ELIXIR_HEADS: Final = {
    **{"defmodule": kinds.MODULE, "defprotocol": kinds.INTERFACE, "defimpl": kinds.IMPL},
    **dict.fromkeys(("def", "defp", "defdelegate", "defn", "defnp", "test"), kinds.FUNCTION),
    **dict.fromkeys(("defmacro", "defmacrop", "defguard", "defguardp"), kinds.MACRO),
    "describe": kinds.MODULE,
}


def haskell_instance(node: Node, data: bytes) -> Named | None:
    """`instance Eq a => HasArea (Box a) where` is `HasArea (Box a)`."""
    match = _INSTANCE.match(text_of(node, data))
    return (clean(match[1]), "") if match else None


_INSTANCE: Final = re.compile(r"instance\s+(?:[^\n]*?=>\s*)?([^\n]+?)\s*(?:\bwhere\b|\n|$)")


def hcl_block(node: Node, data: bytes) -> Named | None:
    """`resource "aws_instance" "web" {` is `resource.aws_instance.web`."""
    words = re.findall(r"[\w./-]+", text_of(node, data).partition("{")[0])
    return (".".join(words)[:_LONGEST_NAME], "") if words else None


_SCHEME: Final = re.compile(
    r"[(\[]\s*(?P<head>define\S*|struct|module\S*|library)\s+(?P<call>[(\[]*)(?P<name>[^\s()\[\]]+)"
)


def scheme_form(node: Node, data: bytes) -> Named | None:
    """`(define (add a b) …)` is a function, `(define limit 10)` a variable."""
    match = _SCHEME.match(text_of(node, data))
    if match is None:
        return None
    head, name = match["head"], match["name"]
    if "record" in head or "struct" in head:
        return name, kinds.STRUCT
    if "syntax" in head or "macro" in head:
        return name, kinds.MACRO
    if head.startswith(("module", "library")):
        return name, kinds.MODULE
    return name, kinds.FUNCTION if match["call"] or "class" in head else kinds.VARIABLE


def identified(attribute: bytes) -> Namer:
    """A mark-up element with an id (in XML also a name): `div#main`."""
    regex = re.compile(
        rb"<\s*([\w:.-]+)(?:[^<>]*?\s)?(?:" + attribute + rb")\s*=\s*(?:\"([^\"]{1,80})\"|'([^']{1,80})')"
    )

    def namer(node: Node, data: bytes) -> Named | None:
        start, end = node.byte_range
        match = regex.match(data, start, min(end, start + _HEAD_BYTES))
        if match is None:
            return None
        name = b"#".join((match[1], match[2] or match[3])).decode("utf-8", "replace")
        return name, kinds.SECTION

    return namer


def sql_object(node: Node, data: bytes) -> Named | None:
    """`CREATE OR REPLACE FUNCTION s.add_one(…)` is `s.add_one`."""
    match = _SQL.match(text_of(node, data))
    return (match["name"].replace('"', "").replace("`", ""), "") if match else None


_SQL: Final = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:\w+\s+){0,4}?"
    r"(?:TABLE|VIEW|INDEX|FUNCTION|PROCEDURE|TRIGGER|TYPE|SCHEMA|SEQUENCE|DATABASE|ROLE|EXTENSION|POLICY)\s+"
    r"(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>[^\s(;]+)",
    re.IGNORECASE,
)
