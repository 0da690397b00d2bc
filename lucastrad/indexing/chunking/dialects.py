"""Per language, the node types that mean more, less or something else than in most grammars.

Adds to, or overrides, `grammars.GENERIC`; STATEMENT takes a meaning away.
"""

from typing import Final

from lucastrad.indexing.chunking import kinds, names
from lucastrad.indexing.chunking.rules import (
    HOLDER,
    LEAD,
    STATEMENT,
    WRAPPER,
    Role,
    Rule,
    definition,
    definitions,
)

_VARIABLE_DECLARATOR: Final = definition(kinds.VARIABLE, names.assigned("name", "value"))
_DECLARATION: Final = definition(kinds.VARIABLE, names.declared)
_C: Final = {"declaration": _DECLARATION, "field_declaration": STATEMENT}
_PYTHON: Final = {
    "expression_statement": WRAPPER,
    "assignment": definition(kinds.VARIABLE, names.simple_target),
    "type_alias_statement": definition(kinds.TYPE, names.field("left")),
}
_JAVASCRIPT: Final = {
    "variable_declaration": WRAPPER,
    "variable_declarator": _VARIABLE_DECLARATOR,
    "expression_statement": WRAPPER,
    "assignment_expression": definition(kinds.FUNCTION, names.exported),
    "field_definition": definition(kinds.VARIABLE, names.assigned("property", "value")),
    "public_field_definition": definition(kinds.VARIABLE, names.assigned("name", "value")),
    "pair": definition(kinds.VARIABLE, names.assigned("key", "value")),
    "enum_declaration": definition(kinds.ENUM),
}
_KEY_PAIR: Final = definition(kinds.KEY, names.field("key"))
_JSON: Final = {"pair": _KEY_PAIR, "member": definition(kinds.KEY), "array": HOLDER}
_SCHEME: Final = {"list": definition(kinds.FUNCTION, names.scheme_form)}
_STYLE: Final = {
    **definitions(
        kinds.RULE,
        "rule_set media_statement keyframes_statement at_rule supports_statement mixin_statement placeholder",
        names.pattern(r"(?:@(?:mixin|keyframes)\s+)?(?P<plain>[^{;]+)"),
    ),
    "function_statement": definition(kinds.FUNCTION, names.pattern(r"@function\s+(?P<name>[\w-]+)")),
    "declaration": definition(kinds.VARIABLE, names.pattern(r"(?P<name>\$[\w-]+)\s*:")),
}
_ELEMENT: Final = definition(kinds.SECTION, names.identified(rb"id"))
_MARKUP: Final = {
    **dict.fromkeys(("element", "tag", "component", "template_element"), _ELEMENT),
    "script_element": Rule(Role.EMBEDDED, language="typescript"),
    "style_element": Rule(Role.EMBEDDED, language="scss"),
    "frontmatter": Rule(Role.EMBEDDED, language="typescript"),
}
_CLOJURE_HEADS: Final = {
    "ns": kinds.NAMESPACE,
    **dict.fromkeys(("def", "defonce"), kinds.VARIABLE),
    "defmacro": kinds.MACRO,
    **dict.fromkeys(("defprotocol", "definterface"), kinds.INTERFACE),
    **dict.fromkeys(("defrecord", "deftype", "defstruct"), kinds.CLASS),
}
_GRAPHQL_HEADS: Final = {
    "type": kinds.CLASS,
    **{"enum": kinds.ENUM, "interface": kinds.INTERFACE},
    **dict.fromkeys(("query", "mutation", "subscription", "fragment", "directive"), kinds.FUNCTION),
}

