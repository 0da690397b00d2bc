"""Searches over open buffers: what was typed is found and marked, what was removed is not, and the file comes back."""

import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio
from in_process import ThreadPool
from lucastra_protocol.errors import LucAstraError
from test_search_spaces import LetterEmbedder

from lucastrad.embeddings.cache import EmbeddingCache
from lucastrad.embeddings.spaces import EmbeddingSpaces
from lucastrad.indexing.workspaces import WorkspaceService
from lucastrad.search.buffers import BufferCutter, Editor, LiveBuffers
from lucastrad.search.overlay import LiveFile
from lucastrad.search.ranking import CANDIDATES
from lucastrad.search.service import SearchService
from lucastrad.types import Hit, SearchMode, SearchQuery, StoredChunk, VectorSpace
from lucastrad.workspace.events import ListFolders
from lucastrad.workspace.scanner import ScanRules
from lucastrad.workspace.watcher import Watcher, no_source

pytestmark = pytest.mark.trio

SPACE = VectorSpace("local", "letters", 26)
FILES = {
    "alpha.py": "def yellow_lamp():\n    return 'shared'\n",
    "beta.py": "def purple_chair():\n    return 'shared'\n",
    "docs/guide.md": "# Guide\n\nA shared page.\n",
    ".gitignore": "ignored/\n",
    "ignored/gamma.py": "def gamma_three(): pass\n",
    "settings.env": "TOKEN=1\n",
    "empty.py": "",
}


@dataclass
class Desk:
    """A user's daemon, with the project open in an editor."""

    root: Path
    home: Path
    workspaces: WorkspaceService
    buffers: LiveBuffers
    search: SearchService
    editor: Editor
    _typed: int = 0

    async def find(self, text: str, mode: SearchMode = SearchMode.KEYWORD, limit: int = 10, **where: Any) -> list[Hit]:
        return (await self.search.find(SearchQuery(text, mode=mode, limit=limit, **where))).hits

    async def paths(self, text: str, mode: SearchMode = SearchMode.KEYWORD, **where: Any) -> list[tuple[str, bool]]:
        """(path, whether it is unsaved) of each hit."""
        return [(hit.chunk.path, hit.unsaved) for hit in await self.find(text, mode, **where)]

    async def type(self, path: str, text: str) -> None:
        """Edit a document, and wait until it is searched."""
        self.editor.changed(self.root / path, text)
        await until(lambda: any(file.path == path and _holds(file, text) for file in self.buffers.files(self.root)))

    async def type_in_vain(self, path: str, text: str) -> None:
        """Edit a document that is not to be searched, and wait until that was decided."""
        self.editor.changed(self.root / path, text)
        self._typed += 1
        await self.type("alpha.py", f"{FILES['alpha.py']}# {self._typed}\n")


def _holds(file: Any, text: str) -> bool:
    return "".join(chunk.text for chunk in file.chunks).strip() == text.strip() and len(file.vectors) == len(
        set(file.keys)
    )


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    with trio.fail_after(30):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await trio.sleep(0.01)


def _open_watcher(root: str, list_folders: ListFolders) -> Watcher:
    return Watcher(root, list_folders, open_source=no_source)


@asynccontextmanager
async def desk_with(tmp_path: Path, files: dict[str, str]) -> AsyncIterator[Desk]:
    root, home = tmp_path.resolve() / "project", tmp_path / "home"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    embedder = LetterEmbedder(SPACE)
    embedder.gate.set()
    embeddings = EmbeddingSpaces(embedder, lambda space: EmbeddingCache(home / "embeddings", space, max_bytes=1 << 24))
    pool: Any = ThreadPool()
    workspaces = WorkspaceService(
        home,
        pool=pool,
        builders=pool,
        embeddings=embeddings,
        rules_for=lambda _: ScanRules(),
        open_watcher=_open_watcher,
    )
    buffers = LiveBuffers(BufferCutter(workspaces, embeddings, pool=pool, rules_for=lambda _: ScanRules()))
    search = SearchService(workspaces, embeddings, buffers=buffers)
    async with trio.open_nursery() as nursery:
        await nursery.start(workspaces.run)
        await nursery.start(buffers.run)
        await workspaces.index(root, wait=True)
        yield Desk(root, home, workspaces, buffers, search, buffers.editor())
        nursery.cancel_scope.cancel()
    embeddings.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_with(tmp_path, FILES) as desk:
        yield desk


