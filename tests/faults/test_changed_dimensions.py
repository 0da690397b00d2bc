"""Another length of vectors is configured: the old ones answer until the new ones are complete, whatever happens."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from generated_tree import GeneratedTree
from lucastra_client import Client
from real_daemon import RealDaemon, is_ready, private_home, until, workspace, write

from lucastrad.embeddings.static import SPACE, TRUNCATED

pytestmark = [pytest.mark.slow, pytest.mark.trio, pytest.mark.timeout(300)]

SHORT = TRUNCATED[1]
SENTENCES = ("retry a cancelled session", "how is the ledger verified?", "merge invoice headers")


def configure(daemon: RealDaemon, dimensions: int) -> None:
    daemon.paths.home.mkdir(exist_ok=True)
    daemon.paths.config.write_text(json.dumps({"embeddings": {"dimensions": dimensions}}))


def cache_of_short(daemon: RealDaemon) -> Path:
    return daemon.paths.home / "embeddings" / f"{SHORT.identity}.sqlite3"


def short_vectors(daemon: RealDaemon) -> dict[bytes, int]:
    """Row number of each key that was embedded in the new space: a passage that is embedded again gets a new one."""
    with closing(sqlite3.connect(f"file:{cache_of_short(daemon)}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT key, rowid FROM vectors").fetchall())


@contextmanager
def no_new_vectors(daemon: RealDaemon) -> Iterator[None]:
    """Hold up whoever stores a vector of the new space."""
    with closing(sqlite3.connect(cache_of_short(daemon), isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def indexes(daemon: RealDaemon) -> set[str]:
    (store,) = daemon.stores()
    return {path.stem for path in (store / "vectors").iterdir()}


async def answers(client: Client) -> dict[str, list[tuple[str, int]]]:
    results = {sentence: await client.search(sentence, mode="vector") for sentence in SENTENCES}
    return {text: [(hit.path, hit.range.start.line) for hit in result.hits] for text, result in results.items()}


async def test_the_old_vectors_answer_until_the_new_ones_are_complete_even_after_a_kill(daemon: RealDaemon) -> None:
    tree = GeneratedTree(daemon.folder / "project", files=1500, seed=6)
    configure(daemon, 128)
    await daemon.start()  # creates the new space's cache, so that it can be locked below
    await daemon.stop()
    configure(daemon, 256)
    await daemon.start()
    async with daemon.client() as client:
        await client.index(tree.root)
        of_the_old = await answers(client)
        assert all(of_the_old.values())
    await daemon.stop()
    configure(daemon, 128)

    with no_new_vectors(daemon):
        await daemon.start()
        async with daemon.client() as client:
            await until(lambda: _is_pending(client, tree.root))
            status = await workspace(client, tree.root)
            assert (status.state, status.embedded, status.problems) == ("embedding", 0, [])
            (notice,) = status.notices
            assert SPACE.identity in notice
            assert SHORT.identity in notice
            assert f"0 of {status.chunks}" in notice
            assert (await client.status()).embeddings.dimensions == 128
            assert await answers(client) == of_the_old
            related = await client.related(tree.root / tree.names[0])
            assert related.hits
            assert not any("no embedding" in text for text in related.notices)
            assert (await client.search(SENTENCES[0])).freshness == "pending"
    await until(lambda: short_vectors(daemon))
    with no_new_vectors(daemon):
        daemon.kill()
    begun = short_vectors(daemon)
    assert 0 < len(begun) < status.chunks
    assert indexes(daemon) >= {SPACE.identity}

    with no_new_vectors(daemon):
        await daemon.start()
        async with daemon.client() as client:
            await until(lambda: _is_pending(client, tree.root))
            assert (await workspace(client, tree.root)).notices
            assert await answers(client) == of_the_old
    async with daemon.client() as client:
        await until(lambda: is_ready(client, tree.root))
        status = await workspace(client, tree.root)
        assert (status.embedded, status.problems, status.notices) == (status.chunks, [], [])
        assert indexes(daemon) == {SHORT.identity}
        embedded = short_vectors(daemon)
        assert {key: row for key, row in begun.items() if embedded[key] != row} == {}
        assert len(embedded) == len(set(embedded.values()))
        of_the_new = await answers(client)
    assert of_the_new == await _of_a_clean_index(tree.root)
    assert of_the_new != of_the_old

    configure(daemon, 256)  # and back: every text is known still
    known = short_vectors(daemon)
    await daemon.restart()
    async with daemon.client() as client:
        await until(lambda: is_ready(client, tree.root))
        assert await answers(client) == of_the_old
        result = await client.index(tree.root)
        assert result.embedded_chunks == 0
    assert short_vectors(daemon) == known
    assert indexes(daemon) == {SPACE.identity}


async def _is_pending(client: Client, root: Path) -> bool:
    status = await workspace(client, root)
    # Once events are heard and what happened before has been looked for, nothing makes it stale again.
    return status.watch == "events" and status.freshness == "pending"


async def _of_a_clean_index(root: Path) -> dict[str, list[tuple[str, int]]]:
    with private_home() as other:
        configure(other, 128)
        await other.start()
        async with other.client() as client:
            await client.index(root)
            return await answers(client)


async def test_two_workspaces_at_different_stages_are_searched_at_once(daemon: RealDaemon) -> None:
    large = GeneratedTree(daemon.folder / "large", files=60, seed=7)
    small = write(daemon.folder / "small", {"only.py": "def parse_the_session_cursor():\n    return 1\n"})
    for dimensions, root in ((128, small), (256, large.root)):
        configure(daemon, dimensions)
        await daemon.start()
        async with daemon.client() as client:
            await client.index(root)
            await until(lambda: is_ready(client, small))
        await daemon.stop()
    configure(daemon, 128)
    with no_new_vectors(daemon):  # what the cache knows can be had, so the small one completes
        await daemon.start()
        async with daemon.client() as client:
            await until(lambda: is_ready(client, small))
            await until(lambda: _is_pending(client, large.root))
            hits = (await client.search("parse the cursor of the session", mode="vector", limit=50)).hits
            assert {hit.workspace for hit in hits} == {str(small), str(large.root)}
            related = await client.related(small / "only.py", workspaces=[large.root], explain=True)
            assert any(hit.components["vector"] > 0 for hit in related.hits)
