"""`lucastra-client` and the daemon that it starts, as real processes."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from user_home import CLIENT, Home

pytestmark = pytest.mark.slow


def test_the_first_question_indexes_the_repository_and_is_answered(home: Home, project: Path) -> None:
    asked = home.client("ask", "how are failed calls retried?", cwd=project / "shop", check=0)
    first = asked.stdout.splitlines()[0]
    assert re.match(r"\[1\] retry\.py:\d+-\d+  retry_with_backoff  ", first)
    assert f"indexing {project}: " in asked.stderr
    assert f"indexed {project}: " in asked.stderr
    assert "lucastra-client config path" in asked.stderr  # how to configure a provider
    again = home.client("ask", "how are failed calls retried?", cwd=project, check=0)
    assert "indexing" not in again.stderr


def test_an_error_leads_to_what_raises_it_pasted_or_piped(home: Home, project: Path) -> None:
    (project / "shop" / "ledger.py").write_text(
        "def book(amount):\n"
        "    if amount < 0:\n"
        "        raise ValueError(f'a ledger cannot book {amount} to a closed account')\n"
    )
    failing = [sys.executable, "-c", "import shop.ledger\nshop.ledger.book(-3)"]
    failed = subprocess.run(failing, cwd=project, capture_output=True, text=True, check=False).stderr
    message = failed.splitlines()[-1]
    assert message == "ValueError: a ledger cannot book -3 to a closed account"
    for said in (message, failed):
        hit = home.json("search", said, cwd=project)["hits"][0]
        assert (Path(hit["file_path"]).name, hit["start_line"]) == ("ledger.py", 1)
    noise = "collecting …\n" * 2000
    asked = home.client("ask", "why does this fail?", cwd=project, check=0, piped=noise + failed)
    assert asked.stdout.startswith("[1] shop/ledger.py:1-3  book  ")


def test_names_callers_and_pasted_lines_are_found_as_people_type_them(home: Home, project: Path) -> None:
    (project / "shop" / "till.py").write_text("def close_till(basket):\n    charged = basket.total_price()\n")
    for said, file in {
        "who calls total_price?": "till.py",
        "Basket.total_prcie": "basket.py",
        "retryWithBackof": "retry.py",
        "return sum( item.price for item in self.items )": "basket.py",
        'where is "charged = basket.total_price" written': "till.py",
    }.items():
        hit = home.json("search", said, cwd=project)["hits"][0]
        assert Path(hit["file_path"]).name == file, said


def test_json_hits_are_the_lines_of_the_file(home: Home, project: Path) -> None:
    found = home.json("search", "total price of the basket", cwd=project)
    hit = found["hits"][0]
    assert set(hit) == {"file_path", "start_line", "end_line", "content", "score", "language", "symbol", "unsaved"}
    assert hit["file_path"] == str(project / "shop" / "basket.py")
    assert hit["language"] == "python"
    lines = Path(hit["file_path"]).read_text().splitlines()[hit["start_line"] - 1 : hit["end_line"]]
    assert hit["content"].rstrip("\n").splitlines() == lines
    explained = home.json("search", "--explain", "total_price", cwd=project)["hits"][0]
    assert explained["components"]
    assert explained["workspace"] == str(project)


def test_a_piped_search_is_one_line_a_hit_and_its_passage(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    found = home.client("search", "--mode", "keyword", "retry_with_backoff", cwd=project / "shop", check=0)
    head, *passage = found.stdout.splitlines()
    assert re.fullmatch(r"retry\.py:\d+-\d+  retry_with_backoff  [\d.]+", head)
    assert passage[0].startswith("    ")
    assert "\x1b" not in found.stdout
    assert found.stderr == ""


def test_filters_leave_out_what_they_say(home: Home, project: Path) -> None:
    def files(*options: str) -> set[str]:
        hits = home.json("search", *options, "basket retry network", cwd=project)["hits"]
        return {Path(hit["file_path"]).name for hit in hits}

    assert files("--language", "markdown") == {"README.md"}
    assert files("--path", "shop/", "--path", "!retry.py") == {"basket.py"}
    assert files("--workspace", "shop") <= {"basket.py", "retry.py"}


def test_related_finds_other_passages_from_a_place(home: Home, project: Path) -> None:
    found = home.json("related", "shop/retry.py:4", cwd=project)
    places = {(Path(hit["file_path"]).name, hit["start_line"]) for hit in found["hits"]}
    assert places
    assert ("retry.py", 4) not in places


def test_nothing_found_exits_1(home: Home, project: Path) -> None:
    found = home.client("search", "--mode", "keyword", "zzyzx_nowhere", cwd=project, check=1)
    assert found.stdout == ""
    assert "nothing found" in found.stderr


def test_a_folder_without_content_exits_1_and_home_itself_is_refused(home: Home) -> None:
    (home.folder / "empty").mkdir()
    empty = home.client("ask", "anything?", cwd=home.folder / "empty", check=1)
    assert "there is nothing to index" in empty.stderr
    assert home.json("workspaces", cwd=home.folder, check=1) == {"workspaces": []}
    refused = home.client("ask", "anything?", cwd=home.folder, check=2)
    assert f"lucastra-client index {home.folder} --force" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_saved_file_is_found_and_a_removed_workspace_is_not(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    (project / "shop" / "invoice.py").write_text("def print_invoice():\n    pass\n")
    home.client("index", cwd=project, check=0)
    assert home.json("search", "print_invoice", cwd=project)["hits"][0]["symbol"] == "print_invoice"
    listed = home.json("workspaces", cwd=project)["workspaces"]
    assert [entry["root"] for entry in listed] == [str(project)]
    home.client("workspaces", "remove", str(project), cwd=project, check=0)
    home.client("workspaces", cwd=project, check=1)
    home.client("search", "--no-index", "print_invoice", cwd=project, check=2)


def test_status_tells_the_daemon_its_workspaces_and_why_a_file_was_skipped(home: Home, project: Path) -> None:
    absent = home.client("status", cwd=project, check=1)
    assert "not running" in absent.stderr
    home.client("index", cwd=project, check=0)
    status = home.json("status", cwd=project)
    assert status["pid"] == home.daemon_pid
    assert status["workspaces"][0]["state"] == "ready"
    indexed = {entry["path"] for entry in home.json("status", "--files", cwd=project)["files"]}
    assert {"shop/retry.py", "shop/basket.py"} <= indexed
    skipped = home.json("status", "--skipped", cwd=project)["files"]
    assert [(entry["path"], bool(entry["reason"])) for entry in skipped if "secrets" in entry["path"]] == [
        ("shop/secrets.env", True)
    ]


def test_doctor_config_and_logs_speak_of_this_home(home: Home, project: Path) -> None:
    assert home.json("config", "path", cwd=project)["config_path"] == str(home.folder / ".lucastra" / "config.json")
    home.client("logs", cwd=project, check=1)
    checks = home.json("doctor", cwd=project)["checks"]
    assert {check["status"] for check in checks} <= {"ok", "warning"}
    assert "llm" in home.json("config", "show", cwd=project)["config"]
    assert home.json("logs", cwd=project)["entries"][0]["event"] == "started"


def test_stop_ends_the_daemon_and_stopping_again_is_no_error(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    pid = home.daemon_pid
    assert pid is not None
    assert home.json("stop", cwd=project) == {"stopped": True}
    assert home.daemon_pid is None
    assert home.json("stop", cwd=project) == {"stopped": False}
    assert home.json("search", "basket", cwd=project)["hits"]
    assert home.daemon_pid not in (None, pid)


def test_a_home_that_cannot_be_written_is_told_with_the_cure(home: Home, project: Path) -> None:
    (home.folder / ".lucastra").write_text("in the way")
    failed = home.client("search", "x", cwd=project, check=2)
    assert failed.stderr.startswith("lucastra-client: ")
    assert "LUCASTRA_HOME" in failed.stderr
    assert "Traceback" not in failed.stderr
    (home.folder / ".lucastra").unlink()


def test_a_reader_that_leaves_early_is_no_error(home: Home, project: Path) -> None:
    # More than a pipe holds, so that the writer meets the closed end.
    (project / "long.md").write_text("# Basket\n" + "basket of many words\n" * 20_000)
    home.client("index", cwd=project, check=0)
    writer = _start(home, project, "search", "--full", "-n", "100", "--mode", "keyword", "basket")
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()
    assert writer.stderr.read() == ""
    assert writer.wait(30) == 141


def test_ctrl_c_leaves_with_130_and_the_daemon_goes_on(home: Home, project: Path) -> None:
    for number in range(3000):
        (project / f"module_{number}.py").write_text(f"def function_{number}():\n    return {number}\n" * 20)
    indexing = _start(home, project, "index")
    assert indexing.stderr is not None
    assert "indexing" in indexing.stderr.readline()
    indexing.send_signal(signal.SIGINT)
    assert indexing.wait(30) == 130
    assert "Traceback" not in indexing.stderr.read()
    assert home.json("status", cwd=project)["running"] is True


def test_ctrl_c_ends_a_log_that_is_followed(home: Home, project: Path) -> None:
    home.client("doctor", cwd=project, check=0)
    following = _start(home, project, "logs", "-f")
    assert following.stdout is not None
    assert "started" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert following.wait(30) == 130


def test_on_a_terminal_places_are_links_and_code_has_colours(home: Home, project: Path) -> None:
    home.client("index", cwd=project, check=0)
    ours, theirs = pty.openpty()
    environment = home.environment | {"TERM": "xterm-256color", "COLUMNS": "100"}
    with os.fdopen(ours, "rb", buffering=0) as screen:
        shown = subprocess.Popen(
            [*CLIENT, "search", "retry_with_backoff"], cwd=project, env=environment, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        output = _read_all(screen)
        assert shown.wait(30) == 0
    assert b"\x1b]8;" in output
    assert f"file://{project}/shop/retry.py#".encode() in output
    assert b"\x1b[" in output


def test_a_home_that_is_not_utf8_is_refused_with_a_cure_that_works(home: Home, project: Path) -> None:
    named = home.environment.pop("LUCASTRA_HOME")
    home.environment["HOME"] = os.fsdecode(os.fsencode(home.folder) + b"/h\xff")
    Path(home.environment["HOME"]).mkdir()
    refused = home.client("search", "retry_with_backoff", cwd=project, check=2)
    assert "is not UTF-8" in refused.stderr
    assert "set LUCASTRA_HOME" in refused.stderr
    daemon = subprocess.run(
        [sys.executable, "-P", "-m", "lucastrad", "serve"], env=home.environment, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert (daemon.returncode, "set LUCASTRA_HOME" in daemon.stderr) == (1, True)
    home.environment["LUCASTRA_HOME"] = named
    assert "retry.py" in home.client("search", "retry_with_backoff", cwd=project, check=0).stdout


def _start(home: Home, cwd: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*CLIENT, *arguments],
        cwd=cwd,
        env=home.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_all(screen: object) -> bytes:
    """Everything until the other end of the terminal is closed, which Linux reports as EIO."""
    output = b""
    try:
        while block := screen.read(65536):  # type: ignore[attr-defined]
            output += block
    except OSError:
        pass
    return output
