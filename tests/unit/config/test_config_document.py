"""JSON text to values with lines, and syntax errors that point at their place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.config.document import Address, DocumentError, parse


def test_each_key_and_list_element_has_its_line() -> None:
    text = '{\n "a": {"b": 1,\n  "c": [true,\n   {"d": "x:{,"}]},\n "a\\"e": null\n}'
    assert parse(text.encode()).lines == {
        ("a",): 2,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 3,
        ("a", "c", 1): 4,
        ("a", "c", 1, "d"): 4,
        ('a"e',): 5,
    }


@pytest.mark.parametrize(
    ("data", "line", "column", "says"),
    [
        (b'{\n "a": 1,\n}', 3, 1, "}"),
        (b'{"a": 1\n "b": 2}', 2, 2, '"b": 2'),
        (b'{\n"a" 1}', 2, 5, '"a" 1'),
        (b"[1]", 1, 1, "one JSON object"),
        (b'{"a":\n "\xff"}', 2, 0, "UTF-8"),
        (b'{"a": NaN}', 0, 0, "NaN"),
        (b"[" * 100_000, 0, 0, "nested too deeply"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", 1, 0, "nested too deeply"),
    ],
)
def test_an_error_points_at_its_place(data: bytes, line: int, column: int, says: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(data)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert says in str(caught.value)


@pytest.mark.parametrize("data", [b"", b" \n", b"{}", b"\xef\xbb\xbf{}"])
def test_an_empty_file_sets_nothing(data: bytes) -> None:
    assert parse(data).tree == {}


@pytest.mark.parametrize(
    "line", ['"api_key": "opaque-value', '"API-KEY": "opaque-value" 5', '"x": "sk-abcdefghijklmnopqrstuvwx" 5']
)
def test_the_offending_line_shows_no_credential(line: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(f"{{\n{line}\n}}".encode())
    assert "opaque" not in str(caught.value)
    assert "abcdef" not in str(caught.value)


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(tree=st.dictionaries(st.text(max_size=6), _TREES, max_size=4), indent=st.sampled_from([None, 1]))
def test_every_place_in_any_tree_has_a_line(tree: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(tree, indent=indent)
    document = parse(text.encode())
    assert document.tree == tree
    assert set(document.lines) == set(_addresses(tree))
    assert set(document.lines.values()) <= set(range(1, text.count("\n") + 2))


def _addresses(value: Any, prefix: Address = ()) -> list[Address]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[Address] = []
    for key, item in items:
        found += [(*prefix, key), *_addresses(item, (*prefix, key))]
    return found
