"""How often completions are offered, shown and accepted, by model and language.

Invariant: numbers only, of no text and of no file, and on this machine only. Any event of a completion counts once,
however often and by whichever way a client reports it. A damaged or missing file counts as empty.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
import trio

from lucastrad.logs import log_event
from lucastrad.storage.fs import ensure_private_folder, publish

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
"""How much counting a kill of the daemon may cost."""
_LAST_WRITE_SECONDS = 2.0
_MOST_ROWS = 200
_MOST_OFFERS = 256
_MOST_CHARACTERS = 200
"""Of a name: an editor may call a language what it likes."""


class Event(StrEnum):
    """What may become of a completion."""

    OFFERED = "offered"
    SHOWN = "shown"
    ACCEPTED = "accepted"
    PARTIALLY_ACCEPTED = "partially_accepted"


class Origin(msgspec.Struct, frozen=True):
    """What completions are counted by."""

    provider: str
    model: str
    language: str

    @classmethod
    def of(cls, provider: str, model: str, language: str) -> "Origin":
        """One whose names are cut to a length that a small file can bear."""
        return cls(provider[:_MOST_CHARACTERS], model[:_MOST_CHARACTERS], language[:_MOST_CHARACTERS])


class CompletionCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often each event was seen of one origin's completions."""

    origin: Origin
    offered: int = 0
    shown: int = 0
    accepted: int = 0
    partially_accepted: int = 0


class _File(msgspec.Struct, frozen=True):
    counts: list[CompletionCount]


class CompletionCounts:
    """A small file of counts, for all clients. Of more origins than it has room for, those counted last are kept."""

    def __init__(self, path: Path | None) -> None:
        """Reads the file; None keeps the counts in memory."""
        self._path = path
        self._changed = trio.Event()
        self._counts: OrderedDict[Origin, CompletionCount] = OrderedDict()
        if path is not None:
            try:
                kept = msgspec.json.decode(path.read_bytes(), type=_File).counts
            except (OSError, msgspec.DecodeError, UnicodeDecodeError):
                return
            self._counts.update((count.origin, count) for count in reversed(kept[:_MOST_ROWS]))

    @property
    def all(self) -> Sequence[CompletionCount]:
        """Those counted last come first."""
        return list(reversed(self._counts.values()))

    def add(self, origin: Origin, event: Event) -> None:
        """Count one event."""
        count = self._counts.get(origin) or CompletionCount(origin=origin)
        self._counts[origin] = msgspec.structs.replace(count, **{event.value: getattr(count, event.value) + 1})
        self._counts.move_to_end(origin)
        while len(self._counts) > _MOST_ROWS:
            self._counts.popitem(last=False)
        self._changed.set()

    async def run(self) -> None:
        """Keep the file current, for ever; what was counted last is written when this is cancelled."""
        if self._path is None:
            return
        try:
            while True:
                await self._changed.wait()
                await trio.sleep(INTERVAL_SECONDS)
                await self._write(self._path)
        finally:
            with trio.move_on_after(_LAST_WRITE_SECONDS, shield=True):
                if self._changed.is_set():
                    await self._write(self._path)

    async def _write(self, path: Path) -> None:
        self._changed = trio.Event()
        try:
            await trio.to_thread.run_sync(_publish, path, _File(list(self.all)))
        except OSError as error:  # tried again when the next event is counted
            log_event(logger, logging.WARNING, "counts of completions could not be kept", reason=str(error))


def _publish(path: Path, file: _File) -> None:
    ensure_private_folder(path.parent)
    publish(path, msgspec.json.encode(file))


class Offers:
    """The completions that one client was offered last, and what it has reported of them."""

    def __init__(self, counts: CompletionCounts) -> None:
        self._counts = counts
        self._seen: OrderedDict[str, tuple[Origin, set[Event]]] = OrderedDict()

    def offered(self, id_: str, origin: Origin) -> None:
        """One is sent to the client; what is left of it later has the same id."""
        self._seen.setdefault(id_, (origin, set()))
        self._seen.move_to_end(id_)
        while len(self._seen) > _MOST_OFFERS:
            self._seen.popitem(last=False)
        self._note(id_, Event.OFFERED)

    def shown(self, id_: str) -> None:
        """The user got to see it."""
        self._note(id_, Event.SHOWN)

    def accepted(self, id_: str, *, partial: bool) -> None:
        """The user took it, or its beginning; so it was shown."""
        self._note(id_, Event.SHOWN)
        self._note(id_, Event.PARTIALLY_ACCEPTED if partial else Event.ACCEPTED)

    def _note(self, id_: str, event: Event) -> None:
        if id_ not in self._seen:  # of long ago, or of another daemon
            return
        origin, events = self._seen[id_]
        if event not in events:
            events.add(event)
            self._counts.add(origin, event)
