"""What a scan lists, what it skips and why, and that single checks agree with it."""

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import candidates, plant, reasons

from lucastrad.workspace.scanner import (
    Candidate,
    Checked,
    Entry,
    ScanRules,
    Skipped,
    check,
    decides_about_others,
    folders,
    scan,
)


def rows(root: Path, rules: ScanRules | None = None) -> set[Entry]:
    return set(scan(str(root), rules or ScanRules()))


def checked(root: Path, *paths: str) -> dict[str, list[Entry]]:
    return {row.path: row.entries for row in check(str(root), ScanRules(), paths)}


def test_a_candidate_carries_the_stat_that_decides_whether_it_is_read_again(root: Path) -> None:
    plant(root, {"src/a.py": "x = 1\n"})
    (found,) = scan(str(root), ScanRules())
    info = (root / "src/a.py").stat()
    assert isinstance(found, Candidate)
    assert found.path == "src/a.py"
    assert (found.stat.size_bytes, found.stat.mtime_ns, found.stat.ctime_ns, found.stat.inode) == (
        6, info.st_mtime_ns, info.st_ctime_ns, info.st_ino,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("files", "skipped", "reason"),
    [
        ({".git/HEAD": "x"}, ".git/", "version control"),
        ({"web/node_modules/a/b.js": "x"}, "web/node_modules/", "vendored dependencies"),
        ({"env/pyvenv.cfg": "x", "env/lib/a.py": "x"}, "env/", "virtual environment"),
        ({"out/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55"}, "out/", "cache"),
        ({"Cargo.toml": "x", "target/debug/a.rs": "x"}, "target/", "build output"),
        ({"App.csproj": "x", "obj/a.cs": "x"}, "obj/", "build output"),
        ({"go.mod": "x", "vendor/a.go": "x"}, "vendor/", "vendored dependencies"),
        ({"pkg.egg-info/PKG-INFO": "x"}, "pkg.egg-info/", "build output"),
        ({"poetry.lock": "x"}, "poetry.lock", "lock file"),
        ({"locale/de.po": "x"}, "locale/de.po", "translation catalog"),
        ({"package-lock.json": "x"}, "package-lock.json", "lock file"),
        ({"logo.PNG": "x"}, "logo.PNG", "binary"),
        ({"app.js.map": "x"}, "app.js.map", "source map"),
        ({"jquery.min.js": "x"}, "jquery.min.js", "minified"),
        ({"api_pb2.py": "x"}, "api_pb2.py", "generated"),
        ({"empty.py": ""}, "empty.py", "empty"),
        ({"big.py": "x" * 1_000_001}, "big.py", "larger than 1,000,000 bytes"),
        ({".env.local": "x"}, ".env.local", "secret file"),
    ],
)
def test_what_is_not_indexed_is_listed_once_with_its_reason(
    root: Path, files: dict[str, str], skipped: str, reason: str
) -> None:
    plant(root, files)
    assert reasons(root) == {skipped: reason}


@pytest.mark.parametrize("path", ["target/a.rs", "vendor/models.py", "build/rules.py", "src/env/a.py", "obj/a.c"])
def test_ambiguous_folder_names_are_source_unless_a_tool_is_at_work_beside_them(root: Path, path: str) -> None:
    plant(root, {path: "x"})
    assert candidates(root) == {path}


def test_links_are_never_followed(root: Path, tmp_path: Path) -> None:
    plant(tmp_path, {"outside/secret.py": "x"})
    plant(root, {"a.py": "x", "sub/": ""})
    (root / "file").symlink_to("a.py")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "slash").symlink_to("/")
    (root / "sub" / "up").symlink_to("..")
    (root / "broken").symlink_to("nowhere")
    assert candidates(root) == {"a.py"}
    assert reasons(root) == dict.fromkeys(["file", "out", "slash", "sub/up", "broken"], "symbolic link")


def test_what_is_not_a_regular_file_is_skipped_unopened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(root / "fifo")
    monkeypatch.chdir(root)  # socket addresses are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert reasons(root) == {"fifo": "not a regular file", "socket": "not a regular file"}


