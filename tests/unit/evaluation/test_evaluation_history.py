"""What git tells of a folder, and what a repository cannot make git do."""

import os
import subprocess
from pathlib import Path

import pytest

from lucastrad.evaluation.history import Commit, parse_log, read_history

RECORD = b"\x1eOne\x1fBody\nmore\n\x1f\0\na.py\0src/\xc3\xa4 b.py\0"


def git(folder: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *person, *arguments], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits; the second touches two files, one of them in `shop/`."""
    git(tmp_path, "init", "-q", ".")
    for subject, names in (("First: begin", ["README.md"]), ("Second: sell\n\nThings.", ["README.md", "shop/a b.py"])):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(subject)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", subject)
    return tmp_path


def test_a_log_is_read_to_commits() -> None:
    assert parse_log(RECORD + b"\x1eTwo\x1f\x1f\0") == [
        Commit("One", "Body", ("a.py", "src/ä b.py")),
        Commit("Two", "", ()),
    ]


def test_the_last_commit_of_a_log_that_was_cut_short_is_left_out() -> None:
    assert [commit.subject for commit in parse_log(RECORD + RECORD[:-4], whole=False)] == ["One"]


@pytest.mark.parametrize("output", [b"", b"warning: something\n", b"\x1eno fields", b"\x1eone\x1ffield"])
def test_what_is_no_log_holds_no_commit(output: bytes) -> None:
    assert parse_log(output) == []


@pytest.mark.trio
async def test_commits_come_newest_first(repository: Path) -> None:
    history = await read_history(repository)
    assert history.problem == ""
    assert history.commits == [
        Commit("Second: sell", "Things.", ("README.md", "shop/a b.py")),
        Commit("First: begin", "", ("README.md",)),
    ]


@pytest.mark.trio
async def test_of_a_folder_in_a_repository_only_its_own_files_are_told(repository: Path) -> None:
    assert (await read_history(repository / "shop")).commits == [Commit("Second: sell", "Things.", ("a b.py",))]


@pytest.mark.trio
async def test_a_folder_without_a_history_says_so(tmp_path: Path) -> None:
    history = await read_history(tmp_path)
    assert history.commits == []
    assert f"{tmp_path} has no git history to ask about" in history.problem


@pytest.mark.trio
async def test_without_the_program_the_problem_names_the_cure(tmp_path: Path) -> None:
    history = await read_history(tmp_path, command=(str(tmp_path / "no-such-git"), "log"))
    assert "`git` cannot be started" in history.problem
    assert "install it" in history.problem


@pytest.mark.trio
async def test_a_repository_cannot_have_git_start_its_programs(repository: Path) -> None:
    ran = repository.parent / f"{repository.name}-ran"
    program = repository / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("* diff=evil\n")
    for key, value in {
        "log.showSignature": "true",
        "gpg.program": str(program),
        "core.fsmonitor": str(program),
        "core.pager": str(program),
        "diff.external": str(program),
        "diff.evil.textconv": str(program),
    }.items():
        git(repository, "config", key, value)
    # A commit that bears a signature is what would start the checker.
    raw = subprocess.run(["git", "cat-file", "commit", "HEAD"], cwd=repository, check=True, capture_output=True).stdout
    head, _, message = raw.partition(b"\n\n")
    signature = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n xx\n -----END PGP SIGNATURE-----"
    signed = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
        cwd=repository, input=head + signature + b"\n\n" + message, check=True, capture_output=True,
    ).stdout.decode().strip()  # fmt: skip
    (repository / ".git" / "HEAD").write_text(signed)
    assert [commit.subject for commit in (await read_history(repository)).commits] == ["Second: sell", "First: begin"]
    assert not ran.exists()
