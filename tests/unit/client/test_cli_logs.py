"""Reading the log from its end, and following it over a rotation."""

import io
import json
from pathlib import Path

import pytest
from lucastra_client import logs
from lucastra_client.cli import main
from lucastra_client.rendering import View
from lucastra_client.rendering.human import HumanRenderer
from rich.console import Console


@pytest.mark.parametrize("lines", [0, 1, 5, 40_000])
def test_the_last_lines_are_found_in_a_log_of_any_length(lines: int) -> None:
    log = io.BytesIO(b"".join(b"line %d\n" % number for number in range(lines)))
    expected = [f"line {number}" for number in range(max(0, lines - 3), lines)]
    assert logs.last_lines(log, 3) == expected
    assert log.tell() == len(log.getvalue())


def test_a_last_line_without_its_end_is_shown_too() -> None:
    assert logs.last_lines(io.BytesIO(b"whole\ncut"), 2) == ["whole", "cut"]


def test_following_goes_on_with_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    followed = logs.follow(path, path.open("rb"))
    assert next(followed) == "old"
    with path.open("a") as log:
        log.write("appended\n")
    assert next(followed) == "appended"
    path.rename(tmp_path / "log.1")
    path.write_text("new\n")
    assert next(followed) == "new"
    path.write_text("x\n")  # cut in place, as copytruncate does
    assert next(followed) == "x"
    followed.close()


def test_logs_are_shown_without_escape_sequences_and_exit_1_when_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUCASTRA_HOME", str(tmp_path))
    assert main(["logs"]) == 1
    assert "there is no log yet" in capsys.readouterr().err
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "lucastrad.log").write_text('one\n\x1b[2Jtwo\n{"event":"started"}\n')
    assert main(["logs", "-n", "2"]) == 0
    assert capsys.readouterr().out == '␛[2Jtwo\n{"event":"started"}\n'
    assert main(["logs", "-n", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"entries": ["\x1b[2Jtwo", {"event": "started"}]}
    assert main(["logs", "-f", "--json"]) == 2


def test_on_a_terminal_a_log_line_is_for_people() -> None:
    out = io.StringIO()
    line = {"time": "2026-01-02T03:04:05.678+00:00", "level": "warning", "logger": "x", "event": "slow", "seconds": 3}
    shown = HumanRenderer(Console(file=out, color_system=None, width=20), View(Path("/")))
    shown.log([json.dumps(line), "no JSON", '"a string"'])
    first, *others = out.getvalue().splitlines()
    assert first[2] == "-"
    assert first[15:] == "warning slow  seconds=3"
    assert others == ["no JSON", '"a string"']
