"""Damaged and lost files of the store: each is noticed, and rebuilt without embedding anything again."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from generated_tree import GeneratedTree
from lucastra_protocol.types import SearchMode
from real_daemon import RealDaemon, found, is_ready, private_home, until, workspace

pytestmark = [pytest.mark.slow, pytest.mark.trio]

SENTENCES = ("retry a cancelled session", "how is the ledger verified?")


class Indexed:
    """A home with a complete index, and what that index answers."""

    def __init__(self, daemon: RealDaemon) -> None:
        self.daemon = daemon
        self.tree = GeneratedTree(daemon.folder / "project", files=80, seed=4)
        self._answers: dict[tuple[str, SearchMode], list[str]] = {}

    async def index(self) -> None:
        await self.daemon.start()
        async with self.daemon.client() as client:
            await client.index(self.tree.root)
            for name in self.tree.identifiers(8):
                self._answers[name, "keyword"] = (await found(client, name, mode="keyword"))[:1]
            for sentence in SENTENCES:
                self._answers[sentence, "vector"] = await found(client, sentence, mode="vector")

    async def recovers_from(self, damage: Callable[[], object]) -> None:
        """Damage the store while no daemon runs: the next one makes it whole, and answers as before."""
        await self.daemon.stop()
        damage()
        await self.daemon.start()
        async with self.daemon.client() as client:
            await until(lambda: is_ready(client, self.tree.root))
            status = await workspace(client, self.tree.root)
            assert (status.files, status.embedded, status.problems) == (80, status.chunks, [])
            for (query, mode), expected in self._answers.items():
                assert (await found(client, query, mode=mode))[: len(expected)] == expected

    @property
    def store(self) -> Path:
        (store,) = self.daemon.stores()
        return store


@pytest.fixture(scope="module")
def intact() -> Iterator[Indexed]:
    """Indexed once: what each test damages, it also has seen rebuilt."""
    with private_home() as daemon:
        index = Indexed(daemon)
        trio.run(index.index)
        yield index


def mutate(path: Path, seed: int) -> None:
    """Overwrite 64 bytes somewhere in the file."""
    data = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(max(1, len(data) - 64))
    data[at : at + 64] = bytes(byte ^ 0xFF for byte in data[at : at + 64])
    path.write_bytes(data)


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def every_file_of(folder: str, seed: int) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        for number, path in enumerate(files_of(store / folder)):
            mutate(path, seed + number)

    return damage


def without(folder: str) -> Callable[[Path], None]:
    return lambda store: shutil.rmtree(store / folder)


def truncated(folder: str) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        for path in files_of(store / folder):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


DAMAGES = {
    "keywords mutated": every_file_of("keywords", 1),
    "keywords mutated elsewhere": every_file_of("keywords", 2),
    "keywords truncated": truncated("keywords"),
    "keywords lost": without("keywords"),
    "vectors mutated": every_file_of("vectors", 3),
    "vectors truncated": truncated("vectors"),
    "vectors lost": without("vectors"),
    "catalog's header mutated": lambda store: overwrite(store / "catalog.sqlite3", at=0),
    "catalog's pages mutated": lambda store: overwrite_pages(store / "catalog.sqlite3"),
    "catalog lost": lambda store: (store / "catalog.sqlite3").unlink(),
}


def overwrite(path: Path, *, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * 512)


def overwrite_pages(path: Path) -> None:
    """Every fourth page after the first, so that whichever table is read, damage is met."""
    for at in range(4096, path.stat().st_size, 4 * 4096):
        overwrite(path, at=at)


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_file_is_rebuilt_with_no_new_embedding(intact: Indexed, name: str) -> None:
    cached = intact.daemon.cached_vectors()
    await intact.recovers_from(lambda: DAMAGES[name](intact.store))
    assert intact.daemon.cached_vectors() == cached


async def test_a_damaged_catalog_is_kept_for_whoever_wants_to_know_why(intact: Indexed) -> None:
    for kept in intact.store.glob("catalog.sqlite3.damaged*"):
        kept.unlink()
    await intact.recovers_from(lambda: overwrite(intact.store / "catalog.sqlite3", at=0))
    assert len(list(intact.store.glob("catalog.sqlite3.damaged*"))) == 1


@pytest.mark.parametrize("name", ["pages", "header", "lost"])
async def test_a_damaged_embedding_cache_costs_embeddings_and_nothing_else(intact: Indexed, name: str) -> None:
    (cache,) = intact.daemon.paths.home.glob("embeddings/*.sqlite3")

    def damage() -> None:
        shutil.rmtree(intact.store / "vectors")  # now only the cache could tell the vectors
        if name == "lost":
            cache.unlink()
        elif name == "pages":
            overwrite_pages(cache)
        else:
            overwrite(cache, at=0)

    await intact.recovers_from(damage)
    cached = intact.daemon.cached_vectors()
    await intact.recovers_from(lambda: None)
    assert intact.daemon.cached_vectors() == cached


async def test_pages_damaged_while_the_daemon_runs_are_noticed_by_those_who_read_them(intact: Indexed) -> None:
    daemon, root = intact.daemon, intact.tree.root
    await daemon.restart()  # so that few pages are cached
    async with daemon.client() as client:
        await until(lambda: is_ready(client, root))
        overwrite_pages(intact.store / "catalog.sqlite3")
        names = intact.tree.identifiers(20)
        notices: list[str] = []

        async def finds_everything() -> bool:
            results = {name: await client.search(name) for name in names}
            notices.extend(notice for result in results.values() for notice in result.notices)
            await workspace(client, root)  # answers, whatever it meets
            return all(result.hits and name in result.hits[0].content for name, result in results.items())

        assert not await finds_everything()
        await until(finds_everything)
        assert any("damaged and is being rebuilt" in notice for notice in notices)
        assert await is_ready(client, root)
