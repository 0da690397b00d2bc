"""What authors say of their definitions, and the files without it."""

import pytest

from lucastrad.indexing.chunking.documented import documented, first_sentence, without_docs

PYTHON = '''\
class Basket:
    """What a customer is about to buy."""

    @property
    def total(self):
        """The sum of all prices, in cents.

        Discounts are in it; "ä" is two bytes.
        """
        return sum(self.prices)

    def empty(self):
        """Whether there is nothing in it."""
'''
GO = """\
package shop

// Total sums the prices.
// It is in cents.
func Total(items []Item) int {
	return 0
}
"""
RUST = """\
/// Sums the prices.
#[inline]
pub fn total(items: &[Item]) -> u32 {
    items.len() as u32
}
"""
TYPESCRIPT = """\
/**
 * Sums the prices.
 * @param items what is bought
 */
export function total(items: Item[]): number {
  return 0
}
"""


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "basket.py",
            PYTHON,
            [
                ("Basket", "What a customer is about to buy.", 1, 1),
                ("Basket.total", "The sum of all prices, in cents.", 4, 5),
                ("Basket.empty", "Whether there is nothing in it.", 12, 12),
            ],
        ),
        ("shop.go", GO, [("Total", "Total sums the prices.", 3, 5)]),
        ("shop.rs", RUST, [("total", "Sums the prices.", 1, 3)]),
        ("shop.ts", TYPESCRIPT, [("total", "Sums the prices.", 1, 5)]),
    ],
)
def test_each_definition_comes_with_its_doc_and_the_line_where_it_begins(
    path: str, source: str, expected: list[tuple[str, str, int, int]]
) -> None:
    found = list(documented(path, source))
    assert [(one.symbol, first_sentence(one.doc), one.start_line, one.head_line) for one in found] == expected


@pytest.mark.parametrize(
    ("path", "source"), [("basket.py", PYTHON), ("shop.go", GO), ("shop.rs", RUST), ("shop.ts", TYPESCRIPT)]
)
def test_without_docs_every_line_of_code_stays_where_it_was(path: str, source: str) -> None:
    definitions = list(documented(path, source))
    bare = without_docs(source, definitions)
    assert len(bare.splitlines()) == len(source.splitlines())
    for before, after in zip(source.splitlines(), bare.splitlines(), strict=True):
        assert after.strip() in ("", "...", before.strip())
    assert not any(word in bare for word in ("customer", "cents", "Sums", "sums", "nothing"))
    assert not list(documented(path, bare))
    again = [one.symbol for one in documented(path, bare, undocumented=True)]
    assert {one.symbol for one in definitions} - {"Basket.empty"} <= set(again)


def test_a_file_without_definitions_is_unchanged() -> None:
    assert without_docs("x = 1\n", documented("a.py", "x = 1\n")) == "x = 1\n"
