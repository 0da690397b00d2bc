"""Whatever the text: nothing is lost, nothing repeated, nothing hangs, nothing crashes."""

import chunking_cases_compiled
import chunking_cases_config
import chunking_cases_markup
import chunking_cases_scripting
import pytest
from chunking_case import FINEST, Case, assert_covered
from hypothesis import given, settings
from hypothesis import strategies as st

from lucastrad.indexing.chunking import Limits, chunk_file
from lucastrad.indexing.chunking.tree import ParseDeadline

CASES = [
    *chunking_cases_compiled.CASES,
    *chunking_cases_config.CASES,
    *chunking_cases_markup.CASES,
    *chunking_cases_scripting.CASES,
]
SMALL = Limits(target=120, whole_function=160, whole_class=80, small=20, solo_lines=2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
@given(data=st.data())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_broken_code_is_covered(case: Case, data: st.DataObject) -> None:
    lines = case.text.splitlines(keepends=True)
    pieces = st.one_of(st.sampled_from(lines), st.sampled_from(lines).map(str.strip), st.text(max_size=5))
    text = "".join(data.draw(st.lists(pieces, max_size=40)))
    limits = data.draw(st.sampled_from([SMALL, FINEST, Limits()]))
    assert_covered(text, chunk_file(case.path, text, limits=limits))


@given(text=st.text(st.sampled_from("ab(){}[]<>:;,.\"'`=-*#\\ \t\n\r\f\0é日\u2028😀\ud800"), max_size=300))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_random_text_is_covered(text: str) -> None:
    for path in ("a.py", "a.cpp", "a.md", "a.rst", "a.yaml", "a.vue", "a.txt"):
        assert_covered(text, chunk_file(path, text, limits=SMALL))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("parens.py", "(" * 100_000),
        ("lines.py", "(\n" * 50_000),
        ("nested.json", "[\n" * 20_000 + "]\n" * 20_000),
        ("one_line.js", "var a=1;" * 250_000),
        ("one_word.py", "é" * 1_000_000),
        ("indent.py", "".join(" " * n + "if x:\n" for n in range(400))),
        ("open.html", "<div>\n" * 2_000),
        ("fences.md", "```\n" * 20_000 + "# " * 20_000),
        ("rules.rst", "a\n=\n" * 20_000),
        ("zeros.c", "\0" * 100_000),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_hostile_text_is_covered(path: str, text: str) -> None:
    assert_covered(text, chunk_file(path, text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("deep.yaml", "".join(" " * n + "a:\n" for n in range(400))),
        ("dashes.yaml", "- " * 400 + "a\n"),
        ("names.rb", "<<" + "A" * 300 + "\nx\n" + "A" * 300 + "\n"),
        ("names.pl", "<<" + "a" * 9000 + "\nx\n" + "a" * 9000 + "\n"),
    ],
)
def test_text_that_crashes_a_grammar_never_reaches_it(path: str, text: str) -> None:
    result = chunk_file(path, text)
    assert_covered(text, result)
    assert result.problem


def test_a_parse_over_its_deadline_ends_in_windows() -> None:
    text = "x = compute(1, 2, 3)\n" * 20_000
    ticks = iter(range(1_000_000))
    result = chunk_file("a.py", text, deadline=ParseDeadline(3, clock=lambda: float(next(ticks))))
    assert result.problem == "cut into windows: parsing as python took over 3 s"
    assert {c.kind for c in result.chunks} == {"window"}
    assert_covered(text, result)


def test_text_of_another_language_ends_in_windows() -> None:
    text = "Dear all, this is (a letter] of no {language at all; » and so on...\n" * 30
    result = chunk_file("letter.cpp", text)
    assert result.problem == "cut into windows: most of the text is not valid cpp"
    assert_covered(text, result)
