"""The commands: each asks the daemon, shows the result and returns the exit code.

Invariant: imports no Trio, which `logs` and `config path` do without.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client import asking, conversation_commands, evaluation, logs, model_commands, queries, scope, upkeep
from lucastra_client.arguments import PROGRAM, Arguments
from lucastra_client.listing import files_of
from lucastra_client.queries import FOUND, NOTHING
from lucastra_client.rendering import reports
from lucastra_client.shell import Shell

if TYPE_CHECKING:
    from lucastra_client.client import Client


def run(arguments: Arguments) -> int:
    """Run one parsed command on the process's own streams; returns the exit code."""
    shell = Shell.of_process(arguments, scope.working_folder(), sys.stdout, sys.stderr)
    if arguments.command == "logs":
        return show_logs(shell)
    if arguments.command == "config" and arguments.action == "path":
        return show_config_path(shell)
    if arguments.command == "config" and arguments.action == "migrate":
        return upkeep.migrate_config(shell)
    if arguments.command == "keys":
        return upkeep.keys(shell)
    if arguments.command == "chat":
        from lucastra_client.chat import chat

        return chat(shell)
    import trio

    return trio.run(partial(COMMANDS[str(arguments.command)], shell))


# --- workspaces ----------------------------------------------------------------------------------


async def index(shell: Shell) -> int:
    """`index [PATH]`"""
    arguments = shell.arguments
    named = arguments.path and scope.existing_folder(arguments.path, shell.cwd)
    root = named or scope.project_root(shell.cwd)
    if not arguments.force:
        scope.refuse_no_project(root, PROGRAM)
    async with shell.open() as client:
        if arguments.no_wait:
            result = await client.index(root, wait=False)
        else:
            holder = scope.workspace_of(root, await client.workspaces())
            result = await shell.index(client, root, title=holder.root if holder else None)
        if arguments.no_wait or result.workspace.chunks:
            shell.show.report(reports.index(result))
            return FOUND
        if arguments.json:
            shell.show.report(reports.index(result))
        await queries.tell_nothing_indexed(shell, client, result.workspace)
    return NOTHING


async def status(shell: Shell) -> int:
    """`status [--files] [--skipped] [PATH]`"""
    arguments = shell.arguments
    folder = None if arguments.path is None else scope.existing_folder(arguments.path, shell.cwd)
    try:
        async with shell.open_running() as client:
            if arguments.files or arguments.skipped:
                files = await _files(client, folder, shell)
                shell.show.report(reports.files(files))
                if not files.total:
                    shell.note("no file was skipped" if arguments.skipped else "no file is known there")
            else:
                result = await client.status()
                if folder is not None:
                    shown = [_holder(folder, result.workspaces)]
                    result = msgspec.structs.replace(result, workspaces=shown)
                shell.show.report(reports.status(result))
    except LucAstraError as error:
        if error.code is not ErrorCode.DAEMON_UNREACHABLE:
            raise
        shell.note(error.message)
        if arguments.json:
            shell.show.report(reports.not_running(str(shell.paths.home)))
        return NOTHING
    return FOUND


def _holder(folder: Path, workspaces: Iterable[wire.WorkspaceStatus]) -> wire.WorkspaceStatus:
    if (holder := scope.workspace_of(folder, workspaces)) is None:
        raise LucAstraError(
            f"{folder} is in no workspace; run `{PROGRAM} index {folder}` first", code=ErrorCode.WORKSPACE_NOT_FOUND
        )
    return holder


async def _files(client: "Client", folder: Path | None, shell: Shell) -> wire.FilesResult:
    """The files of the workspace that the user stands in, or those below `folder`."""
    root = _holder(folder or shell.cwd, await client.workspaces()).root
    within = "" if folder is None or folder == Path(root) else f"{folder.relative_to(root).as_posix()}/"
    rows = await files_of(client, root, skipped_only=shell.arguments.skipped, below=within)
    return wire.FilesResult(files=rows, total=len(rows))


async def workspaces(shell: Shell) -> int:
    """`workspaces [list | remove PATH]`"""
    if shell.arguments.action == "remove":
        return await _remove(shell)
    async with shell.open() as client:
        entries = await client.workspaces()
    shell.show.report(reports.workspaces(wire.WorkspacesResult(workspaces=entries)))
    if not entries:
        shell.note(f"no workspace is indexed; run `{PROGRAM} index PATH`")
    return FOUND if entries else NOTHING


async def _remove(shell: Shell) -> int:
    # Not existing_folder: a workspace whose folder is gone must be removable.
    root = scope.located(shell.arguments.workspace, shell.cwd)
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
    "ask": asking.ask,
    "search": queries.search,
    "related": queries.related,
    "complete": asking.complete,
    "embed": asking.embed,
    "conversations": conversation_commands.conversations,
    "models": model_commands.models,
    "providers": model_commands.providers,
    "index": index,
    "eval": evaluation.evaluate,
    "status": status,
    "workspaces": workspaces,
    "config": config,
    "doctor": doctor,
    "stop": stop,
}
