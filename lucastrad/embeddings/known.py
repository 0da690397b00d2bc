"""Which space each configured source was found to embed in, so that a daemon that starts need not ask.

Invariant: a damaged or missing file counts as empty.
"""

from pathlib import Path

import msgspec

from lucastrad.embeddings.provider import Source
from lucastrad.storage.fs import ensure_private_folder, publish
from lucastrad.types import VectorSpace

_MOST = 50


class _Entry(msgspec.Struct, frozen=True):
    source: Source
    space: VectorSpace


class _File(msgspec.Struct, frozen=True):
    entries: list[_Entry]


class KnownSpaces:
    """A small file of sources and their spaces."""

    def __init__(self, path: Path) -> None:
        """Reads the file."""
        self._path = path
        try:
            self._entries = msgspec.json.decode(path.read_bytes(), type=_File).entries
        except (OSError, msgspec.DecodeError):
            self._entries = []

    def space_of(self, source: Source) -> VectorSpace | None:
        """What the source embedded in when it was asked last."""
        return next((entry.space for entry in self._entries if entry.source == source), None)

    def source_of(self, space: VectorSpace) -> Source | None:
        """A source that embedded in this space when it was asked last."""
        return next((entry.source for entry in self._entries if entry.space == space), None)

    def remember(self, source: Source, space: VectorSpace) -> None:
        """Keep the newest finding. Blocking; raises OSError where the file cannot be written."""
        if self.space_of(source) == space:
            return
        others = [entry for entry in self._entries if entry.source != source]
        self._entries = [_Entry(source, space), *others][:_MOST]
        ensure_private_folder(self._path.parent)
        publish(self._path, msgspec.json.encode(_File(self._entries)))
