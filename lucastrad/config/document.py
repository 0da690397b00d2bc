"""Read a configuration file's JSON, remembering the line of every key.

Invariant: bytes in, values out; no I/O. No message shows a value that could be a credential.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lucastrad.logs import redact

MAX_DEPTH = 16

Address = tuple[str | int, ...]
"""Keys and list positions from the root."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_VALUE_AFTER_COLON = re.compile(r':(\s*)"(?:[^"\\]|\\.)*"?')
_CREDENTIAL_KEY = re.compile(r"key|token|secret|passw", re.IGNORECASE)


class DocumentError(ValueError):
    """The file is not a JSON object. `line` and `column` are 1-based, 0 where there is no place."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, and the 1-based line of each key and list element in it."""

    tree: dict[str, object]
    lines: Mapping[Address, int]


def parse(data: bytes) -> Document:
    """The document that `data` (UTF-8, with or without a byte-order mark) holds; raises DocumentError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError("the file is not UTF-8 text; save it as UTF-8", line) from None
    if not text.strip():
        return Document({}, {})
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DocumentError(_syntax_message(text, error), error.lineno, error.colno) from None
    except RecursionError:
        raise DocumentError("objects and lists are nested too deeply") from None
    except ValueError as error:
        raise DocumentError(str(error)) from None
    if not isinstance(tree, dict):
        raise DocumentError("the file must hold one JSON object: { … }", 1, 1)
    return Document(tree, _positions(text))


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _syntax_message(text: str, error: json.JSONDecodeError) -> str:
    reason = error.msg[0].lower() + error.msg[1:]
    line = text.split("\n")[error.lineno - 1]
    if _CREDENTIAL_KEY.search(line):
        line = _VALUE_AFTER_COLON.sub(r':\1"…"', line)
    shown = redact(line.strip())
    return f"{reason}: {shown[:120]}" if shown else reason


def _positions(text: str) -> dict[Address, int]:
    """The line of each key and list element of `text`, which json.loads has accepted."""
    lines: dict[Address, int] = {}
    stack: list[tuple[str, str | int]] = []  # (opening bracket, key or index in force)
    line, counted = 1, 0
    expects_key = False
    for token in _TOKEN.finditer(text):
        line += text.count("\n", counted, token.start())
        counted = token.start()
        symbol = token.group()
        if symbol in "}]":
            stack.pop()
            expects_key = False
            continue
        if symbol == ":":
            continue
        if symbol == ",":
            bracket, key = stack[-1]
            expects_key = bracket == "{"
            if isinstance(key, int):
                stack[-1] = (bracket, key + 1)
            continue
        if expects_key:
            stack[-1] = ("{", json.loads(symbol))
            lines[tuple(key for _, key in stack)] = line
            expects_key = False
            continue
        if stack and stack[-1][0] == "[":
            lines[tuple(key for _, key in stack)] = line
        if symbol in "{[":
            expects_key = symbol == "{"
            stack.append((symbol, "" if expects_key else 0))
            if len(stack) > MAX_DEPTH:
                raise DocumentError("objects and lists are nested too deeply", line)
    return lines
