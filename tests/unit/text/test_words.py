"""The words that queries and documents share."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucastrad.text import words
from lucastrad.text.words import identifiers, parts_of, stem, terms, written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("parseHTTPResponse", ["parsehttpresponse", "pars", "http", "respons"]),
        ("snake_case_word", ["snake_case_word", "snak", "cas", "word"]),
        ("__init__", ["init"]),
        ("utf8 sha256sum", ["utf8", "utf", "8", "sha256sum", "sha", "256", "sum"]),
        ("--no-binary text-align", ["no-binary", "no", "binary", "text-align", "text", "align"]),
        ("b-c x->y n - 1", ["b", "c", "x", "y", "n", "1"]),
        ("how is the value of it set", ["valu", "set"]),
        ("is_valid", ["is_valid", "valid"]),
        ("GrößeÄndern naïve", ["größeändern", "größe", "ändern", "naïve"]),
        ("日本語 x", ["日本", "本語", "x"]),
        ("a日b", ["日", "b"]),
        ("E501 404", ["e501", "e", "501", "404"]),
        ("", []),
        ("-- __ ->", []),
    ],
)
def test_terms_are_the_whole_and_its_parts(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    "noise",
    [
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "a" * 60,
        "word_" * 60,
    ],
)
def test_hashes_and_encoded_bytes_are_no_words(noise: str) -> None:
    assert terms(noise) == []
    assert identifiers(noise) == []


def test_a_long_name_made_of_words_is_kept() -> None:
    name = "test_user_can_log_in_with_an_expired_password_reset_token"
    assert identifiers(name) == [name]
    assert {name, "expir", "password"} <= set(terms(name))


@pytest.mark.parametrize(
    "family",
    [
        "file files filed filing",
        "cache caches cached caching",
        "query queries",
        "index indexes indexed indexing",
        "class classes",
        "stop stops stopped stopping",
        "parse parses parsed parsing",
        "process processes processed processing",
        "match matches matched matching",
    ],
)
def test_forms_of_a_word_share_a_stem(family: str) -> None:
    assert len({stem(word) for word in family.split()}) == 1


@pytest.mark.parametrize("word", ["string", "status", "address", "need", "this", "red", "thing", "bus", "größen"])
def test_what_only_looks_like_an_ending_stays(word: str) -> None:
    assert stem(word) == word


def test_parts_are_in_lower_case_and_in_order() -> None:
    assert [parts_of(word) for word in written("getUser(user_id)")] == [("get", "user"), ("user", "id")]


def test_identifiers_are_as_written() -> None:
    assert identifiers("self.getUser(MAX_SIZE, 3x, n-1) + größe") == ["self", "getUser", "MAX_SIZE", "n", "größe"]


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_gives_short_lower_case_words(text: str) -> None:
    for word in [*(part for whole in written(text) for part in parts_of(whole)), *terms(text)]:
        assert word
        assert word == word.lower()
        assert not word.isspace()


@given(st.text(st.sampled_from("abAB_-1 é日"), max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_query_for_a_word_meets_the_text_that_holds_it(text: str) -> None:
    found = set(terms(text))
    for word in text.split():
        assert set(terms(word)) <= found


def test_a_full_cache_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_CACHE_WORDS", 10)
    many = " ".join(f"uniqueWord{n}" for n in range(50))
    assert len(terms(many)) == 200
    assert len(words._terms) <= 50
