"""The commands: each asks the daemon, shows the result and returns the exit code."""

import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain

import trio
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client import logs, queries, scope
from lucastra_client.arguments import PROGRAM, Arguments
from lucastra_client.client import Client
from lucastra_client.queries import FOUND, NOTHING, tell_nothing_indexed
from lucastra_client.rendering import reports
from lucastra_client.shell import Shell

_FILES_PER_PAGE = 1000


def run(arguments: Arguments) -> int:
    """Run one parsed command on the process's own streams; returns the exit code."""
    shell = Shell.of_process(arguments, scope.working_folder(), sys.stdout, sys.stderr)
    if arguments.command == "logs":
        return show_logs(shell)
    if arguments.command == "config" and arguments.action == "path":
        return show_config_path(shell)
    return trio.run(partial(COMMANDS[arguments.command], shell))


# --- workspaces ----------------------------------------------------------------------------------


async def index(shell: Shell) -> int:
    """`index [PATH]`"""
    arguments = shell.arguments
    named = arguments.path and scope.existing_folder(arguments.path, shell.cwd)
    root = named or scope.project_root(shell.cwd)
    if not arguments.force:
        scope.refuse_whole_disk(root, PROGRAM)
    async with shell.open() as client:
        result = await shell.index(client, root, wait=not arguments.no_wait)
    if arguments.no_wait or result.workspace.chunks:
        shell.show.report(reports.index(result))
        return FOUND
    if arguments.json:
        shell.show.report(reports.index(result))
    tell_nothing_indexed(shell, result.workspace)
    return NOTHING


async def status(shell: Shell) -> int:
    """`status [--files [--skipped]] [PATH]`"""
    arguments = shell.arguments
    try:
        async with shell.open_running() as client:
            if arguments.files or arguments.skipped or arguments.path is not None:
                shell.show.report(reports.files(await _files(shell, client)))
            else:
                shell.show.report(reports.status(await client.status()))
    except LucAstraError as error:
        if error.code is not ErrorCode.DAEMON_UNREACHABLE:
            raise
        shell.note(error.message)
        if arguments.json:
            shell.show.report(reports.not_running(str(shell.paths.home)))
        return NOTHING
    return FOUND


async def _files(shell: Shell, client: Client) -> wire.FilesResult:
    folder = scope.existing_folder(shell.arguments.path or shell.cwd, shell.cwd)
    files: list[wire.FileStatus] = []
    while True:
        page = await client.files(
            folder, skipped_only=shell.arguments.skipped, offset=len(files), limit=_FILES_PER_PAGE
        )
        files += page.files
        if not page.files or len(files) >= page.total:
            return wire.FilesResult(files=files, total=page.total)


async def workspaces(shell: Shell) -> int:
    """`workspaces [list | remove PATH]`"""
    arguments = shell.arguments
    if arguments.action == "remove":
        return await _remove(shell)
    if arguments.path is not None:
        raise LucAstraError(f"`{PROGRAM} workspaces list` takes no PATH; it lists them all")
    async with shell.open() as client:
        entries = await client.workspaces()
    shell.show.report(reports.workspaces(wire.WorkspacesResult(workspaces=entries)))
    if not entries:
        shell.note(f"no workspace is indexed; run `{PROGRAM} index PATH`")
    return FOUND if entries else NOTHING


async def _remove(shell: Shell) -> int:
    if shell.arguments.path is None:
        raise LucAstraError(f"name the workspace: `{PROGRAM} workspaces remove PATH`")
    # Not existing_folder: a workspace whose folder is gone must be removable.
    root = scope.located(shell.arguments.path, shell.cwd)
    async with shell.open() as client:
        removed = wire.RemoveResult(root=await client.remove(root))
    shell.show.report(reports.removed(removed))
    return FOUND


# --- daemon --------------------------------------------------------------------------------------


async def config(shell: Shell) -> int:
    """`config show`"""
    async with shell.open() as client:
        shell.show.report(reports.config(await client.config(shell.cwd)))
    return FOUND


def show_config_path(shell: Shell) -> int:
    """`config path`"""
    path = shell.paths.config
    shell.show.report(reports.sentence(str(path), {"config_path": str(path), "exists": path.exists()}))
    return FOUND


async def doctor(shell: Shell) -> int:
    """`doctor`"""
    async with shell.open() as client:
        result = await client.doctor()
    shell.show.report(reports.doctor(result))
    return NOTHING if any(check.status == "error" for check in result.checks) else FOUND


def show_logs(shell: Shell) -> int:
    """`logs`"""
    arguments, path = shell.arguments, shell.paths.log
    if arguments.json and arguments.follow:
        raise LucAstraError("--json is one document, so it cannot follow; leave out one of --json and --follow")
    try:
        log = path.open("rb")
    except FileNotFoundError:
        shell.note(f"there is no log yet: {path} is written once the daemon has started")
        return NOTHING
    with log:
        lines: Iterable[str] = logs.last_lines(log, arguments.lines)
        if arguments.follow:
            lines = chain(lines, logs.follow(path, log))
        shell.show.log(lines)
    return FOUND


async def stop(shell: Shell) -> int:
    """`stop`; a daemon that is not running is stopped already."""
    stopped = await shell.stop()
    text = "lucastrad has stopped" if stopped else "lucastrad is not running"
    shell.show.report(reports.sentence(text, {"stopped": stopped}))
    return FOUND


COMMANDS: dict[str, Callable[[Shell], Awaitable[int]]] = {
    "ask": queries.ask,
    "search": queries.search,
    "related": queries.related,
    "index": index,
    "status": status,
    "workspaces": workspaces,
    "config": config,
    "doctor": doctor,
    "stop": stop,
}
