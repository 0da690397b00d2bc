"""Judge one configured value: its type and range, in words that a user understands.

Invariant: no message shows a credential, nor what an environment variable holds.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from lucastra_protocol.keys import REFERENCE, KeyringUnavailable
from msgspec import inspect

from lucastrad.config.schema import Config, LlmConfig, Secret

Key = tuple[str, ...]
"""A key's path from the root: `("llm", "model")`."""

PROVIDERS = "providers"
PROVIDER_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*|keyring:[A-Za-z0-9][A-Za-z0-9_-]{0,63})\}")


class ValueProblem(ValueError):
    """A value that cannot be used; the message reads on after the key's name."""


class VariableProblem(ValueError):
    """A `${NAME}` that cannot be replaced; the message reads on after the key's name."""


def _fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    name: kind for name, kind in _fields(Config).items() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
}
_LEAVES: Mapping[Key, Any] = {
    (name,): kind for name, kind in _fields(Config).items() if name not in SECTIONS and name != PROVIDERS
} | {(section, name): kind for section, struct in SECTIONS.items() for name, kind in _fields(struct).items()}
_PROVIDER_FIELDS: Mapping[str, Any] = _fields(LlmConfig)

KNOWN_KEYS: tuple[Key, ...] = tuple(_LEAVES)
"""Every key outside `providers`."""


def leaf_type(key: Key) -> Any | None:
    """The type of the value at `key`; None where no value stands there."""
    if len(key) == 3 and key[0] == PROVIDERS:
        return _PROVIDER_FIELDS.get(key[2])
    return _LEAVES.get(key)


def is_branch(key: Key) -> bool:
    """Whether an object with keys of its own stands at `key`."""
    if len(key) <= 1:
        return not key or key[0] in SECTIONS or key[0] == PROVIDERS
    return len(key) == 2 and key[0] == PROVIDERS


def is_provider_name(name: str) -> bool:
    return PROVIDER_NAME.fullmatch(name) is not None


def is_list(key: Key) -> bool:
    kind = inspect.type_info(leaf_type(key))
    return isinstance(kind.type if isinstance(kind, inspect.Metadata) else kind, inspect.VarTupleType)


def dotted(key: Key) -> str:
    return ".".join(key)


def is_secret(key: Key) -> bool:
    return key[-1] == "api_key"


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with each `${NAME}` replaced; raises VariableProblem for one that is missing or malformed.

    `environ` is asked for `keyring:NAME` too.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        try:
            found = environ.get(name)
        except KeyringUnavailable as error:
            raise VariableProblem(f"names a key of the keyring, and {error.message}") from None
        if not found and name.startswith(REFERENCE):
            key = name.removeprefix(REFERENCE)
            raise VariableProblem(
                f"names the key {key} of the keyring, which is not there: run `lucastra-client keys set {key}`"
            )
        if not found:
            raise VariableProblem(f"names the environment variable {match[1]}, which is not set")
        return found

    if "${" in _VARIABLE.sub("", text):
        raise VariableProblem("has `${` without a variable's name and `}` after it")
    return _VARIABLE.sub(value, text)


def variables(value: object) -> str:
    """The variables that a value names, without the text around them."""
    return ", ".join(match[0] for text in strings(value) for match in _VARIABLE.finditer(text))


def convert(key: Key, value: object, *, home: Path, source: str, shown: object, strict: bool = True) -> object:
    """`value` as the type of `key`; raises ValueProblem.

    `shown` is what the message may show of the value; `strict=False` reads numbers and booleans from text;
    relative paths start at `home`; `source` is what a Secret says of its origin.
    """
    kind = leaf_type(key)

    def decode(wanted: type, raw: object) -> object:
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError
        return Secret(raw, source) if wanted is Secret else Path(os.path.normpath(home / Path(raw).expanduser()))

    try:
        for text in strings(value):
            text.encode()
        return msgspec.convert(value, kind, strict=strict, dec_hook=decode)
    except UnicodeEncodeError:
        raise ValueProblem("is not valid Unicode text") from None
    except (msgspec.ValidationError, ValueError, RuntimeError):  # RuntimeError: expanduser without a home
        suffix = "" if is_secret(key) else _shown(shown)
        raise ValueProblem(f"must be {description(kind)}{suffix}") from None


def strings(value: object) -> Iterator[str]:
    """Every string in a value decoded from JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def _shown(value: object) -> str:
    match value:
        case dict():
            return ", not an object"
        case list():
            return ""
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return f", not {text}" if len(text) <= 60 else ""


@lru_cache(maxsize=128)
def description(kind: Any) -> str:
    """What a value of the type may be: `a whole number from 1 to 100`."""
    return _describe(inspect.type_info(kind))


def _describe(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(extra={"says": says}):
            return str(says)
        case inspect.Metadata(type=inner):
            return _describe(inner)
        case inspect.UnionType(types=types):
            return " or ".join(_describe(one) for one in types if not isinstance(one, inspect.NoneType))
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_range(kind)}"
        case inspect.FloatType():
            return f"a number{_range(kind)}"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(json.dumps(value) for value in values)
        case inspect.VarTupleType(item_type=item):
            return f"a list [ … ], each item {_describe(item)}"
        case inspect.CustomType(cls=cls):
            return (
                "the name of an environment variable, as in ${OPENAI_API_KEY}, or ${keyring:NAME}"
                if cls is Secret
                else "a path"
            )
        case _:
            return "text"


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge} to {kind.le}"
    lower = f" above {kind.gt}" if kind.gt is not None else ""
    upper = f" up to {kind.le}" if kind.le is not None else ""
    return f"{lower} and{upper}" if lower and upper else lower or upper
