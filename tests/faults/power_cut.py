"""What a disk may hold after a power cut: records every change of the files in a folder, and makes up the states.

The model is POSIX's, at its strictest. What was written to a file is there for certain once that file was synced, a
name once its folder was; before that, each write may be there, may be missing, or be torn at any sector, and each
change of a folder may be there or missing, in any combination. A rename is one change.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECTOR_BYTES = 512
Content = dict[str, "bytes | Content"]
"""A folder: the bytes of its files and its folders, by name."""


# --- what is recorded --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Write:
    node: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    node: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Link:
    """A new file or folder, or the new name of an old one."""

    folder: int
    name: str
    node: int
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Unlink:
    folder: int
    name: str


@dataclass(frozen=True, slots=True)
class Sync:
    """Of a file or a folder."""

    node: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What the program under test had promised from here on."""

    promise: Any


Operation = Write | Truncate | Link | Unlink | Sync | Mark


class Recorder:
    """The operations within a folder, in order; nodes are numbered, the folder itself is 0.

    What is there at the start is durable.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.operations: list[Operation] = []
        self.folders = {0}
        self._nodes: dict[Path, int] = {self.root: 0}
        self._count = 0
        self._take_in_folder(self.root)

    def mark(self, promise: object) -> None:
        self.operations.append(Mark(promise))

    @contextmanager
    def recording(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """What Python code does through `os` (and so pathlib and shutil).

        Files that native code or numpy writes are noticed when they, or their folder, are synced: they count as
        written then.
        """
        with monkeypatch.context() as patch:
            for name in ("open", "fdopen", "pwrite", "ftruncate", "rename", "replace", "mkdir"):
                patch.setattr(os, name, getattr(self, f"_{name}")(getattr(os, name)))
            for name in ("unlink", "rmdir"):
                patch.setattr(os, name, self._remove(getattr(os, name)))
            for name in ("fsync", "fdatasync"):
                patch.setattr(os, name, self._sync)
            yield

    def _node(self, path: Path, *, folder: bool = False) -> int:
        """A new file or folder."""
        self._count += 1
        self._nodes[path] = self._count
        if folder:
            self.folders.add(self._count)
        self.operations.append(Link(self._nodes[path.parent], path.name, self._count))
        return self._count

    def _known(self, path: Path) -> bool:
        return path.parent in self._nodes

    def _open(self, original: Callable[..., int]) -> Callable[..., int]:
        def open_(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            descriptor = original(path, flags, *args, **kwargs)
            if flags & os.O_CREAT and self._known(where := _path_of(descriptor)) and where not in self._nodes:
                self._node(where)
            return descriptor

        return open_

    def _fdopen(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def fdopen(descriptor: int, *args: Any, **kwargs: Any) -> Any:
            file = original(descriptor, *args, **kwargs)
            return _RecordedFile(self, file) if self._known(_path_of(descriptor)) else file

        return fdopen

    def _pwrite(self, original: Callable[..., int]) -> Callable[..., int]:
        def pwrite(descriptor: int, data: Any, offset: int) -> int:
            written = original(descriptor, data, offset)
            self.written(descriptor, bytes(data)[:written], offset)
            return written

        return pwrite

    def written(self, descriptor: int, data: bytes, offset: int) -> None:
        """Note a write."""
        if node := self._nodes.get(_path_of(descriptor)):
            self.operations.append(Write(node, offset, data))

    def _ftruncate(self, original: Callable[..., None]) -> Callable[..., None]:
        def ftruncate(descriptor: int, length: int) -> None:
            original(descriptor, length)
            if node := self._nodes.get(_path_of(descriptor)):
                self.operations.append(Truncate(node, length))

        return ftruncate

    def _rename(self, original: Callable[..., None]) -> Callable[..., None]:
        def rename(source: Any, target: Any, **kwargs: Any) -> None:
            original(source, target, **kwargs)
            before, after = _absolute(source), _absolute(target)
            if before not in self._nodes:
                return
            assert before.parent == after.parent, "renames from folder to folder are not modelled"
            node = self._nodes[before]
            for path in [path for path in self._nodes if path.is_relative_to(before)]:
                self._nodes[after / path.relative_to(before)] = self._nodes.pop(path)
            self.operations.append(Link(self._nodes[after.parent], after.name, node, before=before.name))

        return rename

    _replace = _rename

    def _mkdir(self, original: Callable[..., None]) -> Callable[..., None]:
        def mkdir(path: Any, *args: Any, **kwargs: Any) -> None:
            original(path, *args, **kwargs)
            if self._known(where := _absolute(path)):
                self._node(where, folder=True)

        return mkdir

    def _remove(self, original: Callable[..., None]) -> Callable[..., None]:
        def remove(path: Any, *, dir_fd: int | None = None) -> None:
            where = _absolute(path, dir_fd)
            original(path, dir_fd=dir_fd)
            if self._nodes.pop(where, None) is not None:
                self.operations.append(Unlink(self._nodes[where.parent], where.name))

        return remove

    def _sync(self, descriptor: int) -> None:
        """Nothing is really synced: the machine goes on."""
        path = _path_of(descriptor)
        if path.is_dir() and path in self._nodes:
            for file in sorted(path.iterdir()):
                if file.is_file() and file not in self._nodes:
                    self._take_in(file)
        elif self._known(path) and path not in self._nodes:
            self._take_in(path)
        if path in self._nodes:
            self.operations.append(Sync(self._nodes[path]))

    def _take_in_folder(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                self._node(path, folder=True)
                self._take_in_folder(path)
            else:
                self._take_in(path)
        self.operations.append(Sync(self._nodes[folder]))

    def _take_in(self, path: Path) -> None:
        node = self._node(path)
        self.operations += [Write(node, 0, path.read_bytes()), Sync(node)]


class _RecordedFile:
    """An unbuffered file that is written from its start on."""

    def __init__(self, recorder: Recorder, file: Any) -> None:
        self._recorder = recorder
        self._file = file
        self._offset = 0

    def write(self, data: Any) -> int:
        written: int = self._file.write(data)
        self._recorder.written(self._file.fileno(), bytes(data)[:written], self._offset)
        self._offset += written
        return written

    def fileno(self) -> int:
        descriptor: int = self._file.fileno()
        return descriptor

    def __enter__(self) -> "_RecordedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _absolute(path: Any, dir_fd: int | None = None) -> Path:
    start = Path.cwd() if dir_fd is None else _path_of(dir_fd)
    return start / Path(os.fsdecode(path))


# --- what may be there afterwards --------------------------------------------------------------------


@dataclass
class _File:
    durable: bytes = b""
    pending: list[Write | Truncate] = field(default_factory=list)


@dataclass
class _Folder:
    durable: dict[str, int] = field(default_factory=dict)
    pending: list[Link | Unlink] = field(default_factory=list)


Change = Write | Truncate | Link | Unlink
Chooser = Callable[[Change], Iterator[Change]]
"""What is left of a change that was not synced."""


class Disk:
    """What is durable, and what is pending, after so many operations."""

    def __init__(self, folders: set[int]) -> None:
        self._folders: dict[int, _Folder] = {node: _Folder() for node in folders}
        self._files: dict[int, _File] = {}

    def take(self, operation: Operation) -> None:
        """Go on by one operation."""
        match operation:
            case Write() | Truncate():
                self._files[operation.node].pending.append(operation)
            case Link() | Unlink():
                self._folders[operation.folder].pending.append(operation)
                if isinstance(operation, Link) and operation.node not in self._folders:
                    self._files.setdefault(operation.node, _File())
            case Sync(node) if node in self._folders:
                folder = self._folders[node]
                folder.durable, folder.pending = _names(folder.durable, folder.pending), []
            case Sync(node):
                file = self._files[node]
                file.durable, file.pending = _content(file.durable, file.pending), []

    def state(self, left_of: Chooser) -> Content:
        """What is found, where `left_of` decides about everything that is pending."""
        return self._state(0, left_of)

    def _state(self, node: int, left_of: Chooser) -> Content:
        folder = self._folders[node]
        names = _names(folder.durable, _left(folder.pending, left_of))
        content: Content = {}
        for name, child in sorted(names.items()):
            if child in self._folders:
                content[name] = self._state(child, left_of)
            else:
                file = self._files[child]
                content[name] = _content(file.durable, _left(file.pending, left_of))
        return content


def _left(pending: list[Any], left_of: Chooser) -> list[Any]:
    return [part for change in pending for part in left_of(change)]


def _names(durable: dict[str, int], changes: list[Link | Unlink]) -> dict[str, int]:
    names = dict(durable)
    for change in changes:
        if isinstance(change, Unlink):
            names.pop(change.name, None)
            continue
        if change.before is not None:
            names.pop(change.before, None)
        names[change.name] = change.node
    return names


def _content(durable: bytes, changes: list[Write | Truncate]) -> bytes:
    if not changes:
        return durable
    content = bytearray(durable)
    for change in changes:
        end = change.size_bytes if isinstance(change, Truncate) else change.offset + len(change.data)
        content.extend(bytes(max(0, end - len(content))))
        if isinstance(change, Truncate):
            del content[end:]
        else:
            content[change.offset : end] = change.data
    return bytes(content)


def keeping(*, data: bool, names: bool) -> Chooser:
    """All or nothing of what was written, and of what was done to folders."""

    def left_of(change: Change) -> Iterator[Change]:
        if data if isinstance(change, Write | Truncate) else names:
            yield change

    return left_of


def tearing(draw: random.Random) -> Chooser:
    """Of each change all, nothing, or (of a write) its first sectors, or any of them."""

    def left_of(change: Change) -> Iterator[Change]:
        fate = draw.randrange(4)
        if fate == 0 or (fate >= 2 and not isinstance(change, Write)):
            if fate == 0 or draw.random() < 0.5:
                yield change
        elif fate >= 2 and isinstance(change, Write):
            sectors = list(_sectors(change))
            some = draw.randrange(len(sectors) + 1)
            yield from sectors[:some] if fate == 2 else sorted(draw.sample(sectors, some), key=lambda one: one.offset)

    return left_of


def _sectors(write: Write) -> Iterator[Write]:
    offset, end = write.offset, write.offset + len(write.data)
    while offset < end:
        stop = min(end, (offset // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Write(write.node, offset, write.data[offset - write.offset : stop - write.offset])
        offset = stop


def crash_states(recorder: Recorder, draw: random.Random, torn: int) -> Iterator[tuple[Any, Content]]:
    """What was promised last, and what may be found: every combination of all and nothing, and `torn` others drawn.

    After each operation in turn, from the first promise on; a state that came up before (under the same promise) is
    left out.
    """
    disk, promise, seen = Disk(recorder.folders), None, set()
    for operation in recorder.operations:
        disk.take(operation)
        if isinstance(operation, Mark):
            promise = operation.promise
        if promise is None:
            continue
        choosers = [keeping(data=data, names=names) for data in (True, False) for names in (True, False)]
        for chooser in (*choosers, *(tearing(draw) for _ in range(torn))):
            state = disk.state(chooser)
            key = hash((promise, _fingerprint(state)))
            if key not in seen:
                seen.add(key)
                yield promise, state


def _fingerprint(content: Content) -> int:
    inner = (hash(part) if isinstance(part, bytes) else _fingerprint(part) for part in content.values())
    return hash((*content, *inner))


def put(folder: Path, content: Content) -> None:
    """Make a folder what a state says."""
    folder.mkdir(mode=0o700)
    for name, inner in content.items():
        if isinstance(inner, bytes):
            (folder / name).write_bytes(inner)
        else:
            put(folder / name, inner)
