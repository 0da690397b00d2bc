"""The manifest is the old one or the new one, and a damaged one is never believed."""

import random
import zlib
from pathlib import Path

import msgspec
import pytest
from vector_case import failing_disk, full_disk

from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors.manifest import FORMAT, NAME, FileEntry, LogEntry, Manifest, SegmentEntry, load, save
from lucastrad.types import Stat


def manifest(records: int = 77, *, space: str = "test-8") -> Manifest:
    files = {"graph": FileEntry(123, Stat(1, 2, 3, 4)), "ids.npy": FileEntry(0xFFFFFFFF, Stat(5, 6, 7, 8))}
    segments = [SegmentEntry("segment-000002", 50_000, files)]
    return Manifest(FORMAT, space, [LogEntry("log-000001", records), LogEntry("log-000003", None)], segments)


def test_it_comes_back(tmp_path: Path) -> None:
    assert load(tmp_path, "test-8") is None
    save(tmp_path, manifest())
    assert load(tmp_path, "test-8") == manifest()


def test_one_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    body = msgspec.json.encode(msgspec.to_builtins(manifest()) | {"generation": 3}) + b"\n"
    (tmp_path / NAME).write_bytes(body + b"%08x\n" % zlib.crc32(body))
    assert load(tmp_path, "test-8") == manifest()


def test_every_mutation_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, manifest())
    path = tmp_path / NAME
    good = path.read_bytes()
    draw = random.Random(1)
    for _ in range(500):
        data = bytearray(good)
        at = draw.randrange(len(good))
        data[at] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(data) if draw.random() < 0.7 else good[:at])
        with pytest.raises(StoreCorrupt):
            load(tmp_path, "test-8")


def test_one_of_another_space_is_refused(tmp_path: Path) -> None:
    save(tmp_path, manifest(space="other-8"))
    with pytest.raises(StoreCorrupt, match="vector space"):
        load(tmp_path, "test-8")


def test_a_full_disk_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, manifest(77))
    for after in (0, 1):  # the file's fsync, the rename
        with failing_disk(monkeypatch, after, full_disk), pytest.raises(StoreUnavailable, match="free disk space"):
            save(tmp_path, manifest(78))
        assert load(tmp_path, "test-8") == manifest(77)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
