"""Definitions by name: what matches, in which order, and where it is said to stand."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from lucastrad.indexing.definitions import definitions_job
from lucastrad.search.symbols import Symbol, SymbolService, rank
from lucastrad.storage.catalog import Catalog
from lucastrad.storage.records import IndexedFile
from lucastrad.storage.sqlite import StoreCorrupt
from lucastrad.types import Chunk, FileState, Stat
from lucastrad.workers import Job, WorkerDied


@pytest.mark.parametrize(
    ("query", "best_first"),
    [
        (
            "config",
            ["config", "config_path", "load_config", "loadConfig", "reconfigure", "cow_in_fig"],
        ),
        ("lc", ["lc", "lcd", "load_config", "alc", "look_back"]),
        ("loadConfig", ["loadConfig", "loadconfig", "loadConfigs"]),
        ("total", ["total", "Basket.total", "subtotal"]),
        ("Basket.tot", ["Basket.total", "Basket.subtotal"]),
        ("std::sort", ["std.sort", "std.sorted"]),
        ("http server", ["HTTPServer", "HttpServerError"]),
    ],
)
def test_the_better_a_query_names_a_symbol_the_higher_it_ranks(query: str, best_first: list[str]) -> None:
    ranks = {symbol: rank(query, symbol) for symbol in best_first}
    assert sorted(best_first, key=lambda symbol: ranks[symbol] or (99,)) == best_first, ranks


@pytest.mark.parametrize(("query", "symbol"), [("gfc", "config"), ("totals", "total"), ("a.b", "ab")])
def test_letters_out_of_order_do_not_match(query: str, symbol: str) -> None:
    assert rank(query, symbol) is None


def definition(symbol: str, line: int, text: str, kind: str = "function") -> Chunk:
    return Chunk(line, line + text.count("\n"), 0, len(text), text, symbol, kind)


def catalog_of(path: Path, files: dict[str, list[Chunk]]) -> Catalog:
    catalog = Catalog(path)
    catalog.commit(
        [
            IndexedFile(
                name, FileState.INDEXED, "", "python", Stat(1, 1, 1, 1), b"", chunks, [b"key"] * len(chunks), []
            )
            for name, chunks in files.items()
        ]
    )
    return catalog


class FakeIndexer:
    def __init__(self, root: Path, catalog: Any) -> None:
        self.root = root
        self.ready = trio.Event()
        self.ready.set()
        self.store = SimpleNamespace(catalog=catalog)
        self.corrupt = False

    def report_corruption(self) -> None:
        self.corrupt = True


class FakeWorkers:
    """Runs jobs in this process, or tells that no worker is free, or what one died of."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, bytes]] = []
        self.is_free = True
        self.failure: Exception | None = None

    async def run_short(self, job: Job, request: bytes, *, wait_seconds: float, timeout_seconds: float) -> bytes | None:
        if not self.is_free:
            await trio.sleep(wait_seconds)
            return None
        self.jobs.append((job, request))
        if self.failure is not None:
            raise self.failure
        return job(request)


def service(*indexers: FakeIndexer, workers: Any = None) -> SymbolService:
    workspaces: Any = SimpleNamespace(all=lambda: list(indexers))
    return SymbolService(workspaces, workers or FakeWorkers())


FILES = {
    "src/config.py": [
        definition("load_config", 3, "# load_config is old\n@cached\ndef load_config():\n    ...\n"),
        definition("load_config", 9, "more of it", kind="block"),
        definition("Loading", 20, "Loading the configuration", kind="section"),
    ],
    "lib/basket.py": [
        definition("Basket", 1, "class Basket:\n    ...\n", kind="class"),
        definition("Basket.load_50%", 5, "odd", kind="method"),
    ],
}


def named(symbols: Sequence[Symbol]) -> list[str]:
    return [symbol.name for symbol in symbols]


@pytest.mark.trio
async def test_definitions_are_found_where_their_names_stand(tmp_path: Path) -> None:
    indexer = FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", FILES))
    (found,) = await service(indexer).find("ldcfg", [], limit=9)
    assert (found.path, found.line, found.before, found.name) == ("src/config.py", 5, "def ", "load_config")


@pytest.mark.trio
async def test_signs_of_the_database_are_plain_letters(tmp_path: Path) -> None:
    indexer = FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", FILES))
    assert named(await service(indexer).find("50%", [], limit=9)) == ["load_50%"]
    assert named(await service(indexer).find("d_c", [], limit=9)) == ["load_config"]
    assert named(await service(indexer).find("\\", [], limit=9)) == []


@pytest.mark.trio
async def test_an_empty_query_lists_definitions_within_the_limit(tmp_path: Path) -> None:
    indexer = FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", FILES))
    assert named(await service(indexer).find("", [], limit=2)) == ["Basket", "load_config"]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ([], ["load_config", "load_50%"]),
        ([""], ["load_config", "load_50%"]),
        ([".."], ["load_config", "load_50%"]),
        (["lib"], ["load_50%"]),
        (["lib", "lib/deeper"], ["load_50%"]),
        (["lib", "src"], ["load_config", "load_50%"]),
        (["../elsewhere"], []),
    ],
)
async def test_folders_narrow_what_is_found(tmp_path: Path, folders: list[str], expected: list[str]) -> None:
    root = tmp_path / "project"
    root.mkdir()
    indexer = FakeIndexer(root, catalog_of(tmp_path / "catalog", FILES))
    found = await service(indexer).find("load", [root / folder for folder in folders], limit=9)
    assert named(found) == expected