@pytest.mark.parametrize("mode", SearchMode)
async def test_a_buffer_stands_in_the_place_of_its_file(desk: Desk, mode: SearchMode) -> None:
    await desk.type("alpha.py", "\n\ndef zebra_crossing():\n    return 'shared'\n")
    (hit, *others) = await desk.find("zebra crossing", mode)
    assert (hit.chunk.path, hit.unsaved, hit.chunk.symbol) == ("alpha.py", True, "zebra_crossing")
    assert "zebra_crossing" in hit.chunk.text
    assert hit.chunk.start_line == 3
    assert all(other.chunk.path != "alpha.py" and not other.unsaved for other in others)
    assert "yellow_lamp" not in str([hit.chunk.text for hit in await desk.find("yellow lamp shared", mode)])
    # Of files that no editor has changed, nothing is another.
    assert ("beta.py", False) in await desk.paths("purple chair shared", mode)


async def test_closing_without_saving_restores_the_file(desk: Desk) -> None:
    await desk.type("alpha.py", "def zebra_crossing(): pass\n")
    assert await desk.paths("yellow_lamp") == []
    desk.editor.closed(desk.root / "alpha.py")
    assert await desk.paths("zebra_crossing") == []
    assert await desk.paths("yellow_lamp") == [("alpha.py", False)]


async def test_an_emptied_buffer_hides_its_file(desk: Desk) -> None:
    await desk.type("alpha.py", "")
    assert await desk.paths("yellow_lamp") == []
    assert sorted(await desk.paths("shared")) == [("beta.py", False), ("docs/guide.md", False)]


async def test_files_that_are_not_there_yet_or_empty_are_found_by_their_buffers(desk: Desk) -> None:
    await desk.type("docs/new.py", "def zebra_crossing(): pass\n")
    await desk.type("empty.py", "def giraffe_gate(): pass\n")
    assert await desk.paths("zebra_crossing") == [("docs/new.py", True)]
    assert await desk.paths("giraffe_gate") == [("empty.py", True)]


async def test_a_saved_buffer_is_marked_no_more_and_then_costs_nothing(desk: Desk) -> None:
    await desk.type("alpha.py", "def zebra_crossing(): pass\n")
    (desk.root / "alpha.py").write_text("def zebra_crossing(): pass\n")
    desk.editor.saved(desk.root / "alpha.py")
    assert ("alpha.py", True) in await desk.paths("zebra_crossing")  # until the index has seen it
    await desk.workspaces.index(desk.root, wait=True)
    assert await desk.paths("zebra_crossing") == [("alpha.py", False)]
    assert desk.buffers.files(desk.root) == []


async def test_line_ends_and_a_missing_last_one_are_no_edit(desk: Desk) -> None:
    (desk.root / "alpha.py").write_bytes(b"\xef\xbb\xbfdef yellow_lamp():\r\n    return 1\n\r\n    # end")
    await desk.workspaces.index(desk.root, wait=True)
    desk.editor.opened(desk.root / "alpha.py", "def yellow_lamp():\n    return 1\n\n    # end\n")
    await desk.type("beta.py", "def beta_four(): pass\n")
    assert [file.path for file in desk.buffers.files(desk.root)] == ["beta.py"]


