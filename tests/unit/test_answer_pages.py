"""Pages are files: what an editor has not saved stays out of them."""

from lucastra_protocol.types import Hit, Position, Range, SearchResult

from lucastrad.server.handlers.pages import search_page


def a_hit(*, unsaved: bool) -> Hit:
    span = Range(start=Position(line=4, character=0), end=Position(line=5, character=0))
    return Hit(
        workspace="/home/me/shop", path="pay.py", uri="file:///home/me/shop/pay.py", range=span,
        content="SECRET_SAUCE = 1",
        score=1.0, language="python", symbol="SECRET_SAUCE", unsaved=unsaved,
    )  # fmt: skip


def test_a_page_shows_what_is_saved_and_only_the_place_of_what_is_not() -> None:
    saved = search_page("Found", SearchResult(hits=[a_hit(unsaved=False)]))
    assert "SECRET_SAUCE = 1" in saved
    unsaved = search_page("Found", SearchResult(hits=[a_hit(unsaved=True)]))
    assert "= 1" not in unsaved
    assert "[/home/me/shop/pay.py:5](file:///home/me/shop/pay.py#L5)" in unsaved
