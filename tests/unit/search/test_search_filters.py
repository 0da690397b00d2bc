"""Which chunks a search may return: by folder, by path pattern, by language."""

import pytest
from lucastra_protocol.errors import ErrorCode, LucAstraError

from lucastrad.search import filters
from lucastrad.search.filters import languages_of, path_filter
from lucastrad.search.service import _outermost
from lucastrad.storage.catalog import Catalog
from lucastrad.storage.records import ChunkSpan, IndexedFile
from lucastrad.types import Chunk, FileState, Stat

FILES = {
    "main.py": "python",
    "src/app.py": "python",
    "src/web/page.ts": "typescript",
    "src/web/page.test.ts": "typescript",
    "src-old/app.py": "python",
    "docs/guide.md": "markdown",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(tmp_path_factory.mktemp("catalog") / "catalog.sqlite3")
    chunks = [Chunk(1, 1, 0, 1, "x", "", "window")] * 2
    stat = Stat(1, 2, 3, 4)
    catalog.commit(
        [
            IndexedFile(path, FileState.INDEXED, "", language, stat, b"", chunks, [b"1", b"2"])
            for path, language in FILES.items()
        ]
    )
    return catalog


def eligible(
    catalog: Catalog, folder: str, paths: tuple[str, ...], languages: tuple[str, ...]
) -> list[ChunkSpan] | None:
    return filters.eligible(catalog, folder, languages_of(languages), paths)


@pytest.mark.parametrize(
    ("folder", "paths", "languages", "expected"),
    [
        ("src", (), (), {"src/app.py", "src/web/page.ts", "src/web/page.test.ts"}),
        ("src/web", (), (), {"src/web/page.ts", "src/web/page.test.ts"}),
        ("", ("*.py",), (), {"main.py", "src/app.py", "src-old/app.py"}),
        ("", ("/*.py",), (), {"main.py"}),
        ("", ("src/",), (), {"src/app.py", "src/web/page.ts", "src/web/page.test.ts"}),
        ("", ("*.ts", "!*.test.ts"), (), {"src/web/page.ts"}),
        ("", ("!*.ts", "!docs/"), (), {"main.py", "src/app.py", "src-old/app.py"}),
        ("", (), ("Python",), {"main.py", "src/app.py", "src-old/app.py"}),
        ("", (), ("py", ".ts"), {"main.py", "src/app.py", "src-old/app.py", "src/web/page.ts", "src/web/page.test.ts"}),
        ("", (), ("markdown", "typescript"), {"docs/guide.md", "src/web/page.ts", "src/web/page.test.ts"}),
        ("src", ("**/page*",), ("typescript",), {"src/web/page.ts", "src/web/page.test.ts"}),
        ("", ("src/", "!src/web/"), (), {"src/app.py"}),
        ("", ("nowhere",), (), set()),
        ("", (), ("cobol",), set()),
    ],
)
def test_filters_name_what_may_be_found(
    catalog: Catalog, folder: str, paths: tuple[str, ...], languages: tuple[str, ...], expected: set[str]
) -> None:
    spans = eligible(catalog, folder, paths, languages)
    assert spans is not None
    assert {chunk.path for span in spans for chunk in catalog.chunks_between(span)} == expected
    assert spans == sorted(spans, key=lambda span: span.first)


def test_no_filter_is_no_list_of_everything(catalog: Catalog) -> None:
    assert eligible(catalog, "", (), ()) is None


@pytest.mark.parametrize("pattern", ["[z-a]", "!", "a/**b\\"])
def test_what_is_no_pattern_is_refused_by_name(pattern: str) -> None:
    try:
        path_filter([pattern])
    except LucAstraError as error:
        assert error.code is ErrorCode.INVALID_PARAMS
        assert repr(pattern) in error.message
    else:
        assert pattern == "a/**b\\", "a pattern that matches nothing may pass, one that cannot be read may not"


@pytest.mark.parametrize(
    ("folders", "expected"),
    [({"a", "a/b"}, ["a"]), ({"a", "ab"}, ["a", "ab"]), ({"", "a"}, [""]), ({"a/b", "a/c"}, ["a/b", "a/c"])],
)
def test_a_folder_within_another_is_searched_once(folders: set[str], expected: list[str]) -> None:
    assert _outermost(folders) == expected
