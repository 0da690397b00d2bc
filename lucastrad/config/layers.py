"""Turn each source of configuration into a layer, and lay the layers over each other.

Precedence, lowest first: defaults, the user's file, the workspace's file, the environment, flags.
Invariant: no I/O. A workspace's file can set WORKSPACE_KEYS and nothing else, and sees no environment variable.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config.document import Document
from lucastrad.config.schema import LOCAL_DIMENSIONS, Config, LlmConfig
from lucastrad.config.values import (
    KNOWN_KEYS,
    PROVIDERS,
    SECTIONS,
    Key,
    ValueProblem,
    VariableProblem,
    convert,
    dotted,
    expand,
    is_branch,
    is_list,
    is_provider_name,
    is_secret,
    leaf_type,
    strings,
    variables,
)

ENVIRONMENT_PREFIX = "LUCASTRA_"

WORKSPACE_KEYS: frozenset[Key] = frozenset(
    {("indexing", "ignore"), ("indexing", "max_file_bytes"), ("indexing", "include_generated"), ("search", "limit")}
)
"""What a workspace's file may set: nothing here sends data anywhere or starts a program."""

RETIRED_SECTIONS = {
    "observability": "use `logging`",
    "tracing": "use `logging`",
    "metrics": "nothing is exported any more",
    "security": "only the workspaces that you add are read, and nothing is written to them",
}
"""Sections of v1.0 and v1.1 files that have no successor of the same form."""

RETIRED_KEYS: Mapping[Key, str] = {
    (
        "vector_search",
        "index_path",
    ): "the vectors of each workspace stand in LucAstra's folder, which LUCASTRA_HOME moves",
}
"""Keys of v1.1 files that nothing takes the place of."""


class Severity(StrEnum):
    NOTICE = "notice"
    """Nothing is wrong; there is a better way to say it."""
    WARNING = "warning"
    """Something was left out; the rest of its source is in force."""
    ERROR = "error"
    """The source was refused, or tried to set what it may not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about the configuration."""

    severity: Severity
    where: str
    """`file:line`, `file:line:column`, or the name of an environment variable."""
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, checked and converted, and where it comes from."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source sets."""

    settings: Mapping[Key, Setting] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    broken: bool = False
    """A value is wrong or the file cannot be read: the layer must not come into force."""


class _LayerBuilder:
    """Collects settings and problems of one file."""

    def __init__(self, document: Document, path: Path, home: Path) -> None:
        self.settings: dict[Key, Setting] = {}
        self.problems: list[Problem] = []
        self.broken = False
        self._document = document
        self._path = path
        self._home = home

    def where(self, key: Key) -> str:
        lines = self._document.lines
        line = lines.get(key) or (lines.get(key[1:]) if key[0] == "llm" else None)  # v1.0 had no section
        return f"{self._path}:{line}" if line else str(self._path)

    def note(self, severity: Severity, key: Key, message: str) -> None:
        self.problems.append(Problem(severity, self.where(key), message))

    def refuse(self, key: Key, message: str) -> None:
        self.note(Severity.ERROR, key, message)
        self.broken = True

    def leaves(self, tree: Mapping[str, object], prefix: Key = ()) -> Iterator[tuple[Key, object]]:
        """Each known key and its value; unknown keys and misplaced values become problems."""
        for name, value in tree.items():
            key = (*prefix, name)
            if is_branch(key):
                if prefix == (PROVIDERS,) and not is_provider_name(name):
                    self.refuse(key, f"{name!r} is no provider name: use letters, digits, - and _")
                elif isinstance(value, dict):
                    yield from self.leaves(value, key)
                else:
                    self.refuse(key, f"{dotted(key)} must be an object: {{ … }}")
            elif leaf_type(key) is not None:
                yield key, value
            elif key in RETIRED_KEYS:
                self.note(
                    Severity.NOTICE, key, f"{dotted(key)} is of an older version and is ignored: {RETIRED_KEYS[key]}"
                )
            elif key in {(name,) for name in RETIRED_SECTIONS}:
                self.note(
                    Severity.NOTICE, key, f"{name} is of an older version and is ignored: {RETIRED_SECTIONS[name]}"
                )
            elif key != ("$schema",):
                self.note(Severity.WARNING, key, f"{unknown_key(key)}; it is ignored")

    def set(self, key: Key, value: object, *, shown: object, source: str = "", strict: bool = True) -> None:
        try:
            converted = convert(key, value, home=self._home, source=source, shown=shown, strict=strict)
        except ValueProblem as problem:
            self.refuse(key, f"{dotted(key)} {problem}")
        else:
            self.settings[key] = Setting(converted, self.where(key))

    def layer(self) -> Layer:
        return Layer({} if self.broken else self.settings, tuple(self.problems), self.broken)


