"""The files of a workspace, as the daemon lists them page by page."""

from typing import TYPE_CHECKING

from lucastra_protocol.types import FileStatus

if TYPE_CHECKING:
    from lucastra_client.client import Client

_FILES_PER_PAGE = 1000
_VERSION_CONTROL = "version control"
"""Why the daemon skips `.git/` and its like; such a row tells nobody anything."""


async def files_of(client: "Client", root: str, *, skipped_only: bool, below: str = "") -> list[FileStatus]:
    """A workspace's files without those of version control; `below` is a folder in it, as `src/`.

    A folder that was skipped as a whole is one row; it is there for every folder that lies in it too.
    """
    rows: list[FileStatus] = []
    offset = 0
    while True:
        page = await client.files(root, skipped_only=skipped_only, offset=offset, limit=_FILES_PER_PAGE)
        rows += (row for row in page.files if row.reason != _VERSION_CONTROL and _concerns(row.path, below))
        offset += len(page.files)
        if not page.files or offset >= page.total:
            return rows


def _concerns(path: str, folder: str) -> bool:
    return path.startswith(folder) or (path.endswith("/") and folder.startswith(path))
