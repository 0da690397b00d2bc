"""Walks a workspace and says of every entry whether it is indexed, and if not, why.

Invariant: `check` and `scan` judge with the same code, so a path hinted at gets the verdict that a
full scan would give it. Nothing is opened but folders and ignore files, and no link is followed.
Everything here is synchronous and meant for a worker process.
"""

import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from lucastrad.types import Stat
from lucastrad.workspace import defaults, generated
from lucastrad.workspace.ignore import (
    GITIGNORE,
    LUCASTRAIGNORE,
    Base,
    Matcher,
    Rule,
    Tier,
    enclosing_rules,
    parse_rules,
    read_ignore_file,
    repository_rules,
)
from lucastrad.workspace.secrets import secret_file

EMPTY = "empty"
NOT_REGULAR = "not a regular file"
NO_FOLDER = "its folder is not there"
SYMBOLIC_LINK = "symbolic link"
NOT_UTF8 = "name is not UTF-8"
OTHER_WORKSPACE = "a workspace of its own"


class ScanRules(msgspec.Struct, frozen=True):
    """What the configuration says about the files of a workspace."""

    max_file_bytes: int = 1_000_000
    extra_ignore: tuple[str, ...] = ()
    """gitignore patterns relative to the root; they win over git's and yield to `.lucastraignore`."""
    follow_ignore_files: bool = True
    """Obey git's ignore files. `.lucastraignore` is obeyed in any case."""
    include_generated: bool = False
    """Index generated files too; minified ones stay out."""


class Candidate(msgspec.Struct, frozen=True, array_like=True, tag="candidate"):
    """A file to read: nothing outside it speaks against indexing it."""

    path: str
    """Relative to the root, with "/"."""
    stat: Stat
    wanted: bool = False
    """A `!` line of `.lucastraignore` or the configuration names it: reading it must not turn it down
    as generated or minified."""


class Skipped(msgspec.Struct, frozen=True, array_like=True, tag="skipped"):
    """A file that is not indexed, or a folder that is not entered: its path ends in "/"."""

    path: str
    """Relative to the root; bytes that are not UTF-8 appear as `\\xff`."""
    reason: str
    size_bytes: int = 0
    """0 for folders and for what is not a regular file."""
    stat: Stat | None = None
    """Set by the reader: what was read before the file was turned down, so that it need not be again."""


Entry = Candidate | Skipped


class Checked(msgspec.Struct, frozen=True, array_like=True):
    """What is now at `path` and below it; whatever else is known from there is gone."""

    path: str
    """Relative to the root, without a trailing slash; "" is the root."""
    entries: list[Entry]


def too_large(max_file_bytes: int) -> str:
    """The reason for skipping a file over the limit."""
    return f"larger than {max_file_bytes:,} bytes"


def scan(root: str, rules: ScanRules, nested_roots: Collection[str] = frozenset()) -> Iterator[Entry]:
    """Yield every entry of the workspace at the absolute folder `root`, folder by folder.

    Folders in `nested_roots` (absolute) are workspaces of their own and not entered. Raises OSError when
    the root itself cannot be listed: then nothing is known, which is not the same as nothing there.
    """
    return _Walk(root, rules, nested_roots).below(None)


def folders(root: str, rules: ScanRules, nested_roots: Collection[str], below: Iterable[str]) -> list[str]:
    """The folders that a watcher has to watch: each of `below` ("" is the root) that is not skipped,
    and the folders in it that `scan` would enter, parents first. Relative; what is missing is left out.
    """
    walk = _Walk(root, rules, nested_roots)
    entered: list[str] = []
    try:
        for _ in walk.verdicts(below, entered=entered):
            pass
    except OSError:
        return []
    return list(dict.fromkeys(entered))


def check(
    root: str, rules: ScanRules, paths: Iterable[str], nested_roots: Collection[str] = frozenset()
) -> Iterator[Checked]:
    """Yield what a scan would now say about each of `paths` (relative; "" is the root) and below it.

    A path in a skipped folder is answered for that folder; the name of an ignore file, or of a file that
    decides about its neighbours, for all that depends on it. Raises OSError when the root is gone.
    """
    return _Walk(root, rules, nested_roots).verdicts(_widen(paths))


def judge(root: str, rules: ScanRules, path: str) -> Skipped | bool:
    """Why a file at `path` would be skipped whatever it held; else whether it is wanted (see `Candidate`).

    For a text that is to stand in its place: the file may be missing, empty or too large. Raises OSError when the root
    is gone.
    """
    return _Walk(root, rules, frozenset()).named(path)


def decides_about_others(path: str) -> bool:
    """Whether what is at `path` may decide about other files: an ignore file, say, or one that marks a folder."""
    name = path.rpartition("/")[2]
    return _decides_about_folder(name) or bool(defaults.guarded_folders(name))