def user_layer(document: Document, path: Path, *, environ: Mapping[str, str], home: Path) -> Layer:
    """The layer of the user's own file: every key, with `${NAME}` replaced in its strings."""
    builder = _LayerBuilder(document, path, home)
    for key, raw in builder.leaves(_without_flat_keys(document, builder)):
        value = _expanded(builder, key, raw, environ)
        if value is None and raw is not None:
            continue
        if is_secret(key) and isinstance(raw, str) and raw and value == raw:
            builder.note(
                Severity.NOTICE,
                key,
                f"{dotted(key)} holds the key itself; put it in an environment variable and write ${{NAME}} here",
            )
        source = variables(raw) if value != raw else builder.where(key)
        builder.set(key, value, shown=raw, source=source, strict=value == raw)
    return builder.layer()


def _without_flat_keys(document: Document, builder: _LayerBuilder) -> Mapping[str, object]:
    """The tree in today's form: a v1.0 file knew one provider, llamafile, and could name its keys at the top."""
    tree = dict(document.tree)
    flat = {name: tree.pop(name) for name in _LLM_FIELDS if name in tree}
    section = tree.get("llm", {} if flat else None)
    if not isinstance(section, dict):
        return tree | flat
    tree["llm"] = section = flat | section
    if "provider" not in section:
        section["provider"] = "llamafile"
        place: Key = ("llm",) if "llm" in document.tree else (next(iter(flat)),)
        builder.note(
            Severity.NOTICE,
            place,
            'no llm.provider, as in a v1.0 file: read as "provider": "llamafile"; write that into "llm" to say so',
        )
    elif flat:
        builder.note(Severity.NOTICE, (next(iter(flat)),), f'{", ".join(flat)} at the top: move into "llm"')
    return tree


_LLM_FIELDS = LlmConfig.__struct_fields__


def _expanded(builder: _LayerBuilder, key: Key, raw: object, environ: Mapping[str, str]) -> object:
    """`raw` with variables replaced; None, and a problem, where one is missing. A list loses that item only."""
    if not any("${" in text for text in strings(raw)):
        return raw
    if isinstance(raw, list):
        items = [_expanded(builder, key, item, environ) for item in raw]
        return [item for item, before in zip(items, raw, strict=True) if item is not None or before is None]
    try:
        return expand(str(raw), environ)
    except VariableProblem as problem:
        builder.note(Severity.WARNING, key, f"{dotted(key)} {problem}; the value counts as not set")
        return None


def workspace_layer(document: Document, path: Path, *, home: Path) -> Layer:
    """The layer of a workspace's file: the safe keys, taken literally."""
    builder = _LayerBuilder(document, path, home)
    for key, raw in builder.leaves(document.tree):
        if key in WORKSPACE_KEYS:
            builder.set(key, raw, shown=raw)
        else:
            builder.note(
                Severity.ERROR,
                key,
                f"a workspace's file may not set {dotted(key)}, and it was not applied; "
                "set it in your own config.json if you want it",
            )
    return builder.layer()


def environment_layer(environ: Mapping[str, str], *, home: Path) -> Layer:
    """The layer of `LUCASTRA_*` variables: `LUCASTRA_LLM__MODEL` sets `llm.model`; lists are JSON; empty is unset.

    A wrong variable is a problem and is left out. A name without `__` that is no key of the root is another
    program's (`LUCASTRA_HOME`), unless it is nearly one.
    """
    settings: dict[Key, Setting] = {}
    problems: list[Problem] = []
    for name in sorted(environ):
        text = environ[name]
        if not name.startswith(ENVIRONMENT_PREFIX) or not text:
            continue
        key = tuple(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))
        if leaf_type(key) is None:
            if len(key) > 1 or (difflib.get_close_matches(key[0], _TOP_LEVEL, cutoff=0.8) and name != "LUCASTRA_HOME"):
                problems.append(Problem(Severity.WARNING, name, f"{unknown_key(key)}; it is ignored"))
            continue
        try:
            value = convert(key, _from_text(key, text), home=home, source=name, shown=text, strict=False)
        except ValueProblem as problem:
            problems.append(Problem(Severity.ERROR, name, f"{dotted(key)} {problem}; it is ignored"))
        else:
            settings[key] = Setting(value, name)
    return Layer(settings, tuple(problems))


