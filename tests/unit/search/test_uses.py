"""Questions for the uses of a name, and passages that use it."""

import pytest

from lucastrad.search.query import parse
from lucastrad.search.uses import use_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("who calls total_price", "total_price"),
        ("Who calls `Basket.total_price()`?", "total_price"),
        ("which functions use the class Basket", "Basket"),
        ("where do we instantiate Basket?", "Basket"),
        ("what depends on parse_config", "parse_config"),
        ("callers of std::sort", "sort"),
        ("find all usages of url_for", "url_for"),
        ("show me the references to MAX_RETRIES", "MAX_RETRIES"),
        ("where is retry used", "retry"),
        ("where is the function load_ledger called from?", "load_ledger"),
        ("how is ledger->balance used", "balance"),
        ("url_for usages", "url_for"),
    ],
)
def test_the_name_whose_uses_are_asked_for_is_understood(text: str, name: str) -> None:
    assert parse(text).used == name


@pytest.mark.parametrize(
    "text",
    [
        "total_price",
        "use the cache",
        "uses of memory are counted here",
        "what calls are made before the daemon starts",
        "who calls the function that reads the ledger",
        "where is total_price defined",
        "where is the session closed",
        "how are failed calls retried",
        "call total_price",
        "",
        "who calls " + "a" * 4000 + " " + "b" * 90,
    ],
)
def test_other_questions_are_not_for_uses(text: str) -> None:
    assert parse(text).used == ""


@pytest.mark.parametrize(
    ("symbol", "text", "use"),
    [
        ("pay", "def pay(basket):\n    return total_price(basket)\n", 1.0),
        ("pay", "let sum = basket.total_price::<f64>();", 0.6),
        ("pay", "items.map(total_price)", 0.6),
        ("pay", "# total_price is not needed here", 0.6),
        ("Basket.total_price", "def total_price(self):\n    return self.total_price()\n", 0.0),
        ("", "def total_price(self): ...", 0.6),
        ("", "func total_price(b Basket) int", 0.6),
        ("pay", "subtotal_price(1) + total_prices(2) + Total_Price(3)", 0.0),
        ("pay", "", 0.0),
    ],
)
def test_a_call_says_more_than_a_mention_and_a_definition_nothing(symbol: str, text: str, use: float) -> None:
    assert use_of("total_price", symbol, text) == use
