"""A look, from outside, at what a daemon keeps of its only workspace: files on disk, its log and its memory.

Nothing is written, and the catalog is opened read-only: the daemon goes on meanwhile.
"""

import json
import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.daemon import PrivateDaemon
from benchmarks.errors import BenchmarkError
from benchmarks.vector_index.daemon_results import Occupancy
from benchmarks.vector_index.data import SEED

_COMPLAINTS = 20
_MERGED = re.compile(r"vectors were merged in ([0-9.]+) s")


@dataclass(frozen=True, slots=True)
class SegmentOnDisk:
    """A sealed segment."""

    folder: Path
    rows: int


class DaemonStore:
    """The files of the workspace that `daemon` has indexed."""

    def __init__(self, daemon: PrivateDaemon) -> None:
        """Raises BenchmarkError where there is not one workspace with one vector space."""
        self._daemon = daemon
        found = [*(daemon.paths.home / "workspaces").glob("*/vectors/*/manifest.json")]
        if len(found) != 1:
            raise BenchmarkError(f"{daemon.paths.home} holds {len(found)} vector indexes instead of one")
        self._vectors = found[0].parent
        self._workspace = self._vectors.parent.parent

    def merging(self) -> bool:
        """Whether a segment is being built or taken in."""
        return any(path.name.endswith(".part") for path in self._vectors.iterdir())

    def segments(self) -> list[SegmentOnDisk]:
        """Those that the manifest names."""
        body = (self._vectors / "manifest.json").read_bytes().partition(b"\n")[0]
        return [SegmentOnDisk(self._vectors / one["name"], one["rows"]) for one in json.loads(body)["segments"]]

    def occupancy(self) -> Occupancy:
        """Memory of the daemon and size of its files, now."""
        memory = _memory(self._daemon.pid)
        segments = self.segments()
        return Occupancy(
            resident=memory["VmRSS"],
            anonymous=memory["RssAnon"],
            mapped=memory["RssFile"],
            store=_size(self._workspace),
            vectors=_size(self._vectors),
            segments=len(segments),
            segment_rows=sum(one.rows for one in segments),
        )

    def files_of(self, segment: SegmentOnDisk, share: float) -> list[str]:
        """Paths of files, drawn at random, that hold this share of a segment's rows, within the workspace."""
        ids = np.load(segment.folder / "ids.npy", mmap_mode="r")
        with closing(sqlite3.connect(f"{(self._workspace / 'catalog.sqlite3').as_uri()}?mode=ro", uri=True)) as catalog:
            spans = catalog.execute(
                "SELECT path, first_chunk, last_chunk FROM files WHERE state = 'indexed' AND last_chunk >= ?"
                " AND first_chunk <= ? ORDER BY first_chunk",
                (int(ids[0]), int(ids[-1])),
            ).fetchall()
        random.Random(SEED).shuffle(spans)
        chosen: list[str] = []
        rows = 0
        for path, first, last in spans:
            if rows >= share * segment.rows:
                break
            chosen.append(path)
            rows += int(np.searchsorted(ids, last, "right") - np.searchsorted(ids, first))
        return chosen

    def merge_seconds(self) -> list[float]:
        """What each merge so far took, as the log tells."""
        return [float(found[1]) for line in self._log() if (found := _MERGED.match(line.get("event", "")))]

    def complaints(self) -> list[str]:
        """The first warnings and errors of the daemon's log."""
        found = [
            f"{line['level']}: {line['event']}"
            for line in self._log()
            if line.get("level", "").lower() in ("warning", "error", "critical")
        ]
        return found[:_COMPLAINTS]

    def _log(self) -> Iterator[dict[str, str]]:
        with suppress(FileNotFoundError):
            for line in self._daemon.paths.log.read_text("utf-8", "replace").splitlines():
                with suppress(json.JSONDecodeError):
                    yield json.loads(line)


def _memory(pid: int) -> dict[str, int]:
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[-1:] == ["kB"]}


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the daemon drops files while this looks
            if path.is_file():
                total += path.stat().st_size
    return total
