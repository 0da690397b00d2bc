"""The commands against a fake daemon: what they ask of it, what they tell, and how they exit."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import Answer, fake_daemon, hit, workspace
from lucastra_client import open_client
from lucastra_client.arguments import parse
from lucastra_client.commands import COMMANDS
from lucastra_client.shell import Shell, renderer_for
from lucastra_protocol import types as wire
from lucastra_protocol.answers import ProvidersResult
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths

pytestmark = pytest.mark.trio


@dataclass
class Ran:
    """What one command line did."""

    code: int
    out: str
    err: str
    requests: list[tuple[str, Any]]

    def asked(self, method: str) -> list[Any]:
        """The params of every request of a method."""
        return [params for name, params in self.requests if name == method]


async def run(cwd: Path, line: list[str], answers: Mapping[str, Answer]) -> Ran:
    """Run a command line in `cwd` against a daemon that gives `answers`."""
    arguments = parse(line)
    out, err = io.StringIO(), io.StringIO()
    async with fake_daemon(answers, INDEX_PROGRESS) as (daemon, stream):

        async def stop() -> bool:
            return True

        shell = Shell(
            arguments,
            cwd,
            Paths(home=cwd / "home", run=cwd / "run"),
            out,
            err,
            show=renderer_for(arguments, cwd, out),
            open=lambda: open_client(stream=stream),
            open_running=lambda: open_client(stream=stream),
            stop=stop,
        )
        try:
            code = await COMMANDS[arguments.command](shell)
        except LucAstraError as raised:
            error = raised
        else:
            return Ran(code, out.getvalue(), err.getvalue(), daemon.requests)
    raise error  # outside of the fake daemon's nursery, which would wrap it in a group


def known(*workspaces: wire.WorkspaceStatus) -> wire.WorkspacesResult:
    return wire.WorkspacesResult(workspaces=list(workspaces))


INDEX_PROGRESS = (
    "scanning",
    "embedding: 0 of 9 chunks",
    "scanning",
    "embedding: 1 of 12 chunks",
    "embedding: 9 of 12 chunks",
)
FOUND = wire.SearchResult(hits=[hit()])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository that is not the home folder, with `src/pkg` in it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    (root / "src" / "pkg").mkdir(parents=True)
    (root / ".git").mkdir()
    return root


# --- what a query covers -------------------------------------------------------------------------


async def test_a_search_in_a_subfolder_covers_the_whole_workspace_at_once(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/search": FOUND}
    ran = await run(project / "src" / "pkg", ["search", "x"], answers)
    assert ran.code == 0
    assert ran.asked("lucastra/search")[0].workspaces == [str(project)]
    assert ran.asked("lucastra/index") == []


async def test_an_unknown_repository_is_indexed_from_its_top_with_a_line_per_phase(project: Path) -> None:
    ran = await _search_unknown(project / "src" / "pkg", ["search", "x"], workspace(str(project), skipped=2))
    assert ran.code == 0
    assert [params.path for params in ran.asked("lucastra/index")] == [str(project)]
    assert ran.asked("lucastra/search")[0].workspaces == [str(project)]
    scanning, embedding, done = ran.err.splitlines()
    assert scanning == f"indexing {project}: scanning"
    assert embedding == f"indexing {project}: embedding"
    assert done.startswith(f"lucastra-client: indexed {project}: 3 files, 12 passages, 2 skipped")


async def test_quiet_leaves_standard_error_empty(project: Path) -> None:
    ran = await _search_unknown(project, ["search", "-q", "x"], workspace(str(project)))
    assert (ran.code, ran.err) == (0, "")


async def test_a_folder_with_nothing_to_index_is_told_and_exits_1(project: Path) -> None:
    empty = workspace(str(project), files=0, chunks=0, embedded=0)
    ran = await _search_unknown(project, ["search", "x"], empty)
    assert ran.code == 1
    assert ran.asked("lucastra/search") == []
    assert f"there is nothing to index in {project}\n" in ran.err
    ran = await _search_unknown(project, ["ask", "--json", "x"], empty)
    assert (ran.code, json.loads(ran.out)["citations"]) == (1, [])


async def test_a_folder_whose_files_are_all_skipped_is_told_with_the_reasons(project: Path) -> None:
    rows = [wire.FileStatus(path=".git/", status="skipped", reason="version control")]
    rows += [wire.FileStatus(path=f"{name}.bin", status="skipped", reason="binary") for name in "abcde"]
    files = {"lucastra/files": wire.FilesResult(files=rows, total=len(rows))}
    empty = workspace(str(project), files=0, chunks=0, embedded=0, skipped=6)
    ran = await _search_unknown(project, ["search", "x"], empty, **files)
    assert ran.code == 1
    assert "; skipped: a.bin (binary), b.bin (binary), c.bin (binary) and 2 more\n" in ran.err
    only_git = {"lucastra/files": wire.FilesResult(files=rows[:1], total=1)}
    assert "there is nothing to index" in (await _search_unknown(project, ["search", "x"], empty, **only_git)).err


async def test_a_folder_that_was_indexed_on_the_way_for_nothing_is_forgotten_again(project: Path) -> None:
    empty = workspace(str(project), files=0, chunks=0, embedded=0)
    ran = await _search_unknown(project, ["search", "x"], empty)
    assert [params.path for params in ran.asked("lucastra/removeWorkspace")] == [str(project)]
    asked_for = {"lucastra/workspaces": known(empty)}
    assert (await run(project, ["search", "x"], asked_for)).asked("lucastra/removeWorkspace") == []
    indexed = {"lucastra/workspaces": known(), "lucastra/index": wire.IndexResult(workspace=empty)}
    assert (await run(project, ["index"], indexed)).asked("lucastra/removeWorkspace") == []


async def test_a_first_indexing_that_is_under_way_is_waited_for(project: Path) -> None:
    begun = workspace(str(project), state="indexing", freshness="stale", chunks=0, embedded=0)
    ran = await _search_unknown(project, ["search", "x"], workspace(str(project)), known(begun))
    assert ran.asked("lucastra/index")[0].path == str(project)
    assert ran.code == 0


async def test_no_index_refuses_an_unknown_folder_with_the_cure(project: Path) -> None:
    with pytest.raises(LucAstraError, match=f"lucastra-client index {project}") as raised:
        await run(project, ["search", "--no-index", "x"], {"lucastra/workspaces": known()})
    assert raised.value.code is ErrorCode.WORKSPACE_NOT_FOUND


async def test_the_home_folder_is_not_indexed_on_the_way(project: Path) -> None:
    home = project.parent / "home"
    home.mkdir()
    answers = {
        "lucastra/workspaces": known(),
        "lucastra/index": wire.IndexResult(workspace=workspace(str(home))),
    }
    for line in (["search", "x"], ["index"]):
        with pytest.raises(LucAstraError, match=f"lucastra-client index {home} --force"):
            await run(home, line, answers)
    ran = await run(home, ["index", "--force"], answers)
    assert ran.code == 0


async def test_a_named_folder_is_searched_itself_not_its_whole_workspace(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/search": FOUND}
    ran = await run(project, ["search", "--workspace", "src", "x"], answers)
    assert ran.asked("lucastra/search")[0].workspaces == [str(project / "src")]


async def test_all_covers_every_workspace_and_says_when_there_is_none(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace("/a"), workspace("/b")), "lucastra/search": FOUND}
    ran = await run(project, ["search", "--all", "x"], answers)
    assert ran.asked("lucastra/search")[0].workspaces == []
    with pytest.raises(LucAstraError, match="index PATH"):
        await run(project, ["search", "--all", "x"], {"lucastra/workspaces": known()})


async def test_every_option_of_a_search_is_sent(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/search": FOUND}
    line = [
        "search",
        "--mode",
        "vector",
        "-n",
        "4",
        "--path",
        "src/**",
        "--path",
        "!a",
        "--language",
        "go",
        "--explain",
    ]
    sent = (await run(project, [*line, "two", "words"], answers)).asked("lucastra/search")[0]
    assert sent == wire.SearchParams(
        query="two words", mode="vector", limit=4, workspaces=[str(project)], paths=["src/**", "!a"], languages=["go"],
        explain=True,
    )  # fmt: skip


async def test_globs_are_sent_as_from_the_root_of_the_workspace(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/search": FOUND}
    line = ["search", "--path", "./src/", "--path", f"!{project}/src/pkg", "x"]
    sent = (await run(project / "src", line, answers)).asked("lucastra/search")[0]
    assert sent.paths == ["/src/", "!/src/pkg"]


async def test_related_indexes_a_repository_on_the_way_but_no_other_folder(project: Path) -> None:
    answers = {
        "lucastra/workspaces": known(),
        "lucastra/index": wire.IndexResult(workspace=workspace(str(project))),
        "lucastra/related": FOUND,
    }
    (project / "src" / "a.py").touch()
    ran = await run(project, ["related", "src/a.py"], answers)
    assert [params.path for params in ran.asked("lucastra/index")] == [str(project)]
    loose = project.parent / "notes"
    loose.mkdir()
    (loose / "b.py").touch()
    with pytest.raises(LucAstraError, match=f"lucastra-client index {loose}"):
        await run(project, ["related", "../notes/b.py"], answers)


async def test_related_searches_the_workspace_of_the_file(project: Path) -> None:
    (project / "src" / "a.py").touch()
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/related": FOUND}
    sent = (await run(project / "src", ["related", "a.py:7"], answers)).asked("lucastra/related")[0]
    assert (sent.path, sent.line, sent.workspaces) == (str(project / "src" / "a.py"), 6, [str(project)])
    with pytest.raises(LucAstraError, match=r"there is no file b\.py"):
        await run(project, ["related", "b.py"], {})


# --- what is told beside the result --------------------------------------------------------------


async def test_nothing_found_exits_1_and_says_so(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/search": wire.SearchResult()}
    ran = await run(project, ["search", "x"], answers)
    assert (ran.code, ran.out, ran.err) == (1, "", "lucastra-client: nothing found\n")


@pytest.mark.parametrize(
    ("freshness", "status", "note"),
    [
        ("stale", {"queued": 1}, "catching up with the files (1 changed file to go), so"),
        ("stale", {}, "catching up with the files, so"),
        ("pending", {"embedded": 2}, "10 passages have no embedding yet and can be found by keyword only"),
    ],
)
async def test_how_far_a_result_is_behind_stands_on_standard_error(
    freshness: Any, status: dict[str, int], note: str, project: Path
) -> None:
    answers = {
        "lucastra/workspaces": known(workspace(str(project), **status)),
        "lucastra/search": wire.SearchResult(hits=[hit()], freshness=freshness),
    }
    ran = await run(project, ["search", "x"], answers)
    assert ran.code == 0
    assert note in ran.err


async def test_a_folder_that_is_gone_is_not_said_to_catch_up(project: Path) -> None:
    gone = workspace("/gone", state="missing", freshness="stale", problems=["the folder /gone is not there"])

    async def told(*others: wire.WorkspaceStatus) -> str:
        answers = {
            "lucastra/workspaces": known(gone, *others),
            "lucastra/search": wire.SearchResult(hits=[hit()], freshness="stale"),
        }
        return (await run(project, ["search", "--all", "x"], answers)).err

    for err in (await told(), await told(workspace("/there"))):
        assert "the folder /gone is not there" in err
        assert "catching up" not in err
    assert "catching up" in await told(workspace("/there", freshness="stale"))


async def test_ask_without_a_provider_shows_passages_and_how_to_add_one(project: Path) -> None:
    answers = {
        "lucastra/workspaces": known(workspace(str(project))),
        "lucastra/providers": ProvidersResult(),
        "lucastra/ask": wire.AskResult(
            citations=[wire.Citation(number=1, hit=hit())], notices=["no provider: set llm.provider"]
        ),
    }
    ran = await run(project, ["ask", "what", "runs?"], answers)
    assert ran.code == 0
    assert "[1] /projects/project/src/app.py:10-11  main" in ran.out
    assert "no provider: set llm.provider" in ran.err
    ran = await run(project, ["ask", "--json", "what"], answers)
    assert (json.loads(ran.out)["notices"], ran.err) == (["no provider: set llm.provider"], "")


async def test_problems_of_a_workspace_are_told_without_their_escapes(project: Path) -> None:
    answers = {
        "lucastra/workspaces": known(workspace(str(project), problems=["\x1b[2Jwatching by polling"])),
        "lucastra/search": FOUND,
    }
    assert "␛[2Jwatching by polling" in (await run(project, ["search", "x"], answers)).err


# --- the other commands --------------------------------------------------------------------------


async def test_index_tells_what_it_did_and_no_wait_returns_at_once(project: Path) -> None:
    summary = f"indexed {project}: 3 files, 12 passages, 0 skipped"
    for indexed, told in ((3, "2.0 s"), (1, "1 changed file, 2.0 s"), (0, "nothing had changed, 2.0 s")):
        done = wire.IndexResult(workspace=workspace(str(project)), indexed_files=indexed, elapsed_seconds=2)
        ran = await run(project / "src", ["index"], {"lucastra/workspaces": known(), "lucastra/index": done})
        assert ran.out == f"{summary} ({told})\n"
    begun = wire.IndexResult(workspace=workspace(str(project), state="scanning", chunks=0))
    ran = await run(project, ["index", "--no-wait", "."], {"lucastra/index": begun})
    assert (ran.code, ran.asked("lucastra/index")[0].wait) == (0, False)
    assert "in the background" in ran.out


async def test_indexing_a_folder_of_a_workspace_names_the_workspace(project: Path) -> None:
    answers = {
        "lucastra/workspaces": known(workspace(str(project))),
        "lucastra/index": wire.IndexResult(workspace=workspace(str(project))),
    }
    ran = await run(project, ["index", "src"], answers)
    assert ran.err.splitlines()[0] == f"indexing {project}: scanning"


async def test_status_of_a_folder_shows_its_workspace_alone(project: Path) -> None:
    status = wire.StatusResult(
        daemon_version="1", pid=7, uptime_seconds=1.0, home="/h", memory_bytes=1, clients=1,
        embeddings=wire.ModelStatus(provider="local", model="m", dimensions=256),
        workspaces=[workspace("/other"), workspace(str(project))],
    )  # fmt: skip
    ran = await run(project, ["status", "src", "--json"], {"lucastra/status": status})
    assert [entry["root"] for entry in json.loads(ran.out)["workspaces"]] == [str(project)]
    with pytest.raises(LucAstraError, match=f"{project.parent} is in no workspace; run"):
        await run(project, ["status", ".."], {"lucastra/status": status})


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (["status", "--files"], ["a.py", "src/", "src/b.py", "srcs/c.py", "vendor/"]),
        (["status", "--files", "src"], ["src/", "src/b.py"]),
        (["status", "--files", "vendor/lib"], ["vendor/"]),
    ],
)
async def test_status_files_shows_what_is_below_a_folder_and_nothing_of_git(
    line: list[str], shown: list[str], project: Path
) -> None:
    (project / "vendor" / "lib").mkdir(parents=True)
    reasons = {".git/": "version control", "vendor/": "vendored"}
    names = (".git/", "a.py", "src/", "src/b.py", "srcs/c.py", "vendor/")
    rows = [wire.FileStatus(path=name, status="skipped", reason=reasons.get(name, "")) for name in names]
    answers = {
        "lucastra/workspaces": known(workspace(str(project))),
        "lucastra/files": wire.FilesResult(files=rows, total=len(rows)),
    }
    document = json.loads((await run(project, [*line, "--json"], answers)).out)
    assert [row["path"] for row in document["files"]] == shown
    assert document["total"] == len(shown)


async def test_status_says_so_when_there_is_no_file_to_list(project: Path) -> None:
    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/files": wire.FilesResult()}
    ran = await run(project, ["status", "--skipped"], answers)
    assert (ran.code, ran.out, ran.err) == (0, "", "lucastra-client: no file was skipped\n")


async def test_status_files_reads_every_page(project: Path) -> None:
    names = [f"f{number}.py" for number in range(2500)]

    async def files(params: wire.FilesParams) -> wire.FilesResult:
        page = names[params.offset : params.offset + params.limit]
        return wire.FilesResult(files=[wire.FileStatus(path=name, status="indexed") for name in page], total=len(names))

    answers = {"lucastra/workspaces": known(workspace(str(project))), "lucastra/files": files}
    ran = await run(project, ["status", "--files", "--json"], answers)
    assert [entry["path"] for entry in json.loads(ran.out)["files"]] == names
    assert len(ran.asked("lucastra/files")) == 3


async def test_status_without_a_daemon_exits_1_and_starts_none(project: Path) -> None:
    gone = LucAstraError("lucastrad is not running; a search starts it", code=ErrorCode.DAEMON_UNREACHABLE)
    ran = await run(project, ["status", "--json"], {"lucastra/status": gone})
    assert ran.code == 1
    assert json.loads(ran.out)["running"] is False
    assert "not running" in ran.err


async def test_workspaces_are_listed_and_removed_by_name_even_when_gone(project: Path) -> None:
    ran = await run(project, ["workspaces"], {"lucastra/workspaces": known(workspace("/a"))})
    assert ran.out.splitlines()[1].startswith("/a\tready\t3\t12\t100%")
    removed = {"lucastra/removeWorkspace": wire.RemoveResult(root=str(project / "gone"))}
    ran = await run(project, ["workspaces", "remove", "gone"], removed)
    assert ran.asked("lucastra/removeWorkspace")[0].path == str(project / "gone")


async def test_doctor_exits_1_when_a_check_fails(project: Path) -> None:
    def checks(status: Any) -> dict[str, Answer]:
        return {
            "lucastra/doctor": wire.DoctorResult(checks=[wire.Check(name="store", status=status, detail="d", cure="c")])
        }

    assert (await run(project, ["doctor"], checks("warning"))).code == 0
    ran = await run(project, ["doctor"], checks("error"))
    assert (ran.code, ran.out.splitlines()[1]) == (1, "error\tstore\td\tc")


async def test_config_shows_each_key_with_its_origin(project: Path) -> None:
    result = wire.ConfigResult(config={"llm": {"model": "m", "x": 1}, "list": []}, origins={"llm.model": "config.json"})
    ran = await run(project, ["config"], {"lucastra/config": result})
    assert ran.out.splitlines() == [
        "key\tvalue\tfrom",
        'llm.model\t"m"\tconfig.json',
        "llm.x\t1\tdefault",
        "list\t[]\tdefault",
    ]


async def test_stop_says_whether_there_was_a_daemon(project: Path) -> None:
    ran = await run(project, ["stop", "--json"], {})
    assert (ran.code, json.loads(ran.out)) == (0, {"stopped": True})


async def _search_unknown(
    cwd: Path,
    line: list[str],
    indexed: wire.WorkspaceStatus,
    before: wire.WorkspacesResult | None = None,
    **others: Answer,
) -> Ran:
    """Search where nothing is indexed, or not wholly; indexing ends with `indexed`."""
    answers = {
        "lucastra/workspaces": before or known(),
        "lucastra/index": wire.IndexResult(workspace=indexed, indexed_files=3),
        "lucastra/search": FOUND,
        "lucastra/removeWorkspace": wire.RemoveResult(root=indexed.root),
    }
    return await run(cwd, line, answers | others)
