"""Which questions a repository is asked, and which it is not."""

import pytest

from lucastrad.evaluation.history import Commit
from lucastrad.evaluation.metrics import Target
from lucastrad.evaluation.questions import (
    commit_questions,
    definition_question,
    drawn,
    sampled,
    unambiguous,
)
from lucastrad.evaluation.report import Question, Source
from lucastrad.indexing.chunking.documented import documented

BODY = "    first()\n    second()\n    return third()\n"


def asked(source: str, path: str = "shop/prices.py") -> list[str]:
    found = [definition_question(one) for one in documented(path, source)]
    return [question.text for question in found if question is not None]


def said(subject: str, body_line: str = "") -> str | None:
    """The question of a commit that changed one file."""
    found = commit_questions([Commit(subject, body_line, ("src/a.py",))], lambda _: "").questions
    return found[0].text if found else None


# --- definitions ---------------------------------------------------------------------------------


def test_a_definition_is_asked_for_by_the_first_sentence_of_its_doc() -> None:
    source = f'def total(items):\n    """Sum the prices\n    of all items. In cents."""\n{BODY}'
    (definition,) = documented("shop/prices.py", source)
    question = definition_question(definition)
    assert question == Question(
        Source.DEFINITIONS, "Sum the prices of all items.", (Target("shop/prices.py", 1, 1),), "python"
    )


@pytest.mark.parametrize(
    ("why", "source", "path"),
    [
        ("too few words", f'def total():\n    """Sum the prices."""\n{BODY}', "a.py"),
        ("too small", 'def total():\n    """Sum the prices of all items."""\n', "a.py"),
        ("its name says nothing", f'def main():\n    """Sum the prices of all items."""\n{BODY}', "a.py"),
        ("a test", f'def total():\n    """Sum the prices of all items."""\n{BODY}', "tests/test_a.py"),
    ],
)
def test_a_definition_is_not_asked_for_when_its_doc_tells_too_little(why: str, source: str, path: str) -> None:
    assert asked(source, path) == [], why


def test_a_go_comment_is_asked_without_the_name_that_it_begins_with() -> None:
    source = "package a\n\n// Total sums the prices of all items.\nfunc Total() int {\n\tx := 1\n\treturn x\n}\n"
    assert asked(source, "a.go") == ["sums the prices of all items."]


def test_what_two_definitions_say_of_themselves_is_not_asked() -> None:
    def question(text: str, path: str) -> Question:
        return Question(Source.DEFINITIONS, text, (Target(path, 1, 1),), "python")

    mine, same, other = question("Close the file now.", "a.py"), question("close the file now.", "b.py"), "c.py"
    assert unambiguous([mine, same, question("Open it again.", other)]) == [question("Open it again.", other)]


# --- commits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Retry failed calls with a longer wait", "Retry failed calls with a longer wait"),
        ("fix(net): retry failed calls with a longer wait (#1234)", "retry failed calls with a longer wait"),
        ("Fixed #31202 -- Retry failed calls after a timeout.", "Retry failed calls after a timeout."),
        ("[3.2.x] Refs #7 -- Retry failed calls after a timeout", "Retry failed calls after a timeout"),
        ("gh-10234: Retry failed calls after a timeout", "Retry failed calls after a timeout"),
        ("NET-17: Retry failed calls after a timeout", "Retry failed calls after a timeout"),
        ("Release the lock when a worker dies", "Release the lock when a worker dies"),
        ("fix", None),
        ("fix the tests on Windows again", None),
        ("Bump httpx from 0.27 to 0.28 in requirements", None),
        ("Release version 2.0 with all the fixes", None),
        ("release v2.0.1 of the whole package", None),
        ("Update changelog for the next release", None),
        ('Revert "Retry failed calls with a longer wait"', None),
        ("wip on the new retry code", None),
        ("v2.31.0 and some more words here", None),
        ("more work", None),
    ],
)
def test_a_commit_asks_what_its_subject_says_without_numbers_and_kinds(subject: str, expected: str | None) -> None:
    assert said(subject) == expected