KEPT_OUT = [
    ("ignored/gamma.py", "def zebra_crossing(): pass\n"),
    ("ignored/new.py", "def zebra_crossing(): pass\n"),
    ("settings.env", "zebra_crossing=1\n"),
    ("id_rsa", "zebra_crossing\n"),
    ("node_modules/x/index.js", "function zebra_crossing() {}\n"),
    ("nowhere/deep/new.py", "def zebra_crossing(): pass\n"),
    ("../elsewhere.py", "def zebra_crossing(): pass\n"),
    ("beta.py", "zebra_crossing\n-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 8 + "\n"),
    ("beta.py", "# @generated\nzebra_crossing = 1\n"),
    ("beta.py", "zebra_crossing \0 binary\n"),
    ("beta.py", "zebra_crossing = 1\n" * 60_000),
]


async def test_what_keeps_a_file_out_keeps_its_buffer_out(desk: Desk) -> None:
    for path, text in KEPT_OUT:
        await desk.type_in_vain(path, text)
        assert await desk.paths("zebra_crossing") == [], (path, text[:80])
    assert await desk.paths("purple_chair") == [("beta.py", False)]  # a buffer that is turned down hides nothing


async def test_filters_hold_for_buffers(desk: Desk) -> None:
    await desk.type("docs/new.py", "def zebra_crossing(): pass\n")
    found = [("docs/new.py", True)]
    assert await desk.paths("zebra_crossing", folders=(str(desk.root / "docs"),)) == found
    assert await desk.paths("zebra_crossing", folders=(str(desk.root / "src"),)) == []
    assert await desk.paths("zebra_crossing", paths=("*.py",)) == found
    assert await desk.paths("zebra_crossing", paths=("!docs/",)) == []
    assert await desk.paths("zebra_crossing", languages=("python",)) == found
    assert await desk.paths("zebra_crossing", languages=("markdown",)) == []


async def test_other_files_are_found_although_a_buffer_hides_all_the_best(tmp_path: Path) -> None:
    functions = "".join(f"def shared_{n}():\n" + "    shared_name()\n" * 30 + "\n\n" for n in range(CANDIDATES + 40))
    async with desk_with(tmp_path, {"large.py": functions, "small.py": "# shared_name, once\n"}) as desk:
        before = await desk.find("shared_name", limit=100)
        assert {hit.chunk.path for hit in before} == {"large.py"} or before[-1].chunk.path == "small.py"
        await desk.type("large.py", "nothing = 1\n")
        assert await desk.paths("shared_name") == [("small.py", False)]


async def test_a_buffer_scores_what_its_file_scores_once_it_is_saved(desk: Desk) -> None:
    text = "def shared_two():\n    return 'shared', beta\n"
    await desk.type("alpha.py", text)
    query = "where is the shared beta"
    typed = {hit.chunk.path: hit.components for hit in await desk.find(query, SearchMode.HYBRID)}
    (desk.root / "alpha.py").write_text(text)
    await desk.workspaces.index(desk.root, wait=True)
    saved = {hit.chunk.path: hit.components for hit in await desk.find(query, SearchMode.HYBRID)}
    assert typed["alpha.py"].keys() == saved["alpha.py"].keys()
    assert typed["alpha.py"]["vector"] == pytest.approx(saved["alpha.py"]["vector"], abs=1e-5)
    # The words of the file count until the buffer takes its place in the index.
    assert typed["alpha.py"]["keyword"] == pytest.approx(saved["alpha.py"]["keyword"], rel=0.25)


async def test_the_one_passage_with_a_rare_word_is_first_wherever_it_stands(tmp_path: Path) -> None:
    near = {f"near/n{n}.py": f"def where_used_{n}():\n    return 'where is it used'\n" for n in range(CANDIDATES + 30)}
    (common, rare), question = ("x = 'qqq'\n", "x = retry_budget\n"), "where is retry_budget used"
    async with desk_with(tmp_path, near | {"far.py": rare + "# and this here was read\n", "typed.py": common}) as desk:

        async def first(**where: Any) -> tuple[str, bool, bool]:
            hit = (await desk.find(question, SearchMode.HYBRID, **where))[0]
            assert "vector" in hit.components
            return hit.chunk.path, hit.unsaved, "rare" in hit.components

        assert await first() == ("far.py", False, True)
        assert (await first(paths=("near/",)))[2] is False
        await desk.type("far.py", common)
        await desk.type("typed.py", rare)
        assert await first() == ("typed.py", True, True)


async def test_the_passage_that_raises_a_pasted_message_is_first_wherever_it_stands(tmp_path: Path) -> None:
    words = "quota overflowed before the oldest ledger entry could be evicted"
    count = len(words.split())
    near = {
        f"near/n{n}.py": f"def quota_{n}():\n    {' = '.join(random.Random(n).sample(words.split(), count))}\n"
        for n in range(CANDIDATES + 30)
    }
    raised, silent = f"def far():\n    raise ValueError('{words}')\n", "def typed():\n    return 'qqq'\n"
    async with desk_with(tmp_path, near | {"far.py": raised, "typed.py": silent}) as desk:

        async def first(**where: Any) -> tuple[str, bool]:
            hit = (await desk.find(f"ValueError: {words}", SearchMode.HYBRID, **where))[0]
            assert "vector" in hit.components
            return hit.chunk.path, hit.unsaved

        assert await first() == ("far.py", False)
        assert (await first(paths=("near/",)))[0].startswith("near/")
        await desk.type("far.py", silent)
        await desk.type("typed.py", raised)
        assert await first() == ("typed.py", True)


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.KEYWORD])
async def test_the_passage_that_holds_a_pasted_line_is_first_wherever_it_stands(
    tmp_path: Path, mode: SearchMode
) -> None:
    line = "total = price * count + rebate;"
    near = {f"near/n{n}.py": f"def total_{n}(price, count, rebate):\n    return 1\n" for n in range(CANDIDATES)}
    alike = {"alike.py": "def alike():\n    total = price * count / rebate;  # total = price, count + rebate\n"}
    holds, silent = f"def far():\n    {line}\n" + "    other()\n" * 30, "def typed():\n    return 'qqq'\n"
    async with desk_with(tmp_path, near | alike | {"far.py": holds, "typed.py": silent}) as desk:

        async def first(query: str, **where: Any) -> tuple[str, bool, bool]:
            hit = (await desk.find(query, mode, **where))[0]
            return hit.chunk.path, hit.unsaved, "verbatim" in hit.components

        for query in (line, line.replace(" ", ""), f"where is `{line}`"):
            assert await first(query) == ("far.py", False, True)
            assert (await first(query, paths=("near/",)))[2] is False
        await desk.type("far.py", silent)
        await desk.type("typed.py", holds)
        assert await first(line) == ("typed.py", True, True)


