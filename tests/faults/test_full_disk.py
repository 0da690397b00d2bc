"""A full disk under the store: searches go on, the cause is told, and indexing resumes by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from generated_tree import GeneratedTree
from lucastra_client import Client
from real_daemon import RealDaemon, is_ready, until, workspace

pytestmark = [pytest.mark.slow, pytest.mark.trio]

RESUME_SECONDS = 5.0


@pytest.fixture
def small_disk(daemon: RealDaemon) -> Iterator[Path]:
    """A file system of 24 MB that holds LucAstra's whole folder."""
    home = daemon.paths.home
    home.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "lucastra-test", str(home)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted: {done.stderr.strip()}")
    try:
        yield home
    finally:
        daemon.end()
        subprocess.run(["umount", "-l", str(home)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room that is left; returns the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65536)) == 65536:
                pass
        except OSError:
            pass
    return filler


async def test_search_answers_while_the_disk_is_full_and_indexing_resumes_with_room(
    daemon: RealDaemon, small_disk: Path
) -> None:
    tree = GeneratedTree(daemon.folder / "project", files=60, seed=7)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root)
        before = tree.identifiers(10)
        filler = fill(small_disk)
        tree.change(rewritten=0, deleted=0, added=200)

        async def says_why() -> bool:
            return any("disk space" in problem for problem in (await workspace(client, tree.root)).problems)

        await until(says_why)
        (told,) = (await client.status()).workspaces
        assert any("disk space" in problem for problem in told.problems)
        for name in before:
            assert name in (await client.search(name)).hits[0].content
        assert (await client.index(tree.root)).workspace.state == "failed"  # waits for no room that may never come
        assert (await client.search(before[0])).freshness == "stale"

        filler.unlink()
        await until(lambda: resumed(client, tree.root), RESUME_SECONDS)
        await until(lambda: is_ready(client, tree.root))
        assert (await workspace(client, tree.root)).files == 260
        for name in (*before, *tree.identifiers(20)):
            assert name in (await client.search(name)).hits[0].content


async def resumed(client: Client, root: Path) -> bool:
    status = await workspace(client, root)
    return not status.problems and status.files > 60


async def test_a_daemon_that_cannot_start_on_a_full_disk_names_the_cure_and_loses_nothing(
    daemon: RealDaemon, small_disk: Path
) -> None:
    tree = GeneratedTree(daemon.folder / "project", files=60, seed=8)
    (name,) = tree.identifiers(1)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root)
    cached = daemon.cached_vectors()
    await daemon.stop()
    filler = fill(small_disk)
    refused = await daemon.refused()
    assert "free disk space" in refused
    assert "Traceback" not in refused
    filler.unlink()
    await daemon.start()
    async with daemon.client() as client:
        await until(lambda: is_ready(client, tree.root))
        assert name in (await client.search(name)).hits[0].content
        assert daemon.cached_vectors() == cached
