"""What a query quotes, and whether a passage holds it."""

import pytest

from lucastrad.search.query import parse
from lucastrad.search.quotes import share_held


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("for credential in credentials {", ["for credential in credentials {"]),
        ("total = self.items[key] or default", ["total = self.items[key] or default"]),
        ("for i in range(len(items)):", ["for i in range(len(items)):"]),
        ("  x = total_price(basket)\n\n  return x * rate\n", ["x = total_price(basket)", "return x * rate"]),
        ("--no-header", ["--no-header"]),
        ("text/html", ["text/html"]),
        ('"subdomain offset"', ["subdomain offset"]),
        ("`rack.response_finished`", ["rack.response_finished"]),
        ('where is "subdomain offset" set', ["subdomain offset"]),
        ("what does `x = basket.total()` do?", ["x = basket.total()"]),
        ("why “quota exceeded”?", ["quota exceeded"]),
        ("when (value) { is Basket -> total += 1 }", ["when (value) { is Basket -> total += 1 }"]),
        ("describe('Basket total', () => {", ["describe('Basket total', () => {"]),
        ('why does it fail?\n  File "a/b.py", line 7\n    x = load(y)', ['File "a/b.py", line 7', "x = load(y)"]),
        ("quota overflowed before eviction took place", ["quota overflowed before eviction took place"]),
    ],
)
def test_what_looks_pasted_or_is_asked_for_in_quotes_is_a_quote(text: str, quoted: list[str]) -> None:
    wanted = ["".join(one.lower().split()) for one in quoted]
    assert sorted(quote.letters for quote in parse(text).quotes) == sorted(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "basket",
        "Basket.total",
        "std::sort",
        "src/app/main.py",
        "src/app/main.py:12",
        "0, 0, 0, 0, 0, 0",
        "connection pool",
        "how are failed calls retried",
        "request context in Plug.Router",
        "Return the number of rows that are in a table",
        "Splits `string` by `separator`",
        "KeyError for the 'name'",
        'no such option: "verbose"',
        'what is "basket"',
        "x" * 500 + "(1, 2)",
    ],
)
def test_names_places_questions_documentation_and_values_in_messages_are_no_quotes(text: str) -> None:
    assert parse(text).quotes == ()


def test_of_many_lines_the_longest_are_taken() -> None:
    lines = [f"call_{n}({'a, ' * n}b)" for n in range(1, 30)]
    assert len(quotes := parse("\n".join(lines)).quotes) == 8
    assert quotes[0].letters.startswith("call_29(")


def test_a_passage_holds_a_quote_letter_by_letter_however_it_is_spaced_and_by_length() -> None:
    wanted = parse("total = price * count;\nlog( total );").quotes
    assert share_held(wanted, "Total=price*count ;\n  log(total);") == 1.0
    assert share_held(wanted, "total = price + count; log(total);") == pytest.approx(11 / 29)
    assert share_held(wanted, "price count total log") == 0.0
