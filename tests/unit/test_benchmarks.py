"""The parts of the benchmarks that decide what a measurement means."""

import io
import json
import os
import random
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lucastra_protocol.types import FileStatus

from benchmarks.bars import Bar, Demand, Verdict, shortfalls
from benchmarks.command import main
from benchmarks.corpora import sha256_of, unpack
from benchmarks.distribution import Distribution, with_omitted
from benchmarks.errors import BenchmarkError
from benchmarks.indexing.changes import sources_to_edit
from benchmarks.machine import CpuTime, Machine, cpu_model, cpu_time
from benchmarks.processes import Footprint, cpu_seconds, descendants, footprint
from benchmarks.queries import first_sentence, is_telling_name, material, sample_queries
from benchmarks.repository import CHANGED, MAIN, Repository, unique_tokens, with_changed_line, with_new_function
from benchmarks.rpc.results import Kills, Load, Request, RpcReport

CHANCE = random.Random(1)

# --- statistics ------------------------------------------------------------------------------------


def test_percentiles_are_samples_by_nearest_rank() -> None:
    summary = Distribution.of([float(n) for n in range(100, 0, -1)])
    assert (summary.p50, summary.p90, summary.p99, summary.maximum) == (50, 90, 99, 100)
    assert (summary.count, summary.mean) == (100, 50.5)


def test_p99_of_few_samples_is_the_worst() -> None:
    assert Distribution.of([1.0, 9.0, 2.0]).p99 == 9.0
    assert Distribution.of([4.0]).p50 == 4.0


def test_no_samples_are_no_distribution() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Distribution.of([])


@pytest.mark.parametrize(
    ("latency", "expected"),
    [(0.01, [0.01]), (0.09, [0.09]), (0.25, [0.25, 0.2, 0.15, 0.1, 0.05])],
)
def test_a_stall_counts_for_the_searches_that_were_due_meanwhile(latency: float, expected: list[float]) -> None:
    assert list(with_omitted(latency, 0.05)) == pytest.approx(expected)


# --- bars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("demand", "value", "met"),
    [
        (Demand.BELOW, 4.9, True),
        (Demand.BELOW, 5.0, False),
        (Demand.AT_MOST, 5.0, True),
        (Demand.AT_MOST, 5.1, False),
        (Demand.AT_LEAST, 5.0, True),
        (Demand.AT_LEAST, 4.9, False),
        (Demand.AT_LEAST, float("nan"), False),
        (Demand.BELOW, float("nan"), False),
    ],
)
def test_a_bar_holds_at_its_limit_as_its_demand_says(demand: Demand, value: float, met: bool) -> None:
    assert Bar("x", demand, 5.0).hold(value, "y").met is met


def test_a_verdict_names_what_falls_short_and_by_how_much() -> None:
    verdict = Bar("hybrid search p50", Demand.BELOW, 5, "ms").hold(7.25, "Django 5.2")
    assert str(verdict) == "SHORT  Django 5.2: hybrid search p50 = 7.25 ms (bar: < 5 ms)"
    assert shortfalls([verdict, Bar("other", Demand.BELOW, 5).hold(1, "Django 5.2")]) == [verdict]


@dataclass
class Measured:
    verdicts: list[Verdict] = field(default_factory=list)

    def lines(self) -> list[str]:
        return ["what was measured"]


