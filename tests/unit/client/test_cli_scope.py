"""Which folder becomes the workspace of a place, and which is refused."""

from pathlib import Path

import pytest
from fake_daemon import workspace
from lucastra_client import scope
from lucastra_protocol.errors import LucAstraError


def test_the_project_is_the_git_repository_around_a_folder(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "src" / "pkg"
    deep.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    assert scope.project_root(deep) == tmp_path / "repo"


def test_a_worktree_and_a_submodule_have_a_git_file(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "sub" / "src").mkdir(parents=True)
    (tmp_path / "sub" / ".git").write_text("gitdir: ../.git/modules/sub\n")
    assert scope.project_root(tmp_path / "sub" / "src") == tmp_path / "sub"


def test_outside_of_git_the_project_is_the_folder_itself(tmp_path: Path) -> None:
    assert scope.project_root(tmp_path) == tmp_path


def test_a_place_belongs_to_the_innermost_workspace_that_holds_it() -> None:
    known = [workspace("/src"), workspace("/src/app"), workspace("/src/app-old")]
    for place, root in (("/src/app/lib", "/src/app"), ("/src/app", "/src/app"), ("/src/other", "/src")):
        found = scope.workspace_of(Path(place), known)
        assert found is not None
        assert found.root == root
    assert scope.workspace_of(Path("/elsewhere"), known) is None


def test_the_home_folder_what_holds_it_and_the_file_system_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "people" / "me"
    (home / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for root in (Path("/"), home, home.parent):
        with pytest.raises(LucAstraError, match=f"lucastra-client index {root} --force"):
            scope.refuse_no_project(root, "lucastra-client")
    scope.refuse_no_project(home / "project", "lucastra-client")


@pytest.mark.parametrize("root", ["/etc", "/usr", "/usr/lib", "/var/log", "/proc/1", "/opt", "/root", "/lib"])
def test_folders_of_the_system_are_refused(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LucAstraError, match=f"a folder of the system, .*`lucastra-client index {root} --force"):
        scope.refuse_no_project(Path(root), "lucastra-client")


@pytest.mark.parametrize("root", ["/opt/app", "/usr/src/linux", "/var/www/site", "/srv/app", "/home/me/etc"])
def test_projects_within_folders_of_the_system_are_not(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    scope.refuse_no_project(Path(root), "lucastra-client")


def test_roots_own_home_is_refused_as_a_home_and_its_projects_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/root")
    with pytest.raises(LucAstraError, match="your home folder"):
        scope.refuse_no_project(Path("/root"), "lucastra-client")
    scope.refuse_no_project(Path("/root/project"), "lucastra-client")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("src/", "src/"),
        ("*.py", "*.py"),
        ("/src/", "/src/"),
        ("./src/", "/src/"),
        ("./src/*.py", "/src/*.py"),
        ("!./tests", "!/tests"),
        (".", "*"),
        ("./", "*"),
        (".github/", ".github/"),
        ("{root}", "*"),
        ("{root}/src/", "/src/"),
        ("{root}/.github/**", "/.github/**"),
        ("!{root}/a/../src", "!/src"),
        ("{link}/src/", "/src/"),
    ],
)
def test_a_glob_is_sent_as_from_the_root_of_the_workspace(typed: str, sent: str, tmp_path: Path) -> None:
    root, link = tmp_path / "root", tmp_path / "link"
    root.mkdir()
    link.symlink_to(root)
    known = [workspace(str(root))]
    assert scope.pattern_below_root(typed.format(root=root, link=link), known) == sent


def test_an_absolute_glob_is_refused_where_it_would_mean_another_folder_in_each_workspace() -> None:
    known = [workspace("/a"), workspace("/b")]
    with pytest.raises(LucAstraError, match="lies in /a, and other workspaces are searched too"):
        scope.pattern_below_root("/a/src/", known)
    assert scope.pattern_below_root("./src/", known) == "/src/"


@pytest.mark.parametrize(("path", "message"), [("missing", "there is no folder"), ("file", "is not a folder")])
def test_what_is_no_folder_is_told_by_the_name_that_was_typed(path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LucAstraError, match=message) as raised:
        scope.existing_folder(Path(path), tmp_path)
    assert path in raised.value.message


def test_links_are_followed_so_that_one_folder_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert scope.existing_folder(Path("link"), tmp_path) == tmp_path / "real"


def test_a_loop_of_links_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(LucAstraError):
        scope.existing_folder(Path("a"), tmp_path)