async def test_the_passage_at_a_place_that_the_query_names_is_first(tmp_path: Path) -> None:
    functions = [f"def step_{n}():\n" + f"    work({n})\n" * 40 + "\n\n" for n in range(9)]
    long = "".join(functions)
    line = long[: long.index("def step_7")].count("\n") + 3
    async with desk_with(tmp_path, {"src/long.py": long, "other/long.py": "work = 1\n", "a.py": "work = 2\n"}) as desk:

        async def first(query: str, **where: Any) -> tuple[str, bool, int]:
            hit = (await desk.find(query, SearchMode.HYBRID, **where))[0]
            return hit.chunk.path, "place" in hit.components, hit.chunk.start_line

        for query in (
            f"src/long.py:{line}",
            f'Traceback:\n  File "/home/ada/p/src/long.py", line {line}, in step_7\n    work(7)\nValueError: no work',
            f"why does C:\\p\\src\\long.py({line},5) work",
        ):
            path, pointed, start = await first(query)
            assert (path, pointed) == ("src/long.py", True)
            assert 0 <= line - start < 60
        assert await first("src/long.py") == ("src/long.py", True, 1)
        assert (await first(f"src/long.py:{line}", paths=("other/",)))[:2] == ("other/long.py", False)
        await desk.type("a.py", "typed = 1\n")
        typed = (await desk.find("a.py:1", SearchMode.HYBRID))[0]
        assert (typed.chunk.path, typed.unsaved) == ("a.py", True)


async def test_related_passages_of_a_place_in_a_buffer(desk: Desk) -> None:
    await desk.type("alpha.py", "x = 1\n\n\ndef beta_like():\n    return 'shared', 'purple chair'\n")
    outcome = await desk.search.related(desk.root / "alpha.py", 4, SearchQuery(""))
    assert outcome.hits[0].chunk.path == "beta.py"
    assert all("beta_like" not in hit.chunk.text for hit in outcome.hits)
    found = await desk.search.related(desk.root / "beta.py", 1, SearchQuery(""))
    assert ("alpha.py", True) in [(hit.chunk.path, hit.unsaved) for hit in found.hits]
    await desk.type("alpha.py", "")
    with pytest.raises(LucAstraError, match="is not indexed"):
        await desk.search.related(desk.root / "alpha.py", 1, SearchQuery(""))


