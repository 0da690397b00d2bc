"""The files of one workspace that wait to be indexed.

Invariant: a path is in work at most once at a time, so an older reading never overwrites a newer
one. Its bound is the number of files in the workspace: each stands in it once.
"""

from collections.abc import Iterable

from lucastrad.workspace.scanner import Candidate

_BATCH_FILES = 48
_BATCH_BYTES = 400_000
"""A batch takes a worker about 0.1 s: that is how long a save can wait behind a cold index."""


class FileQueue:
    """Saved files go before the backlog of a scan."""

    def __init__(self) -> None:
        self._urgent: dict[str, Candidate] = {}
        self._backlog: dict[str, Candidate] = {}
        self._in_work: set[str] = set()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._backlog) + len(self._in_work)

    def put(self, files: Iterable[Candidate], *, urgent: bool) -> None:
        """Add files; one that waits already is replaced by its newer finding."""
        into = self._urgent if urgent else self._backlog
        for file in files:
            self._urgent.pop(file.path, None)
            self._backlog.pop(file.path, None)
            into[file.path] = file

    def take(self) -> list[Candidate]:
        """The next batch, now in work; empty when there is nothing to do, or all of it is in work already."""
        batch: list[Candidate] = []
        size = 0
        for source in (self._urgent, self._backlog):
            for path, file in source.items():
                if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
                    break
                if path not in self._in_work:
                    batch.append(file)
                    size += file.stat.size_bytes
        for file in batch:
            self._in_work.add(file.path)
            self._urgent.pop(file.path, None)
            self._backlog.pop(file.path, None)
        return batch

    def done(self, batch: Iterable[Candidate]) -> None:
        """The batch is committed, or given up."""
        self._in_work.difference_update(file.path for file in batch)