def test_names_that_are_not_utf8_are_shown_readably(root: Path) -> None:
    raw = os.fsencode(root)
    Path(os.fsdecode(raw + b"/d\xff")).mkdir()
    Path(os.fsdecode(raw + b"/d\xff/a.py")).write_text("x")
    Path(os.fsdecode(raw + b"/f\xfe.py")).write_text("x")
    plant(root, {"größe.py": "x"})
    assert candidates(root) == {"größe.py"}
    assert reasons(root) == {"d\\xff/": "name is not UTF-8", "f\\xfe.py": "name is not UTF-8"}
    msgspec.msgpack.encode(list(rows(root)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_skipped(root: Path) -> None:
    plant(root, {"closed/a.py": "x"})
    (root / "closed").chmod(0)
    assert reasons(root) == {"closed/": "not readable: permission denied"}


def dig(root: Path, name: str, depth: int) -> None:
    """Nest folders, further than a path can tell."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("a.py", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def test_a_tree_deeper_than_a_path_can_be_ends_in_a_reason(root: Path) -> None:
    dig(root, "d" * 200, 30)
    (reason,) = reasons(root).values()
    assert reason == "not readable: file name too long"


def test_a_thousand_nested_folders_need_no_recursion(root: Path) -> None:
    dig(root, "d", 1_500)
    try:
        assert reasons(root) == {"d/" * 1_500 + "a.py": "empty"}
    finally:
        subprocess.run(["rm", "-rf", root / "d"], check=True)  # shutil.rmtree would recurse


def test_workspaces_of_their_own_are_not_entered(root: Path) -> None:
    plant(root, {"inner/a.py": "x", "b.py": "x"})
    found = set(scan(str(root), ScanRules(), {str(root / "inner"), str(root.parent / "other")}))
    assert {e.path for e in found} == {"inner/", "b.py"}
    assert Skipped("inner/", "a workspace of its own") in found


def test_a_missing_root_is_an_error_not_an_empty_workspace(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(scan(str(root / "gone"), ScanRules()))
    with pytest.raises(FileNotFoundError):
        list(check(str(root / "gone"), ScanRules(), ["a"]))


def test_generated_files_can_be_asked_for(root: Path) -> None:
    plant(root, {"a_pb2.py": "x", "a.min.js": "x", "b_pb2.py": "x", ".lucastraignore": "!b_pb2.py\n!a.min.js\n"})
    assert candidates(root, ScanRules(include_generated=True)) >= {"a_pb2.py", "b_pb2.py"}
    wanted = {e.path: e.wanted for e in rows(root) if isinstance(e, Candidate)}
    assert wanted["b_pb2.py"] and wanted["a.min.js"] and not wanted[".lucastraignore"]


def test_rows_survive_the_way_to_another_process(root: Path) -> None:
    plant(root, {"a.py": "x", "b.png": "x"})
    row = Checked("", list(rows(root)))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=Checked) == row


def test_checking_a_file_tells_only_about_it(root: Path) -> None:
    plant(root, {"src/a.py": "x", "src/b.py": "x"})
    (row,) = [e for e in rows(root) if e.path == "src/a.py"]
    assert checked(root, "src/a.py") == {"src/a.py": [row]}


def test_checking_what_is_gone_answers_with_nothing(root: Path) -> None:
    plant(root, {"src/a.py": "x", "file": "x"})
    assert checked(root, "src/gone.py", "no/such/folder", "file/below") == {
        "src/gone.py": [], "no": [], "file": [e for e in rows(root) if e.path == "file"],
    }  # fmt: skip


def test_checking_a_folder_walks_it(root: Path) -> None:
    plant(root, {"new/a.py": "x", "new/deep/b.py": "x", "old.py": "x"})
    assert {e.path for e in checked(root, "new", "new/a.py")["new"]} == {"new/a.py", "new/deep/b.py"}


def test_checking_inside_a_skipped_folder_answers_for_the_folder(root: Path) -> None:
    plant(root, {"node_modules/a/b.js": "x"})
    assert checked(root, "node_modules/a/b.js") == {"node_modules": [Skipped("node_modules/", "vendored dependencies")]}


@pytest.mark.parametrize("name", [".gitignore", ".lucastraignore", "pyvenv.cfg", ".git"])
def test_checking_a_file_that_rules_its_folder_checks_the_folder(root: Path, name: str) -> None:
    plant(root, {"sub/a.py": "x", f"sub/{name}": "x"})
    assert list(checked(root, f"sub/{name}")) == ["sub"]


def test_checking_a_project_file_checks_the_output_folders_beside_it(root: Path) -> None:
    plant(root, {"app/target/a.rs": "x", "app/Cargo.toml": "x"})
    assert checked(root, "app/Cargo.toml")["app/target"] == [Skipped("app/target/", "build output")]


def test_a_watcher_watches_what_a_scan_enters(root: Path) -> None:
    plant(
        root, {"a/b/x.py": "x", "node_modules/c/y.js": "x", "ignored/z.py": "x", ".gitignore": "ignored/\n", "e/": ""}
    )
    assert set(folders(str(root), ScanRules(), (), [""])) == {"", "a", "a/b", "e"}
    assert folders(str(root), ScanRules(), (), ["a", "ignored", "gone", "node_modules/c"]) == ["a", "a/b"]


_name = st.sampled_from(["a", "b", "a.py", "x.png", "node_modules", ".env", "target", "Cargo.toml", "pyvenv.cfg"])
_tree = st.dictionaries(st.lists(_name, min_size=1, max_size=4).map("/".join), st.sampled_from(["", "x"]), max_size=12)
_lines = st.lists(
    st.sampled_from(["a", "!a", "b/", "*.py", "!*.py", "/a/b", "!node_modules/", "**", "!**/"]), max_size=3
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(files=_tree, git=_lines, own=_lines, place=st.sampled_from(["", "a/", "b/a/"]))
def test_checking_every_path_amounts_to_a_scan(
    files: dict[str, str], git: list[str], own: list[str], place: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, content in files.items():
            try:
                plant(root, {path: content})
            except OSError:
                continue  # a file stands where this path needs a folder
        if (root / place).is_dir():
            plant(root, {place + ".gitignore": "\n".join(git), place + ".lucastraignore": "\n".join(own)})
        every = [path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()]
        scanned = rows(root)
        one_by_one = {entry for path in every for row in check(folder, ScanRules(), [path]) for entry in row.entries}
        together = {entry for row in check(folder, ScanRules(), every) for entry in row.entries}
        assert one_by_one == together
        # an empty folder that is skipped holds no path to check
        assert {e for e in scanned if not (e.path.endswith("/") and not any((root / e.path).rglob("*")))} == together


@pytest.mark.parametrize(
    ("path", "decides"),
    [(".gitignore", True), ("a/.lucastraignore", True), ("a/.git", True), ("a/pyvenv.cfg", True), ("a/x.py", False)],
)
def test_it_is_told_which_paths_decide_about_others(path: str, decides: bool) -> None:
    assert decides_about_others(path) is decides
