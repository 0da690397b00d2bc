"""Places that a query names, and the files that they mean."""

import pytest

from lucastrad.search.places import Place, files_meant, places


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/lib/python3.11/trio/_run.py", line 1117, in x', [Place("/lib/python3.11/trio/_run.py", 1117)]),
        ("src/a.c:12: error: no such thing", [Place("src/a.c", 12)]),
        ("src/a.c:12:34: error", [Place("src/a.c", 12)]),
        ("    at run (/app/x/y.js:12:34)", [Place("/app/x/y.js", 12)]),
        ("\tat org.example.Basket.total(Basket.java:42)", [Place("Basket.java", 42)]),
        ("a.ts(12,5): error TS2322", [Place("a.ts", 12)]),
        ("C:\\src\\app\\main.py:3 and ./b/c.go", [Place("/src/app/main.py", 3), Place("b/c.go")]),
        ('File "C:\\my project\\a.py", line 12', [Place("/my project/a.py", 12)]),
        ("../../src/a.py:5", [Place("src/a.py", 5)]),
        ("conf/app.unknown:12", [Place("conf/app.unknown", 12)]),
        ("time.sleep(5), np.zeros(3), 127.0.0.1:8080, foo.bar:0", []),
        ("see https://nodejs.org/api/index.html", []),
        ("what does mypy/checker.py do?", [Place("mypy/checker.py")]),
        ("checker.py", [Place("checker.py")]),
        ("where is pyproject.toml read", []),
        ("explain self.total and Basket.total, e.g. in v1.2.3", []),
        ("a/b.unknown", []),
        ("", []),
    ],
)
def test_places_with_lines_and_files_with_folders_are_taken(text: str, expected: list[Place]) -> None:
    assert list(places(text)) == expected


def test_of_many_places_the_first_and_the_last_are_taken() -> None:
    named = places("\n".join(f'File "f{n}.py", line {n}' for n in range(1, 101)))
    assert [place.line for place in named] == [*range(1, 9), *range(93, 101)]


@pytest.mark.parametrize(
    ("place", "paths", "expected"),
    [
        ("/usr/lib/trio/_core/_run.py", ["_run.py", "trio/_core/_run.py", "other/_run.py"], ["trio/_core/_run.py"]),
        ("_core/_run.py", ["trio/_core/_run.py", "other/_run.py"], ["trio/_core/_run.py"]),
        ("utils/index.js", ["index.js", "packages/foo/utils/index.js"], ["packages/foo/utils/index.js"]),
        ("src/a.py", ["src/a.py", "deep/src/a.py"], ["src/a.py"]),
        ("src/a.py", ["lib/a.py"], []),
        ("repository/src/a.py", ["src/a.py", "a.py"], ["src/a.py"]),
        ("/home/ada/proj/setup.py", ["setup.py", "proj/setup.py"], ["setup.py"]),
        ("/home/ada/proj/gone.py", ["sub/gone.py"], []),
        ("/app/main.py", ["main.py"], ["main.py"]),
        ("/usr/lib/python3/site-packages/foo/main.py", ["main.py"], []),
        ("a.py", ["b/a.py", "c/a.py"], ["b/a.py", "c/a.py"]),
        ("__init__.py", ["a/__init__.py", "b/__init__.py", "c/__init__.py", "d/__init__.py"], []),
    ],
)
def test_a_place_means_the_files_that_end_as_it_does(place: str, paths: list[str], expected: list[str]) -> None:
    assert files_meant(Place(place), paths, "/home/ada/proj") == expected


def test_a_path_below_another_workspace_means_no_file_of_this_one() -> None:
    roots = ("/home/ada/proj", "/home/ada/other")
    assert files_meant(Place("/home/ada/other/src/a.py"), ["src/a.py"], roots[0], roots) == []
    assert files_meant(Place("/home/ada/other/src/a.py"), ["src/a.py"], roots[1], roots) == ["src/a.py"]
    assert files_meant(Place("/elsewhere/src/a.py"), ["src/a.py"], roots[0], roots) == ["src/a.py"]
