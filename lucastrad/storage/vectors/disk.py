"""Failed writes in the user's words, and checksums of whole files."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lucastrad.storage.sqlite import StoreUnavailable

_BLOCK_BYTES = 1 << 20


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise StoreUnavailable in place of the OSError of a write."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"the vector index cannot be written ({error}); free disk space or check the permissions of the"
            " LucAstra folder: indexing resumes by itself"
        ) from error


def file_crc(path: Path) -> int:
    """The CRC-32 of a file, read in blocks. Raises OSError."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            crc = zlib.crc32(block, crc)
    return crc
