"""The parts of the editors' benchmark that decide what a measurement means."""

import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.bars import shortfalls
from benchmarks.command import to_json
from benchmarks.editors.relays import ms_until_gone, relays_below
from benchmarks.editors.results import EditorsReport, Kills, Measure, Model, Program, Timing
from benchmarks.editors.scene import Counts, Line, Plan, Scene
from benchmarks.machine import Machine

MACHINE = Machine("cpu", 2, 1, "CPython 3.11", "Linux 6", (0.0, 0.0, 0.0))


def report(*timings: Timing, kills: tuple[Kills, ...] = ()) -> EditorsReport:
    """A judged report."""
    one = EditorsReport(MACHINE, True, "Django 5.2", "a model", list(timings), list(kills))
    one.judge()
    return one


def short(one: EditorsReport) -> list[str]:
    """What falls short, as subject and bar."""
    return [f"{verdict.subject}: {verdict.name}" for verdict in shortfalls(one.verdicts)]


def timing(program: Program, measure: Measure, *times: float | None, model: Model = Model.NONE) -> Timing:
    return Timing.of(program, measure, model, times)


def test_what_is_never_shown_is_counted_and_not_timed() -> None:
    some = timing(Program.VSCODE, Measure.SEARCH, 20.0, None, 30.0)
    assert (some.asked, some.missing, some.p50) == (3, 1, 20.0)
    assert "1 not shown" in str(some)
    none = timing(Program.VSCODE, Measure.SEARCH, None)
    assert (none.missing, none.shown_ms) == (1, None)


def test_an_editor_is_judged_by_what_it_adds_to_the_same_request_without_it() -> None:
    client = timing(Program.CLIENT, Measure.ANSWER, 500.0, model=Model.INSTANT)
    quick = timing(Program.NEOVIM, Measure.ANSWER, 540.0, model=Model.INSTANT)
    slow = timing(Program.VSCODE, Measure.ANSWER, 610.0, model=Model.INSTANT)
    assert short(report(client, quick, slow)) == [
        "VS Code, question to first token, instant model: p50 above the client library's"
    ]


def test_letters_that_are_typed_are_held_against_the_search_they_lead_to() -> None:
    client = timing(Program.CLIENT, Measure.SEARCH, 5.0)
    assert short(report(client, timing(Program.VSCODE, Measure.TYPED, 179.0))) == []
    assert len(short(report(client, timing(Program.VSCODE, Measure.TYPED, 181.0)))) == 1


def test_a_slow_real_model_is_reported_and_a_line_that_it_leaves_is_no_shortfall() -> None:
    client = timing(Program.CLIENT, Measure.COMPLETION, 900.0, model=Model.REAL)
    editor = timing(Program.VSCODE, Measure.COMPLETION, 9_000.0, None, model=Model.REAL)
    assert short(report(client, editor)) == []
    lost = timing(Program.VSCODE, Measure.ANSWER, None, model=Model.REAL)
    assert short(report(lost)) == ["VS Code: asked for and not shown"]


def test_nothing_shown_at_all_meets_no_bar() -> None:
    client = timing(Program.CLIENT, Measure.SEARCH, 5.0)
    assert len(short(report(client, timing(Program.NEOVIM, Measure.SEARCH, None)))) == 2


def test_the_editors_own_search_is_a_peer_and_judged_by_no_bar() -> None:
    client = timing(Program.CLIENT, Measure.SEARCH, 5.0)
    ours = timing(Program.NEOVIM, Measure.SEARCH, 12.0)
    faster = Timing.of(Program.NEOVIM, Measure.SEARCH, Model.NONE, [10.0], peer="its own")
    assert short(report(client, ours, faster)) == ["Neovim, search to first result: p50 / the editor's own"]
    lost = Timing.of(Program.NEOVIM, Measure.SEARCH, Model.NONE, [None, 900.0], peer="its own")
    assert short(report(client, ours, lost)) == []


def test_the_daemons_own_search_has_a_bar() -> None:
    assert short(report(timing(Program.CLIENT, Measure.SEARCH, 10.0))) == [
        "client library, search to first result: p50"
    ]


def test_a_relay_that_stays_or_leaves_late_falls_short() -> None:
    late = Kills.of(Program.NEOVIM, [3.0, 2_000.0])
    left = Kills.of(Program.VSCODE, [3.0, None])
    assert (late.left, left.left) == (0, 1)
    assert short(report(kills=(late, left))) == [
        "Neovim killed: relay gone after the kill, worst",
        "VS Code killed: relays left",
    ]


def test_the_report_names_each_measure_and_is_written_whole() -> None:
    one = report(timing(Program.CLIENT, Measure.SEARCH, 5.0), kills=(Kills.of(Program.VSCODE, [30.0]),))
    text = "\n".join(one.lines())
    assert "search to first result" in text
    assert "1 killed, 0 relays left" in text
    assert '"killed": 1' in to_json(one)


def test_every_program_is_given_other_names_other_lines_and_the_same_questions() -> None:
    plan = Plan(2, Counts(2, 3), Counts(1, 1), neovim_kills=1, vscode_kills=1)
    names = [f"name_{number}" for number in range(16)]
    scene = Scene(Path("/project"), names, ["first", "second"], plan, None, lambda model: None)  # type: ignore[arg-type]
    assert [name for program in Program for name in scene.names_of(program)] == names[:6]
    assert scene.first_names == names[6:]
    assert [*scene.lines(2), *scene.lines(1)] == [Line(1), Line(2), Line(3)]
    assert list(scene.asked(3)) == ["first", "second", "first"]
    assert len({scene.probe(program) for program in Program}) == len(Program)
    assert (plan.of(Model.INSTANT), plan.of(Model.REAL)) == (plan.instant, plan.real)


def test_a_request_is_told_by_the_line_that_it_ends_with() -> None:
    line = Line(7)
    asked = {"path": "/infill", "input_prefix": "import os\ndoubled_7 =", "n_predict": 128}
    assert line.is_in([{"path": "/infill"}, asked])
    assert not line.is_in([asked | {"input_prefix": "doubled_7 = "}])
    assert line.mark in line.fill


def test_the_end_of_a_process_is_timed_from_its_kill() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        gone = ms_until_gone(process.pid, lambda: process.send_signal(signal.SIGKILL))
    assert gone is not None
    assert gone >= 0


def test_relays_are_told_from_other_children(tmp_path: Path) -> None:
    commands = {10: b"nvim", 11: b"lucastrad\0--stdio\0", 12: b"grep\0", 13: b"lucastrad\0--stdio\0"}
    parents = {10: 1, 11: 10, 12: 10, 13: 1}
    for pid, command in commands.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(command)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parents[pid]} " + "0 " * 40)
    assert relays_below(10, tmp_path) == [11]