@pytest.mark.parametrize(("flags", "value", "status"), [(["--check"], 6.0, 1), (["--check"], 4.0, 0), ([], 6.0, 0)])
def test_only_a_check_fails_for_a_bar_and_names_it(
    flags: list[str], value: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Measured([Bar("idle CPU", Demand.BELOW, 5, "%").hold(value, "Django")])
    assert main("benchmarks.x", "", lambda options: report, flags) == status
    assert ("Django: idle CPU" in capsys.readouterr().err) is bool(status)


def test_json_holds_every_verdict(tmp_path: Path) -> None:
    report = Measured([Bar("idle CPU", Demand.BELOW, 5, "%").hold(6, "Django")])
    main("benchmarks.x", "", lambda options: report, ["--json", str(tmp_path / "out.json")])
    (verdict,) = json.loads((tmp_path / "out.json").read_text())["verdicts"]
    assert verdict["name"] == "idle CPU"
    assert verdict["demand"] == "<"
    assert verdict["met"] is False


def test_a_measurement_that_cannot_be_taken_says_why_even_from_nested_tasks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def measure(options: object) -> Measured:
        raise ExceptionGroup("nursery", [ExceptionGroup("nursery", [BenchmarkError("git is not installed")])])

    assert main("benchmarks.x", "", measure, []) == 2
    assert capsys.readouterr().err == "benchmarks.x: git is not installed\n"


def test_a_defect_of_the_benchmark_is_not_passed_off_as_an_expected_failure() -> None:
    def measure(options: object) -> Measured:
        raise ExceptionGroup("nursery", [BenchmarkError("expected"), KeyError("defect")])

    with pytest.raises(ExceptionGroup):
        main("benchmarks.x", "", measure, [])


def test_rpc_counts_unanswered_requests_errors_and_sessions_left() -> None:
    latency = Distribution.of([1.0])
    good = Load(Request.SEARCH, 1, 100, 100, {}, 1.0, latency)
    bad = Load(Request.SEARCH, 50, 5_000, 4_998, {"lost": 2}, 1.0, latency)
    report = RpcReport(Machine.here(), quick=True, corpus="Django", loads=[good], kills=Kills(1, bad, False, 1))
    report.judge()
    short = {(verdict.name, verdict.value) for verdict in shortfalls(report.verdicts)}
    assert short == {("requests unanswered", 2), ("errors", 2), ("sessions of killed clients left open", 1)}


# --- processes -------------------------------------------------------------------------------------


def process(proc: Path, pid: int, parent: int, *, rss_kb: int, pss_kb: int, ticks: tuple[int, int, int, int]) -> None:
    """A process as /proc shows it; its name is one that a careless parser stumbles over."""
    folder = proc / str(pid)
    folder.mkdir()
    times = " ".join(map(str, ticks))
    (folder / "stat").write_text(f"{pid} (a) b (c) S {parent} 1 1 0 -1 0 0 0 0 0 {times} 20 0 1 0 5 0 0\n")
    (folder / "smaps_rollup").write_text(f"0-1 ---p 0 00:00 0 [rollup]\nRss: {rss_kb} kB\nPss: {pss_kb} kB\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A daemon (10) with two workers (11, 12), one of which has a child (13), and a stranger (20)."""
    process(tmp_path, 10, 1, rss_kb=1000, pss_kb=900, ticks=(100, 50, 25, 25))
    process(tmp_path, 11, 10, rss_kb=400, pss_kb=300, ticks=(10, 0, 0, 0))
    process(tmp_path, 12, 10, rss_kb=500, pss_kb=350, ticks=(20, 0, 0, 0))
    process(tmp_path, 13, 12, rss_kb=100, pss_kb=50, ticks=(5, 0, 0, 0))
    process(tmp_path, 20, 1, rss_kb=9000, pss_kb=9000, ticks=(9000, 0, 0, 0))
    (tmp_path / "14").mkdir()  # it has just ended
    (tmp_path / "self").mkdir()
    return tmp_path


def test_a_process_tree_is_the_daemon_and_all_below_it(proc: Path) -> None:
    assert sorted(descendants(10, proc)) == [11, 12, 13]


def test_memory_of_daemon_and_workers_is_told_apart(proc: Path) -> None:
    assert footprint(10, proc) == Footprint(
        daemon_rss=1000 * 1024,
        daemon_pss=900 * 1024,
        workers_rss=1000 * 1024,
        largest_worker_rss=500 * 1024,
        tree_pss=1600 * 1024,
        processes=4,
    )


def test_processor_time_includes_workers_that_have_ended(proc: Path) -> None:
    assert cpu_seconds(10, proc) * os.sysconf("SC_CLK_TCK") == pytest.approx(100 + 50 + 25 + 25 + 10 + 20 + 5)


def test_peaks_are_taken_each_for_itself() -> None:
    assert Footprint(daemon_rss=5, tree_pss=1).peak(Footprint(daemon_rss=3, tree_pss=9)) == Footprint(
        daemon_rss=5, tree_pss=9
    )


def test_the_processor_is_named_where_the_kernel_names_it() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Fast CPU @ 3 GHz\n") == "Fast CPU @ 3 GHz"
    assert cpu_model("processor\t: 0\nCPU implementer\t: 0x41\n") == ""


def test_stolen_time_is_a_share_of_what_was_wanted() -> None:
    before = cpu_time("cpu  100 20 30 9000 7 1 2 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert before == CpuTime(used=153, stolen=5)
    assert CpuTime(used=183, stolen=15).stolen_since(before) == pytest.approx(0.25)
    assert before.stolen_since(before) == 0.0


# --- queries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Return the sum of both.\n\nArgs: …", "Return the sum of both"),
        ("Wrap a long\n    line of text. Then more.", "Wrap a long line of text"),
        ("Too short.", None),
        ("", None),
        (" ".join(["word"] * 31), None),
    ],
)
def test_a_docstring_asks_with_its_first_sentence(docstring: str, sentence: str | None) -> None:
    assert first_sentence(docstring) == sentence


@pytest.mark.parametrize(
    ("name", "telling"),
    [("load_config", True), ("_load_config", True), ("__init__", False), ("run", False), ("test_load", False)],
)
def test_queries_are_names_that_someone_would_search_for(name: str, telling: bool) -> None:
    assert is_telling_name(name) is telling


def test_a_source_without_syntax_gives_no_queries() -> None:
    assert material("def broken(:\n") == ([], [])


def test_queries_are_half_sentences_half_names_and_the_same_each_time(tmp_path: Path) -> None:
    for number in range(20):
        source = f'def function_{number}():\n    """Sentence about thing {number}."""\n'
        (tmp_path / f"m{number}.py").write_text(source)
    queries = sample_queries(tmp_path, 10)
    assert len(set(queries)) == 10
    assert sum(query.startswith("function_") for query in queries) == 5
    assert queries == sample_queries(tmp_path, 10)
    assert queries != sample_queries(tmp_path, 10, seed=1)


def test_too_small_a_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="take a larger corpus"):
        sample_queries(tmp_path, 10)


