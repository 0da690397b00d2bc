"""How soon changes to files are searchable: single saves and branch switches."""

import random
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import trio
from lucastra_client import Client
from lucastra_protocol.types import FileStatus, Hit

from benchmarks.daemon import PrivateDaemon
from benchmarks.distribution import Distribution
from benchmarks.errors import BenchmarkError
from benchmarks.indexing.results import BranchSwitch, Saves
from benchmarks.repository import CHANGED, MAIN, Repository, unique_tokens, with_new_function

SWITCHED_FILES = 500
_SAVE_SECONDS = 10.0
_SWITCH_SECONDS = 120.0
_POLL_SECONDS = 0.004
_PAUSE_SECONDS = (0.05, 0.35)
_FILE_BYTES = range(200, 60_000)
_PAGE = 10_000


async def indexed_files(client: Client, root: Path) -> list[FileStatus]:
    """Every file of the workspace that is indexed."""
    files: list[FileStatus] = []
    offset = 0
    while True:
        page = await client.files(root, offset=offset, limit=_PAGE)
        files += [file for file in page.files if file.status == "indexed"]
        offset += _PAGE
        if offset >= page.total:
            return files


def sources_to_edit(files: Sequence[FileStatus], count: int, chance: random.Random) -> list[str]:
    """Paths of `count` Python files of ordinary size; raises BenchmarkError when there are fewer."""
    ordinary = sorted(file.path for file in files if file.language == "python" and file.size_bytes in _FILE_BYTES)
    if len(ordinary) < count:
        raise BenchmarkError(f"the corpus has {len(ordinary)} Python files to edit; {count} are needed")
    return chance.sample(ordinary, count)


async def save_to_searchable(client: Client, root: Path, files: Sequence[str], chance: random.Random) -> Saves:
    """Save each file once, every other one as editors do that write a new file and rename it over the old one.

    The pause between two saves varies, so that they do not fall in step with the daemon's own intervals.
    """
    keyword: list[float] = []
    embedded: list[float] = []
    lost = 0
    for number, (name, token) in enumerate(zip(files, unique_tokens(len(files), chance), strict=True)):
        await trio.sleep(chance.uniform(*_PAUSE_SECONDS))
        path = root / name
        source = with_new_function(path.read_bytes(), token)
        began = perf_counter()
        _save(path, source, by_renaming=number % 2 == 1)
        found = fresh = _SAVE_SECONDS
        with trio.move_on_after(_SAVE_SECONDS):
            found = await _until_found(client, root, name, token, began)
            fresh = await _until_found(client, root, name, token, began, fresh=True)
        lost += found == _SAVE_SECONDS
        keyword.append(found * 1000)
        embedded.append(fresh * 1000)
    return Saves(Distribution.of(keyword), Distribution.of(embedded), lost)


def _save(path: Path, source: bytes, *, by_renaming: bool) -> None:
    if not by_renaming:
        path.write_bytes(source)
        return
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(source)
    unfinished.replace(path)


async def _until_found(
    client: Client, root: Path, name: str, token: str, began: float, *, fresh: bool = False
) -> float:
    """Seconds since `began` when a keyword search finds `token` in the file (and says that all is fresh)."""
    while True:
        result = await client.search(token, mode="keyword", limit=3, workspaces=[root])
        found = any(hit.path == name and token in hit.content for hit in result.hits)
        if found and (not fresh or result.freshness == "fresh"):
            return perf_counter() - began
        await trio.sleep(_POLL_SECONDS)


async def switch_branches(
    daemon: PrivateDaemon, client: Client, repository: Repository, files: Sequence[str], beside: Path
) -> tuple[BranchSwitch, BranchSwitch]:
    """Switch to a branch on which a line of each file differs, and back. `beside` is a folder to make the branch in."""
    tokens = unique_tokens(len(files), random.Random(len(files)))
    await trio.to_thread.run_sync(repository.branch_with_changes, files, tokens, beside)
    await client.index(repository.root)
    there = await _switch(daemon, client, repository, CHANGED, tokens)
    back = await _switch(daemon, client, repository, MAIN, tokens)
    return there, back


async def _switch(
    daemon: PrivateDaemon, client: Client, repository: Repository, branch: str, tokens: Sequence[str]
) -> BranchSwitch:
    wanted = branch == CHANGED  # there the tokens are found, on main they are not
    embedded = daemon.vectors_embedded()
    began = perf_counter()
    await trio.to_thread.run_sync(repository.checkout, branch)
    checkout = perf_counter() - began
    with trio.move_on_after(_SWITCH_SECONDS) as deadline:
        while True:
            result = await client.search(tokens[-1], mode="keyword", workspaces=[repository.root])
            if result.freshness == "fresh" and _holds(result.hits, tokens[-1]) == wanted:
                break
            await trio.sleep(_POLL_SECONDS)
    if deadline.cancelled_caught:
        raise BenchmarkError(f"`git checkout {branch}` was not indexed within {_SWITCH_SECONDS:.0f} s")
    fresh = perf_counter() - began
    missing = 0
    for token in tokens:
        result = await client.search(token, mode="keyword", workspaces=[repository.root])
        missing += _holds(result.hits, token) != wanted
    return BranchSwitch(len(tokens), checkout, fresh, daemon.vectors_embedded() - embedded, missing)


def _holds(hits: Sequence[Hit], token: str) -> bool:
    return any(token in hit.content for hit in hits)
