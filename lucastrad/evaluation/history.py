"""The git history of a workspace, as the `git` program tells it.

Invariant: nothing that a repository's own configuration names is started, and nothing is fetched: git is told to use
no signature checker, file monitor, text converter or transport.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE

import trio

_COMMITS = 500
_GIT_SECONDS = 30.0
_MAX_BYTES = 16_000_000
"""A commit may touch 100,000 files; such a one asks nothing anyway."""
_MAX_COMPLAINT_BYTES = 4_000

_COMMIT, _FIELD = b"\x1e", b"\x1f"
_COMMAND = (
    "git", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "--no-pager",
    "log", f"--max-count={_COMMITS}", "--no-merges", "--no-show-signature", "--no-ext-diff", "--no-textconv",
    "--no-renames", "--no-follow", "--no-notes", "--no-color", "--no-mailmap", "--encoding=UTF-8",
    "--name-only", "--relative", "-z", "--format=%x1e%s%x1f%b%x1f", "--", ".",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Commit:
    """What was said of a change, and the files that it touched, relative to the folder that was asked about."""

    subject: str
    body_line: str
    """The first line of the message's body; empty without one."""
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The last commits, newest first; without any, `problem` says why."""

    commits: list[Commit]
    problem: str = ""


async def read_history(folder: Path, *, command: Sequence[str] = _COMMAND) -> History:
    """The last 500 commits without merges that touched `folder`. Raises nothing: a folder may have no history."""
    output, complaint = bytearray(), bytearray()
    process: trio.Process | None = None
    whole = False
    with trio.move_on_after(_GIT_SECONDS) as deadline:
        try:
            async with trio.open_nursery() as nursery:
                process = await nursery.start(
                    partial(
                        trio.run_process, command, cwd=folder, env=_environment(os.environ), stdin=DEVNULL,
                        stdout=PIPE, stderr=PIPE, check=False,
                    )
                )  # fmt: skip
                nursery.start_soon(_read, process.stderr, complaint, _MAX_COMPLAINT_BYTES)
                whole = await _read(process.stdout, output, _MAX_BYTES)
        except* OSError:
            pass  # what `process` tells
    if deadline.cancelled_caught:
        return History([], f"git told no history within {_GIT_SECONDS:g} s, so no commit is asked about")
    if process is None:
        return History([], "the program `git` cannot be started, so no commit is asked about; install it")
    if process.returncode:
        said = complaint.decode("utf-8", "replace").partition("\n")[0] or f"git ended with {process.returncode}"
        return History([], f"{folder} has no git history to ask about ({said})")
    return History(parse_log(bytes(output), whole=whole))


def parse_log(output: bytes, *, whole: bool = True) -> list[Commit]:
    """The commits in what git printed; the last of an output that was cut short is left out."""
    records = output.split(_COMMIT)[1:]
    commits = []
    for record in records if whole else records[:-1]:
        fields = record.split(_FIELD, 2)
        if len(fields) < 3:
            continue
        subject, body, names = fields
        paths = [name.decode("utf-8", "replace") for name in names.lstrip(b"\0\n").split(b"\0") if name]
        first = body.decode("utf-8", "replace").strip().partition("\n")[0]
        commits.append(Commit(subject.decode("utf-8", "replace"), first, tuple(paths)))
    return commits


async def _read(stream: trio.abc.ReceiveStream | None, into: bytearray, limit: int) -> bool:
    """Read a stream to its end, and keep no more than `limit` bytes of it; returns whether that is all."""
    assert stream is not None, "a pipe was asked for"  # noqa: S101
    whole = True
    async for part in stream:
        whole = whole and len(into) + len(part) <= limit
        into += part[: limit - len(into)]
    return whole


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The daemon's own, without what would lead git to another repository, and with every transport forbidden: a
    partial clone would fetch what it lacks."""
    kept = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
