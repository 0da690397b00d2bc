"""The commands that search: search and related, and what a query covers.

A folder that is not indexed yet is indexed on the way; one that is answers at once, fresh or not.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastra_client import scope
from lucastra_client.arguments import PROGRAM, Arguments, query
from lucastra_client.listing import files_of
from lucastra_client.rendering import reports
from lucastra_client.rendering.text import count
from lucastra_client.shell import Shell

if TYPE_CHECKING:
    from lucastra_client.client import Client

FOUND = 0
NOTHING = 1
_NAMED_SKIPPED = 3
"""How many skipped files are named where a folder has nothing else."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """The folders that a query covers, and their workspaces as they were before it."""

    folders: list[str]
    workspaces: list[wire.WorkspaceStatus]
    everywhere: bool = False
    """Every workspace; `folders` is empty then."""

    @property
    def searchable(self) -> bool:
        """Whether there is anything to send the query to."""
        return self.everywhere or bool(self.folders)

    def paths(self, arguments: Arguments) -> list[str]:
        """The globs of the command line, as the daemon takes them."""
        return [scope.pattern_below_root(glob, self.workspaces) for glob in arguments.globs]


async def search(shell: Shell) -> int:
    """`search QUERY…`"""
    arguments = shell.arguments
    text = _query(arguments)
    result = wire.SearchResult()
    async with shell.open() as client:
        covered = await cover(shell, client, shell.cwd)
        if covered.searchable:
            result = await client.search(
                text,
                mode=arguments.mode,
                limit=arguments.limit,
                workspaces=covered.folders,
                paths=covered.paths(arguments),
                languages=arguments.languages,
                explain=arguments.explain,
            )
    shell.show.search(text, result)
    return conclude(shell, covered, len(result.hits), result.freshness, result.notices)


async def related(shell: Shell) -> int:
    """`related FILE[:LINE]`"""
    arguments = shell.arguments
    path, line = arguments.place
    file = scope.existing_file(path, shell.cwd)
    result = wire.SearchResult()
    async with shell.open() as client:
        covered = await cover(shell, client, file.parent, index_only_repositories=True)
        if covered.searchable:
            result = await client.related(
                file,
                line,
                limit=arguments.limit,
                workspaces=covered.folders,
                paths=covered.paths(arguments),
                languages=arguments.languages,
                explain=arguments.explain,
            )
    shell.show.search(f"{file}:{line}", result)
    return conclude(shell, covered, len(result.hits), result.freshness, result.notices)


def _query(arguments: Arguments) -> str:
    try:
        return query(arguments)
    except ValueError as error:
        raise LucAstraError(f"{error}; see `{PROGRAM} {arguments.command} --help`") from None


async def cover(shell: Shell, client: "Client", place: Path, *, index_only_repositories: bool = False) -> Coverage:
    """What the query covers, indexed on the way if need be; not searchable when it has no content.

    A folder that is named with --workspace is searched itself; without one, the whole workspace of `place` is.
    With `index_only_repositories`, a `place` that was not stood in or named for its own sake is no reason to
    index a folder, unless it is in a git repository.
    """
    arguments = shell.arguments
    known = await client.workspaces()
    if arguments.everywhere:
        if not known:
            raise LucAstraError(f"no workspace is indexed; run `{PROGRAM} index PATH`")
        return Coverage([], known, everywhere=True)
    covered = Coverage([], [])
    named = [scope.existing_folder(path, shell.cwd) for path in arguments.workspaces]
    for folder in named or [place]:
        workspace = scope.workspace_of(folder, known)
        added: Path | None = None
        if workspace is None:
            added = folder if named else scope.project_root(folder)
            if index_only_repositories and not named and scope.repository_root(folder) is None:
                raise LucAstraError(
                    f"{folder} is in no workspace and in no git repository; run `{PROGRAM} index {added}` first",
                    code=ErrorCode.WORKSPACE_NOT_FOUND,
                )
            scope.refuse_no_project(added, PROGRAM)
            workspace = await _index_on_the_way(shell, client, added)
        elif _never_indexed(workspace):
            workspace = await _index_on_the_way(shell, client, Path(workspace.root))
        if workspace.chunks:
            covered.folders.append(str(folder) if named else workspace.root)
            covered.workspaces.append(workspace)
            continue
        await tell_nothing_indexed(shell, client, workspace)
        if workspace.root == str(added):  # nobody asked to keep a folder indexed that has nothing to search
            await client.remove(workspace.root)
    return covered


def _never_indexed(workspace: wire.WorkspaceStatus) -> bool:
    return not workspace.chunks and workspace.state in ("scanning", "indexing", "embedding")


async def tell_nothing_indexed(shell: Shell, client: "Client", workspace: wire.WorkspaceStatus) -> None:
    """Tell that a workspace holds no content, and why."""
    skipped = await files_of(client, workspace.root, skipped_only=True) if workspace.skipped else []
    if skipped:
        named = ", ".join(f"{row.path} ({row.reason})" for row in skipped[:_NAMED_SKIPPED])
        more = f" and {len(skipped) - _NAMED_SKIPPED:,} more" if len(skipped) > _NAMED_SKIPPED else ""
        shell.note(f"there is nothing to search in {workspace.root}; skipped: {named}{more}")
    else:
        shell.note(f"there is nothing to index in {workspace.root}")
    _tell_problems(shell, workspace)


def _tell_problems(shell: Shell, workspace: wire.WorkspaceStatus) -> None:
    for problem in workspace.problems:
        shell.note(f"{workspace.root}: {problem}")


async def _index_on_the_way(shell: Shell, client: "Client", root: Path) -> wire.WorkspaceStatus:
    if shell.arguments.no_index:
        raise LucAstraError(
            f"{root} is not indexed; leave out --no-index, or run `{PROGRAM} index {root}`",
            code=ErrorCode.WORKSPACE_NOT_FOUND,
        )
    result = await shell.index(client, root)
    if result.workspace.chunks:
        shell.note(reports.index_summary(result))
    return result.workspace


def conclude(shell: Shell, covered: Coverage, found: int, freshness: wire.Freshness, notices: list[str]) -> int:
    """Tell how far the result can be trusted, and whether there is one."""
    if not found and covered.searchable:
        shell.note("nothing found")
    if not shell.for_programs:
        for notice in notices:
            shell.note(notice)
    if freshness == "stale" and _catches_up(covered):
        waiting = sum(workspace.queued for workspace in covered.workspaces)
        behind = f" ({count(waiting, 'changed file')} to go)" if waiting else ""
        shell.note(f"the index is still catching up with the files{behind}, so this can be out of date")
    elif freshness == "pending":
        missing = sum(workspace.chunks - workspace.embedded for workspace in covered.workspaces)
        passages = count(missing, "passage has", "passages have") if missing > 0 else "some passages have"
        shell.note(f"{passages} no embedding yet and can be found by keyword only")
    for workspace in covered.workspaces:
        _tell_problems(shell, workspace)
    return FOUND if found else NOTHING


def _catches_up(covered: Coverage) -> bool:
    """Whether a stale result will get better by itself: that of a folder which is gone from the disk does not."""
    there = [workspace for workspace in covered.workspaces if workspace.state != "missing"]
    return len(there) == len(covered.workspaces) or any(workspace.freshness == "stale" for workspace in there)
