"""Recent completions: the same place again, and the places that typing into a shown suggestion leads to."""

from collections import deque
from dataclasses import dataclass

from lucastrad.completion.cursor import Cursor, Trigger

_KEPT = 32
_COMPARED = 1024
"""Characters before and after the cursor that must be as they were."""


@dataclass(frozen=True, slots=True)
class _Entry:
    uri: str
    offset: int
    """Where the cursor was, in characters."""
    before: str
    after: str
    trigger: Trigger
    text: str


class CompletionCache:
    """One client's."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=_KEPT)

    def put(self, cursor: Cursor, text: str) -> None:
        """Remember what was offered at `cursor`; empty for nothing."""
        offset = len(cursor.before)
        entry = _Entry(
            cursor.document.uri, offset, cursor.before[-_COMPARED:], cursor.after[:_COMPARED], cursor.trigger, text
        )
        self._entries.appendleft(entry)

    def get(self, cursor: Cursor) -> str | None:
        """What is left of a completion that was offered here, or before some of it was typed; None if none was.

        What was offered unasked does not answer a user who asks: that one may span lines.
        """
        for entry in self._entries:
            if entry.uri != cursor.document.uri or entry.offset > len(cursor.before):
                continue
            if cursor.trigger is Trigger.INVOKED and entry.trigger is not Trigger.INVOKED:
                continue
            typed = cursor.before[entry.offset :]
            if not entry.text.startswith(typed) or (typed and len(typed) == len(entry.text)):
                continue
            before = cursor.before[max(0, entry.offset - _COMPARED) : entry.offset]
            if before == entry.before and cursor.after[:_COMPARED] == entry.after:
                return entry.text[len(typed) :]
        return None
