"""Scores of rankings, worked out by hand."""

import math

import pytest

from lucastrad.evaluation.metrics import Place, Target, standard_error
from lucastrad.evaluation.report import Question, Source
from lucastrad.evaluation.scoring import Measured, by_language, folders, group, measured, worst_folders
from lucastrad.types import SearchMode

KEYWORD, VECTOR, HYBRID = SearchMode.KEYWORD, SearchMode.VECTOR, SearchMode.HYBRID


def question(*paths: str, language: str = "python", lines: tuple[int, int] = (0, 0)) -> Question:
    return Question(Source.COMMITS, "what is asked", tuple(Target(path, *lines) for path in paths), language)


def hits(*paths: str, line: int = 1) -> list[Place]:
    return [Place(path, line, line + 9) for path in paths]


def result(rank: int | None, *, keyword: int | None = None, path: str = "a.py", language: str = "python") -> Measured:
    """A question whose answer hybrid and vector search show at `rank`, keyword search at `keyword`."""

    def shown(at: int | None) -> list[Place]:
        return hits(*["other.py"] * 12) if at is None else hits(*["other.py"] * (at - 1), path)

    return measured(
        question(path, language=language), {KEYWORD: shown(keyword), VECTOR: shown(rank), HYBRID: shown(rank)}
    )


@pytest.mark.parametrize(
    ("asked", "shown", "ndcg", "mrr", "recall"),
    [
        (question("a"), hits("a"), 1.0, 1.0, 1.0),
        (question("a"), hits("b", "a"), 1 / math.log2(3), 1 / 2, 1.0),
        (question("a"), hits(*"bcdefghijk", "a"), 0.0, 0.0, 0.0),
        (question("a"), [], 0.0, 0.0, 0.0),
        (question("a", "b"), hits("x", "b", "a"), (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)), 1 / 2, 1.0),
        (question("a", "b"), hits("a"), 1 / (1 + 1 / math.log2(3)), 1.0, 1.0),
        (question("a"), hits("a", "a"), 1.0, 1.0, 1.0),
    ],
)
def test_each_target_counts_at_its_first_hit(
    asked: Question, shown: list[Place], ndcg: float, mrr: float, recall: float
) -> None:
    score = measured(asked, {HYBRID: shown}).scores[HYBRID]
    assert (score.ndcg, score.mrr, score.recall) == (pytest.approx(ndcg), mrr, recall)


def test_a_definition_is_found_where_a_hit_shows_its_head_and_its_file_counts_apart() -> None:
    asked = question("a", lines=(12, 14))
    above, over = hits("a", line=1), hits("a", line=5)
    assert measured(asked, {HYBRID: over}).ranks == {HYBRID: 1}
    missed = measured(asked, {HYBRID: above})
    assert (missed.ranks, missed.scores[HYBRID].recall, missed.scores[HYBRID].files) == ({}, 0.0, 1.0)


def test_hybrid_is_compared_where_either_mode_finds_the_answer() -> None:
    both, worse, neither = result(1, keyword=2), result(3, keyword=1), result(None)
    found = group("all", [both, worse, neither])
    assert (found.questions, found.answered, found.at_least_as_good) == (3, 2, 0.5)
    assert found.relevance == pytest.approx((1 + 1 / 2) / (1 / math.log2(3) + 1))


def test_without_any_answer_nothing_is_compared() -> None:
    found = group("all", [result(None)])
    assert (found.relevance, found.at_least_as_good, found.answered) == (None, None, 0)


def test_means_come_with_their_standard_errors() -> None:
    score = group("all", [result(1), result(2), result(None)]).score(HYBRID)
    assert score.mrr == pytest.approx(0.5)
    assert score.mrr_error == pytest.approx(0.5 / math.sqrt(3))
    assert standard_error([0.7]) == 0.0


def test_languages_are_told_by_how_many_questions_they_have() -> None:
    results = [result(1, path="a.go", language="go"), result(1), result(2)]
    assert [(one.name, one.questions) for one in by_language(results)] == [("python", 2), ("go", 1)]


def test_a_folder_that_holds_most_files_is_told_by_the_folders_in_it() -> None:
    paths = ["src/a/x.py", "src/a/y.py", "src/b/x.py", "src/b/y.py", "src/main.py", "setup.py"]
    assert folders(paths) == {
        "src/a/x.py": "src/a/",
        "src/a/y.py": "src/a/",
        "src/b/x.py": "src/b/",
        "src/b/y.py": "src/b/",
        "src/main.py": "src/",
        "setup.py": "./",
    }


def test_the_worst_folders_come_first_and_those_with_few_questions_not_at_all() -> None:
    good = [result(1, path=f"good/{n}.py") for n in range(5)]
    bad = [result(9, path=f"bad/{n}.py") for n in range(5)]
    few = [result(None, path=f"few/{n}.py") for n in range(4)]
    assert [one.name for one in worst_folders(good + bad + few)] == ["bad/", "good/"]
    assert worst_folders(good) == (), "one folder is the whole"