SPECIFIC: Final[dict[str, dict[str, Rule | None]]] = {
    "astro": {**_MARKUP},
    "batch": {"label": Rule(Role.HEADING, kinds.FUNCTION, names.pattern(r":+(?P<name>\S+)"))},
    "c": {**_C},
    "clojure": {
        "list_lit": definition(
            kinds.FUNCTION,
            names.pattern(
                r"\(\s*(?P<head>def[^\s/]*|ns)\s+(?:\^(?:\{[^}]*\}|\S+)\s+)*(?P<name>[^\s()\[\]{}]+)",
                _CLOJURE_HEADS,
                kinds.FUNCTION,
            ),
        )
    },
    "cmake": {
        "function_def": definition(kinds.FUNCTION, names.pattern(r"\w+\s*\(\s*(?P<name>[^\s)]+)")),
        "macro_def": definition(kinds.MACRO, names.pattern(r"\w+\s*\(\s*(?P<name>[^\s)]+)")),
        "normal_command": definition(
            kinds.TARGET,
            names.pattern(
                r"(?P<head>\w+)\s*\(\s*(?P<name>[^\s)]+)",
                dict.fromkeys(("add_executable", "add_library", "add_custom_target", "add_test"), kinds.TARGET),
            ),
        ),
    },
    "cpp": {**_C, "field_declaration": _DECLARATION},
    "csharp": {"file_scoped_namespace_declaration": STATEMENT, "field_declaration": STATEMENT},
    "css": {**_STYLE},
    "dart": {
        "function_body": Rule(Role.TAIL),
        "method_signature": definition(
            kinds.METHOD, names.pattern(r"[^(]*?(?P<name>(?:operator\s*)?[\w.$=<>+*/\[\]-]+)\s*(?:[(;{]|=>|$)")
        ),
        "declaration": STATEMENT,
        "getter_signature": definition(kinds.FUNCTION),
        "setter_signature": definition(kinds.FUNCTION),
    },
    "dockerfile": {
        "from_instruction": Rule(
            Role.HEADING,
            kinds.SECTION,
            names.pattern(r"(?i:FROM)\s+(?:--\S+\s+)*(?:\S+\s+(?i:AS)\s+(?=\S))?(?P<name>\S+)"),
        )
    },
    "dtd": {
        "elementdecl": definition(kinds.TYPE, names.pattern(r"<!ELEMENT\s+(?P<name>\S+)")),
        "AttlistDecl": definition(kinds.TYPE, names.pattern(r"<!ATTLIST\s+(?P<name>\S+)")),
        "GEDecl": definition(kinds.CONSTANT, names.pattern(r"<!ENTITY\s+(?P<name>\S+)")),
        "PEDecl": definition(kinds.CONSTANT, names.pattern(r"<!ENTITY\s+%\s*(?P<name>\S+)")),
    },
    "elixir": {
        "call": definition(kinds.FUNCTION, names.elixir_call),
        "unary_operator": LEAD,
        "do_block": HOLDER,
    },
    "erlang": {
        "fun_decl": definition(kinds.FUNCTION, names.pattern(r"(?P<name>'[^']+'|\w+)\s*\(")),
        "record_decl": definition(kinds.STRUCT, names.pattern(r"-record\(\s*(?P<name>[^\s,]+)")),
        "pp_define": definition(kinds.MACRO, names.pattern(r"-define\(\s*(?P<name>[^\s,(]+)")),
        "type_alias": definition(kinds.TYPE, names.pattern(r"-type\s+(?P<name>[^\s(]+)")),
        "module_attribute": STATEMENT,
        "spec": LEAD,
    },
    "fortran": {
        "function": definition(kinds.FUNCTION, names.pattern(r"(?i:.*?\bfunction)\s+(?P<name>\w+)")),
        "derived_type_definition": definition(kinds.STRUCT, names.pattern(r"(?i:type)(?:[^:\n]*::)?\s*(?P<name>\w+)")),
        "program": definition(kinds.MODULE),
    },
    "go": {
        "type_spec": definition(kinds.TYPE, names.assigned("name", "type")),
        "method_declaration": definition(kinds.METHOD, names.go_method),
        "const_spec": definition(kinds.CONSTANT),
        "field_declaration": STATEMENT,
    },
    "gotmpl": dict(
        definitions(kinds.FUNCTION, "define_action block_action", names.pattern(r"\{\{-?\s*\w+\s+\"(?P<plain>[^\"]+)"))
    ),
    "graphql": {
        "definition": definition(
            kinds.TYPE,
            names.pattern(
                r"(?:\"\"\".*?\"\"\"\s*|\"[^\"\n]*\"\s*)?(?:extend\s+)?(?P<head>\w+)\s+@?(?P<name>\w+)",
                _GRAPHQL_HEADS,
                kinds.TYPE,
            ),
        )
    },
    "groovy": {
        "function_definition": definition(kinds.FUNCTION, names.field("function")),
        "declaration": definition(kinds.VARIABLE, names.field("name")),
    },
    "haskell": {
        "function": definition(kinds.FUNCTION, names.field("name")),
        "bind": definition(kinds.FUNCTION, names.field("name")),
        "class": definition(kinds.INTERFACE),
        "instance": definition(kinds.IMPL, names.haskell_instance),
        "signature": LEAD,
    },
    "hcl": {
        "block": definition(kinds.SECTION, names.hcl_block),
        "attribute": definition(kinds.KEY),
    },
    "heex": {**_MARKUP},
    "html": {**_MARKUP},
    "ini": {"section": definition(kinds.SECTION, names.pattern(r"\[\s*(?P<plain>[^\]\n]+)"))},
    "java": {"field_declaration": definition(kinds.VARIABLE, names.declared)},
    "javascript": {**_JAVASCRIPT},
    "json": {**_JSON},
    "json5": {**_JSON},
    "jsonc": {**_JSON},
    "jsonnet": {
        "local_bind": HOLDER,
        "bind": definition(
            kinds.VARIABLE,
            names.pattern(r"(?P<name>\w+)\s*(?P<head>\()?", {"(": kinds.FUNCTION, "": kinds.VARIABLE}),
        ),
        "member": definition(
            kinds.KEY,
            names.pattern(
                r"\[?[\"']?(?P<name>[\w.$-]+)[\"']?\]?\s*(?P<head>\()?", {"(": kinds.FUNCTION, "": kinds.KEY}
            ),
        ),
    },
    "julia": {
        **definitions(kinds.FUNCTION, "function_definition", names.pattern(r"function\s+(?P<name>[\w.!:]+)")),
        **definitions(kinds.MACRO, "macro_definition", names.pattern(r"macro\s+(?P<name>[\w.!]+)")),
        **definitions(
            kinds.STRUCT,
            "struct_definition abstract_definition primitive_definition",
            names.pattern(r"(?:mutable\s+|abstract\s+|primitive\s+)?(?:struct|type)\s+(?P<name>[\w.!]+)"),
        ),
        "const_statement": definition(kinds.CONSTANT, names.pattern(r"const\s+(?P<name>\w+)")),
        "assignment": definition(
            kinds.VARIABLE,
            names.pattern(r"(?P<name>[\w.!]+)\s*(?P<head>\()?", {"(": kinds.FUNCTION, "": kinds.VARIABLE}),
        ),
        "string_literal": LEAD,
    },
    "kdl": {"node": definition(kinds.KEY), "node_children": HOLDER},
    "kotlin": {
        "class_declaration": definition(kinds.CLASS, names.by_keyword),
        "companion_object": HOLDER,
        "type_alias": definition(kinds.TYPE, names.field("type")),
        "property_declaration": definition(
            kinds.VARIABLE, names.pattern(r"(?:.*?\s)?va[lr]\s+(?:<[^>]*>\s*)?(?P<name>[\w.`]+)")
        ),
    },
    "latex": {
        **definitions(
            kinds.SECTION,
            "part chapter section subsection subsubsection paragraph subparagraph",
            names.pattern(r"\\\w+\*?\s*(?:\[[^\]]*\]\s*)?\{(?P<plain>[^{}\n]+)"),
        ),
        "new_command_definition": definition(kinds.MACRO, names.pattern(r"\\\w+\*?\s*\{?\s*\\?(?P<name>[\w@]+)")),
        "generic_environment": HOLDER,
    },
    "lua": {
        "variable_declaration": WRAPPER,
        "assignment_statement": definition(kinds.VARIABLE, names.assigned()),
        "function_definition": STATEMENT,
    },
    "make": {
        "rule": definition(kinds.TARGET, names.pattern(r"(?P<plain>[^\s:][^:\n]*?)\s*&?::?")),
        "define_directive": definition(kinds.MACRO),
    },
    "nix": {
        **dict.fromkeys(
            ("function_expression", "let_expression", "attrset_expression", "binding_set", "with_expression"),
            HOLDER,
        ),
        "binding": definition(kinds.VARIABLE, names.assigned("attrpath", "expression")),
    },
    "objc": {
        **_C,
        **definitions(
            kinds.METHOD,
            "method_definition method_declaration",
            names.pattern(r"[-+]\s*(?:\([^)]*\)\s*)?(?P<name>\w+)"),
        ),
        "property_declaration": definition(kinds.VARIABLE, names.pattern(r"[^;]*?(?P<name>\w+)\s*;")),
    },
    "ocaml": {
        **dict.fromkeys(
            ("value_definition", "type_definition", "module_definition", "class_definition", "exception_definition"),
            WRAPPER,
        ),
        "let_binding": definition(
            kinds.VARIABLE,
            names.pattern(
                r"(?:rec\s+)?(?P<name>\(\s*\S+\s*\)|[\w']+)\s*(?P<head>[=:]|\S)",
                {"=": kinds.VARIABLE, ":": kinds.VARIABLE},
                kinds.FUNCTION,
            ),
        ),
        "type_binding": definition(kinds.TYPE),
        "module_binding": definition(kinds.MODULE),
        "class_binding": definition(kinds.CLASS),
        "constructor_declaration": definition(kinds.TYPE),
        "module_type_definition": definition(kinds.INTERFACE, names.pattern(r"module\s+type\s+(?P<name>[\w']+)")),
        "value_specification": definition(kinds.VARIABLE, names.pattern(r"val\s+(?P<name>\S+)")),
    },
    "perl": {
        "package_statement": Rule(Role.HEADING, kinds.MODULE, names.pattern(r"package\s+(?P<name>[\w:]+)")),
        "function_definition": definition(kinds.FUNCTION, names.pattern(r"sub\s+(?P<name>[\w:']+)")),
    },
    "php": {"namespace_definition": STATEMENT, "property_declaration": STATEMENT, "const_declaration": WRAPPER},
    "powershell": {
        **definitions(kinds.FUNCTION, "function_statement", names.pattern(r"\w+\s+(?P<name>[\w:-]+)")),
        **definitions(kinds.CLASS, "class_statement", names.pattern(r"class\s+(?P<name>\w+)")),
        **definitions(kinds.ENUM, "enum_statement", names.pattern(r"enum\s+(?P<name>\w+)")),
        "class_method_definition": definition(
            kinds.METHOD, names.pattern(r"(?:\w+\s+)*(?:\[[^\]]*\]+\s*)*(?:\w+\s+)*(?P<name>\w+)\s*\(")
        ),
        "pipeline": definition(kinds.VARIABLE, names.pattern(r"\$(?P<name>[\w:]+)\s*=[^=]")),
    },
    "properties": {"property": definition(kinds.KEY, names.pattern(r"(?P<name>[^\s=:]+)"))},
    "proto": {
        **definitions(kinds.CLASS, "service"),
        **definitions(kinds.METHOD, "rpc", names.pattern(r"rpc\s+(?P<name>\w+)")),
    },
    "python": {**_PYTHON},
    "r": {
        "binary_operator": definition(
            kinds.VARIABLE,
            names.pattern(
                r"[\"'`]?(?P<name>[\w.]+)[\"'`]?\s*(?:<<?-|=)\s*(?P<head>function\b|\\\()?",
                {"function": kinds.FUNCTION, "\\(": kinds.FUNCTION, "": kinds.VARIABLE},
            ),
        ),
        "function_definition": STATEMENT,
    },
    "racket": {**_SCHEME},
    "ruby": {
        "method": definition(kinds.FUNCTION),
        "assignment": definition(kinds.VARIABLE, names.simple_target),
        "singleton_class": HOLDER,
    },
    "rust": {"static_item": definition(kinds.CONSTANT), "field_declaration": STATEMENT},
    "scala": {
        **definitions(kinds.VARIABLE, "val_definition var_definition", names.field("pattern")),
        "package_clause": HOLDER,
    },
    "scheme": {**_SCHEME},
    "scss": {**_STYLE},
    "solidity": {
        "modifier_definition": definition(kinds.FUNCTION),
        "constructor_definition": definition(kinds.METHOD, names.pattern(r"(?P<name>constructor)")),
    },
    "sql": {
        "statement": WRAPPER,
        **definitions(kinds.TABLE, "create_table create_view create_materialized_view create_index", names.sql_object),
        **definitions(kinds.FUNCTION, "create_function create_procedure create_trigger", names.sql_object),
        **definitions(
            kinds.TYPE, "create_type create_schema create_sequence create_database create_role", names.sql_object
        ),
    },
    "starlark": {
        **_PYTHON,
        "call": definition(
            kinds.TARGET, names.pattern(r"\w[\w.]*\s*\(\s*(?:[^)]*?[\s,(])?name\s*=\s*\"(?P<plain>[^\"]+)\"")
        ),
    },
    "svelte": {**_MARKUP},
    "swift": {
        "class_declaration": definition(kinds.CLASS, names.by_keyword),
        "init_declaration": definition(kinds.METHOD, names.pattern(r".*?(?P<name>\binit)\b")),
        "deinit_declaration": definition(kinds.METHOD, names.pattern(r".*?(?P<name>\bdeinit)\b")),
    },
    "toml": {
        **definitions(kinds.SECTION, "table table_array_element", names.pattern(r"\[+\s*(?P<plain>[^\]\n]+?)\s*\]")),
        "pair": definition(kinds.KEY, names.pattern(r"(?P<name>[^\s=]+)")),
    },
    "tsx": {**_JAVASCRIPT},
    "typescript": {**_JAVASCRIPT},
    "typst": {
        "code": WRAPPER,
        "section": definition(kinds.SECTION, names.pattern(r"=+\s+(?P<plain>[^\n]+)")),
        "let": definition(
            kinds.VARIABLE,
            names.pattern(r"let\s+(?P<name>[\w-]+)(?P<head>\()?", {"(": kinds.FUNCTION, "": kinds.VARIABLE}),
        ),
    },
    "vim": {
        "function_definition": definition(kinds.FUNCTION, names.pattern(r"\w+!?\s+(?P<name>[\w:#.]+)")),
        "command_statement": definition(kinds.FUNCTION),
        "let_statement": definition(kinds.VARIABLE, names.pattern(r"\w+\s+(?P<name>[\w:&]+)")),
        "augroup_statement": Rule(Role.HEADING, kinds.SECTION, names.pattern(r"augroup\s+(?!END\b)(?P<name>\S+)")),
    },
    "vue": {**_MARKUP},
    "wat": {
        "module": HOLDER,
        "module_field": WRAPPER,
        **definitions(kinds.FUNCTION, "module_field_func", names.pattern(r"\(func\s+\$(?P<name>\S+)")),
        **definitions(
            kinds.VARIABLE,
            "module_field_global module_field_memory module_field_table module_field_type",
            names.pattern(r"\(\w+\s+\$(?P<name>\S+)"),
        ),
    },
    "xml": {"element": definition(kinds.SECTION, names.identified(rb"id|name|key|xml:id"))},
    "yaml": {
        **dict.fromkeys(("block_node", "block_mapping", "block_sequence", "flow_mapping"), HOLDER),
        **definitions(kinds.KEY, "block_mapping_pair", names.field("key")),
    },
    "zig": {
        "variable_declaration": definition(kinds.VARIABLE, names.assigned()),
        **dict.fromkeys(("struct_declaration", "enum_declaration", "union_declaration"), HOLDER),
        "test_declaration": definition(kinds.FUNCTION, names.pattern(r"test\s+\"(?P<plain>[^\"]*)\"")),
    },
}
SPECIFIC["php_only"] = SPECIFIC["php"]
