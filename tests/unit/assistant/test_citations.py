"""Citations: held against the files before they are shown, and against the passages while an answer is written."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucastrad.assistant.citations import CitationFilter, check_passages, without_citations
from lucastrad.types import Hit, StoredChunk

BODY = "def load(path):\n    return read(path)"


def passage(root: Path, *, path: str = "a.py", start: int = 3, text: str = BODY) -> Hit:
    end = start + text.removesuffix("\n").count("\n")
    return Hit(str(root), StoredChunk(1, path, "python", "load", "function", start, end, text), 1.0)


def lines_of(root: Path, hit: Hit) -> tuple[int, int] | None:
    (checked,) = check_passages([hit])
    return None if checked.hit is None else (checked.hit.chunk.start_line, checked.hit.chunk.end_line)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"import os\n\n{BODY}\n", (3, 4)),
        (f"import os\nimport sys\n\n\n{BODY}\n", (5, 6)),
        (f"{BODY}\n", (1, 2)),
        (f"\ufeffimport os\n\n{BODY}\n", (3, 4)),
        ("import os\n\ndef load(path):\n    return None\n", None),
        ("", None),
    ],
    ids=["unchanged", "moved down", "moved up", "byte order mark", "changed", "empty"],
)
def test_a_passage_is_where_its_text_is_now(tmp_path: Path, content: str, expected: tuple[int, int] | None) -> None:
    (tmp_path / "a.py").write_text(content)
    assert lines_of(tmp_path, passage(tmp_path)) == expected


def test_of_two_copies_the_nearer_one_is_cited(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("\n" * 10 + BODY + "\n" * 20 + BODY + "\n")
    assert lines_of(tmp_path, passage(tmp_path, start=9)) == (11, 12)
    assert lines_of(tmp_path, passage(tmp_path, start=30)) == (32, 33)
    assert lines_of(tmp_path, passage(tmp_path, start=400)) == (32, 33)


def test_half_of_a_long_line_is_on_that_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\nVALUES = [1, 2, 3, 4, 5]\n")
    assert lines_of(tmp_path, passage(tmp_path, start=2, text="3, 4, 5]")) == (2, 2)


def test_what_is_gone_linked_or_outside_is_not_cited(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.py").write_text(f"\n\n{BODY}\n")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    (root / "server.pem").write_text(f"\n\n{BODY}\n")
    for path in ("gone.py", "link.py", "../outside.py", "server.pem"):
        assert lines_of(root, passage(root, path=path)) is None, path


def filtered(*pieces: str, numbers: tuple[int, ...] = (1, 2, 3)) -> str:
    citations = CitationFilter(numbers)
    return "".join([*map(citations.feed, pieces), citations.finish()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is read [1].", "It is read [1]."),
        ("It is read [9].", "It is read."),
        ("It is read[9].", "It is read."),
        ("Both [1][2] say so.", "Both [1][2] say so."),
        ("Both [1][7] say so.", "Both [1] say so."),
        ("Both [1, 7] say so.", "Both [1] say so."),
        ("All [1-3] say so.", "All [1-3] say so."),
        ("All [2-5] say so.", "All [2, 3] say so."),
        ("All [1-900000] say so.", "All [1] say so."),
        ("`argv[9]` and argv[0]", "`argv[9]` and argv[0]"),
        ("```\nrows[9]\n\nrows[8]\n```\nbut [8]", "```\nrows[9]\n\nrows[8]\n```\nbut"),
        ("``a`[9]`` then [9].", "``a`[9]`` then."),
        ("a stray ` here\n\nand [9]!", "a stray ` here\n\nand!"),
        ("a stray ` here, and [9] and [1].", "a stray ` here, and and [1]."),
        ("one ` here [9]" + " word" * 50 + ", and `argv[9]`, [9].", "one ` here" + " word" * 50 + ", and `argv[9]`,."),
        ("one ` here [9]\n\nand ` there", "one ` here\n\nand ` there"),
        ("[x], [see 1], [] and [", "[x], [see 1], [] and ["),
        ("[1](https://example.com)", "[1](https://example.com)"),
    ],
)
def test_invented_numbers_are_taken_out_and_code_is_left_alone(text: str, expected: str) -> None:
    assert filtered(text) == expected


@given(st.text(alphabet="[]`123456789,- \nab", max_size=60), st.data())
def test_however_an_answer_is_cut_the_same_text_comes_out(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert filtered(*pieces) == filtered(text)


PIECES = ["`", "``", "```", "[9]", " [1]", "[2, ", "8]", " word" * 13, "x" * 190, "\n", "\n\n", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_however_a_long_answer_is_cut_the_same_text_comes_out(pieces: list[str]) -> None:
    assert filtered(*pieces) == filtered("".join(pieces)) == filtered(*"".join(pieces))


@given(st.text(alphabet="[]123456789,- \nab", max_size=60))
def test_no_citation_comes_out_that_was_not_given_in(text: str) -> None:
    citations = CitationFilter((1, 2))
    shown = citations.feed(text) + citations.finish()
    again = CitationFilter((1, 2))
    assert again.feed(shown) + again.finish() == shown
    assert again.cited == citations.cited <= {1, 2}


def test_text_is_given_out_at_once_but_for_what_may_become_a_citation() -> None:
    citations = CitationFilter((1,))
    assert [citations.feed(piece) for piece in ("It is", " read", " [", "1", "]", ".", " `x")] == [
        "It is", " read", "", "", " [1]", ".", " `x",
    ]  # fmt: skip


def test_a_citation_behind_a_backtick_waits_for_the_one_that_closes_it_and_not_for_long() -> None:
    citations = CitationFilter((1,))
    assert [citations.feed(piece) for piece in ("see `argv", "[9]", " and", "` [1]", " `x ", "[1]")] == [
        "see `argv", "", "", "[9] and` [1]", " `x", "",
    ]  # fmt: skip
    assert citations.feed(" word" * 50) == " [1]" + " word" * 50
    assert citations.cited == {1}


def test_an_endless_bracket_is_not_held_back_for_ever() -> None:
    citations = CitationFilter((1,))
    assert len(citations.feed("[" + "1" * 10_000)) > 9_000


def test_earlier_answers_are_quoted_without_their_numbers() -> None:
    assert without_citations("It is read [1], then `rows[2]` is kept [2][3].") == "It is read, then `rows[2]` is kept."


def test_a_hit_that_did_not_move_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"\n\n{BODY}\n")
    hit = replace(passage(tmp_path), components={"bm25": 1.0})
    assert check_passages([hit])[0].hit is hit
