"""The few file operations that must be safe against crashes and other users."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def ensure_private_folder(folder: Path) -> None:
    """Create `folder` and its parents, durably; `folder` itself is 0700."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in missing:
        with suppress(PermissionError):  # a parent that may be entered and not be read
            sync_folder(made.parent)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def folder_bytes(folder: Path) -> int:
    """What the files in `folder` take; they may come and go meanwhile (which Path.rglob does not bear before 3.12)."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total


def sync_folder(folder: Path) -> None:
    """Make a rename or an unlink in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(path: Path, *parts: bytes | memoryview) -> None:
    """Replace `path` by the concatenated `parts`: after a crash, either the old or the new content is there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            for part in parts:
                view = memoryview(part)
                if not view.nbytes:
                    continue  # an empty array cannot be cast
                view = view.cast("B")
                while view.nbytes:
                    view = view[file.write(view) :]
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
