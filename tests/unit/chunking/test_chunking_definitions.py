"""Where chunks begin and end, and what they are called."""

from textwrap import dedent, indent

from chunking_case import FINEST, assert_covered

from lucastrad.indexing.chunking import chunk_file

BODY = "".join(f"    value_{n} = compute(value_{n - 1}, 'some text to fill the line')\n" for n in range(1, 12))
LONG_BODY = "".join(f"    value_{n} = compute(value_{n - 1}, 'some text to fill the line')\n" for n in range(1, 120))


def outline(path: str, text: str) -> list[tuple[int, int, str, str]]:
    result = chunk_file(path, text)
    assert_covered(text, result)
    assert result.problem == ""
    return [(c.start_line, c.end_line, c.symbol, c.kind) for c in result.chunks]


def test_a_small_class_stays_whole() -> None:
    text = (
        "class Point:\n    def __init__(self, x):\n        self.x = x\n\n    def twice(self):\n        return self.x\n"
    )
    assert outline("a.py", text) == [(1, 6, "Point", "class")]


def test_a_larger_class_is_a_header_and_its_methods() -> None:
    text = (
        'class Store:\n    """Keeps things."""\n\n    limit = 10\n\n'
        + indent("@cached\ndef first(self):\n" + BODY, "    ")
        + "\n"
        + indent("# Explains second.\ndef second(self):\n" + BODY, "    ")
    )
    assert outline("a.py", text) == [
        (1, 4, "Store", "class"),
        (6, 18, "Store.first", "method"),
        (20, 32, "Store.second", "method"),
    ]


def test_imports_and_small_statements_are_one_block() -> None:
    text = "import os\nfrom a import b\n\n" + "print('some statement of middling length', os, b)\n" * 6
    assert outline("a.py", text + "\n\ndef main():\n" + BODY) == [(1, 9, "", "block"), (12, 23, "main", "function")]


def test_a_line_or_two_between_definitions_joins_the_next() -> None:
    text = "def one():\n" + BODY + "\nDEBUG = False\n\ndef two():\n" + BODY
    assert outline("a.py", text) == [(1, 12, "one", "function"), (14, 27, "two", "function")]


def test_a_run_of_tiny_definitions_is_one_chunk_named_after_the_first() -> None:
    text = "".join(f"def get_{name}(self): return self.{name}\n" for name in ("x", "y", "z"))
    assert outline("a.py", text) == [(1, 3, "get_x", "function")]


def test_comments_and_decorators_belong_to_the_definition_below_unless_a_blank_line_parts_them() -> None:
    licence = "".join(f"# Licence line {n} of a long and tiresome text about rights.\n" for n in range(6))
    text = licence + "\n# About main.\n# More.\n@wrap(\n    1,\n)\ndef main():\n" + BODY
    assert outline("a.py", text) == [(1, 6, "", "block"), (8, 24, "main", "function")]


def test_a_function_too_large_is_cut_between_statements_and_keeps_its_symbol() -> None:
    found = outline("a.py", "def main(value_0):\n" + LONG_BODY)
    assert [kind for *_, kind in found] == ["function"] + ["block"] * (len(found) - 1)
    assert {symbol for _, _, symbol, _ in found} == {"main"}
    assert 3 <= len(found) <= 6


def test_a_definition_inside_a_large_function_has_its_own_chunk() -> None:
    text = "def outer(value_0):\n" + LONG_BODY + "    def inner():\n" + indent(BODY, "    ") + "    return inner\n"
    assert (121, 133, "outer.inner", "function") in outline("a.py", text)


def test_definitions_under_a_condition_are_found() -> None:
    text = (
        "if TYPE_CHECKING:\n    import x\n    def fallback():\n"
        + indent(BODY, "    ")
        + "else:\n    from y import fallback\n"
    )
    assert outline("a.py", text) == [(1, 16, "fallback", "function")]


def test_clauses_of_one_function_stay_together() -> None:
    clauses = "\n".join(
        f"area ({name} r) =\n  let a = r * r\n      b = a + 1\n  in a * b" for name in ("Circle", "Square")
    )
    text = f"module Geo where\n\n-- | The area.\narea :: Shape -> Int\n{clauses}\n"
    assert outline("a.hs", text) == [(1, 12, "area", "function")]


def test_a_script_in_a_component_is_cut_as_script() -> None:
    script = "".join(f"  const value{n} = compute({n}, 'some text to fill the line');\n" for n in range(12))
    template = "  <p>Some words that make this template larger than a remark.</p>\n" * 5
    text = f"<template>\n{template}</template>\n\n<script>\nfunction go() {{\n{script}}}\n</script>\n"
    assert outline("a.vue", text) == [(1, 9, "", "block"), (10, 24, "go", "function")]


def test_closing_brackets_stay_with_what_they_close() -> None:
    methods = "".join(
        f"    public int area{n}(int r) {{\n"
        + "".join(f"        int v{i} = compute(r, {i}, someOther);\n" for i in range(10))
        + "    }\n\n"
        for n in range(2)
    )
    found = outline("A.java", "class Circle {\n" + methods + "}\n\nclass Empty {}\n")
    assert found[:3] == [
        (1, 1, "Circle", "class"),
        (2, 13, "Circle.area0", "method"),
        (15, 28, "Circle.area1", "method"),
    ]


def test_byte_offsets_are_utf8_and_lines_may_end_in_crlf() -> None:
    text = "x = 'äöü€😀'\r\n\r\n\r\ndef größe():\r\n    return '日本'\r\n"
    result = chunk_file("a.py", text, limits=FINEST)
    assert_covered(text, result)
    assert [(c.symbol, c.start_line) for c in result.chunks] == [("x", 1), ("größe", 4)]


def test_a_missing_brace_does_not_hide_the_definitions_around_it() -> None:
    good = "".join(f"int area{n}(int r) {{\n" + "    r = compute(r);\n" * 6 + "}\n\n" for n in range(4))
    result = chunk_file("a.c", good + "int broken( {\n")
    assert {"area0", "area1", "area2", "area3"} <= {c.symbol for c in result.chunks}
    assert result.problem == ""


def test_headings_make_sections_named_by_their_path() -> None:
    text = dedent("""\
        ---
        title: x
        ---
        # Guide

        Intro that is long enough to stand alone: this takes a few words more, and then some more words, so that
        it is more than a few lines of text, which would join the next section; so here are yet more words for it.

        ## Install `it`

        ```
        # not a heading
        ```
        The text under it must be long enough as well, so that it is not taken for a heading without any content,
        which would join whatever follows it in the file; and so it goes on and on for some two hundred letters.

        Second
        ------
        More text, again of some length, since short sections join the one that follows when they share a parent.
        And so on.
        """)
    found = [(symbol, kind) for _, _, symbol, kind in outline("a.md", text)]
    assert found[-2:] == [("Guide > Install it", "section"), ("Guide > Second", "section")]


def test_plain_text_is_cut_into_windows_at_blank_lines() -> None:
    paragraph = "A line of plain text of some length.\n" * 9 + "\n"
    result = chunk_file("notes.txt", paragraph * 20)
    assert_covered(paragraph * 20, result)
    assert {c.kind for c in result.chunks} == {"window"}
    assert all(c.text.count("\n") <= 45 for c in result.chunks)
    assert all(c.start_line % 10 == 1 for c in result.chunks)


def test_nothing_comes_of_nothing() -> None:
    for text in ("", "\n", " \n\t\n"):
        for path in ("a.py", "a.md", "a.txt", "a.json"):
            assert chunk_file(path, text).chunks == []
