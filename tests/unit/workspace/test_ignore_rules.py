"""Ignore files mean what they mean to git, and `.lucastraignore` has the last word."""

import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import candidates, plant, reasons

from lucastrad.workspace.ignore import Base, Matcher, Tier, parse_rules
from lucastrad.workspace.scanner import ScanRules


@pytest.mark.parametrize(
    ("line", "matches", "misses"),
    [
        ("a.py", ["a.py", "x/a.py"], ["ba.py", "a.pyx"]),
        ("*.log", ["b.log", "x/.log"], ["log", "a.log.txt"]),
        ("/a.py", ["a.py"], ["x/a.py"]),
        ("x/a.py", ["x/a.py"], ["y/x/a.py"]),
        ("**/x/a.py", ["x/a.py", "y/x/a.py"], ["xx/a.py"]),
        ("x/**", ["x/a", "x/y/a"], ["x"]),
        ("x/**/a", ["x/a", "x/y/z/a"], ["xa"]),
        ("x/*", ["x/a"], ["x/y/a", "x"]),
        ("[ab]?.c", ["a1.c", "x/b2.c"], ["c1.c", "a.c"]),
        ("[[:digit:]]*", ["1.txt"], ["a.txt"]),
        ("[!a]b", ["cb"], ["ab"]),
        ("\\#x", ["#x"], ["x"]),
        ("\\!x", ["!x"], ["x"]),
        ("a b ", ["a b"], ["a b "]),
        ("a\\ ", ["a "], ["a"]),
        ("a.py\r", ["a.py"], []),
        ("*", ["a", "x/y"], []),
    ],
)
def test_a_pattern_matches_what_git_matches(line: str, matches: list[str], misses: list[str]) -> None:
    matcher = Matcher(parse_rules(line, Tier.GIT, ".gitignore"))
    assert [path for path in matches if matcher.file(path.rpartition("/")[2], path) is None] == []
    assert [path for path in misses if matcher.file(path.rpartition("/")[2], path) is not None] == []


@pytest.mark.parametrize("line", ["", "# comment", "   ", "/", "!", "!/", "a[", "\\", "[z-a]"])
def test_a_line_that_git_discards_matches_nothing(line: str) -> None:
    matcher = Matcher(parse_rules(line, Tier.GIT, ".gitignore"))
    assert matcher.file("a", "a") is None


def test_a_pattern_with_a_slash_is_relative_to_its_file_above_the_workspace() -> None:
    rules = parse_rules("/web/dist.js\n/dist.js\nweb/*.tmp", Tier.GIT, "above", Base(outside="web/"))
    matcher = Matcher(rules)
    assert matcher.file("dist.js", "dist.js") is rules[0]
    assert matcher.file("a.tmp", "a.tmp") is rules[1]
    assert matcher.file("a.tmp", "deeper/a.tmp") is None


def test_deeper_files_win_and_lucastraignore_wins_over_all(root: Path) -> None:
    plant(root, {
        ".gitignore": "*.txt\nlogs/\n",
        "a.txt": "x", "sub/.gitignore": "!keep.txt\n", "sub/keep.txt": "x", "sub/other.txt": "x",
        "logs/a.md": "x", "api/node_modules/lib/index.js": "x", "api/package.json": "{}",
        ".lucastraignore": "!a.txt\n!logs/\nsub/keep.txt\n!node_modules/\n",
    })  # fmt: skip
    assert candidates(root) - {".gitignore", ".lucastraignore", "sub/.gitignore"} == {
        "a.txt", "logs/a.md", "api/node_modules/lib/index.js", "api/package.json",
    }  # fmt: skip
    assert reasons(root)["sub/keep.txt"] == "ignored by .lucastraignore"
    assert reasons(root)["sub/other.txt"] == "ignored by .gitignore"


def test_patterns_of_the_configuration_stand_between_git_and_lucastraignore(root: Path) -> None:
    plant(root, {".gitignore": "a.md\n", ".lucastraignore": "!c.md", "a.md": "x", "b.md": "x", "c.md": "x"})
    rules = ScanRules(extra_ignore=("*.md", "!a.md"))
    assert candidates(root, rules) >= {"a.md", "c.md"}
    assert reasons(root, rules)["b.md"] == "ignored by the configuration"


def test_gits_negation_does_not_bring_vendored_code_back(root: Path) -> None:
    plant(root, {".gitignore": "*\n!*/\n!*.js\n", "a.js": "x", "node_modules/b.js": "x"})
    assert candidates(root) == {"a.js"}


def test_git_ignore_files_can_be_switched_off(root: Path) -> None:
    plant(root, {".gitignore": "a.md\n", ".lucastraignore": "b.md\n", "a.md": "x", "b.md": "x"})
    found = candidates(root, ScanRules(follow_ignore_files=False))
    assert "a.md" in found
    assert "b.md" not in found