# --- corpora ---------------------------------------------------------------------------------------


def archive(path: Path, *members: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in members:
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"x\n"))
    return path


def test_an_archive_is_unpacked_without_its_outer_folder(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a.tar.gz", "p-1/a.py", "p-1/b/c.py"), tmp_path / "trees" / "p")
    assert (tmp_path / "trees" / "p" / "b" / "c.py").read_text() == "x\n"


@pytest.mark.parametrize("members", [("p-1/a.py", "../outside.py"), ("/absolute/../../x.py", "p-1/a.py"), ("a", "b")])
def test_an_archive_that_reaches_outside_its_folder_leaves_nothing(tmp_path: Path, members: tuple[str, ...]) -> None:
    with pytest.raises(BenchmarkError):
        unpack(archive(tmp_path / "a.tar.gz", *members), tmp_path / "in" / "trees" / "p")
    assert list((tmp_path / "in" / "trees").iterdir()) == []
    assert not list(tmp_path.rglob("*.py"))


def test_a_cut_archive_says_what_to_do(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.tar.gz", *(f"p/{n}" for n in range(50)))
    whole.write_bytes(whole.read_bytes()[:100])
    with pytest.raises(BenchmarkError, match="delete it and try again"):
        unpack(whole, tmp_path / "trees" / "p")


def test_files_are_identified_by_content(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# --- edits -----------------------------------------------------------------------------------------


def test_tokens_are_distinct_words_without_vowels() -> None:
    tokens = unique_tokens(200, CHANCE)
    assert len(set(tokens)) == 200
    assert all(token.isalpha() and token.islower() and not set(token) & set("aeiou") for token in tokens)


def test_edits_carry_their_token_and_keep_the_rest() -> None:
    assert with_new_function(b"a = 1\n", "xyz") == b"a = 1\n\n\ndef xyz():\n    return None\n"
    assert with_changed_line(b"a = 1\nb = 2\n\n", "xyz") == b"a = 1\nb = 2  # xyz\n"


def test_only_ordinary_python_files_are_edited() -> None:
    files = [
        FileStatus(path="a.py", status="indexed", language="python", size_bytes=1_000),
        FileStatus(path="empty.py", status="indexed", language="python", size_bytes=0),
        FileStatus(path="huge.py", status="indexed", language="python", size_bytes=500_000),
        FileStatus(path="a.md", status="indexed", language="markdown", size_bytes=1_000),
    ]
    assert sources_to_edit(files, 1, CHANCE) == ["a.py"]
    with pytest.raises(BenchmarkError, match="has 1 Python files to edit; 2 are needed"):
        sources_to_edit(files, 2, CHANCE)


def test_a_branch_changes_one_line_per_file_and_leaves_the_working_tree_alone(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    for name in ("a.py", "sub/b.py", "c.py"):
        (tree / name).write_text("x = 1\n")
    repository = Repository.copy(tree, tmp_path / "work")
    before = {path: path.stat().st_mtime_ns for path in repository.root.rglob("*.py")}

    repository.branch_with_changes(["a.py", "sub/b.py"], ["tokena", "tokenb"], tmp_path / "side")
    assert {path: path.stat().st_mtime_ns for path in repository.root.rglob("*.py")} == before
    assert not (tmp_path / "side").exists()

    repository.checkout(CHANGED)
    assert (repository.root / "sub" / "b.py").read_text() == "x = 1  # tokenb\n"
    assert (repository.root / "c.py").read_text() == "x = 1\n"
    repository.checkout(MAIN)
    assert (repository.root / "a.py").read_text() == "x = 1\n"
    assert (tree / "a.py").read_text() == "x = 1\n"
