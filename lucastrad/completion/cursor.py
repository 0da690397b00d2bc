"""Where a completion is wanted, and the part of the text around it that a model is shown.

Invariant: values only. A window's lines end at `\\n`, whatever those of the document end at.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_LINE_END = re.compile(r"\r\n?")


class Trigger(StrEnum):
    """What a completion was asked by."""

    INVOKED = "invoked"
    """The user asked for it."""
    AUTOMATIC = "automatic"
    """The editor did, while the user types."""


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A document that an editor has open; its text is the editor's, never the disk's."""

    uri: str
    path: Path | None
    """None for one that is no file of this machine."""
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a document, and what else its editor has open."""

    document: OpenDocument
    before: str
    """Everything before the cursor, and what a selected entry of the editor's list would put there."""
    after: str
    trigger: Trigger = Trigger.INVOKED
    others: tuple[OpenDocument, ...] = ()
    """The other open documents, the last one edited first."""
    root: Path | None = None
    """The editor's folder that holds the document."""

    @property
    def name(self) -> str:
        """The document's path within its folder, or its name: no more of the machine's folders is told to a model."""
        return name_within(self.root, self.document)

    @property
    def line_end(self) -> str:
        """What the document's lines end at."""
        found = re.search(r"\r\n?|\n", self.before[-4096:] + self.after[:1024])
        return found[0] if found else "\n"


@dataclass(frozen=True, slots=True)
class Window:
    """The text around a cursor."""

    prefix: str
    suffix: str
    from_start: bool = True
    """Whether the prefix begins where the document does."""

    @property
    def line(self) -> str:
        """The cursor's line before the cursor."""
        return self.prefix[self.prefix.rfind("\n") + 1 :]

    @property
    def rest(self) -> str:
        """The cursor's line after the cursor."""
        return self.suffix.partition("\n")[0]

    @property
    def following(self) -> str:
        """The first line below the cursor's that is not blank; empty where there is none."""
        _, _, below = self.suffix.partition("\n")
        return next((line.rstrip() for line in below.split("\n") if line.strip()), "")


def name_within(root: Path | None, document: OpenDocument) -> str:
    """The document's path within `root`, or else its file name."""
    if document.path is None:
        return document.uri.rpartition("/")[2] or "untitled"
    if root is not None and document.path.is_relative_to(root):
        return document.path.relative_to(root).as_posix()
    return document.path.name


_REACH = 4_000
"""Characters beyond the window in which secrets are looked for: one may be cut in two by the window's edge."""
_KEY_REACH = 20_000
"""The same where there is a private key, which `redact` follows for 16,384. Not always: a millisecond takes 5,000."""


class SecretAtCursor(Exception):
    """The cursor stands within what looks like a secret."""


def window_of(
    cursor: Cursor, *, prefix_chars: int, suffix_chars: int, redact: Callable[[str], str] | None = None
) -> Window:
    """What a model is shown: whole lines, at most so many characters before and after the cursor.

    `redact` takes secrets out of it. Raises SecretAtCursor where one of them reaches across the cursor.
    """
    before, after = cursor.before[-prefix_chars - _KEY_REACH :], cursor.after[: suffix_chars + _KEY_REACH]
    reach = _KEY_REACH if "PRIVATE KEY" in before or "PRIVATE KEY" in after else _REACH
    before = _with_line_feeds(before[-prefix_chars - reach :])
    after = _with_line_feeds(after[: suffix_chars + reach])
    if redact is not None:
        parts = redact(before), redact(after)
        if redact(before + after) != parts[0] + parts[1]:
            raise SecretAtCursor
        before, after = parts
    whole = len(cursor.before) <= prefix_chars + reach and len(before) <= prefix_chars
    return Window(before if whole else _last_lines(before, prefix_chars), _first_lines(after, suffix_chars), whole)


def _with_line_feeds(text: str) -> str:
    return _LINE_END.sub("\n", text) if "\r" in text else text


def _last_lines(text: str, limit: int) -> str:
    """The last whole lines within `limit` characters; of a longer last line, its end."""
    text = text[-limit:]
    first, line_feed, rest = text.partition("\n")
    return rest if line_feed else first


def _first_lines(text: str, limit: int) -> str:
    """The first whole lines within `limit` characters; of a longer first line, its beginning."""
    if len(text) <= limit:
        return text
    text = text[:limit]
    lines, line_feed, _ = text.rpartition("\n")
    return lines + line_feed if line_feed else text