async def test_related_passages_are_those_of_one_version_of_a_buffer_although_somebody_types(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "def beta_like():\n    return 'shared', 'purple chair'\n"
    await desk.type("alpha.py", text)
    files, versions = desk.buffers.files, iter(range(100))

    def typed_at_every_look(root: Path) -> list[LiveFile]:
        """Each time a new version, whose chunks have ids of their own."""
        return [replace(live, chunks=_numbered(live, -1000 * next(versions) - 1000)) for live in files(root)]

    monkeypatch.setattr(desk.buffers, "files", typed_at_every_look)
    outcome = await desk.search.related(desk.root / "alpha.py", 1, SearchQuery(""))
    assert outcome.hits
    assert "alpha.py" not in [hit.chunk.path for hit in outcome.hits], "a passage is not related to itself"


def _numbered(live: LiveFile, first: int) -> tuple[StoredChunk, ...]:
    return tuple(replace(chunk, id=first - number) for number, chunk in enumerate(live.chunks))


async def test_nothing_of_a_buffer_reaches_the_disk(desk: Desk) -> None:
    (cache,) = (desk.home / "embeddings").glob("*.sqlite3")

    def cached() -> int:
        with closing(sqlite3.connect(cache)) as connection:
            (rows,) = connection.execute("SELECT count(*) FROM vectors").fetchone()
            return int(rows)

    before = cached()
    await desk.type("alpha.py", "password = 'hunter2_was_here'\n")
    assert (await desk.paths("hunter2_was_here", SearchMode.HYBRID))[0] == ("alpha.py", True)
    assert cached() == before
    for file in desk.home.rglob("*"):
        assert not file.is_file() or b"hunter2_was_here" not in file.read_bytes(), file


async def test_a_buffer_is_judged_again_when_ignore_rules_change_and_nobody_types(desk: Desk) -> None:
    await desk.type("docs/new.py", "def zebra_crossing(): pass\n")
    (desk.root / ".gitignore").write_text("ignored/\nnew.py\n")
    await desk.workspaces.index(desk.root, wait=True)
    await until(lambda: desk.buffers.files(desk.root) == [])
    assert await desk.paths("zebra_crossing") == []
    (desk.root / ".gitignore").write_text("ignored/\n")
    await desk.workspaces.index(desk.root, wait=True)
    await until(lambda: len(desk.buffers.files(desk.root)) == 1)
    assert await desk.paths("zebra_crossing") == [("docs/new.py", True)]


async def test_a_buffer_is_found_once_its_folder_becomes_a_workspace_and_not_after_it_was_one(desk: Desk) -> None:
    other = desk.root.parent / "other"
    other.mkdir()
    await desk.type_in_vain("../other/new.py", "def zebra_crossing(): pass\n")
    await desk.workspaces.index(other, wait=True)
    await until(lambda: len(desk.buffers.files(other)) == 1)
    assert await desk.paths("zebra_crossing") == [("new.py", True)]
    await desk.workspaces.remove(other)
    await until(lambda: desk.buffers.files(other) == [])
    assert await desk.paths("zebra_crossing") == []


async def test_a_folder_that_an_editor_has_just_opened_is_waited_for(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path.resolve() / "other"
    other.mkdir()
    (other / "arrived.py").write_text("def arrived():\n    return 1\n")
    where = {"folders": (str(other),)}
    with pytest.raises(LucAstraError, match="in no workspace"):
        await desk.find("arrived", **where)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.workspaces.attach, other)
        await desk.find("arrived", **where)
    await desk.workspaces.index(other, wait=True)
    assert await desk.paths("arrived", **where) == [("arrived.py", False)]


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.KEYWORD])
async def test_a_name_is_found_as_it_is_typed_and_one_that_is_defined_is_that_one_only(
    tmp_path: Path, mode: SearchMode
) -> None:
    noise = {f"n{n}.py": f"def other_{n}():\n    return ledger_{n}\n" for n in range(CANDIDATES)}
    names = ("parse_ledger_file", "openBasketEntries", "Sessions", "retry_call")
    files = {f"{name.lower()}.txt.py": f"def {name}():\n    return 1\n" for name in names}
    async with desk_with(tmp_path, noise | files) as desk:

        async def first(typed: str) -> tuple[str, float]:
            hit = (await desk.find(typed, mode))[0]
            return hit.chunk.symbol, hit.components.get("named", 0.0)

        for typed, name in {
            "parseledgerfile": "parse_ledger_file",
            "parse_legder_file": "parse_ledger_file",
            "parse-ledger-file": "parse_ledger_file",
            "parse_ledger_": "parse_ledger_file",
            "Ledger.parse_ledger_fil": "parse_ledger_file",
            "openbasketentries": "openBasketEntries",
            "open_basket_entries": "openBasketEntries",
            "openBasketEnties": "openBasketEntries",
            "sessions": "Sessions",
        }.items():
            symbol, named = await first(typed)
            assert (symbol, named > 0) == (name, True), typed
        assert await first("retry_call") == ("retry_call", 0.0)
        assert (await first("ledger_7"))[1] == 0.0  # a variable, spelled right
        await desk.type("typed.py", "def settle_account():\n    return 1\n")
        assert (await first("settleacount"))[0] == "settle_account"
        assert await first("settle_account") == ("settle_account", 0.0)


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.KEYWORD])
async def test_who_calls_a_function_is_answered_by_its_callers_of_any_file(tmp_path: Path, mode: SearchMode) -> None:
    steps = "    step(1)\n" * 40
    noise = {f"n{n}.py": f"def who_calls_{n}():\n    return calls_{n}\n" for n in range(CANDIDATES)}
    files = {
        "ledger.py": "def settle_account(a):\n    return a\n\n\ndef other():\n    return 1\n",
        "day.py": f"def close_day():\n    settle_account(1)\n{steps}\n\n"
        f"def open_day():\n    settle_account(2)\n{steps}",
        "docs.md": "# Accounts\n\nThey are settled by settle_account.\n",
    }
    async with desk_with(tmp_path, noise | files) as desk:

        async def answer(**where: Any) -> list[str]:
            hits = await desk.find("who calls settle_account?", mode, **where)
            return [hit.chunk.symbol for hit in hits if "uses" in hit.components]

        assert set((await answer())[:2]) == {"close_day", "open_day"}
        assert "settle_account" not in await answer()
        assert await answer(paths=("n1.py",)) == []
        await desk.type("day.py", "def close_day():\n    return 1\n")
        await desk.type("night.py", "def close_night():\n    settle_account(3)\n")
        assert (await answer())[0] == "close_night"
        assert "open_day" not in await answer()


