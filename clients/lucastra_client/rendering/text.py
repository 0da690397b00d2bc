"""Text of indexed files and of the daemon, made fit to be shown.

Invariant: what `printable` returns holds no character that a terminal acts on, other than newline
and tab; a file's content can therefore neither move the cursor nor change what the eye reads.
"""

import os
import re
from pathlib import Path

from lucastra_protocol.types import Hit

SNIPPET_LINES = 8
_LINE_CHARACTERS = 400

# C0, DEL and C1; the bidirectional controls that reorder what is displayed (CVE-2021-42574);
# line and paragraph separators; lone surrogates, which no encoding can write.
UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNSAFE = re.compile(f"[{UNSAFE}]")
_CONTROL_PICTURES = 0x2400


def printable(text: str) -> str:
    """`text` with control characters replaced by visible ones; lines end in `\\n`."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """Like `printable`, on one line and without tabs: paths, symbols, messages."""
    return printable(text.replace("\n", "\u240a").replace("\t", "\u2409"))


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == 0x7F else "\ufffd"


def snippet(content: str, *, full: bool) -> tuple[list[str], int]:
    """The lines to show of a passage, and how many are left out."""
    lines = printable(content).rstrip("\n").split("\n")
    if full:
        return lines, 0
    shown = [line if len(line) <= _LINE_CHARACTERS else line[:_LINE_CHARACTERS] + "…" for line in lines[:SNIPPET_LINES]]
    return shown, len(lines) - len(shown)


def absolute_path(hit: Hit) -> Path:
    """Where the hit's file is."""
    return Path(hit.workspace, hit.path)


def display_path(hit: Hit, cwd: Path) -> str:
    """The hit's path as one would type it in `cwd`: relative within a workspace, else absolute."""
    path = absolute_path(hit)
    if path.is_relative_to(cwd) or cwd.is_relative_to(hit.workspace):
        return printable_line(os.path.relpath(path, cwd))
    return printable_line(str(path))


def size(size_bytes: int) -> str:
    """A size for people, in powers of 1024."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def duration(seconds: float) -> str:
    """A duration for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `4 d 03 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 file`, `2,902 files`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
