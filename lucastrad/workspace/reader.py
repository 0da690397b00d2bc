"""Reads one file of a workspace, or says why it is not one to index.

Invariant: no link is followed and nothing outside the root is opened, however the tree changes
meanwhile; the bytes returned are those that were hashed, and all of one version of the file.
Synchronous: meant for a worker process.
"""

import codecs
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from lucastrad.types import Stat
from lucastrad.workspace import generated
from lucastrad.workspace.scanner import EMPTY, NOT_REGULAR, NOT_UTF8, SYMBOLIC_LINK, ScanRules, Skipped, too_large
from lucastrad.workspace.secrets import secret_content, secret_file

BINARY = "binary"
CHANGING = "changing while read"
OUTSIDE = "outside the workspace"

HASH_BYTES = 16
_ATTEMPTS = 4

# Stamps have the grain of the timer tick (10 ms with CONFIG_HZ=100) or of the file system (2 s on FAT),
# and are set when a write begins: one in place, preempted half way, was caught 20 ms later.
_TICK_NS = 20_000_000
_RACY_NS = 2_000_000_000
_PAUSE_SECONDS = 0.01

_TEXT_CONTROLS = b"\t\n\r\f\b\x1b"
_CONTROLS = bytes(set(range(32)) - set(_TEXT_CONTROLS)) + b"\x7f"
_ODD_SHARE = 0.3
"""perl's -T calls a file binary when more than this share of its bytes is odd."""


class ReadFile(msgspec.Struct, frozen=True):
    """A file's bytes, and what they say."""

    path: str
    content: bytes
    text: str
    """The decoded content, without byte order mark. Offsets of chunks count its UTF-8 bytes."""
    stat: Stat
    content_hash: bytes
    """BLAKE2b of `content`, 16 bytes."""
    racy: bool
    """Changed so recently that `stat` may be that of a further change too: keep one that never compares
    equal, so that the next check reads the file again."""