async def test_what_is_quoted_is_words_in_a_buffer_too(desk: Desk) -> None:
    await desk.type("typed.py", "class ValidationError:\n    pass\n")
    hits = await desk.find('where is "on error" handled')
    assert not any("verbatim" in hit.components for hit in hits)


async def test_a_name_that_was_renamed_does_not_keep_its_likes_from_being_found(desk: Desk) -> None:
    await desk.type("new.py", "def parse_config():\n    return 1\n")
    (desk.root / "old.py").write_text("def parse_confg():\n    return 1\n")
    await desk.workspaces.index(desk.root, wait=True)
    assert await desk.paths("parseconfg", limit=1) == [("old.py", False)]
    await desk.type("old.py", "def other():\n    return 1\n")
    assert await desk.paths("parseconfg", limit=1) == [("new.py", True)]


async def test_parts_of_one_definition_do_not_fill_the_page_of_its_name(tmp_path: Path) -> None:
    long = "def giantFunction():\n" + "".join(f"    step_{n}(giantfunction_{n})\n" for n in range(2000))
    calls = {f"n{n}.py": "def run():\n    giantFunction()\n" for n in range(8)}
    async with desk_with(tmp_path, calls | {"long.py": long}) as desk:
        paths = [path for path, _ in await desk.paths("GiantFunction")]
        assert paths[0] == "long.py"
        assert len(set(paths)) == 9


async def test_a_name_that_one_workspace_defines_is_no_misspelt_one_of_another(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path.resolve() / "other"
    other.mkdir()
    (other / "near.py").write_text("def retry_calls():\n    return 1\n")
    (desk.root / "exact.py").write_text("def retry_call():\n    return 1\n")
    for root in (other, desk.root):
        await desk.workspaces.index(root, wait=True)
    (first, *others) = await desk.find("retry_call")
    assert first.chunk.path == "exact.py"
    assert not any("named" in hit.components for hit in others)
