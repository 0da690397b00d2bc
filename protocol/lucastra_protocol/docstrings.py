"""Read the docstrings of attributes (the string after `name: type = default`), which Python itself drops.

Source of the convention: PEP 257, "attribute docstrings".
"""

import ast
import inspect
from itertools import pairwise
from types import ModuleType


def attribute_docstrings(module: ModuleType) -> dict[str, dict[str, str]]:
    """Class name → attribute name → docstring, on one line, for the classes written in `module`."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = dict(_documented(node.body))
    return found


def _documented(body: list[ast.stmt]) -> list[tuple[str, str]]:
    documented = []
    for statement, after in pairwise(body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                documented.append((name, " ".join(text.split())))
            case _:
                pass
    return documented


def describe(components: dict[str, dict[str, object]], module: ModuleType, *, camel: bool = False) -> None:
    """Add each attribute's docstring to the property of the same name in the JSON Schema `components`."""
    for struct, attributes in attribute_docstrings(module).items():
        properties = components.get(struct, {}).get("properties")
        if not isinstance(properties, dict):
            continue
        for name, text in attributes.items():
            words = name.split("_")
            shown = words[0] + "".join(word.title() for word in words[1:]) if camel else name
            if shown in properties:
                properties[shown] = {**properties[shown], "description": text}
