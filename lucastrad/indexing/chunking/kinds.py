"""The kinds of chunks: the one list of what `Chunk.kind` may say, and how each kind is cut."""

from typing import Final

FUNCTION: Final = "function"
METHOD: Final = "method"
CLASS: Final = "class"
INTERFACE: Final = "interface"
"""Also protocols and annotation types."""
STRUCT: Final = "struct"
"""Also unions, Protocol Buffers messages, Erlang records."""
ENUM: Final = "enum"
TRAIT: Final = "trait"
"""Also Dart's mixins."""
IMPL: Final = "impl"
"""What gives an existing type more methods: Rust impl, Swift extension, Haskell instance."""
MODULE: Final = "module"
NAMESPACE: Final = "namespace"
TYPE: Final = "type"
"""A named type that is none of the above: alias, typedef, union type, GraphQL input."""
TABLE: Final = "table"
"""SQL tables, views and indexes."""
CONSTANT: Final = "constant"
VARIABLE: Final = "variable"
"""Also fields and properties."""
MACRO: Final = "macro"
SECTION: Final = "section"
"""Under a heading, an INI section, a Terraform block, a Docker stage, an element with an id."""
TARGET: Final = "target"
"""A Makefile or justfile target, a Bazel rule."""
RULE: Final = "rule"
"""A CSS rule set, at-rule or mixin."""
KEY: Final = "key"
"""A key of JSON, YAML, TOML or properties."""
BLOCK: Final = "block"
"""Statements outside definitions (no symbol), or a further part of the symbol's own text."""
WINDOW: Final = "window"
"""Lines of a text whose structure is not known."""

ALL: Final = frozenset(
    {FUNCTION, METHOD, CLASS, INTERFACE, STRUCT, ENUM, TRAIT, IMPL, MODULE, NAMESPACE, TYPE, TABLE}
    | {CONSTANT, VARIABLE, MACRO, SECTION, TARGET, RULE, KEY, BLOCK, WINDOW}
)
CALLABLE: Final = frozenset({FUNCTION, METHOD, MACRO, TARGET})
"""Inside these, only callables and classes count as definitions: locals are statements."""
CLASS_LIKE: Final = frozenset({CLASS, INTERFACE, STRUCT, ENUM, TRAIT, IMPL})
"""A function in one of these is a method."""
OPEN: Final = frozenset({IMPL, MODULE, NAMESPACE})
"""Always cut at their members: their own header says little."""
SOLO: Final = frozenset(CLASS_LIKE | CALLABLE | OPEN | {TYPE, TABLE, SECTION})
"""Get a chunk of their own from `Limits.solo_lines` on; the rest joins its neighbours up to the target."""
