"""The configuration in force: loaded once, reloaded while the daemon runs.

Invariant: a source with an error never replaces one without. A file that breaks keeps its last good values in
force; a user's file that is broken from the start counts as empty, except that it turns `offline` on, because
nobody can tell any more whether the user forbade connections.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import trio
from lucastra_protocol.keys import REFERENCE, SystemKeyring
from lucastra_protocol.paths import Paths

from lucastrad.config import document, files
from lucastrad.config.files import Fingerprint, Reading
from lucastrad.config.layers import (
    Layer,
    Problem,
    Setting,
    Severity,
    contradictions,
    environment_layer,
    flags_layer,
    merge,
    user_layer,
    workspace_layer,
)
from lucastrad.config.schema import Config, Secret
from lucastrad.logs import log_event, redact
from lucastrad.types import ConfigReport

WORKSPACE_FILE = ".lucastra.json"
_SETTLE_SECONDS = 0.2
"""A changed file must look the same for this long before it is read."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A reload that changed something."""

    before: Config
    after: Config
    workspaces: frozenset[Path]
    """The roots given to `for_workspace` whose configuration is another now."""


OnChange = Callable[[ConfigChange], Awaitable[None]]


class _Read(NamedTuple):
    fingerprint: Fingerprint
    layer: Layer


class _File:
    """One configuration file, and the layer that it has in force."""

    def __init__(
        self, path: Path, *, follow_links: bool, when_broken: Layer, build: Callable[[Reading], Layer]
    ) -> None:
        self.path = path
        self.follow_links = follow_links
        self.fingerprint: Fingerprint = ()
        self.layer = when_broken
        self._has_been_good = False
        self._build = build

    def read(self) -> _Read:
        """What the file holds now. Blocking: it may name a key in a keyring, which may be locked."""
        reading = files.read(self.path, follow_links=self.follow_links)
        return _Read(reading.fingerprint, self._build(reading))

    def apply(self, read: _Read) -> None:
        """Bring what was read into force, unless it is broken."""
        self.fingerprint, built = read
        if not built.broken:
            self.layer, self._has_been_good = built, True
            return
        outcome = (
            "the configuration read last without errors stays in force"
            if self._has_been_good
            else "nothing of this file is in force"
        )
        problems = (*built.problems, Problem(Severity.ERROR, str(self.path), f"{outcome}; correct the file"))
        self.layer = Layer(self.layer.settings, problems, broken=True)

    def current_fingerprint(self) -> Fingerprint:
        return files.fingerprint(self.path, follow_links=self.follow_links)


class _Variables(Mapping[str, str]):
    """The environment, and the keys of the system's keyring as `keyring:NAME`."""

    def __init__(self, environ: Mapping[str, str], keyring: SystemKeyring) -> None:
        self._environ = environ
        self._keyring = keyring

    def __getitem__(self, name: str) -> str:
        """Raises KeyError, and KeyringUnavailable where that cannot be asked."""
        if not name.startswith(REFERENCE):
            return self._environ[name]
        key = self._keyring.get(name.removeprefix(REFERENCE))
        if key is None:
            raise KeyError(name)
        return key

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


