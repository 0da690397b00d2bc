"""Which folders and files a search covers, and which folder becomes the workspace of a place."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.types import WorkspaceStatus

_SYSTEM = frozenset(
    Path("/", name)
    for name in "bin boot dev etc lib lib32 lib64 libx32 opt proc root run sbin sys usr var".split()  # noqa: SIM905
)
"""What belongs to the system; a folder in one of them may be a project, as in /opt."""
_SYSTEM_TREES = frozenset(Path("/", name) for name in ("dev", "proc", "sys", "usr", "var"))
"""Of those, the ones whose folders are the system's too, such as /usr/lib and /var/log."""


def repository_root(folder: Path) -> Path | None:
    """The top level of the git repository (or worktree) around `folder`."""
    return next((candidate for candidate in (folder, *folder.parents) if (candidate / ".git").exists()), None)


def project_root(folder: Path) -> Path:
    """The top level of the git repository (or worktree) around `folder`, else the folder itself."""
    return repository_root(folder) or folder


def workspace_of(folder: Path, workspaces: Iterable[WorkspaceStatus]) -> WorkspaceStatus | None:
    """The innermost workspace that holds `folder`."""
    holders = [workspace for workspace in workspaces if folder.is_relative_to(workspace.root)]
    return max(holders, key=lambda workspace: len(Path(workspace.root).parts), default=None)


def existing_folder(path: Path, cwd: Path) -> Path:
    """Where `path`, as typed in `cwd`, leads; raises LucAstraError when that is no folder."""
    folder = located(path, cwd)
    if not folder.exists():
        raise LucAstraError(f"there is no folder {path}", code=ErrorCode.WORKSPACE_NOT_FOUND)
    if not folder.is_dir():
        raise LucAstraError(f"{path} is not a folder; name the folder it is in", code=ErrorCode.WORKSPACE_NOT_FOUND)
    return folder


def existing_file(path: Path, cwd: Path) -> Path:
    """Where `path`, as typed in `cwd`, leads; raises LucAstraError when that is no file."""
    file = located(path, cwd)
    if not file.is_file():
        raise LucAstraError(f"there is no file {path}; name one as FILE or FILE:LINE")
    return file


def located(path: Path, cwd: Path) -> Path:
    """`path`, as typed in `cwd`, absolute and without links, whether it exists or not."""
    try:
        return Path(cwd, path.expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, or `~` of an unknown user
        raise LucAstraError(f"cannot follow {path}: {error}") from None


def working_folder() -> Path:
    """The folder the user stands in; raises LucAstraError when it has been deleted."""
    try:
        return Path.cwd().resolve()
    except FileNotFoundError:
        raise LucAstraError(
            "the folder you stand in is gone; change to another one", code=ErrorCode.WORKSPACE_NOT_FOUND
        ) from None


def refuse_no_project(root: Path, program: str) -> None:
    """Raise LucAstraError for the home folder, what holds it, the root of the file system and the system's folders."""
    home = Path.home().resolve()
    if root == home:
        what = "your home folder"
    elif root == Path(root.anchor) or home.is_relative_to(root):
        what = "more than your home folder"
    elif root in _SYSTEM or root.parent in _SYSTEM_TREES:
        what = "a folder of the system"
    else:
        return
    raise LucAstraError(
        f"{root} is {what}, so it is not indexed by itself; stand in a project, or run `{program} index {root} --force`"
    )


def pattern_below_root(pattern: str, workspaces: Sequence[WorkspaceStatus]) -> str:
    """A glob as users type it, as the daemon takes it: in gitignore syntax, from the workspace's root.

    `./src/` and an absolute path below a workspace's root are anchored at that root; any other pattern stays,
    an absolute one too, since gitignore's own `/src/` looks the same. Raises LucAstraError for an absolute path
    where several workspaces are searched.
    """
    negation, glob = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    slash = "/" if glob.endswith("/") else ""
    if glob in (".", "./") or glob.startswith("./"):
        below = glob[1:].strip("/")
    elif glob.startswith("/") and (holder := workspace_of(Path(glob).resolve(), workspaces)) is not None:
        if len({workspace.root for workspace in workspaces}) > 1:
            raise LucAstraError(
                f"--path {pattern} lies in {holder.root}, and other workspaces are searched too; add --workspace PATH"
            )
        below = os.path.relpath(Path(glob).resolve(), holder.root)
        below = "" if below == "." else below
    else:
        return pattern
    return f"{negation}/{below}{slash}" if below else f"{negation}*"