_TOP_LEVEL = [key[0] for key in KNOWN_KEYS if len(key) == 1]


def _from_text(key: Key, text: str) -> object:
    if not is_list(key):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # convert says that a list is expected


def flags_layer(flags: Mapping[str, object], *, home: Path) -> Layer:
    """The layer of command-line overrides, by dotted key; raises LucAstraError for one that is wrong."""
    settings: dict[Key, Setting] = {}
    for name, value in flags.items():
        key = tuple(name.split("."))
        if leaf_type(key) is None:
            raise LucAstraError(unknown_key(key), code=ErrorCode.CONFIG_INVALID)
        try:
            converted = convert(key, value, home=home, source="the command line", shown=value, strict=False)
        except ValueProblem as problem:
            raise LucAstraError(f"{name} {problem}", code=ErrorCode.CONFIG_INVALID) from None
        settings[key] = Setting(converted, "flag")
    return Layer(settings)


def unknown_key(key: Key) -> str:
    """Says that `key` is not known, and which known key it is closest to."""
    prefix = key[:-1] if len(key) == 3 and key[0] == PROVIDERS else ()
    known = [dotted((*prefix, name)) for name in _LLM_FIELDS] if prefix else [dotted(one) for one in KNOWN_KEYS]
    known += [*SECTIONS, PROVIDERS] if len(key) == 1 else []
    name = dotted(key)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7) or [
        one for one in known if one.rpartition(".")[2] == key[-1]
    ]
    shown = name if name.isprintable() else ascii(name)
    return f"there is no key {shown[:80]}" + (f"; did you mean {close[0]}?" if close else "")


def contradictions(config: Config, origins: Mapping[str, str]) -> list[Problem]:
    """Settings that each are right and do not go together; what is done about each."""
    settings, found = config.embeddings, []

    def note(name: str, message: str) -> None:
        key = f"embeddings.{name}"
        found.append(Problem(Severity.WARNING, origins.get(key, "defaults"), f"{key} {message}"))

    if settings.provider == "local":
        if settings.dimensions not in {None, *LOCAL_DIMENSIONS}:
            lengths = ", ".join(map(str, LOCAL_DIMENSIONS))
            note("dimensions", f"must be one of {lengths} for the local model; its own {LOCAL_DIMENSIONS[-1]} are used")
        if settings.model is not None and not settings.model.startswith(_LOCAL_MODEL):
            note(
                "model",
                f"is of no use with the local model, {_LOCAL_MODEL}; name the `embeddings.provider` that has it",
            )
    elif settings.provider not in {"llm", *config.providers, *_EMBEDDING_KINDS}:
        note("provider", 'is no provider that embeds: use "local", "llm", a name under `providers`, or one of '
             + ", ".join(_EMBEDDING_KINDS))  # fmt: skip
    return found


_LOCAL_MODEL = "lucastra-static"
_EMBEDDING_KINDS = ("openai", "azure", "llamafile", "ollama", "auto")


def merge(layers: Iterable[Layer]) -> tuple[Config, dict[str, str]]:
    """The configuration of `layers`, lowest first, and the origin of each dotted key that one of them sets."""
    settings: dict[Key, Setting] = {}
    for layer in layers:
        settings |= layer.settings
    top: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    providers: dict[str, dict[str, Any]] = {}
    for key, setting in settings.items():
        match key:
            case (name,):
                top[name] = setting.value
            case (section, name):
                sections.setdefault(section, {})[name] = setting.value
            case (_, provider, name):
                providers.setdefault(provider, {})[name] = setting.value
    top |= {name: SECTIONS[name](**values) for name, values in sections.items()}
    config = Config(
        **top,
        providers={name: LlmConfig(**values) for name, values in providers.items()},
    )
    return config, {dotted(key): setting.origin for key, setting in sorted(settings.items())}