def read_file(
    root: str,
    path: str,
    rules: ScanRules,
    *,
    wanted: bool = False,
    clock: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> ReadFile | Skipped | None:
    """Read the file at the root-relative `path`; None if it is gone.

    `wanted` (see `scanner.Candidate`) lifts the check for generated and minified content. `clock` is the wall
    clock in nanoseconds, that which stamps files; `sleep` (seconds) lets a writer go on. Never raises
    OSError: what cannot be read is skipped.
    """
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        return Skipped(path, OUTSIDE)
    try:
        path.encode()
    except UnicodeEncodeError:
        return Skipped(os.fsencode(path).decode("utf-8", "backslashreplace"), NOT_UTF8)
    if reason := secret_file(parts[-1]):
        return Skipped(path, reason)
    try:
        with _open_beneath(root, parts) as fd:
            read = _read(fd, path, rules.max_file_bytes, clock, sleep)
    except OSError as error:
        return _open_failure(root, path, error)
    if isinstance(read, Skipped):
        return read
    content, info, racy = read
    text = decode(content)
    if text is None:
        return Skipped(path, BINARY, len(content), None if racy else info)
    if reason := content_reason(content, rules, wanted=wanted):
        return Skipped(path, reason, len(content), None if racy else info)
    digest = hashlib.blake2b(content, digest_size=HASH_BYTES).digest()
    return ReadFile(path, content, text, info, digest, racy)


def decode(content: bytes) -> str | None:
    """The text in `content`; None if it is binary.

    UTF-8 or UTF-16 by byte order mark, else UTF-8; damaged UTF-8 with its damage replaced, older 8-bit
    text as Windows-1252.
    """
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _decode_strictly(content, "utf-32")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decode_strictly(content, "utf-16")
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    controls = len(content) - len(content.translate(None, _CONTROLS))
    repaired = content.decode("utf-8-sig", "replace")
    damaged = repaired.count("\ufffd")
    if controls * 20 > len(content) or controls + damaged > _ODD_SHARE * len(content):
        return None
    multibyte = sum(c > "\x7f" for c in repaired) - damaged
    return repaired if multibyte > damaged else content.decode("cp1252", "replace")


def _decode_strictly(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def content_reason(content: bytes, rules: ScanRules, *, wanted: bool) -> str | None:
    """Why a file with these bytes is not indexed; None if nothing in them speaks against it."""
    if not content:
        return EMPTY
    if reason := secret_content(content):
        return reason
    if wanted:
        return None
    reason = generated.content_reason(content)
    return None if reason == generated.GENERATED and rules.include_generated else reason


@contextmanager
def _open_beneath(root: str, parts: list[str]) -> Iterator[int]:
    """A descriptor of the file, opened folder by folder so that no component can be a link.

    Raises OSError; ELOOP or ENOTDIR when one is.
    """
    # a folder may be searchable without being readable, which O_PATH accepts; only Linux has it
    enter = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
    folder = os.open(root, enter)
    try:
        for part in parts[:-1]:
            inner = os.open(part, enter | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # O_NONBLOCK: opening a FIFO would wait for a writer
        fd = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _read(
    fd: int, path: str, max_bytes: int, clock: Callable[[], int], sleep: Callable[[float], None]
) -> tuple[bytes, Stat, bool] | Skipped:
    for _ in range(_ATTEMPTS):
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            return Skipped(path, NOT_REGULAR, 0, _stat(before))
        if before.st_size > max_bytes:
            return Skipped(path, too_large(max_bytes), before.st_size, _stat(before))
        content = _read_at_most(fd, max_bytes + 1)
        if len(content) > max_bytes:
            return Skipped(path, too_large(max_bytes), len(content))
        age_ns = _age_ns(before, clock())
        if age_ns < _TICK_NS:  # the stamps would not show a further write: only a second look does
            sleep(_PAUSE_SECONDS)
            if _read_at_most(fd, max_bytes + 1) != content:
                continue
        info = _stat(before)
        if len(content) == before.st_size and _stat(os.fstat(fd)) == info:
            return content, info, age_ns < _RACY_NS
    return Skipped(path, CHANGING, before.st_size)


def _read_at_most(fd: int, limit: int) -> bytes:
    """The file from its start, cut at `limit` bytes; whatever size it claims."""
    pieces: list[bytes] = []
    offset = 0
    while offset < limit and (piece := os.pread(fd, min(limit - offset, 1 << 20), offset)):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def _stat(info: os.stat_result) -> Stat:
    return Stat.of(info)


def _age_ns(info: os.stat_result, now_ns: int) -> int:
    """How long ago the file changed."""
    # distance, not difference: where the clock was set back, stamps lie in the future
    return min(abs(now_ns - info.st_mtime_ns), abs(now_ns - info.st_ctime_ns))


def _open_failure(root: str, path: str, error: OSError) -> Skipped | None:
    """Why a file could not be opened; None if it is not there."""
    if isinstance(error, FileNotFoundError):
        return None
    place = root
    for part in path.split("/"):  # O_NOFOLLOW fails alike for a link and for a file in place of a folder
        place = f"{place}/{part}"
        try:
            info = os.lstat(place)
        except OSError:
            break
        if stat.S_ISLNK(info.st_mode):
            return Skipped(path, SYMBOLIC_LINK)
        if not stat.S_ISDIR(info.st_mode) and not stat.S_ISREG(info.st_mode):
            return Skipped(path, NOT_REGULAR)
    else:
        if not isinstance(error, NotADirectoryError):  # its ctime tells when it becomes readable
            return Skipped(path, f"not readable: {os.strerror(error.errno or 0).lower()}", info.st_size, _stat(info))
    if isinstance(error, NotADirectoryError):
        return None
    return Skipped(path, f"not readable: {os.strerror(error.errno or 0).lower()}")
