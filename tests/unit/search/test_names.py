"""How much a name that somebody types is like that of a symbol."""

import pytest

from lucastrad.search.names import closeness
from lucastrad.text.words import spelling


@pytest.mark.parametrize(
    ("typed", "symbol", "least", "most"),
    [
        ("totalPrice", "Basket.total_price", 1.0, 1.0),
        ("TOTAL-PRICE", "totalPrice", 1.0, 1.0),
        ("total", "total_price", 0.5, 0.5),
        ("totalprcie", "total_price", 0.8, 0.99),
        ("totlprice", "total_price", 0.9, 0.99),
        ("price", "total_price", 0.0, 0.0),
        ("total", "quota", 0.0, 0.0),
        ("total", "", 0.0, 0.0),
    ],
)
def test_same_letters_beginnings_and_wrong_letters_are_alike(
    typed: str, symbol: str, least: float, most: float
) -> None:
    assert least <= closeness(spelling(typed), symbol) <= most


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("Basket.total_price", "totalprice"),
        ("std::sort", "sort"),
        ("this->itemCount()", "itemcount"),
        ("Array#map", "map"),
        ("src/app.py", "py"),
        ("größe_", "größe"),
        ("__init__", "init"),
        ("...", ""),
    ],
)
def test_a_name_is_spelled_by_the_letters_of_its_last_part(name: str, spelled: str) -> None:
    assert spelling(name) == spelled
