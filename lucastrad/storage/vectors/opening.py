"""Opening an index: what the manifest names is checked, everything else is removed.

Invariant: what is returned answers only from files that were checked, and stands at a catalog sequence number from
which the catalog brings everything back that was lost.
"""

import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from lucastrad.storage.fs import ensure_private_folder, folder_bytes, sync_folder
from lucastrad.storage.sqlite import StoreCorrupt, StoreUnavailable
from lucastrad.storage.vectors import manifest as manifests
from lucastrad.storage.vectors.disk import disk_errors
from lucastrad.storage.vectors.live import LiveRows
from lucastrad.storage.vectors.log import Log
from lucastrad.storage.vectors.manifest import FORMAT, FileEntry, LogEntry, Manifest, SegmentEntry
from lucastrad.storage.vectors.merge import MergeReply
from lucastrad.storage.vectors.native import Kernel
from lucastrad.storage.vectors.parts import Part, Parts
from lucastrad.storage.vectors.policy import Policy
from lucastrad.storage.vectors.segment import Segment
from lucastrad.storage.vectors.spans import disjoint
from lucastrad.types import Stat, VectorSpace

_log = logging.getLogger(__name__)

_NAME = re.compile(r"(?:log|segment)-(\d+)")


class IndexFiles:
    """The folder of one index."""

    def __init__(self, folder: Path, space: VectorSpace, policy: Policy, kernel: Kernel | None) -> None:
        self.folder = folder
        self.space = space
        self._policy = policy
        self.kernel = kernel
        self._unsettled = False
        self._number = 0

    def open(self) -> Parts:
        """Open, or create. Raises StoreUnavailable."""
        with disk_errors():
            ensure_private_folder(self.folder)
        try:
            manifest = manifests.load(self.folder, self.space.identity)
            if manifest is not None:
                return self._open(manifest)
        except StoreCorrupt as error:
            _log.warning("vector index damaged, rebuilding from the catalog: %s", error)
        return self.start_anew()

    def start_anew(self) -> Parts:
        """An empty index in the place of what there is. Raises StoreUnavailable."""
        parts = Parts((), (self.new_log(0),))
        try:
            self.publish(parts)
        except BaseException:
            self.discard(parts.active)
            raise
        self._remove_strays(parts)
        return parts

    def new_log(self, reached: int, room: int = 0) -> LiveRows:
        """A log to publish, with `room` for so many records at least. Raises StoreUnavailable."""
        log = Log.create(self.folder / self.new_name("log"), self.space, reached)
        return self._live(log, max(self._policy.log_records, log.count + room))

    def _live(self, log: Log, capacity: int) -> LiveRows:
        try:
            return LiveRows(log, capacity, self.kernel)
        except BaseException:
            log.close()
            raise

    def new_name(self, kind: str) -> str:
        """A name that was never used."""
        used = [int(match[1]) for path in self._ours() if (match := _NAME.match(path.name))]
        self._number = max([self._number, *used]) + 1
        return f"{kind}-{self._number:06d}"

    def publish(self, parts: Parts) -> None:
        """Make `parts` what a reopened index consists of.

        Raises StoreUnavailable: it may or may not be that, until `settle`.
        """
        self._unsettled = True
        logs = [LogEntry(live.name, live.log.count) for live in parts.logs[:-1]]
        with disk_errors():
            sync_folder(self.folder)  # what the manifest names must be there before it
        manifests.save(
            self.folder,
            Manifest(
                FORMAT,
                self.space.identity,
                [*logs, LogEntry(parts.active.name, None)],
                [segment.entry for segment in parts.segments],
            ),
        )
        self._unsettled = False

    def settle(self, parts: Parts) -> None:
        """Publish `parts` again where it is not known which manifest the last attempt has left: before a commit is
        acknowledged, the log that holds it must be the one that a reopened index reads. Raises StoreUnavailable."""
        if self._unsettled:
            self.publish(parts)

    def take_in(self, folder: Path, name: str, reply: MergeReply) -> Segment:
        """Give a merged segment its name, and open it. Raises StoreUnavailable (call again), StoreCorrupt."""
        target = self.folder / name
        with disk_errors():
            if folder.exists():
                folder.rename(target)
            files = {n: FileEntry(merged.crc, Stat.of((target / n).stat())) for n, merged in reply.files.items()}
        for file, merged in reply.files.items():
            if files[file].stat.size_bytes != merged.size_bytes:
                raise StoreCorrupt(f"{name}/{file} is not what the merge wrote")
        entry = SegmentEntry(name, reply.rows, files)
        return Segment(target, entry, self.space.dimensions, self.kernel, found=False)

    def size_bytes(self) -> int:
        """What the files take."""
        return folder_bytes(self.folder)

    def discard(self, part: Part) -> None:
        """Remove a part that is not published (any more); who still searches it may go on."""
        if isinstance(part, LiveRows):
            part.log.close()
            with suppress(OSError):
                part.path.unlink()
        else:
            shutil.rmtree(part.path, ignore_errors=True)

    def _open(self, manifest: Manifest) -> Parts:
        logs: list[LiveRows] = []
        try:
            lost = not self._open_logs(manifest, logs)
            segments: list[Segment] = []
            for sealed in manifest.segments:
                try:
                    folder = self.folder / sealed.name
                    segments.append(Segment(folder, sealed, self.space.dimensions, self.kernel, found=True))
                except StoreCorrupt as error:
                    _log.warning("vector index damaged, its rows are added again from the catalog: %s", error)
                    lost = True
            parts = Parts(tuple(segments), tuple(logs))
            deleted = disjoint(np.concatenate([live.log.deleted() for live in logs]))
            for part in parts.all:
                part.kill(part.select(deleted))
            if lost:
                # First of all: a log that claims to be complete must not outlive the entry of what was lost.
                parts.active.commit(0, np.empty((0, 2), np.int64))
                self.publish(parts)
            elif [segment.entry for segment in segments] != manifest.segments:
                with suppress(StoreUnavailable):  # only spares the next start from reading the files
                    self.publish(parts)
        except BaseException:
            for live in logs:
                live.log.close()
            raise
        self._remove_strays(parts)
        return parts

    def _open_logs(self, manifest: Manifest, logs: list[LiveRows]) -> bool:
        """Open the logs into `logs`, with a new one in the place of an active one that is damaged; whether none is."""
        whole = True
        for entry in manifest.logs:
            try:
                log = Log.open(self.folder / entry.name, self.space, records=entry.records)
            except StoreCorrupt as error:
                _log.warning("vector index damaged, its rows are added again from the catalog: %s", error)
                whole = False
                if entry is manifest.logs[-1]:
                    logs.append(self.new_log(0))
            else:
                logs.append(self._live(log, self._policy.log_records))
        return whole

    def _remove_strays(self, parts: Parts) -> None:
        kept = {part.name for part in parts.all}
        for path in self._ours():
            if path.name not in kept:
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        for path in self.folder.glob(f".{manifests.NAME}.*"):
            path.unlink(missing_ok=True)

    def _ours(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if _NAME.match(path.name)]
