"""Rewrite a configuration file of v1.0 or v1.1 in today's form: `python -m lucastrad.config.migration FILE`.

Nothing that the daemon reads is lost: what it would ignore is left out and named, and the file as it was is kept.
"""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.config import document, files
from lucastrad.config.layers import RETIRED_KEYS, RETIRED_SECTIONS
from lucastrad.config.schema import LlmConfig
from lucastrad.config.values import dotted


@dataclass(frozen=True, slots=True)
class Migration:
    """What became of a file."""

    changes: tuple[str, ...]
    """What is different now; empty where the file is in today's form."""
    backup: Path | None = None
    """The file as it was; None where nothing changed."""


def migrated(tree: dict[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The tree in today's form, and what changed."""
    changes: list[str] = []
    today = dict(tree)
    flat = {name: today.pop(name) for name in LlmConfig.__struct_fields__ if name in today}
    section = today.get("llm")
    if section is None and flat:
        section = {}
    if isinstance(section, dict):
        section = flat | section
        if flat:
            changes.append(f'moved {", ".join(flat)} into "llm"')
        if "provider" not in section:
            section = {"provider": "llamafile", **section}
            changes.append('wrote "provider": "llamafile" into "llm", which v1.0 took for granted')
        # At the place where it stood, or first, where v1.0 had its keys.
        today = today | {"llm": section} if "llm" in today else {"llm": section, **today}
    else:
        today |= flat
    for name, why in RETIRED_SECTIONS.items():
        if today.pop(name, None) is not None:
            changes.append(f"left out {name}: {why}")
    for key, why in RETIRED_KEYS.items():
        parent, name = key
        inner = today.get(parent)
        if isinstance(inner, dict) and name in inner:
            today[parent] = {other: value for other, value in inner.items() if other != name}
            changes.append(f"left out {dotted(key)}: {why}")
    return today, tuple(changes)


def migrate(path: Path) -> Migration:
    """Rewrite the file, and keep it as it was beside it.

    Raises LucAstraError (CONFIG_INVALID) for a file that is missing, is not JSON, or cannot be written.
    """
    path = path.resolve()  # a configuration kept elsewhere stays there, and the link stays one
    reading = files.read(path, follow_links=True)
    if reading.data is None:
        reason = reading.failure or "there is none, so the defaults hold"
        raise LucAstraError(f"{path}: {reason}", code=ErrorCode.CONFIG_INVALID)
    try:
        tree, changes = migrated(document.parse(reading.data).tree)
    except document.DocumentError as error:
        place = f":{error.line}" * bool(error.line) + f":{error.column}" * bool(error.column)
        raise LucAstraError(f"{path}{place}: {error}; correct it first", code=ErrorCode.CONFIG_INVALID) from None
    if not changes:
        return Migration(())
    try:
        backup = _kept(path, reading.data)
        _replace(path, (json.dumps(tree, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise LucAstraError(f"{path} cannot be rewritten: {error}", code=ErrorCode.CONFIG_INVALID) from error
    return Migration(changes, backup)


def _kept(path: Path, data: bytes) -> Path:
    """A copy under the first name that is free; it may hold keys, so it is its user's only."""
    number = 0
    while True:
        backup = path.with_name(f"{path.name}.bak{number or ''}")
        try:
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return backup


def _replace(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            temporary.chmod(mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def main(arguments: list[str]) -> int:
    """Migrate the file that is named, and print what was done as JSON; 1 and a message where that fails."""
    try:
        done = migrate(Path(arguments[0]))
    except LucAstraError as error:
        print(error.message, file=sys.stderr)
        return 1
    print(json.dumps({"changes": done.changes, "backup": None if done.backup is None else str(done.backup)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
