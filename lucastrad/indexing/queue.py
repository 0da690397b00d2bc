"""The files of one workspace that wait to be indexed.

Invariant: a path is in work at most once at a time, so an older reading never overwrites a newer
one. Its bound is the number of files in the workspace: each stands in it once.
"""

from collections.abc import Collection, Iterable

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
        self._suspect: set[str] = set()

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

    def drop(self, verdicts: Collection[str]) -> None:
        """Forget waiting files that are gone or skipped now; a path that ends in `/` stands for all below it."""
        if not verdicts:
            return
        for waiting in (self._urgent, self._backlog):
            for path in [path for path in waiting if _is_under(path, verdicts)]:
                del waiting[path]

    def suspect(self, hints: Collection[str] | None) -> None:
        """A comparison of `hints` (None: of everything) begins: what is in work may have been read before it.

        `done` names such paths, to be compared once more now that their reading is committed.
        """
        if hints is None:
            self._suspect |= self._in_work
        else:
            asked = {form for hint in hints for form in (hint, hint.rstrip("/") + "/")}
            self._suspect |= {path for path in self._in_work if _is_under(path, asked)}

    def done(self, batch: Iterable[Candidate]) -> set[str]:
        """The batch is committed; returns the paths of it that must be compared again."""
        paths = {file.path for file in batch}
        self._in_work -= paths
        again, self._suspect = self._suspect & paths, self._suspect - paths
        return again


def _is_under(path: str, verdicts: Collection[str]) -> bool:
    return path in verdicts or any(path[: at + 1] in verdicts for at, letter in enumerate(path) if letter == "/")