class Configuration:
    """Every layer of the configuration. Create it with `load`."""

    def __init__(
        self, paths: Paths, environ: Mapping[str, str], flags: Mapping[str, object], keyring: SystemKeyring
    ) -> None:
        self._home = paths.home
        self._variables = _Variables(environ, keyring)
        self._environ = dict(environ)
        self._upper = (environment_layer(self._environ, home=self._home), flags_layer(flags, home=self._home))
        self._user = _File(
            paths.config,
            follow_links=True,
            when_broken=Layer({("offline",): Setting(True, f"{paths.config} (broken: staying offline)")}),
            build=self._build_user,
        )
        self._workspaces: dict[Path, _File] = {}
        self._user.apply(self._user.read())
        self._current, _ = merge(self._layers())
        self._log_problems(self._user)

    @classmethod
    def load(
        cls,
        paths: Paths,
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
        keyring: SystemKeyring | None = None,
    ) -> "Configuration":
        """Read every source once. `flags` maps dotted keys to values; raises LucAstraError for a wrong flag.

        Nothing else raises: a file or variable that is wrong shows in `problems`.
        """
        return cls(paths, os.environ if environ is None else environ, flags or {}, keyring or SystemKeyring())

    @property
    def current(self) -> Config:
        """The configuration outside any workspace."""
        return self._current

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in any source, the workspaces' files included."""
        layers = [*self._layers(), *(file.layer for file in self._workspaces.values())]
        return tuple(problem for layer in layers for problem in layer.problems)

    def for_workspace(self, root: Path) -> Config:
        """The configuration for files beneath `root`. Reads one small file the first time; `watch` then follows it."""
        file = self._workspaces.get(root)
        if file is None:
            file = self._workspaces[root] = self._workspace_file(root)
            self._log_problems(file)
        return merge(self._layers(file.layer))[0]

    def search_limit(self, folders: Sequence[Path]) -> int:
        """Hits of a search that names no number: as its workspace has it, where a single folder is searched."""
        layer = self._covering(folders[0]).layer if len(folders) == 1 else None
        return merge(self._layers(layer))[0].search.limit

    @property
    def answer_limit(self) -> int:
        """Passages for an answer whose question names no number."""
        return self._current.vector_search.top_k

    def forget_workspace(self, root: Path) -> None:
        """Follow the file of `root` no longer."""
        self._workspaces.pop(root, None)

    def report(self, folder: Path | None) -> ConfigReport:
        """The configuration for `folder`, with credentials masked; without one, outside any workspace.

        Problems are those of the layers shown, or without a folder those of every layer.
        """
        workspace = None if folder is None else self._covering(folder).layer
        layers = self._layers(workspace)
        config, origins = merge(layers)
        known = [secret.reveal() for secret in config.secrets()]
        shown = msgspec.to_builtins(config, enc_hook=_mask)
        found = self.problems if folder is None else [problem for layer in layers for problem in layer.problems]
        found = [*found, *contradictions(config, origins)]
        return ConfigReport(
            config=_presentable(shown, known),
            origins=_presentable(origins, known),
            problems=[_presentable(str(problem), known) for problem in found],
        )

    def reload(self) -> ConfigChange | None:
        """Read at once every file that changed; the change, where one is in force."""
        changed = [file for file in self._files() if file.current_fingerprint() != file.fingerprint]
        return self._apply([(file, file.read()) for file in changed])

    async def watch(
        self,
        on_change: OnChange,
        *,
        poll_seconds: float = 1.0,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Follow the files for ever, awaiting `on_change` after each change that came into force.

        Polls with stat, in a thread since a home may be on a network: six files take 0.9 ms of CPU a second,
        while an event watch on LucAstra's folder would wake for every write to the store. A change must
        look the same at two polls, so that files half written or being replaced are left alone.
        """
        pending: dict[Path, Fingerprint] = {}
        task_status.started()
        while True:
            await trio.sleep(min(_SETTLE_SECONDS, poll_seconds) if pending else poll_seconds)
            watched = self._files()
            seen = await trio.to_thread.run_sync(_fingerprints, watched, abandon_on_cancel=True)
            changed = [(file, mark) for file, mark in zip(watched, seen, strict=True) if mark != file.fingerprint]
            settled = [file for file, mark in changed if pending.get(file.path) == mark]
            pending = {file.path: mark for file, mark in changed}
            if settled:
                found = await trio.to_thread.run_sync(_read_all, settled, abandon_on_cancel=True)
                change = self._apply(list(zip(settled, found, strict=True)))
                if change is not None:
                    await on_change(change)

    def _apply(self, found: list[tuple[_File, _Read]]) -> ConfigChange | None:
        before = self._current
        workspaces_before = {root: self.for_workspace(root) for root in self._workspaces}
        for file, read in found:
            file.apply(read)
            log_event(logger, logging.INFO, "configuration file read", path=str(file.path), broken=file.layer.broken)
            self._log_problems(file)
        self._current, _ = merge(self._layers())
        changed = frozenset(root for root, config in workspaces_before.items() if config != self.for_workspace(root))
        if before == self._current and not changed:
            return None
        return ConfigChange(before, self._current, changed)

    def _layers(self, workspace: Layer | None = None) -> tuple[Layer, ...]:
        return (self._user.layer, *([] if workspace is None else [workspace]), *self._upper)

    def _files(self) -> list[_File]:
        return [self._user, *self._workspaces.values()]

    def _covering(self, folder: Path) -> _File:
        for candidate in (folder, *folder.parents):
            if candidate in self._workspaces:
                return self._workspaces[candidate]
        return self._workspace_file(folder)

    def _workspace_file(self, root: Path) -> _File:
        path = root / WORKSPACE_FILE

        def build(reading: Reading) -> Layer:
            return _build(reading, path, lambda parsed: workspace_layer(parsed, path, home=self._home))

        file = _File(path, follow_links=False, when_broken=Layer(), build=build)
        file.apply(file.read())
        return file

    def _build_user(self, reading: Reading) -> Layer:
        path = self._user.path
        layer = _build(reading, path, lambda parsed: user_layer(parsed, path, environ=self._variables, home=self._home))
        holds_key = any(
            isinstance(setting.value, Secret) and "${" not in setting.value.source
            for setting in layer.settings.values()
        )
        if not (holds_key and reading.readable_by_others):
            return layer
        exposed = Problem(
            Severity.WARNING, str(path), f"other users can read the keys in this file; run `chmod 600 {path}`"
        )
        return Layer(layer.settings, (*layer.problems, exposed))

    def _log_problems(self, file: _File) -> None:
        levels = {Severity.ERROR: logging.ERROR, Severity.WARNING: logging.WARNING, Severity.NOTICE: logging.INFO}
        for problem in file.layer.problems:
            log_event(
                logger, levels[problem.severity], "configuration problem", where=problem.where, problem=problem.message
            )


def _build(reading: Reading, path: Path, build: Callable[[document.Document], Layer]) -> Layer:
    if reading.failure:
        return Layer({}, (Problem(Severity.ERROR, str(path), reading.failure),), broken=True)
    if reading.data is None:
        return Layer()
    try:
        return build(document.parse(reading.data))
    except document.DocumentError as error:
        place = f":{error.line}" * bool(error.line) + f":{error.column}" * bool(error.column)
        return Layer({}, (Problem(Severity.ERROR, f"{path}{place}", str(error)),), broken=True)


def _fingerprints(watched: list[_File]) -> list[Fingerprint]:
    return [file.current_fingerprint() for file in watched]


def _read_all(changed: list[_File]) -> list[_Read]:
    return [file.read() for file in changed]


def _mask(value: Any) -> str:
    return f"set (from {value.source})" if isinstance(value, Secret) else os.fsdecode(value)


def _presentable(value: Any, known: list[str]) -> Any:
    """JSON values whose text can be encoded and shows no credential, such as one that an address carries."""
    match value:
        case str():
            return redact(value.encode("utf-8", "backslashreplace").decode(), known)
        case dict():
            return {key: _presentable(item, known) for key, item in value.items()}
        case list() | tuple():
            return [_presentable(item, known) for item in value]
        case _:
            return value
