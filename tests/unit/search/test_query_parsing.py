"""What a query's shape tells."""

import pytest

from lucastrad.search.query import Shape, parse


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


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("total_price", "total_price"),
        (" Basket.totalPrice() ", "totalPrice"),
        ("std::sort", "sort"),
        ("text-align", "text-align"),
        ("src/main.c", ""),
        ("main.c", ""),
        ("load(config)", ""),
        ("total=price", ""),
        ("total price", ""),
    ],
)
def test_a_single_identifier_is_a_name_and_a_path_or_code_is_none(text: str, name: str) -> None:
    assert parse(text).name == name


def test_stop_words_are_no_terms_and_identifiers_are_their_parts_and_themselves() -> None:
    check("where is the loadConfig of it", symbols={"loadconfig"}, terms={"loadconfig", "load", "config"})


@pytest.mark.parametrize("text", ["?", "the of and", "…", "\0", " "])
def test_a_query_without_words_has_no_terms(text: str) -> None:
    assert parse(text).terms == ()


def test_repeated_words_weigh_more_and_a_long_query_is_bounded() -> None:
    assert dict(parse("retry retry backoff").terms)[parse("retry").terms[0][0]] == 2.0
    assert len(parse(" ".join(f"word{n}" for n in range(1000))).terms) == 48


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("load_config", Shape.NAME),
        ("Rack::Builder", Shape.NAME),
        ("return the number of rows", Shape.ACTION),
        ("Computes a digest of every block.", Shape.ACTION),
        ("a function that parses dates", Shape.ACTION),
        ("method to close the pool", Shape.ACTION),
        ("whether the pool is closed", Shape.ACTION),
        ("Handle the rest of the line", Shape.ACTION),
        ("Abstract base that all options have", Shape.ACTION),
        ("Class decorator to mark algorithms", Shape.ACTION),
        ("Recursive version of `walk`", Shape.ACTION),
        ("what the parser does", Shape.QUESTION),
        ("how are rows counted", Shape.QUESTION),
        ("where is the session closed", Shape.QUESTION),
        ("request context handling", Shape.QUESTION),
        ("filter handler for records", Shape.QUESTION),
        ("thread pool and work queue for async operations", Shape.QUESTION),
        ("sending an answer with a body", Shape.QUESTION),
        ("explain the retry logic", Shape.QUESTION),
        ("Tell me how a row is deleted", Shape.QUESTION),
        ("the login flow??", Shape.QUESTION),
        ("error handling in the parser", Shape.QUESTION),
        ("Bring the window to the front", Shape.ACTION),
        ("parsing of functions", Shape.QUESTION),
        ("", Shape.QUESTION),
        ("?!", Shape.QUESTION),
    ],
)
def test_the_form_of_a_query_tells_what_is_wanted(text: str, shape: Shape) -> None:
    assert parse(text).shape is shape


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("where is max_retries read", {"max_retries"}),
        ("where is _maxRetries or Basket.totals used", {"maxretries", "total"}),
        ("what calls std::sort and list->push", {"sort", "push"}),
        ("does settings.py of python 3.11 read pyproject.toml, e.g. node.js", set()),
    ],
)
def test_what_is_written_as_code_is_no_file_name_and_no_number(text: str, code: set[str]) -> None:
    assert parse(text).code == code


def test_runs_of_blanks_are_read_in_no_time() -> None:
    blanks = " " * 1_000
    assert parse(f"xa{blanks}xb{blanks}xc{blanks}xd").shape is Shape.QUESTION  # for hours if it is cubic
