"""What is offered of a model's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.completion.brackets import imbalance, scan
from lucastrad.completion.cursor import Trigger, Window
from lucastrad.completion.rules import fit, may_span_lines, worth_asking

CODE = st.text(st.sampled_from("ab1 \n\t()[]{}\"':;,.=é😀"), max_size=60)


def at(text: str) -> Window:
    """The window of a text with its cursor at `|`."""
    prefix, _, suffix = text.partition("|")
    return Window(prefix, suffix)


@pytest.mark.parametrize(
    ("place", "written", "offered"),
    [
        ("print(|)", "a, b)", "a, b"),
        ("print(|)", "len(a))", "len(a)"),
        ("print(|)", "len(a)", "len(a)"),
        ('print("|")', 'hello")', "hello"),
        ("x = [a, |]", "b, c]", "b, c"),
        ("total = a + |;", "b;", "b"),
        ("return |and b", "a", "a"),
        ("foo(|)\n", "a) + bar(b)", "a"),
        ("import os\nimport |\nimport re\n", "sys", "sys"),
        ("def f(|):\n    pass\n", "a, b):", "a, b"),
        ("x = |  # note", "1  # note", "1"),
    ],
)
def test_what_follows_on_the_line_is_not_offered_again(place: str, written: str, offered: str) -> None:
    assert fit(written, at(place), lines=False) == offered


@pytest.mark.parametrize(
    ("place", "written", "offered"),
    [
        ("def f():\n    |\n    return x\n", "x = 1\n    return x\n", "x = 1"),
        ("def f():\n    |\n    return x\n", "x = 1\n    return x\n\ndef g():\n    pass", "x = 1"),
        ("def f():\n    |\n    return x\n", "return x", ""),
        ("if (a) {|\n}\n", "\n  b();\n}", "\n  b();"),
        ("call(() => {|})", "\n  b();\n})", "\n  b();\n"),
        ("if a\n  |\nend\n", "if b\n    c\n  end\nend", "if b\n    c\n  end"),
    ],
)
def test_lines_that_follow_are_not_offered_again(place: str, written: str, offered: str) -> None:
    assert fit(written, at(place), lines=True) == offered


@pytest.mark.parametrize(
    ("place", "written", "offered"),
    [
        ("def f():|", "\n    return 1\n\n\ndef g():\n    return 2", "\n    return 1"),
        ("if a:|", "\n    b()\nelse:\n    c()\nd()", "\n    b()\nelse:\n    c()"),
        ("def f():\n    |", "a = 1\n    return a\nf()", "a = 1\n    return a"),
        ("class A {\n  f() {|", "\n    x();\n  }\n  g() {", "\n    x();\n  }"),
        ("a = 1\n|", "b = 2\nc = 3", "b = 2\nc = 3"),
        ("a = 1\n|", "b = 2\n\n\nc = 3", "b = 2"),
    ],
)
def test_a_completion_ends_with_its_block(place: str, written: str, offered: str) -> None:
    assert fit(written, at(place), lines=True) == offered


def test_indentation_that_is_typed_is_not_typed_again() -> None:
    assert fit("    return 1", at("def f():\n    |"), lines=True) == "return 1"
    assert fit("    return 1", at("    if a:\n    |"), lines=True) == "    return 1"


def test_a_block_is_indented_as_the_file_is() -> None:
    assert fit("\n    if a:\n        b()", at("def g():\n\tpass\n\ndef f():|"), lines=True) == "\n\tif a:\n\t\tb()"
    assert fit("\n\tif a:\n\t\tb()", at("def g():\n    pass\n\ndef f():|"), lines=True) == "\n    if a:\n        b()"


def test_a_line_that_the_model_could_not_finish_is_left_out() -> None:
    assert fit("\n    a = 1\n    b = lo", at("def f():|"), lines=True, cut_short=True) == "\n    a = 1"
    assert fit("load_con", at("x = |"), lines=False, cut_short=True) == "load_con"


def test_no_bracket_is_closed_that_is_not_open() -> None:
    assert fit("a) or b)", at("if (|"), lines=False) == "a) or b"
    unseen = Window("a, ", "", from_start=False)
    assert fit("b)", unseen, lines=False) == "b)"


@pytest.mark.parametrize(
    ("place", "trigger", "lines"),
    [
        ("def f():|\n", Trigger.AUTOMATIC, True),
        ("def f():\n    |\n", Trigger.AUTOMATIC, True),
        ("x = lo|\n", Trigger.AUTOMATIC, False),
        ("x = lo|\n", Trigger.INVOKED, True),
        ("f(|)\n", Trigger.INVOKED, True),
        ("f(a, |)\n", Trigger.INVOKED, False),
        ("x = | + 1\n", Trigger.INVOKED, False),
    ],
)
def test_when_more_than_a_line_is_offered(place: str, trigger: Trigger, lines: bool) -> None:
    assert may_span_lines(at(place), trigger) is lines


@pytest.mark.parametrize(
    ("place", "asked"),
    [("x = |", True), ("f(|)", True), ("f(|):", True), ("x = lo|ad", False), ("x = | + y", False), ("\n|\n", False)],
)
def test_what_is_not_worth_asking_unasked(place: str, asked: bool) -> None:
    assert worth_asking(at(place), Trigger.AUTOMATIC) is asked
    assert worth_asking(at(place), Trigger.INVOKED)


@given(CODE, CODE, CODE)
def test_one_line_is_a_beginning_of_what_was_written(before: str, after: str, written: str) -> None:
    window = Window(before, after)
    offered = fit(written, window, lines=False)
    assert "\n" not in offered
    assert offered == "" or written.startswith(offered) or written.startswith(window.line + offered)


@given(CODE, CODE, CODE, st.booleans())
def test_nothing_blank_is_offered_and_nothing_raises(before: str, after: str, written: str, cut_short: bool) -> None:
    offered = fit(written, Window(before, after), lines=True, cut_short=cut_short)
    assert offered == "" or offered.strip()
    assert "\r" not in offered


@given(st.text(st.sampled_from("ab1. ,="), min_size=1, max_size=20).filter(str.strip), CODE)
def test_text_that_repeats_the_rest_of_the_line_loses_it(written: str, before: str) -> None:
    window = Window(before, " # rest of it\n")
    offered = fit(f"{written} # rest of it", window, lines=False)
    assert not offered.endswith("# rest of it")


@given(CODE)
def test_brackets_balance_with_their_mirror(text: str) -> None:
    opened = "".join(c for c in text if c in "([{")
    closed = "".join({"(": ")", "[": "]", "{": "}"}[c] for c in reversed(opened))
    assert imbalance(opened + closed) == 0
    assert "".join(scan(opened).pending) == closed[::-1]
    assert len(scan(closed).surplus) == len(opened)
