"""Recent completions: the same place again, and the places that typing into a shown suggestion leads to."""

from collections import deque
from dataclasses import dataclass, replace

from lucastrad.completion.cursor import Cursor, Trigger
from lucastrad.completion.suggestion import Suggestion

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
    suggestion: Suggestion


class CompletionCache:
    """One client's."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque(maxlen=_KEPT)

    def put(self, cursor: Cursor, suggestion: Suggestion) -> None:
        """Remember what there is to offer at `cursor`; one without text for nothing."""
        offset = len(cursor.before)
        entry = _Entry(
            cursor.document.uri,
            offset,
            cursor.before[-_COMPARED:],
            cursor.after[:_COMPARED],
            cursor.trigger,
            suggestion,
        )
        self._entries.appendleft(entry)

    def get(self, cursor: Cursor) -> Suggestion | None:
        """What is left of a suggestion that was made here, or before some of it was typed; None if none was.

        What was offered unasked does not answer a user who asks: that one may span lines.
        """
        for entry in self._entries:
            if entry.uri != cursor.document.uri or entry.offset > len(cursor.before):
                continue
            if cursor.trigger is Trigger.INVOKED and entry.trigger is not Trigger.INVOKED:
                continue
            typed = cursor.before[entry.offset :]
            text = entry.suggestion.text
            if not text.startswith(typed) or (typed and len(typed) == len(text)):
                continue
            before = cursor.before[max(0, entry.offset - _COMPARED) : entry.offset]
            if before == entry.before and cursor.after[:_COMPARED] == entry.after:
                return replace(entry.suggestion, text=text[len(typed) :], timing=None)
        return None
