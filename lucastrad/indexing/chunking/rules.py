"""What a syntax node can mean to the walk: its role, its kind, how it is named."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from lucastrad.indexing.chunking import names
from lucastrad.indexing.chunking.names import Namer


class Role(Enum):
    """What the walk does with a node."""

    DEFINITION = auto()
    WRAPPER = auto()
    """Around one definition, whose extent it widens: decorators, `export`, `template <…>`."""
    HOLDER = auto()
    """Around any number of definitions, itself nothing: bodies, `#ifdef`, `try`, syntax errors."""
    LEAD = auto()
    """Belongs to the node that follows without a blank line: comments, attributes, signatures."""
    TAIL = auto()
    """Belongs to the definition before it: Dart's function bodies."""
    HEADING = auto()
    """Names the siblings that follow, up to the next heading: labels, Docker stages, Perl packages."""
    EMBEDDED = auto()
    """Another language's text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one node type means in one language."""

    role: Role
    kind: str = ""
    namer: Namer = names.by_field
    language: str = ""
    """Of an EMBEDDED node."""


HOLDER: Final = Rule(Role.HOLDER)
LEAD: Final = Rule(Role.LEAD)
WRAPPER: Final = Rule(Role.WRAPPER)
STATEMENT: Final = None
"""Overrides a generic rule."""

ERROR_ID: Final = 0xFFFF
"""tree-sitter's `kind_id` of every ERROR node (`ts_builtin_sym_error`)."""


def definition(kind: str, namer: Namer = names.by_field) -> Rule:
    """A rule for a definition of this kind."""
    return Rule(Role.DEFINITION, kind, namer)


def definitions(kind: str, types: str, namer: Namer = names.by_field) -> dict[str, Rule]:
    """The same rule for each of the node types in a blank-separated list."""
    return dict.fromkeys(types.split(), definition(kind, namer))
