"""kill -9, of the daemon and of its workers, at any moment: nothing committed is lost, nothing is done twice."""

import os
import random
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
import trio
from generated_tree import GeneratedTree
from lucastra_client import Client
from real_daemon import PATIENCE_SECONDS, RealDaemon, all_gone, found, indexed, is_ready, private_home, until

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(300)]

KILLS = 50
ORPHAN_SECONDS = 3.0


async def test_fifty_kills_while_indexing_lose_nothing_and_embed_nothing_twice(daemon: RealDaemon) -> None:
    moments = random.Random(20)
    tree = GeneratedTree(daemon.folder / "project", files=300, seed=1)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root, wait=False)
    store = Store(daemon)
    async with trio.open_nursery() as nursery:
        for _ in range(KILLS):
            await trio.sleep(moments.uniform(0.0, 0.8))
            acknowledged = store.acknowledged()
            orphans = daemon.kill()
            nursery.start_soon(all_gone, orphans, PATIENCE_SECONDS)
            store.check(acknowledged, set(tree.names))
            tree.change(rewritten=40, deleted=2, added=2)
            await daemon.start()
        async with daemon.client() as client:
            await client.index(tree.root)
            store.check({}, set(tree.names))
            await _equals_a_clean_index(client, tree)


async def _equals_a_clean_index(client: Client, tree: GeneratedTree) -> None:
    """Compare with an index that was never interrupted."""
    async with _clean_index(tree.root) as clean:
        assert await indexed(client, tree.root) == await indexed(clean, tree.root)
        assert set(tree.names) <= set(await indexed(client, tree.root))
        for query in tree.identifiers(30):
            exact, expected = await client.search(query), await clean.search(query)
            assert (exact.hits[0].path, exact.hits[0].range) == (expected.hits[0].path, expected.hits[0].range)
        for query in ("retry a cancelled session", "how is the ledger verified?", "merge invoice headers"):
            by_meaning, expected = await client.search(query, mode="vector"), await clean.search(query, mode="vector")
            assert {(hit.path, hit.range) for hit in by_meaning.hits} == {
                (hit.path, hit.range) for hit in expected.hits
            }


@asynccontextmanager
async def _clean_index(root: Path) -> AsyncIterator[Client]:
    with private_home() as other:
        await other.start()
        async with other.client() as client:
            await client.index(root)
            yield client


class Store:
    """What stands on disk."""

    def __init__(self, daemon: RealDaemon) -> None:
        self._daemon = daemon
        self._committed: dict[str, bytes] = {}
        self._cached: dict[bytes, int] = {}

    def acknowledged(self) -> dict[str, bytes]:
        """What the running daemon has committed: content hash by path."""
        rows: list[tuple[str, bytes]] = []
        for store in self._daemon.stores():
            with suppress(sqlite3.OperationalError):  # not made yet
                rows += _query(f"file:{store}/catalog.sqlite3?mode=ro", _COMMITTED)
        return dict(rows)

    def check(self, acknowledged: dict[str, bytes], existing: set[str]) -> None:
        """Both databases are whole, and hold what they held at the last check and what was acknowledged since.

        They are read from copies: the daemon must meet its files as the kill left them.
        """
        committed: dict[str, bytes] = {}
        for store in self._daemon.stores():
            committed |= dict(_rows_of_copy(store / "catalog.sqlite3", _COMMITTED))
        # What no longer exists may be removed between the look at the running daemon and its end.
        assert (acknowledged.keys() & existing) - committed.keys() == set()
        assert (self._committed.keys() & existing) - committed.keys() == set()
        (cache,) = self._daemon.paths.home.glob("embeddings/*.sqlite3")
        cached = dict(_rows_of_copy(cache, "SELECT key, rowid FROM vectors"))
        # A vector that is put again gets a new row number.
        assert {key: row for key, row in self._cached.items() if cached.get(key) != row} == {}
        self._committed, self._cached = committed, cached


_COMMITTED = "SELECT path, hash FROM files WHERE state = 'indexed'"


def _rows_of_copy(database: Path, query: str) -> list[tuple[object, object]]:
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(database.with_name(database.name + suffix), folder)
        copy = Path(folder, database.name)
        if not copy.exists() or not _query(f"file:{copy}", "SELECT name FROM sqlite_schema"):
            return []  # killed before its tables were made
        assert _query(f"file:{copy}", "PRAGMA integrity_check") == [("ok",)]
        return _query(f"file:{copy}", query)


def _query(uri: str, query: str) -> list[tuple[object, object]]:
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(query).fetchall()


async def test_killed_workers_cost_nothing(daemon: RealDaemon) -> None:
    tree = GeneratedTree(daemon.folder / "project", files=400, seed=2)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root, wait=False)
        killed = 0
        while killed < 4 and not await is_ready(client, tree.root):
            await until(daemon.workers)
            with suppress(ProcessLookupError, IndexError):
                os.kill(daemon.workers()[-1], signal.SIGKILL)
                killed += 1
            await trio.sleep(0.05)
        await until(lambda: is_ready(client, tree.root))
        files = await indexed(client, tree.root)
        assert killed
        assert {name: files[name].status for name in tree.names} == dict.fromkeys(tree.names, "indexed")
        for query in tree.identifiers(10):
            assert (await found(client, query))[0] in tree.names
        status = (await client.workspaces())[0]
        assert status.embedded == status.chunks
        assert status.problems == []


async def test_workers_of_a_killed_daemon_leave_soon_whatever_they_were_doing(daemon: RealDaemon) -> None:
    moments = random.Random(3)
    tree = GeneratedTree(daemon.folder / "project", files=300, seed=3)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root, wait=False)
    for _ in range(6):
        await until(daemon.workers)
        await trio.sleep(moments.uniform(0.0, 0.6))  # importing, reading, embedding, idle
        await all_gone(daemon.kill(), ORPHAN_SECONDS)
        tree.change(rewritten=150, deleted=2, added=2)
        await daemon.start()
