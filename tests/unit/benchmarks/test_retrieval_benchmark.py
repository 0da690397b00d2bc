"""What the retrieval benchmark counts as found, where its questions come from, and which bars they are held against."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.bars import Verdict
from benchmarks.corpora import StandardLibrary
from benchmarks.errors import BenchmarkError
from benchmarks.machine import Machine
from benchmarks.retrieval import bars, docstrings, lines, messages, packages, report, tuning
from benchmarks.retrieval.__main__ import parse
from benchmarks.retrieval.docstrings import Function, functions_of, questions
from benchmarks.retrieval.results import HYBRID, KEYWORD, VECTOR, Judged, RetrievalReport, summarise
from benchmarks.retrieval.scoring import Place, Question, Score, Target, mean, score
from benchmarks.retrieval.searcher import MODES, Searcher, store_of_tree
from benchmarks.retrieval.systems import Corpus, Dense, Ours, PlainBM25, System, reduced
from lucastrad.types import SearchMode

# --- scores ----------------------------------------------------------------------------------------


def places(*paths: str) -> list[Place]:
    return [Place(path, 1, 9) for path in paths]


def asking(*paths: str) -> Question:
    return Question("?", tuple(map(Target, paths)))


def test_a_target_at_the_top_scores_full() -> None:
    assert score(asking("a"), places("a", "b")) == Score(1.0, 1.0, 1.0)


def test_a_target_counts_at_its_first_hit_only() -> None:
    assert score(asking("a"), places("b", "a", "a")).ndcg == pytest.approx(1 / math.log2(3))


def test_several_targets_share_the_ideal() -> None:
    found = score(asking("a", "b"), places("x", "a", "y"))
    assert found.ndcg == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert (found.mrr, found.recall) == (0.5, 0.5)


def test_what_comes_after_the_tenth_is_not_found() -> None:
    assert score(asking("a"), places(*"bcdefghijk", "a")) == Score(0.0, 0.0, 0.0)


def test_a_target_with_lines_needs_a_hit_that_overlaps_them() -> None:
    question = Question("?", (Target("a", 20, 30),))
    assert score(question, [Place("a", 1, 19), Place("a", 30, 40)]).mrr == 0.5


def test_the_standard_error_is_that_of_the_mean() -> None:
    found = mean([Score(1.0, 1.0, 1.0), Score(0.0, 0.0, 0.0)])
    assert found.ndcg == 0.5
    assert found.ndcg_error == pytest.approx(0.5)


def test_passages_of_one_file_count_once_where_files_are_asked_for() -> None:
    hits = places("a", "a", "b")
    assert [hit.path for hit in reduced(hits, by_file=True)] == ["a", "b", "a"]
    assert reduced(hits, by_file=False) == hits


# --- the tuning set --------------------------------------------------------------------------------


def write_set(folder: Path, relevant: object) -> None:
    (folder / "annotations").mkdir(parents=True)
    entry = {"name": "one", "language": "go", "url": str(folder / "nowhere"), "revision": "0" * 40}
    (folder / "repos.json").write_text(json.dumps([entry | {"benchmark_root": "src"}]))
    asked = {"query": "how", "category": "semantic", "relevant": [relevant], "secondary": []}
    (folder / "annotations" / "one.json").write_text(json.dumps([asked]))


@pytest.mark.parametrize(
    ("relevant", "target"),
    [
        ("src/a.go", Target("a.go")),
        ("a.go", Target("a.go")),
        ({"path": "src/a.go", "start_line": 3, "end_line": 5}, Target("a.go", 3, 5)),
    ],
)
def test_targets_are_relative_to_what_is_indexed(relevant: object, target: Target, tmp_path: Path) -> None:
    write_set(tmp_path / "set", relevant)
    (tmp_path / "repositories" / "one" / "src").mkdir(parents=True)
    (tmp_path / "repositories" / "one" / "src" / "a.go").touch()
    found = tuning.load(tmp_path / "set", tmp_path / "repositories", tmp_path / "cache")
    (repository,) = found.repositories
    assert repository.tree == tmp_path / "repositories" / "one" / "src"
    assert repository.questions == (Question("how", (target,), "semantic"),)


def test_a_repository_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    write_set(tmp_path / "set", "src/a.go")
    found = tuning.load(tmp_path / "set", None, tmp_path / "cache")
    assert found.repositories == []
    assert "nowhere" in found.missing[0]
    assert tuning.REPOSITORIES_VARIABLE in found.missing[0]


def test_a_folder_without_a_set_says_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"repos\.json"):
        tuning.load(tmp_path, None, tmp_path)


def test_the_set_is_found_by_option_and_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tuning.SET_VARIABLE, "/set")
    monkeypatch.delenv(tuning.REPOSITORIES_VARIABLE, raising=False)
    settings, shared = parse(["--quick", "--only", "tuning, daemon", "--repositories", "/there"])
    assert (settings.tuning, settings.repositories) == (Path("/set"), Path("/there"))
    assert settings.only == ["tuning", "daemon"]
    assert shared == ["--quick"]
    assert parse(["--tuning", "/other"])[0].tuning == Path("/other")


# --- questions of docstrings -----------------------------------------------------------------------


def function(name: str, doc: str, line: int = 1) -> Function:
    return Function("p/a.py", name, "python", doc, f"def {name}():\n    x = 1\n    return x", line)


def test_a_sentence_that_two_functions_share_is_no_question() -> None:
    functions = [
        function("total", "Add up the prices."),
        function("other_total", "Add up the prices."),
        function("mean_price", "Divide the sum of the prices by their number.", 9),
    ]
    assert questions(functions, 10) == [
        Question("Divide the sum of the prices by their number", (Target("p/a.py", 9, 9),))
    ]


def test_the_same_questions_are_drawn_every_time() -> None:
    functions = [function(f"name_{n}", f"Do the thing number {n} at once.", n) for n in range(50)]
    assert questions(functions, 5) == questions(functions, 5)
    assert len({question.text for question in questions(functions, 5)}) == 5


def test_functions_lose_their_docstrings_and_classes_are_left_out(tmp_path: Path) -> None:
    source = '''class Basket:
    """What is bought."""

    def total(self):
        """Add up the prices."""
        prices = self.prices
        return sum(prices)

    def short(self):
        return 1
'''
    (tmp_path / "basket.py").write_text(source)
    (found,) = functions_of(("shop", tmp_path, tmp_path / "basket.py"))
    assert (found.path, found.symbol, found.doc) == ("shop/basket.py", "Basket.total", "Add up the prices.")
    assert "Add up" not in found.code
    assert "sum(prices)" in found.code


def test_every_package_that_training_leaves_out_for_a_set_is_pinned() -> None:
    for held_out, pinned in packages.HELD_OUT_SETS.items():
        names = {one.project.lower() for one in pinned if not isinstance(one, StandardLibrary)}
        assert names == set(held_out)
    assert {one.packages for one in docstrings.SETS.values()} == set(packages.HELD_OUT_SETS.values())


# --- bars and report -------------------------------------------------------------------------------


def judged(system: str, ndcg: float, question: str = "q", category: str = "symbol") -> Judged:
    return Judged("tuning", "one", "go", category, system, question, Score(ndcg, ndcg, ndcg), [])


def report_of(*rows: Judged) -> RetrievalReport:
    machine = Machine("cpu", 2, 1, "CPython", "Linux", (0.0, 0.0, 0.0))
    found = RetrievalReport(machine, False, "model", judged=list(rows), summaries=summarise(rows))
    found.verdicts += bars.verdicts(found)
    return found


def verdict(found: RetrievalReport, bar: str) -> Verdict:
    return next(one for one in found.verdicts if one.name == bar)


def test_hybrid_is_held_against_the_better_half_of_its_worst_category() -> None:
    found = report_of(
        *(
            judged(system, ndcg, f"{category}{n}", category)
            for category, values in (("symbol", (1.0, 0.5, 0.6)), ("semantic", (0.5, 0.9, 0.1)))
            for system, ndcg in zip((HYBRID, KEYWORD, VECTOR), values, strict=True)
            for n in range(4)
        )
    )
    worst = verdict(found, bars.BETTER_HALF.name)
    assert not worst.met
    assert "semantic" in worst.subject


def test_the_worst_language_is_named() -> None:
    rows = [judged(HYBRID, 1.0), Judged("tuning", "two", "c", "symbol", HYBRID, "r", Score(0.5, 0.5, 0.5), [])]
    worst = verdict(report_of(*rows), bars.TUNING_LANGUAGE.name)
    assert (worst.value, worst.met) == (0.5, False)
    assert "(c)" in worst.subject


def test_nothing_measured_holds_no_bar() -> None:
    assert report_of().verdicts == []


def test_the_report_has_a_line_for_each_system() -> None:
    text = "\n".join(report.lines(report_of(judged(HYBRID, 0.5), judged(KEYWORD, 0.25))))
    assert "hybrid" in text
    assert "0.250" in text


# --- searching in this process ---------------------------------------------------------------------


def test_a_store_is_built_once_and_answers_in_every_mode(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "basket.py").write_text("def total_price(basket):\n    return sum(item.price for item in basket)\n")
    (tree / "mail.py").write_text("def send_letter(to):\n    smtp.deliver(to)\n")
    store = store_of_tree(tree, tmp_path / "stores")
    made = (store / "complete.json").read_bytes()
    assert store_of_tree(tree, tmp_path / "stores") == store
    assert (store / "complete.json").read_bytes() == made
    corpus = Corpus("tree", "python", store, tree, [Question("total price of the basket", (Target("basket.py"),))])
    systems: list[System] = [*map(Ours, MODES), Dense(), PlainBM25()]
    for system in systems:
        with Searcher(store) as searcher:
            answers = system.answer(corpus, searcher)
        assert answers is not None
        assert answers.hits[0][0].path == "basket.py", system.name
    with Searcher(store) as searcher:
        assert searcher.find("zebra", SearchMode.KEYWORD).ranked() == []


def test_a_changed_tree_has_another_store(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.py").write_text("x = 1\n")
    before = store_of_tree(tree, tmp_path / "stores")
    (tree / "a.py").write_text("x = 1\ny = 2\n")
    assert store_of_tree(tree, tmp_path / "stores") != before


def test_messages_are_asked_for_with_values_where_the_code_has_names(tmp_path: Path) -> None:
    (tmp_path / "ledger.py").write_text(
        "def load(path):\n"
        "    if not path:\n"
        "        raise ValueError('the ledger needs a path')\n"
        "    try:\n"
        "        return read(path)\n"
        "    except OSError as error:\n"
        "        raise errors.LedgerError(f'the ledger {path} is gone: '\n"
        "                                 f'{error}') from error\n"
        "    raise ValueError('too short')\n"
        "    raise TypeError('this is raised in two places')\n"
        "    raise TypeError('this is raised in two places')\n"
        "raise KeyError('the ledger is closed for good')\n"
    )
    (tmp_path / "broken.py").write_text("def load(:\n")
    asked = messages.corpus(Corpus("ledger", "python", tmp_path, tmp_path, [])).questions
    assert sorted(question.targets[0].start_line for question in asked) == [3, 7, 12]
    assert {question.targets[0].path for question in asked} == {"ledger.py"}
    texts = {question.category: question.text for question in asked}
    assert texts[bars.BARE].startswith("the ledger ")
    assert texts[bars.TYPED].startswith(
        ("ValueError: the ledger ", "LedgerError: the ledger ", "KeyError: the ledger ")
    )
    frame, source, said = texts[bars.TRACEBACK].splitlines()[-3:]
    line = next(question.targets[0].start_line for question in asked if question.category == bars.TRACEBACK)
    assert frame.startswith('  File "/usr/lib/') and f'/ledger.py", line {line}, in ' in frame
    assert source.strip().startswith("raise ")
    assert "Error: the ledger " in said
    assert "{" not in texts[bars.BARE] + texts[bars.TYPED] + said


def test_lines_are_asked_for_that_stand_in_one_passage_only(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    twice = "    total = price_of(basket) * count\n"
    for number in range(3):
        (tree / f"m{number}.py").write_text(
            f"def pay_{number}(basket):\n{twice}    receipt_{number} = Receipt(basket, total)\n"
            f"    # receipts are kept by the ledger {number}\n    return receipt_{number}\n"
        )
    asked = lines.corpus(Corpus("pay", "python", store_of_tree(tree, tmp_path / "stores"), tree, [])).questions
    assert {question.category for question in asked} == {bars.LINE, bars.TWO_LINES, bars.ASKED}
    for question in asked:
        (target,) = question.targets
        text = (tree / target.path).read_text().split("\n")[(target.start_line or 0) - 1]
        assert target.start_line == target.end_line == 3
        assert text.strip() in question.text