def _decides_about_folder(name: str) -> bool:
    return name in (GITIGNORE, LUCASTRAIGNORE, ".git") or name in defaults.CONTENT_MARKERS


def _widen(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        folder, slash, name = path.rpartition("/")
        if _decides_about_folder(name):
            yield folder
            continue
        yield path
        for neighbour in defaults.guarded_folders(name):
            yield f"{folder}{slash}{neighbour}"


class _Folder:
    """A folder to enter: where it is, and the rules in force above it."""

    __slots__ = ("matcher", "path", "wanted")

    def __init__(self, path: str, matcher: Matcher, *, wanted: bool = False) -> None:
        self.path = path
        self.matcher = matcher
        self.wanted = wanted


@dataclass(slots=True)
class _Open:
    """A folder's entries; `fd` stays open while they are judged, as their stat is relative to it."""

    fd: int
    prefix: str
    """The folder's path and a slash; "" for the root."""
    entries: dict[str, os.DirEntry[str]]
    matcher: Matcher


class _Node:
    """A folder on the way to hinted paths; one that is hinted at itself has no children to care for."""

    __slots__ = ("children", "hinted")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.hinted = False


class _Walk:
    def __init__(self, root: str, rules: ScanRules, nested_roots: Collection[str]) -> None:
        self._root = root
        self._rules = rules
        self._too_large = too_large(rules.max_file_bytes)
        prefix = root.rstrip("/") + "/"
        self._nested = {path.removeprefix(prefix).rstrip("/") for path in nested_roots if path.startswith(prefix)}
        start: list[Rule] = []
        for pattern in rules.extra_ignore:
            start += parse_rules(pattern, Tier.CONFIG, "the configuration")
        if rules.follow_ignore_files:
            start += enclosing_rules(root)
        self._top = _Folder("", Matcher(start))

    def below(self, top: _Folder | None, entered: list[str] | None = None) -> Iterator[Entry]:
        """All entries below a folder, None being the root; `entered` gets the folders that were listed."""
        stack = [top or self._top]
        while stack:
            folder = stack.pop()
            opened = self._enter(folder)
            if opened is None:
                continue
            if isinstance(opened, Skipped):
                yield opened
                continue
            if entered is not None:
                entered.append(folder.path)
            try:
                for entry in opened.entries.values():
                    verdict = self._judge(opened, entry)
                    if verdict is None:
                        continue
                    if isinstance(verdict, _Folder):
                        stack.append(verdict)
                    else:
                        yield verdict
            finally:
                os.close(opened.fd)

    def verdicts(self, paths: Iterable[str], entered: list[str] | None = None) -> Iterator[Checked]:
        """What is at each path; each folder above one is listed once."""
        tree = _tree(paths)
        if tree.hinted:
            yield Checked("", list(self.below(None, entered)))
            return
        stack = [(self._top, tree)] if tree.children else []
        while stack:
            folder, node = stack.pop()
            opened = self._enter(folder)
            if opened is None or isinstance(opened, Skipped):
                yield Checked(folder.path, [opened] if opened else [])
                continue
            try:
                for name, child in node.children.items():
                    entry = opened.entries.get(name)
                    verdict = None if entry is None else self._judge(opened, entry)
                    if not isinstance(verdict, _Folder):
                        yield Checked(_readable(opened.prefix + name), [] if verdict is None else [verdict])
                    elif child.hinted:
                        yield Checked(verdict.path, list(self.below(verdict, entered)))
                    else:
                        stack.append((verdict, child))
            finally:
                os.close(opened.fd)

    def named(self, path: str) -> Skipped | bool:
        """What the place and the name of a file decide."""
        folder, names = self._top, deque(path.split("/"))
        while True:
            opened = self._enter(folder)
            if opened is None or isinstance(opened, Skipped):
                return opened or Skipped(path, NO_FOLDER)
            try:
                name = names.popleft()
                entry = opened.entries.get(name)
                if not names:
                    if entry is not None and not entry.is_file(follow_symlinks=False):
                        return Skipped(path, NOT_REGULAR)
                    return self._judge_name(opened, name, path, 0)
                verdict = None if entry is None else self._judge(opened, entry)
            finally:
                os.close(opened.fd)
            if not isinstance(verdict, _Folder):
                return verdict if isinstance(verdict, Skipped) else Skipped(path, NO_FOLDER)
            folder = verdict

    def _enter(self, folder: _Folder) -> _Open | Skipped | None:
        """Open and list a folder; None if it is gone. OSError for the root."""
        path = f"{self._root}/{folder.path}" if folder.path else self._root
        # the root may be reached through a link, nothing below it may
        follow = os.O_NOFOLLOW if folder.path else 0
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK | follow)
        except OSError as error:
            return self._not_listed(folder, error)
        try:
            with os.scandir(fd) as listing:
                entries = {entry.name: entry for entry in listing}
            reason = defaults.content_reason(entries) if folder.path and not folder.wanted else None
            if reason is not None:
                os.close(fd)
                return Skipped(folder.path + "/", reason)
            matcher = self._matcher(folder, path, entries)
        except OSError as error:
            os.close(fd)
            return self._not_listed(folder, error)
        except BaseException:
            os.close(fd)
            raise
        return _Open(fd, folder.path + "/" if folder.path else "", entries, matcher)

    def _not_listed(self, folder: _Folder, error: OSError) -> Skipped | None:
        if not folder.path:
            raise error
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        return Skipped(folder.path + "/", f"not readable: {os.strerror(error.errno or 0).lower()}")

    def _matcher(self, folder: _Folder, path: str, entries: Collection[str]) -> Matcher:
        """The rules in force in a folder: those from above it and those of its own ignore files."""
        matcher = folder.matcher
        prefix = folder.path + "/" if folder.path else ""
        base = Base(inside=prefix)
        rules: list[Rule] = []
        if self._rules.follow_ignore_files:
            if folder.path and ".git" in entries:
                matcher = matcher.without_git()
                rules += repository_rules(path, base)
            if GITIGNORE in entries:
                text = read_ignore_file(f"{path}/{GITIGNORE}")
                rules += parse_rules(text, Tier.GIT, prefix + GITIGNORE, base)
        if LUCASTRAIGNORE in entries:
            text = read_ignore_file(f"{path}/{LUCASTRAIGNORE}")
            rules += parse_rules(text, Tier.LUCASTRA, prefix + LUCASTRAIGNORE, base)
        return matcher.with_rules(rules)

    def _judge(self, folder: _Open, entry: os.DirEntry[str]) -> Entry | _Folder | None:
        """The verdict on one entry: None if it vanished, a folder if it is to be entered."""
        name = entry.name
        path = folder.prefix + name
        try:
            if entry.is_dir(follow_symlinks=False):
                return self._judge_folder(folder, name, path)
            info = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Skipped(_readable(path), f"not readable: {os.strerror(error.errno or 0).lower()}")
        if not name.isascii() and (shown := _readable(path)) != path:
            return Skipped(shown, NOT_UTF8)
        if not stat.S_ISREG(info.st_mode):
            return Skipped(path, SYMBOLIC_LINK if stat.S_ISLNK(info.st_mode) else NOT_REGULAR)
        size = info.st_size
        wanted = self._judge_name(folder, name, path, size)
        if isinstance(wanted, Skipped):
            return wanted
        if size == 0:
            return Skipped(path, EMPTY, 0)
        if size > self._rules.max_file_bytes:
            return Skipped(path, self._too_large, size)
        return Candidate(path, Stat.of(info), wanted)

    def _judge_name(self, folder: _Open, name: str, path: str, size: int) -> Skipped | bool:
        """Why a file called so is skipped; else whether it is wanted."""
        if name in defaults.VERSION_CONTROL_NAMES:  # `.git` of a linked work tree or a submodule
            return Skipped(path, defaults.VERSION_CONTROL, size)
        if reason := secret_file(name):
            return Skipped(path, reason, size)
        wanted = False
        if rule := folder.matcher.file(name, path):
            if rule.ignore:
                return Skipped(path, _ignored_by(rule), size)
            wanted = rule.tier is not Tier.GIT
        if not wanted and (reason := self._default_reason(name)):
            return Skipped(path, reason, size)
        return wanted

    def _default_reason(self, name: str) -> str | None:
        reason = defaults.file_reason(name) or generated.name_reason(name)
        return None if reason == generated.GENERATED and self._rules.include_generated else reason

    def _judge_folder(self, folder: _Open, name: str, path: str) -> Skipped | _Folder:
        if not name.isascii() and (shown := _readable(path)) != path:
            return Skipped(shown + "/", NOT_UTF8)
        if name in defaults.VERSION_CONTROL_NAMES:
            return Skipped(path + "/", defaults.VERSION_CONTROL)
        if path in self._nested:
            return Skipped(path + "/", OTHER_WORKSPACE)
        wanted = False
        if rule := folder.matcher.folder(name, path):
            if rule.ignore:
                return Skipped(path + "/", _ignored_by(rule))
            wanted = rule.tier is not Tier.GIT
        if not wanted and (reason := defaults.folder_reason(name, folder.entries)):
            return Skipped(path + "/", reason)
        return _Folder(path, folder.matcher, wanted=wanted)


def _ignored_by(rule: Rule) -> str:
    return f"ignored by {rule.source}"


def _readable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _tree(paths: Iterable[str]) -> _Node:
    tree = _Node()
    for path in paths:
        node = tree
        for name in path.split("/"):
            if node.hinted or not name:
                break
            node = node.children.setdefault(name, _Node())
        node.hinted = True
        node.children.clear()
    return tree
