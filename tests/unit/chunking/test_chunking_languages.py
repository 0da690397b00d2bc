"""Every language of the grammar package: recognised by name, and cut at its definitions."""

import chunking_cases_compiled
import chunking_cases_config
import chunking_cases_markup
import chunking_cases_scripting
import pytest
import semble_grammars
from chunking_case import FINEST, Case, assert_covered

from lucastrad.indexing.chunking import chunk_file, kinds, language_of, languages

CASES = [
    *chunking_cases_compiled.CASES,
    *chunking_cases_config.CASES,
    *chunking_cases_markup.CASES,
    *chunking_cases_scripting.CASES,
]
PARTS_OF_OTHERS = {"markdown_inline", "php_only"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_become_chunks_with_symbol_and_kind(case: Case) -> None:
    result = chunk_file(case.path, case.text, limits=FINEST)
    found = {c.symbol: c.kind for c in result.chunks if c.symbol and c.kind != kinds.BLOCK}
    assert (result.language, result.problem) == (case.language, "")
    assert found == case.symbols
    assert_covered(case.text, result)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_usual_limits_keep_every_line(case: Case) -> None:
    result = chunk_file(case.path, case.text)
    assert_covered(case.text, result)
    assert {chunk.kind for chunk in result.chunks} <= kinds.ALL


def test_every_grammar_is_covered() -> None:
    available = set(semble_grammars.available_languages())
    assert {case.language for case in CASES} == available - PARTS_OF_OTHERS
    assert set(languages.EXTENSIONS) == available - PARTS_OF_OTHERS
    assert sum(bool(case.symbols) for case in CASES) >= 70


@pytest.mark.parametrize(
    ("path", "first_line", "expected"),
    [
        ("src/App.TSX", "", "tsx"),
        ("a/Dockerfile", "", "dockerfile"),
        ("Dockerfile.prod", "", "dockerfile"),
        ("Makefile.am", "", "make"),
        ("CMakeLists.txt", "", "cmake"),
        ("notes.txt", "", "text"),
        ("x/Gemfile", "", "ruby"),
        (".bashrc", "", "bash"),
        ("config.yaml.in", "", "yaml"),
        ("settings.py.example", "", "python"),
        ("tsconfig.json", "", "jsonc"),
        ("vec.C", "", "cpp"),
        ("view.m", "#import <UIKit/UIKit.h>", "objc"),
        ("solve.m", "function x = solve(a)", "text"),
        ("bin/run", "#!/usr/bin/env python3.11", "python"),
        ("bin/run", "#!/bin/sh -e", "bash"),
        ("bin/run", "#!/usr/bin/env -S node --flag", "javascript"),
        ("bin/run", "#!/opt/unknown", "text"),
        ("x", "// -*- mode: C++; tab-width: 4 -*-", "cpp"),
        ("feed", '<?xml version="1.0"?>', "xml"),
        ("noext", "", "text"),
        ("", "", "text"),
    ],
)
def test_language_of_a_name_or_first_line(path: str, first_line: str, expected: str) -> None:
    assert language_of(path, first_line) == expected


def test_no_extension_has_two_languages() -> None:
    every = [ext for exts in languages.EXTENSIONS.values() for ext in exts.split()]
    assert sorted(every) == sorted(set(every))