@pytest.mark.parametrize("secret", [".env", "key.pem", "id_rsa", ".git/config"])
def test_nothing_brings_secrets_and_version_control_back(root: Path, secret: str) -> None:
    plant(root, {".lucastraignore": "!.git/\n!**\n!.env\n!*.pem\n!id_rsa\n", secret: "x", "a.py": "x"})
    assert secret not in candidates(root)
    assert "a.py" in candidates(root)


def test_global_and_repository_excludes_apply(root: Path, own_git_settings: Path, git: Callable[..., str]) -> None:
    git("init")
    plant(own_git_settings, {".config/git/ignore": "global.md\n"})
    plant(root, {".git/info/exclude": "excluded.md\n", "global.md": "x", "excluded.md": "x", "a.md": "x"})
    assert candidates(root) == {"a.md"}
    assert reasons(root)["global.md"] == "ignored by core.excludesFile"


def test_the_excludes_file_is_where_git_is_told_it_is(root: Path, own_git_settings: Path, tmp_path: Path) -> None:
    plant(tmp_path, {"elsewhere": "a.md\n"})
    plant(own_git_settings, {".gitconfig": f"[core]\n\texcludesFile = {tmp_path}/elsewhere\n"})
    plant(root, {"a.md": "x", "b.md": "x"})
    assert candidates(root) == {"b.md"}


def test_a_subfolder_of_a_repository_obeys_the_rules_above_it(root: Path, git: Callable[..., str]) -> None:
    git("init")
    plant(
        root, {".gitignore": "*.tmp\n/web/out.js\nweb/\n", "web/src/a.tmp": "x", "web/out.js": "x", "web/src/b.js": "x"}
    )
    assert candidates(root / "web") == {"src/b.js"}


def test_a_nested_repository_has_rules_of_its_own(root: Path, git: Callable[..., str]) -> None:
    git("init")
    git("init", "inner")
    plant(root, {
        ".gitignore": "*.txt\n", "a.txt": "x", "inner/a.txt": "x", "inner/b.md": "x", "inner/c.md": "x",
        "inner/.gitignore": "/b.md\n", "inner/.git/info/exclude": "c.md\n",
    })  # fmt: skip
    assert candidates(root) == {".gitignore", "inner/.gitignore", "inner/a.txt"}


def test_a_linked_work_tree_obeys_the_excludes_of_its_repository(root: Path, git: Callable[..., str]) -> None:
    plant(root, {"main/a.md": "x"})
    git("init", cwd=root / "main")
    git("add", ".", cwd=root / "main")
    git("commit", "-m", "first", cwd=root / "main")
    git("worktree", "add", "../linked", cwd=root / "main")
    plant(root, {"main/.git/info/exclude": "*.tmp\n", "linked/x.tmp": "x"})
    assert candidates(root) == {"main/a.md", "linked/a.md"}
    assert candidates(root / "linked") == {"a.md"}
    assert reasons(root)["linked/.git"] == "version control"


def test_an_ignored_nested_repository_is_not_entered(root: Path, git: Callable[..., str]) -> None:
    git("init", "inner")
    plant(root, {".gitignore": "inner/\n", "inner/a.md": "x"})
    assert candidates(root) == {".gitignore"}
    assert reasons(root)["inner/"] == "ignored by .gitignore"


def test_hostile_ignore_files_do_no_harm(root: Path) -> None:
    import os

    plant(root, {"a/.gitignore": b"\xff\xfe\0*.md\n", "b/": b"", "c/.gitignore": "x" * 2_000_000, "d/a.md": "x"})
    os.mkfifo(root / "b" / ".gitignore")
    (root / "d" / ".gitignore").symlink_to("/etc/passwd")
    (root / "e").mkdir()
    (root / "e" / ".git").write_text("gitdir: /dev/zero\n")
    assert "d/a.md" in candidates(root)


_names = st.sampled_from(["a", "b", "ab", "a.c", "b.c", "#a", "x y"])
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_segments = st.sampled_from(["a", "b", "a*", "*", "*.c", "?", "[ab]", "[!a]", "**", "x y", "\\#a", "b.?"])
_patterns = st.builds(
    lambda negation, anchor, segments, end: negation + anchor + "/".join(segments) + end,
    st.sampled_from(["", "", "!"]), st.sampled_from(["", "/"]),
    st.lists(_segments, min_size=1, max_size=3), st.sampled_from(["", "", "/"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    paths=st.lists(_paths, min_size=1, max_size=10),
    ignores=st.dictionaries(
        st.sampled_from(["", "a/", "a/b/"]), st.lists(_patterns, min_size=1, max_size=4), min_size=1, max_size=3
    ),
)
def test_git_itself_agrees(empty_repository: Path, paths: list[str], ignores: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(empty_repository / ".git", root / ".git")
        for path in paths:
            # a path that runs through a file of this tree cannot be made; the others suffice
            through = any((root / part).is_file() for part in itertools.accumulate(path.split("/"), "{}/{}".format))
            if not through and not (root / path).exists():
                plant(root, {path: "x"})
        for place, patterns in ignores.items():
            if (root / place).is_dir():
                plant(root, {place + ".gitignore": "\n".join(patterns)})
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert candidates(root) == set(listed.split("\0")) - {""}