@pytest.mark.trio
async def test_parts_come_by_workspace_and_stay_within_the_limit(tmp_path: Path) -> None:
    indexers = [FakeIndexer(tmp_path / name, catalog_of(tmp_path / f"{name}.db", FILES)) for name in "abc"]
    parts: list[list[str]] = []

    async def take(part: Sequence[Symbol]) -> None:
        parts.append(named(part))

    await service(*indexers).find("load", [], limit=3, found=take)
    assert parts == [["load_config", "load_50%"], ["load_config"]]


@pytest.mark.trio
async def test_the_best_of_all_workspaces_comes_first(tmp_path: Path) -> None:
    plain = {"a.py": [definition("load", 1, "def load(): ...")]}
    indexers = [
        FakeIndexer(tmp_path / "a", catalog_of(tmp_path / "a.db", FILES)),
        FakeIndexer(tmp_path / "b", catalog_of(tmp_path / "b.db", plain)),
    ]
    assert named(await service(*indexers).find("load", [], limit=2)) == ["load", "load_config"]


@pytest.mark.trio
async def test_a_damaged_workspace_is_reported_and_the_others_answer(tmp_path: Path) -> None:
    class Damaged:
        def definitions(self, *arguments: Any, **options: Any) -> Any:
            raise StoreCorrupt("a page")

    damaged = FakeIndexer(tmp_path / "a", Damaged())
    opening = FakeIndexer(tmp_path / "b", None)
    opening.ready = trio.Event()
    sound = FakeIndexer(tmp_path / "c", catalog_of(tmp_path / "c.db", FILES))
    assert named(await service(damaged, opening, sound).find("Basket", [], limit=1)) == ["Basket"]
    assert damaged.corrupt


@pytest.mark.trio
async def test_definitions_that_share_a_chunk_are_found_as_well(tmp_path: Path) -> None:
    text = (
        "    class Basket:\n"
        "        # total_price is cached\n"
        "        @property\n"
        "        def total_price(self): return 1\n"
        "        SIZE = 5\n"
    )
    files = {"src/shop.py": [definition("Shop.Basket", 11, text, kind="class")]}
    indexer = FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", files))
    (found,) = await service(indexer).find("price", [], limit=9)
    assert (found.container, found.name, found.kind) == ("Shop.Basket", "total_price", "method")
    assert (found.line, found.before) == (14, "        def ")
    assert named(await service(indexer).find("basket", [], limit=9))[0] == "Basket"
    assert named(await service(indexer).find("Basket.SIZE", [], limit=9)) == ["SIZE"]
    assert named(await service(indexer).find("size", [tmp_path / "lib"], limit=9)) == []


SHARED = {
    "src/shop.py": [
        definition("Basket", 1, "class Basket:\n    def total_price(self):\n        return 1\n", kind="class")
    ]
}


@pytest.mark.trio
async def test_what_shares_a_chunk_is_cut_by_a_worker_and_once(tmp_path: Path) -> None:
    workers = FakeWorkers()
    symbols = service(FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", SHARED)), workers=workers)
    for query in ("pri", "pric", "price"):
        assert named(await symbols.find(query, [], limit=9)) == ["total_price"]
    assert [job for job, _ in workers.jobs] == [definitions_job]


@pytest.mark.trio
async def test_without_a_free_worker_the_names_of_chunks_are_found_and_the_rest_the_next_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    workers = FakeWorkers()
    workers.is_free = False
    files = {**SHARED, "src/price.py": [definition("price_list", 1, "def price_list(): ...")]}
    symbols = service(FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", files)), workers=workers)
    began = trio.current_time()
    assert named(await symbols.find("price", [], limit=9)) == ["price_list"]
    assert trio.current_time() - began < 1
    workers.is_free = True
    assert named(await symbols.find("price", [], limit=9)) == ["price_list", "total_price"]


@pytest.mark.trio
async def test_a_passage_that_kills_its_worker_is_not_tried_with_every_letter_but_again_later(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    workers = FakeWorkers()
    workers.failure = WorkerDied("the worker process died")
    symbols = service(FakeIndexer(tmp_path, catalog_of(tmp_path / "catalog", SHARED)), workers=workers)
    assert named(await symbols.find("pri", [], limit=9)) == []
    assert named(await symbols.find("price", [], limit=9)) == []
    assert named(await symbols.find("bas", [], limit=9)) == ["Basket"]
    assert len(workers.jobs) == 1
    workers.failure = None
    await trio.sleep(61)
    assert named(await symbols.find("price", [], limit=9)) == ["total_price"]
