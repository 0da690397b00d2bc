"""Which folders a search covers, and which folder becomes the workspace of a place."""

from collections.abc import Iterable
from pathlib import Path

from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.types import WorkspaceStatus


def project_root(folder: Path) -> Path:
    """The top level of the git repository (or worktree) around `folder`, else the folder itself."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


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


def refuse_whole_disk(root: Path, program: str) -> None:
    """Raise LucAstraError for the home folder, a folder above it and the root of the file system."""
    home = Path.home().resolve()
    if root == Path(root.anchor) or home.is_relative_to(root):
        what = "your home folder" if root == home else "more than your home folder"
        raise LucAstraError(
            f"{root} is {what}, so it is not indexed by itself; stand in a project, or run "
            f"`{program} index {root} --force`"
        )
