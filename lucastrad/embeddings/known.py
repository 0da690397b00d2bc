"""Which space each configured source was found to embed in, so that a daemon that starts need not ask, and which models
share a name.

Invariant: a damaged or missing file counts as empty; two models have two spaces all the same unless both give
themselves the same name.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lucastrad.embeddings.provider import FINGERPRINT, UNNAMED, Found, Source, is_same_model
from lucastrad.storage.fs import ensure_private_folder, publish
from lucastrad.types import VectorSpace

_MOST = 50


class _Entry(msgspec.Struct, frozen=True):
    source: Source | None
    """None once the source embeds in another space."""
    space: VectorSpace
    probe: tuple[float, ...] = ()


class _File(msgspec.Struct, frozen=True):
    entries: list[_Entry]


class KnownSpaces:
    """A small file of sources, their spaces and the probes of these."""

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
        return next((entry.source for entry in self._entries if entry.space == space and entry.source), None)

    def probe_of(self, space: VectorSpace) -> tuple[float, ...]:
        """The probe of the model of a space; empty where it is not known."""
        return next((entry.probe for entry in self._entries if entry.space == space and entry.probe), ())

    def identify(self, found: Found) -> VectorSpace:
        """The space of a model that answered: the one that it has already, or a new one."""
        called = found.called
        fingerprint = f"{FINGERPRINT}{_checksum(found.probe):08x}"
        namesakes = {
            entry.space: self.probe_of(entry.space)
            for entry in self._entries
            if _renamed(entry.space, entry.space.model.partition(FINGERPRINT)[0]) == called
        }
        for space, probe in namesakes.items():
            if not probe or is_same_model(probe, found.probe):
                return space
        is_told_by_name = called.model != UNNAMED and called not in namesakes
        return called if is_told_by_name else _renamed(called, called.model + fingerprint)

    def remember(self, source: Source, space: VectorSpace, probe: Sequence[float]) -> None:
        """Keep the newest finding. Blocking; raises OSError where the file cannot be written."""
        if self.space_of(source) == space and self.probe_of(space):
            return
        others = [
            msgspec.structs.replace(entry, source=None) if entry.source == source else entry
            for entry in self._entries
            if (entry.source, entry.space) not in {(source, space), (None, space)}
        ]
        self._entries = [_Entry(source, space, self.probe_of(space) or tuple(probe)), *others][:_MOST]
        ensure_private_folder(self._path.parent)
        publish(self._path, msgspec.json.encode(_File(self._entries)))


def _renamed(space: VectorSpace, model: str) -> VectorSpace:
    return VectorSpace(space.provider, model, space.dimensions)


def _checksum(probe: Sequence[float]) -> int:
    """The same for two runs of one model, as far as their rounding allows: where it is not, its spaces are two."""
    return zlib.crc32(bytes(round(value * 8) % 256 for value in probe))