def test_where_the_subject_says_too_little_the_first_line_of_the_body_is_asked() -> None:
    assert said("fix", "Wait twice as long after each failure") == "Wait twice as long after each failure"
    assert said("fix", "Signed-off-by: Ada Lovelace of London <ada@example.org>") is None


def test_a_commit_is_answered_by_the_sources_that_it_changed_and_not_by_their_tests_or_notes() -> None:
    commit = Commit("Retry failed calls after a timeout", "", ("CHANGES.md", "src/net.py", "tests/test_net.py"))
    (question,) = commit_questions([commit], lambda _: "").questions
    assert question == Question(Source.COMMITS, commit.subject, (Target("src/net.py"),), "python")


def test_tests_answer_where_nothing_else_was_changed() -> None:
    commit = Commit("Cover the calls that are retried", "", ("tests/test_net.py",))
    (question,) = commit_questions([commit], lambda _: "").questions
    assert question.targets == (Target("tests/test_net.py"),)


def test_a_commit_is_not_asked_when_it_changed_many_files_or_none_that_is_left() -> None:
    many = Commit("Rename the basket to the cart", "", tuple(f"src/{name}.py" for name in "abcd"))
    gone = Commit("Retry failed calls after a timeout", "", ("src/gone.py",))
    found = commit_questions([many, gone], lambda path: None if path == "src/gone.py" else "")
    assert (found.questions, found.out_of_reach) == ([], {})


def test_commits_whose_files_are_all_skipped_are_counted_by_the_reason() -> None:
    reasons = {"src/a.js": "minified", "src/b.py": "", "src/c.js": "generated"}
    commits = [
        Commit("Retry failed calls after a timeout", "", ("src/a.js",)),
        Commit("Wait longer before the second call", "", ("src/a.js", "src/b.py")),
        Commit("Say in the log what was retried", "", ("src/c.js",)),
    ]
    found = commit_questions(commits, reasons.__getitem__)
    assert [question.targets for question in found.questions] == [(Target("src/b.py"),)]
    assert found.out_of_reach == {"minified": 1, "generated": 1}


def test_of_two_commits_that_say_the_same_the_newer_is_asked() -> None:
    commits = [Commit("Retry failed calls after a timeout", "", (path,)) for path in ("src/new.py", "src/old.py")]
    assert [q.targets[0].path for q in commit_questions(commits, lambda _: "").questions] == ["src/new.py"]


# --- drawing -------------------------------------------------------------------------------------


def questions(source: Source, count: int) -> list[Question]:
    return [Question(source, f"question {number}", (Target("a.py"),), "python") for number in range(count)]


@pytest.mark.parametrize(
    ("definitions", "commits", "expected"),
    [(100, 100, (10, 10)), (100, 3, (17, 3)), (4, 100, (4, 16)), (4, 3, (4, 3)), (0, 50, (0, 20)), (0, 0, (0, 0))],
)
def test_half_of_the_questions_are_of_each_kind_where_there_are_enough(
    definitions: int, commits: int, expected: tuple[int, int]
) -> None:
    found = drawn(questions(Source.DEFINITIONS, definitions), questions(Source.COMMITS, commits), 20)
    counts = [sum(question.source is source for question in found) for source in Source]
    assert tuple(counts) == expected
    assert found == drawn(questions(Source.DEFINITIONS, definitions), questions(Source.COMMITS, commits), 20)


def test_files_are_drawn_up_to_a_budget_and_keep_their_order() -> None:
    items = list(range(100))
    assert sampled(items, lambda _: 1, 100) == items
    some = sampled(items, lambda _: 1, 30)
    assert (len(some), some) == (30, sorted(some))
    assert some == sampled(items, lambda _: 1, 30)
    assert len(sampled(items, lambda _: 50, 30)) == 1, "one file is read, however large"
