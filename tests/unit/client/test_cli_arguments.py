"""The command line: what is accepted, and what each refusal says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from lucastra_client.arguments import SHELLS, parse, query
from lucastra_client.cli import main
from lucastra_client.completion import script
from lucastra_protocol import __version__

COMMANDS = (
    "ask", "chat", "complete", "conversations", "models", "providers", "search", "related", "index", "eval", "status",
    "workspaces", "config", "doctor", "logs", "stop", "completion",
)  # fmt: skip


def test_words_of_a_query_need_no_quotes() -> None:
    arguments = parse(["ask", "-n", "3", "where", "are", "retries", "decided"])
    assert query(arguments) == "where are retries decided"
    assert arguments.limit == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("src/a.py", ("src/a.py", 1)),
        ("src/a.py:12", ("src/a.py", 12)),
        ("src/a.py:12-40", ("src/a.py", 12)),
        ("src/a.py:12:5", ("src/a.py", 12)),
        ("src/a.py:12:", ("src/a.py", 12)),
        ("C:notes", ("C:notes", 1)),
    ],
)
def test_a_place_is_read_as_other_tools_print_it(text: str, expected: tuple[str, int]) -> None:
    path, line = parse(["related", text]).place
    assert (str(path), line) == expected


def test_a_file_whose_name_ends_like_a_place_is_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd:12").touch()
    monkeypatch.chdir(tmp_path)
    assert parse(["related", "odd:12"]).place == (Path("odd:12"), 1)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["serach", "x"], "invalid choice: 'serach'"),
        (["search"], "required: QUERY"),
        (["search", "-n", "0", "x"], "'0' is not a number of 1 or more"),
        (["search", "-n", "101", "x"], "101 is over the limit of 100"),
        (["search", "-n", "many", "x"], "'many' is not a number"),
        (["search", "--mode", "fuzzy", "x"], "invalid choice: 'fuzzy'"),
        (["search", "--all", "--workspace", ".", "x"], "not allowed with"),
        (["related", "a.py:0"], "lines are counted from 1"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
        (["workspaces", "remove"], "required: PATH"),
        (["workspaces", "list", "x"], "unrecognized arguments: x"),
        (["workspaces", "forget"], "invalid choice: 'forget'"),
        (["ask", "-c", "--cid", "a", "x"], "not allowed with"),
        (["ask", "--json", "--jsonl", "x"], "not allowed with"),
        (["chat", "--json"], "unrecognized arguments: --json"),
        (["complete", "-t", "3", "x"], "'3' is not a number from 0 to 2"),
        (["conversations", "rename", "a"], "required: TITLE"),
        (["conversations", "fork", "a", "--turn", "0"], "'0' is not a number of 1 or more"),
        (["conversations", "list", "-n", "1001"], "1001 is over the limit of 1000"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line_with_where_to_read_on(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(argv)
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("lucastra-client: ")
    assert message in first
    assert "--help" in second


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("search open --limit 1 resource", {"words": ["open", "resource"], "limit": 1}),
        ("search -qn 2 open --all resource", {"words": ["open", "resource"], "limit": 2, "quiet": True}),
        ("search open -n3 resource", {"words": ["open", "resource"], "limit": 3}),
        ("search --limit=1 -- --stdio relay", {"words": ["--stdio", "relay"], "limit": 1}),
        ("search open --limit 1 -- -x", {"words": ["open", "-x"]}),
        ("search - x", {"words": ["-", "x"]}),
        ("index --json /p --force", {"path": Path("/p"), "json": True, "force": True}),
        ("config --json path", {"action": "path", "json": True}),
        ("ask why -m a/b --continue so", {"words": ["why", "so"], "model": "a/b", "resume": True}),
        ("conversations", {"action": "list", "listed": 20, "json": False}),
        ("conversations --json list -n 3", {"action": "list", "listed": 3, "json": True}),
        ("conversations rename ab two words", {"conversation": "ab", "words": ["two", "words"]}),
        ("workspaces --json", {"action": "list", "json": True, "color": "auto"}),
        ("workspaces remove --json /p", {"action": "remove", "json": True, "workspace": Path("/p")}),
        ("workspaces --json remove /p --color never", {"action": "remove", "json": True, "color": "never"}),
    ],
)
def test_words_and_options_may_stand_in_any_order(line: str, expected: dict[str, object]) -> None:
    assert vars(parse(line.split())).items() >= expected.items()


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("search open --bogus resource", "search"),
        ("workspaces --bogus", "workspaces"),
        ("workspaces remove --bogus /p", "workspaces remove"),
    ],
)
def test_an_unknown_option_is_reported_with_the_help_of_its_command(
    line: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(line.split())
    assert capsys.readouterr().err.splitlines() == [
        "lucastra-client: unrecognized arguments: --bogus",
        f"See `lucastra-client {command} --help`.",
    ]


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([])
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    assert "workspaces" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["  "], "the query is empty"),
        (["x" * 5000], "the query has 5000 characters; the limit is 4096: keep what tells most"),
        (["caf\udce9"], "the query is not valid UTF-8"),
    ],
)
def test_a_query_that_the_daemon_would_refuse_never_reaches_it(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"  lucastra-client {command}" in capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_the_completion_script_of_each_shell_knows_every_command(shell: str) -> None:
    text = script(shell)
    assert all(command in text for command in COMMANDS)
    assert "--workspace" in text or "-l workspace" in text


def test_an_unexpected_failure_is_one_line_and_a_traceback_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUCASTRA_HOME", str(tmp_path))
    (tmp_path / "logs" / "lucastrad.log").mkdir(parents=True)
    assert main(["logs"]) == 2
    assert capsys.readouterr().err.startswith("lucastra-client: ")
    monkeypatch.setenv("LUCASTRA_DEBUG", "1")
    assert main(["logs"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_deleted_working_folder_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert main(["status"]) == 2
    assert "the folder you stand in is gone" in capsys.readouterr().err


def test_telling_the_version_loads_nothing_slow() -> None:
    code = (
        "import sys\n"
        "from lucastra_client.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(*sorted({'trio', 'msgspec', 'rich', 'asyncio'} & set(sys.modules)), 'loaded')"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == f"lucastra-client {__version__}\nloaded\n"


@pytest.mark.parametrize("line", [["config", "path"], ["logs"]])
def test_what_needs_no_daemon_loads_no_trio(line: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys\nfrom lucastra_client.cli import main\nmain({line})\nprint('trio' in sys.modules, file=sys.stderr)"
    )
    environment = os.environ | {"LUCASTRA_HOME": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stderr.splitlines()[-1] == "False"
