"""Which syntax nodes are definitions, per language.

GENERIC holds the node types whose meaning is the same in every grammar that has them; `dialects.SPECIFIC` adds
to it or overrides it. A node type that is in neither table is a statement.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

import semble_grammars
from tree_sitter import Language

from lucastrad.indexing.chunking import kinds, names
from lucastrad.indexing.chunking.dialects import SPECIFIC
from lucastrad.indexing.chunking.rules import ERROR_ID, HOLDER, LEAD, WRAPPER, Rule, definitions

_WRAPPERS: Final = (
    "decorated_definition export_statement template_declaration ambient_declaration lexical_declaration "
    "type_declaration const_declaration var_declaration implementation_definition"
)
_HOLDERS: Final = (
    "if_statement else_clause elif_clause try_statement except_clause finally_clause preproc_if preproc_ifdef "
    "preproc_else preproc_elif preproc_elifdef linkage_specification ERROR internal_procedures document"
)

GENERIC: Final[dict[str, Rule]] = {
    **definitions(
        kinds.FUNCTION,
        "function_definition function_declaration function_item function_signature_item function_signature "
        "function_statement generator_function_declaration function_def local_function_statement subroutine "
        "short_function_definition",
    ),
    **definitions(
        kinds.METHOD,
        "method_definition method_declaration method singleton_method method_signature constructor_declaration "
        "destructor_declaration constructor_definition fallback_receive_definition init_declaration "
        "deinit_declaration subscript_declaration abstract_method_signature secondary_constructor "
        "class_method_definition operator_declaration conversion_operator_declaration indexer_declaration "
        "compact_constructor_declaration protocol_function_declaration rpc",
    ),
    **definitions(
        kinds.CLASS,
        "class_definition class_declaration abstract_class_declaration class class_interface "
        "class_implementation category_interface category_implementation object_definition object_declaration "
        "companion_object record_declaration class_statement contract_declaration library_declaration "
        "service component_declaration",
    ),
    **definitions(kinds.INTERFACE, "interface_declaration protocol_declaration annotation_type_declaration"),
    **definitions(
        kinds.STRUCT,
        "struct_item struct_declaration struct_definition union_item union_declaration message record_decl "
        "derived_type_definition",
    ),
    **definitions(kinds.STRUCT, "struct_specifier union_specifier", names.bodied),
    **definitions(kinds.CLASS, "class_specifier", names.bodied),
    **definitions(kinds.ENUM, "enum_specifier", names.bodied),
    **definitions(kinds.ENUM, "enum_item enum_declaration enum_definition enum enum_statement"),
    **definitions(kinds.TRAIT, "trait_item trait_declaration trait_definition mixin_declaration"),
    **definitions(kinds.IMPL, "extension_declaration extension_definition"),
    **definitions(kinds.IMPL, "impl_item", names.rust_impl),
    **definitions(kinds.MODULE, "module mod_item module_definition submodule program block_data"),
    **definitions(kinds.NAMESPACE, "namespace_definition namespace_declaration internal_module"),
    **definitions(
        kinds.TYPE,
        "type_item type_alias_declaration type_alias_statement type_alias typealias_declaration "
        "type_definition alias_declaration type_spec newtype data_type type_synomym type_family "
        "delegate_declaration concept_definition user_defined_type_definition",
    ),
    **definitions(kinds.CONSTANT, "const_item const_spec const_element const_statement"),
    **definitions(
        kinds.VARIABLE,
        "static_item var_spec variable_assignment property_declaration field_declaration val_definition "
        "var_definition state_variable_declaration event_definition error_declaration let_statement "
        "val_declaration event_field_declaration",
    ),
    **definitions(kinds.MACRO, "macro_definition preproc_def preproc_function_def macro_def pp_define"),
    **dict.fromkeys(_WRAPPERS.split(), WRAPPER),
    **dict.fromkeys(_HOLDERS.split(), HOLDER),
}

_HOLDER_TYPE: Final = re.compile(
    r".*(?:_body|_?block|declaration_list|statement_list|statements|declarations|compound_statement|structure"
    r"|_suite)$|body$|object$|closure$|content$"
)
_LEAD_TYPE: Final = re.compile(
    r".*comment(?:_line|_block)?$|haddock$|attribute_item$|decorator$|attribute_list$|annotation$|shebang$"
)

CLAUSES: Final = frozenset({"haskell", "erlang", "elixir"})
"""Here one function is written as several definitions of the same name, which stay together."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A language's rules by `kind_id`; ids that are absent are statements."""

    name: str
    language: Language
    rules: dict[int, Rule]


@cache
def grammar_of(name: str) -> Grammar:
    """The grammar of a language of the package, loaded once per process.

    Raises `semble_grammars.LanguageNotFoundError`, `GrammarLoadError` or `UnsupportedPlatformError`.
    """
    language = semble_grammars.get_language(name)
    specific = SPECIFIC.get(name, {})
    rules: dict[int, Rule] = {ERROR_ID: HOLDER}
    for kind_id in range(language.node_kind_count):
        node_type = language.node_kind_for_id(kind_id)
        if node_type is None or not language.node_kind_is_named(kind_id):
            continue
        rule = specific[node_type] if node_type in specific else _generic(node_type)
        if rule is not None:
            rules[kind_id] = rule
    return Grammar(name, language, rules)


def _generic(node_type: str) -> Rule | None:
    if rule := GENERIC.get(node_type):
        return rule
    if _LEAD_TYPE.match(node_type):
        return LEAD
    if _HOLDER_TYPE.match(node_type):
        return HOLDER
    return None
