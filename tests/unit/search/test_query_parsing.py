"""What a query's shape tells."""

import pytest

from lucastrad.search.query import parse


def check(text: str, *, symbols: set[str], terms: set[str] | None = None) -> None:
    query = parse(text)
    assert query.symbols == symbols
    if terms is not None:
        assert {term for term, _ in query.terms} == terms


def test_prose_names_no_symbol() -> None:
    check("how are failed calls retried", symbols=set())


def test_a_single_word_may_be_a_symbol() -> None:
    check("basket", symbols={"basket"})
    check("  basket  ", symbols={"basket"})


@pytest.mark.parametrize("name", ["load_config", "loadConfig", "LoadConfig", "HTTP_MAX"])
def test_code_shaped_words_are_symbols_in_any_sentence(name: str) -> None:
    check(f"where does {name} come from", symbols={name.lower()})


def test_stop_words_are_no_terms_and_identifiers_are_their_parts_and_themselves() -> None:
    check("where is the loadConfig of it", symbols={"loadconfig"}, terms={"loadconfig", "load", "config"})


@pytest.mark.parametrize("text", ["?", "the of and", "…", "\0", " "])
def test_a_query_without_words_has_no_terms(text: str) -> None:
    assert parse(text).terms == ()


def test_repeated_words_weigh_more_and_a_long_query_is_bounded() -> None:
    assert dict(parse("retry retry backoff").terms)[parse("retry").terms[0][0]] == 2.0
    assert len(parse(" ".join(f"word{n}" for n in range(1000))).terms) == 48
