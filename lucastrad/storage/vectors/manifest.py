"""The manifest: which files make up the index.

Invariant: it is replaced as a whole (written aside, synced, renamed), and files that it does not name do not count.
A sealed file whose stamp is the manifest's is trusted unread: nothing but the daemon writes there, and whatever else
does changes the stamp.
"""

import zlib
from pathlib import Path

import msgspec

from lucastrad.storage.fs import publish
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.storage.vectors.disk import disk_errors
from lucastrad.types import Stat

FORMAT = 1
NAME = "manifest.json"


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed file."""

    crc: int
    """CRC-32 of all its bytes."""
    stat: Stat


class SegmentEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sealed segment: a folder."""

    name: str
    rows: int
    files: dict[str, FileEntry]


class LogEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One log."""

    name: str
    records: int | None
    """How many a frozen log holds; None for the last one, which is being written to."""


class Manifest(msgspec.Struct, frozen=True):
    """All files of an index, logs in the order of writing. Earlier versions wrote a `generation` too: it is ignored."""

    format: int
    space: str
    logs: list[LogEntry]
    segments: list[SegmentEntry]


def save(folder: Path, manifest: Manifest) -> None:
    """Publish atomically and durably: a line of JSON, and its CRC-32. Raises StoreUnavailable."""
    body = msgspec.json.encode(manifest) + b"\n"
    with disk_errors():
        publish(folder / NAME, body, b"%08x\n" % zlib.crc32(body))


def load(folder: Path, space: str) -> Manifest | None:
    """None where there is none. Raises StoreCorrupt when it is damaged, or of another format or space."""
    try:
        body, newline, crc = (folder / NAME).read_bytes().partition(b"\n")
        if crc != b"%08x\n" % zlib.crc32(body + newline):
            raise StoreCorrupt(f"{NAME}: checksum mismatch")
        manifest = msgspec.json.decode(body, type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreCorrupt(f"{NAME} cannot be read: {error}") from error
    if (manifest.format, manifest.space) != (FORMAT, space) or not manifest.logs:
        raise StoreCorrupt(f"{NAME}: of another format or vector space")
    return manifest
