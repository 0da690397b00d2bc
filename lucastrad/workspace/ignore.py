"""Which rules of ignore files decide about a path.

gitignore patterns are translated by pathspec and matched the way git matches them while it walks:
each entry is judged on its own, because a folder that is ignored is never entered. Most patterns
name a file, a suffix or a path; those are looked up in dictionaries, and only real globs cost a
regular expression.

Invariant: rules of a higher `Tier` win; within one, the later rule wins, as in git.
"""

import functools
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

MAX_IGNORE_FILE_BYTES = 1_000_000

GITIGNORE = ".gitignore"
LUCASTRAIGNORE = ".lucastraignore"

_SPECIAL = frozenset("*?[\\")

# pathspec's patterns also match everything below what they name. Here only the entry itself counts,
# so the marker that lets a match go on below a folder becomes the end of the path.
_ENTRY_OR_BELOW = "(?:(?P<ps_d>/)|$)"

_POSIX_CLASSES = {
    "[:alnum:]": "a-zA-Z0-9",
    "[:alpha:]": "a-zA-Z",
    "[:blank:]": " \t",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:punct:]": r"!-.:-@\[-`{-~",
    "[:space:]": " \t\r\f\v",
    "[:upper:]": "A-Z",
    "[:xdigit:]": "0-9A-Fa-f",
}


class Tier(IntEnum):
    """Where a rule comes from; a higher tier wins."""

    GIT = 0
    """core.excludesFile, `.git/info/exclude` and `.gitignore`, in this order."""
    CONFIG = 1
    """Patterns of the configuration."""
    LUCASTRA = 2
    """`.lucastraignore` files."""


@dataclass(frozen=True, slots=True)
class Base:
    """The folder that a pattern with a slash is relative to.

    Either a folder of the workspace (`inside`, "" or ending in "/"), or one above it, of which the
    workspace is the subfolder `outside` (ending in "/").
    """

    inside: str = ""
    outside: str = ""


ROOT = Base()


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file."""

    tier: Tier
    source: str
    """The file it stands in, as a user would name it."""
    ignore: bool
    """False for a `!` line."""
    folders_only: bool
    name: str = ""
    """Matches entries of exactly this name."""
    suffix: str = ""
    """Matches names that end in this, from their last dot on."""
    path: str = ""
    """Matches exactly this path, relative to the workspace."""
    glob: re.Pattern[str] | None = None
    """Searched in the name, or with `on_path` in the path relative to `base`."""
    on_path: bool = False
    base: Base = ROOT

    def glob_matches(self, name: str, path: str) -> bool:
        """Whether the glob of this rule matches the entry `name` at `path`."""
        assert self.glob is not None  # noqa: S101 - narrows the type; only rules with a glob are asked
        if not self.on_path:
            return self.glob.search(name) is not None
        return self.glob.search(self.base.outside + path[len(self.base.inside) :]) is not None


def parse_rules(text: str, tier: Tier, source: str, base: Base = ROOT) -> list[Rule]:
    """The rules of an ignore file's text, first line first; lines that git would discard are left out."""
    rules = (parse_rule(line, tier, source, base) for line in text.removeprefix("\ufeff").split("\n"))
    return [rule for rule in rules if rule is not None]


def parse_rule(line: str, tier: Tier, source: str, base: Base = ROOT) -> Rule | None:
    """The rule of one line, or None for a blank, a comment, or a pattern that can match nothing."""
    line = _strip(line)
    if not line or line.startswith("#"):
        return None
    ignore = not line.startswith("!")
    pattern = line if ignore else line[1:]
    folders_only = pattern.endswith("/")
    core = pattern[:-1] if folders_only else pattern
    if not core:
        return None
    special = not _SPECIAL.isdisjoint(core)
    if "/" not in core:
        if not special:
            return Rule(tier, source, ignore, folders_only, name=core)
        tail = core[1:]
        if core[0] == "*" and tail.rfind(".") == 0 and _SPECIAL.isdisjoint(tail):
            return Rule(tier, source, ignore, folders_only, suffix=tail)
    elif not special:
        path = core.removeprefix("/")
        if not path.startswith(base.outside):
            return None
        path = base.inside + path[len(base.outside) :]
        return Rule(tier, source, ignore, folders_only, path=path) if path else None
    glob = _compile(core)
    if glob is None:
        return None
    return Rule(tier, source, ignore, folders_only, glob=glob, on_path="/" in core, base=base)


def _strip(line: str) -> str:
    """Without line end and trailing spaces; a space after a backslash stays."""
    line = line.removesuffix("\r")
    stripped = line.rstrip(" ")
    if stripped != line and (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        stripped += " "
    return stripped


@functools.lru_cache(maxsize=4096)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """The expression that `search`es an entry's name or path; neither it nor `pattern` ends in a slash."""
    if "[:" in pattern:
        for name, members in _POSIX_CLASSES.items():
            pattern = pattern.replace(name, members)
    if pattern.startswith(("!", "#")):
        pattern = "\\" + pattern
    try:
        regex, include = GitIgnoreSpecPattern.pattern_to_regex(pattern)
    except GitIgnorePatternError:
        return None
    if regex is None or include is None:
        return None
    if regex.endswith(_ENTRY_OR_BELOW):
        regex = regex[: -len(_ENTRY_OR_BELOW)] + r"\Z"
    elif regex.startswith("^") and regex.endswith("/"):  # `folder/**` matches what is in it, not itself
        regex += "."
    try:
        return re.compile(regex, re.DOTALL)
    except re.error:
        return None


class Matcher:
    """The rules in force in one folder, merged so that asking about an entry is a few look-ups."""

    __slots__ = ("_file_lookup", "_folder_lookup", "_rules")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        # sorted is stable: inside a tier the order given stays
        self._rules = tuple(sorted(rules, key=lambda rule: rule.tier))
        self._folder_lookup = _Lookup(self._rules, folders=True)
        self._file_lookup = _Lookup(self._rules, folders=False)

    def with_rules(self, rules: list[Rule]) -> "Matcher":
        """This matcher with the rules of a deeper folder, which win over others of their tier."""
        return Matcher((*self._rules, *rules)) if rules else self

    def without_git(self) -> "Matcher":
        """This matcher without git's rules: another repository begins."""
        return Matcher(rule for rule in self._rules if rule.tier is not Tier.GIT)

    def file(self, name: str, path: str) -> Rule | None:
        """The rule that decides about a file, None if there is none. `path` is root-relative."""
        return self._decide(self._file_lookup, name, path)

    def folder(self, name: str, path: str) -> Rule | None:
        """The rule that decides about a folder, None if there is none. `path` has no trailing slash."""
        return self._decide(self._folder_lookup, name, path)

    def _decide(self, lookup: "_Lookup", name: str, path: str) -> Rule | None:
        best = lookup.names.get(name, -1)
        if lookup.suffixes and (dot := name.rfind(".")) >= 0:
            best = max(best, lookup.suffixes.get(name[dot:], -1))
        if lookup.paths:
            best = max(best, lookup.paths.get(path, -1))
        for index, rule in lookup.globs:
            if index < best:
                break
            if rule.glob_matches(name, path):
                best = index
                break
        return self._rules[best] if best >= 0 else None


class _Lookup:
    """Indexes into a matcher's rules; a later rule of the same key replaces an earlier one."""

    __slots__ = ("globs", "names", "paths", "suffixes")

    def __init__(self, rules: tuple[Rule, ...], *, folders: bool) -> None:
        self.names: dict[str, int] = {}
        self.suffixes: dict[str, int] = {}
        self.paths: dict[str, int] = {}
        self.globs: list[tuple[int, Rule]] = []
        for index, rule in enumerate(rules):
            if rule.folders_only and not folders:
                continue
            if rule.name:
                self.names[rule.name] = index
            elif rule.suffix:
                self.suffixes[rule.suffix] = index
            elif rule.path:
                self.paths[rule.path] = index
            else:
                self.globs.append((index, rule))
        self.globs.reverse()


def read_ignore_file(path: str) -> str:
    """The text of an ignore file; "" when there is none, or it is a link, a device or far too large."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > MAX_IGNORE_FILE_BYTES:
            return ""
        try:
            return file.read(MAX_IGNORE_FILE_BYTES).decode("utf-8", "surrogateescape")
        except OSError:
            return ""


def git_folders(folder: str) -> tuple[str, str] | None:
    """The git folder and the common git folder of the work tree at `folder`, None if it is none.

    They differ in linked worktrees, where `.git` is a file that names the first, which names the second.
    """
    git = Path(folder, ".git")
    if git.is_dir():
        return str(git), str(git)
    if not git.is_file():
        return None
    line = read_ignore_file(str(git)).strip()
    if not line.startswith("gitdir:"):
        return None
    git = Path(folder, line.removeprefix("gitdir:").strip())
    if "\0" in str(git):
        return None
    common = read_ignore_file(str(git / "commondir")).strip()
    return str(git), str(git / common) if common and "\0" not in common else str(git)


def repository_rules(folder: str, base: Base) -> list[Rule]:
    """What a repository's `.git/info/exclude` and the user's core.excludesFile say below `folder`."""
    rules: list[Rule] = []
    if excludes := global_excludes_path(os.environ):
        rules += parse_rules(read_ignore_file(os.path.realpath(excludes)), Tier.GIT, "core.excludesFile", base)
    if folders := git_folders(folder):
        exclude = str(Path(folders[1], "info", "exclude"))
        rules += parse_rules(read_ignore_file(exclude), Tier.GIT, ".git/info/exclude", base)
    return rules


def enclosing_rules(root: str) -> list[Rule]:
    """git's rules that apply to `root` because of the repository that holds it, top-level folder first.

    A workspace may be a subfolder of a repository. Rules that ignore the root itself do not match
    anything in it: whoever opened it wants it.
    """
    folder = Path(root)
    chain: list[Path] = []
    for candidate in (folder, *folder.parents):
        chain.append(candidate)
        if (candidate / ".git").exists():
            break
    else:
        return repository_rules(root, ROOT)
    top = chain.pop()
    rules = repository_rules(str(top), _base_of(top, folder))
    for above in reversed([*chain[1:], top] if top != folder else []):
        text = read_ignore_file(str(above / GITIGNORE))
        rules += parse_rules(text, Tier.GIT, str(above / GITIGNORE), _base_of(above, folder))
    return rules


def _base_of(above: Path, root: Path) -> Base:
    return ROOT if above == root else Base(outside=root.relative_to(above).as_posix() + "/")


def global_excludes_path(environment: Mapping[str, str]) -> str:
    """Where git's core.excludesFile is, by the user's and the system's git configuration."""
    home = environment.get("HOME", "")
    default = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    names = ("HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "PATH")
    settings = tuple((name, environment[name]) for name in names if name in environment)
    return _configured_excludes(settings) or (f"{default}/git/ignore" if default else "")


@functools.lru_cache(maxsize=8)
def _configured_excludes(environment: tuple[tuple[str, str], ...]) -> str:
    # asked of git itself, once a process: its configuration has includes, conditions and several files
    try:
        done = subprocess.run(
            ["git", "config", "--type=path", "--get", "core.excludesFile"],
            cwd="/",
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout).removesuffix("\n") if done.returncode == 0 else ""
