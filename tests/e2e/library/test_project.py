"""One small project, from its first index to its removal, over the client library."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from lucastra_protocol.errors import ErrorCode, LucAstraError
from real_daemon import RealDaemon, found, indexed, private_home, write
from shop import SHOP

pytestmark = [pytest.mark.slow, pytest.mark.trio]

FILES = SHOP | {
    "README.md": "# Shop\n\nSells things over the network.\n\n## Refunds\n\nMoney goes back within a week.\n",
    "shop/orders.py": (
        "class Order:\n"
        '    """What a customer has bought."""\n\n'
        "    def total_price(self):\n"
        "        return sum(line.price for line in self.lines)\n"
    ),
    "web/client.ts": "export async function fetchWithRetry(url: string) {\n  return await fetch(url);\n}\n",
    "web/image.png": b"\x89PNG\r\n\x1a\n\0\0\0",
    "node_modules/left-pad/index.js": "module.exports = function leftPad() {}\n",
    "build.log": "",
}


@pytest.fixture(scope="module")
def shop() -> Iterator[RealDaemon]:
    """A daemon that has indexed the project."""
    with private_home() as daemon:
        write(daemon.folder / "shop", FILES)

        async def start() -> None:
            await daemon.start()
            async with daemon.client() as client:
                result = await client.index(daemon.folder / "shop")
                assert result.workspace.state == "ready"
                assert result.indexed_files == result.workspace.files == 5
                assert result.workspace.languages == {"python": 3, "markdown": 1, "typescript": 1}

        trio.run(start)
        yield daemon


def root(daemon: RealDaemon) -> Path:
    return daemon.folder / "shop"


@pytest.mark.parametrize(
    ("mode", "query", "first"),
    [
        ("keyword", "retry_with_backoff", "shop/retry.py"),
        ("keyword", "customer buy", "shop/basket.py"),
        ("vector", "wait longer after each failure and try again", "shop/retry.py"),
        ("vector", "give customers their money back", "README.md"),
        ("hybrid", "how are failed calls repeated?", "shop/retry.py"),
        ("hybrid", "Order.total_price", "shop/orders.py"),
        ("hybrid", "fetchWithRetry", "web/client.ts"),
    ],
)
async def test_each_mode_finds_what_it_is_for(shop: RealDaemon, mode: str, query: str, first: str) -> None:
    async with shop.client() as client:
        assert (await found(client, query, mode=mode))[0] == first


async def test_a_hit_is_the_lines_of_its_file_and_explains_its_score(shop: RealDaemon) -> None:
    async with shop.client() as client:
        result = await client.search("retry_with_backoff", explain=True)
    hit = result.hits[0]
    start, end = hit.range.lines()
    assert hit.content.splitlines() == FILES["shop/retry.py"].splitlines()[start - 1 : end]
    assert (hit.symbol, hit.kind, hit.language) == ("retry_with_backoff", "function", "python")
    assert hit.uri == (root(shop) / "shop" / "retry.py").as_uri()
    assert hit.workspace == str(root(shop))
    assert hit.components.keys() >= {"vector", "keyword", "symbol"}
    assert hit.score == pytest.approx(sum(hit.components.values()))
    assert result.freshness == "fresh"


async def test_filters_leave_only_what_they_name(shop: RealDaemon) -> None:
    async with shop.client() as client:
        query = "total price of what a customer retries"
        assert set(await found(client, query, languages=["typescript"])) == {"web/client.ts"}
        assert set(await found(client, "money over the network", languages=["Markdown"])) == {"README.md"}
        assert set(await found(client, query, paths=["shop/*.py", "!basket.py"])) == {
            "shop/retry.py",
            "shop/orders.py",
        }
        assert set(await found(client, query, paths=["!*.py"])) <= {"README.md", "web/client.ts"}
        assert set(await found(client, query, workspaces=[root(shop) / "web"])) == {"web/client.ts"}
        assert await found(client, query, paths=["nowhere/"]) == []
        assert await found(client, query, languages=["cobol"]) == []


async def test_the_best_passage_of_each_file_comes_before_second_ones(shop: RealDaemon) -> None:
    async with shop.client() as client:
        paths = await found(client, "customer total price", limit=50)
    assert len(set(paths)) == 5
    assert len(set(paths[:5])) == 5


async def test_related_passages_leave_out_the_place_itself(shop: RealDaemon) -> None:
    async with shop.client() as client:
        related = await client.related(root(shop) / "shop" / "basket.py", line=8)
        assert related.hits[0].path == "shop/orders.py"
        assert ("shop/basket.py", "Basket.total_price") not in {(hit.path, hit.symbol) for hit in related.hits}
        with pytest.raises(LucAstraError, match="is not indexed") as refused:
            await client.related(root(shop) / "web" / "image.png")
        assert refused.value.code == ErrorCode.WORKSPACE_NOT_FOUND


async def test_a_question_is_answered_with_numbered_citations_that_exist(shop: RealDaemon) -> None:
    async with shop.client() as client:
        answer = await client.ask("how are failed calls repeated?", limit=3)
    assert answer.answer is None
    assert "to configure one" in answer.notices[0]
    assert [citation.number for citation in answer.citations] == [1, 2, 3]
    assert answer.citations[0].hit.path == "shop/retry.py"
    for citation in answer.citations:
        start, end = citation.hit.range.lines()
        lines = (root(shop) / citation.hit.path).read_text().splitlines()
        assert 1 <= start <= end <= len(lines)


async def test_every_file_has_a_state_and_what_was_left_out_a_reason(shop: RealDaemon) -> None:
    async with shop.client() as client:
        files = await indexed(client, root(shop))
        assert {path for path, file in files.items() if file.status == "indexed"} == {
            "README.md", "shop/retry.py", "shop/basket.py", "shop/orders.py", "web/client.ts"
        }  # fmt: skip
        skipped = await indexed(client, root(shop), skipped_only=True)
        assert skipped.keys() == {"web/image.png", "node_modules/", "build.log"}
        assert all(file.reason for file in skipped.values())
        page = await client.files(root(shop), offset=2, limit=3)
        assert (page.total, [file.path for file in page.files]) == (len(files), sorted(files)[2:5])


async def test_a_removed_workspace_leaves_nothing_but_the_files(shop: RealDaemon) -> None:
    broken = '{"search": {"limit": "three"}}'
    other = write(shop.folder / "other", {"only.py": "def only_here():\n    return 1\n", ".lucastra.json": broken})
    async with shop.client() as client:
        await client.index(other)
        assert await found(client, "only_here") != []
        assert any("search.limit" in problem for problem in (await client.config()).problems)
        assert await client.remove(other) == str(other)
        assert (await client.config()).problems == []
        assert "only.py" not in await found(client, "only_here")
        assert [status.root for status in await client.workspaces()] == [str(root(shop))]
        assert len(shop.stores()) == 1
        assert (other / "only.py").exists()
        with pytest.raises(LucAstraError, match="in no workspace"):
            await client.search("x", workspaces=[other])
