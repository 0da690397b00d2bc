"""The search view in a real VS Code, with a real daemon."""

import pytest
from playwright.sync_api import Locator, expect
from shop import SHOP
from vscode_session import StartVSCode, VSCode
from vscode_views import fold, open_search, search_view, wait_until_indexed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


STOCK = "\n\n".join(
    f'def count_{thing}(stock):\n    """How many {thing} there are in stock."""\n'
    + f"    stock.check({thing!r})\n" * 30
    + f"    return stock[{thing!r}]\n"
    for thing in ("apples", "bicycles", "candles")
)
"""Long enough to be cut into several passages."""


def test_finds_as_the_user_types_and_opens_the_lines_from_the_keyboard(start_vscode: StartVSCode) -> None:
    files = SHOP | {"shop/stock.py": STOCK}
    window = start_vscode(files=files)
    wait_until_indexed(window, files)
    search = open_search(window)
    search.locator("#query").press_sequentially("call again after a failure")
    first = search.locator(".hit").first
    expect(first).to_contain_text("retry_with_backoff")
    expect(first.locator("mark").first).to_be_visible()
    expect(search.locator(".status")).to_contain_text("Up to date")
    fold(window, "Chat")
    search.locator("#query").press("Alt+Enter")
    expect(window.page.locator(".tab.active[data-resource-name='retry.py']")).to_be_visible()
    expect(search.locator("#query")).to_be_focused()
    window.picture("search")
    search.locator("#query").fill("count_candles")
    expect(search.locator(".hit.chosen .symbol")).to_have_text("count_candles")
    line = STOCK[: STOCK.index("def count_candles")].count("\n") + 1
    expect(search.locator(".hit.chosen .lines")).to_contain_text(f"{line}–")
    search.locator("#query").press("Enter")
    expect(window.page.locator(".tab.active[data-resource-name='stock.py']")).to_be_visible()
    expect(window.page.locator(".statusbar-item[id='status.editor.selection']")).to_contain_text(f"Ln {line}, Col 1")


def test_click_opens_a_hit_and_filters_narrow(start_vscode: StartVSCode) -> None:
    window = start_vscode()
    wait_until_indexed(window)
    search = open_search(window)
    search.locator("#query").fill("sells things")
    expect(search.locator(".filename", has_text="README.md")).to_be_visible()
    search.get_by_title("Filters").click()
    search.locator("#languages").fill("python")
    expect(search.locator(".filename", has_text="README.md")).to_have_count(0)
    search.locator("#languages").fill("")
    search.locator("#paths").fill("*.md")
    expect(search.locator(".file")).to_have_count(1)
    search.locator(".hit .open").click()
    expect(window.page.locator(".tab.active[data-resource-name='README.md']")).to_be_visible()


def test_the_chosen_hit_stays_where_it_is_while_the_index_goes_on(start_vscode: StartVSCode) -> None:
    files = SHOP | {f"shop/count_{number}.py": COUNT.format(number) for number in range(12)}
    window = start_vscode(files=files)
    wait_until_indexed(window, files)
    search = open_search(window)
    fold(window, "Chat")
    search.locator("#query").fill("how many are in stock")
    expect(search.locator(".hit").nth(9)).to_be_attached()
    for _ in range(9):
        search.locator("#query").press("ArrowDown")
    chosen = search.locator(".hit.chosen")
    name, top = chosen.get_attribute("data-name"), _top(chosen)
    (window.folder / "shop" / "how_many.py").write_text(COUNT.format("how_many_are_in_stock"))
    window.run_command("LucAstra: Reindex Workspace")
    expect(search.locator(".filename", has_text="how_many.py")).to_be_attached()
    expect(chosen).to_have_attribute("data-name", name or "")
    assert abs(_top(chosen) - top) < 2


def test_finds_code_like_that_at_the_cursor_and_keeps_it_while_hidden(start_vscode: StartVSCode) -> None:
    window = start_vscode()
    wait_until_indexed(window)
    window.open_file("shop/retry.py")
    window.page.keyboard.press("Control+Home")
    window.run_command("LucAstra: Find Similar Code")
    search = search_view(window)
    expect(search.locator(".subject")).to_have_text("Similar to shop/retry.py:1")
    expect(search.locator(".hit").first).to_be_visible()
    _hide_and_show(window)
    expect(open_search(window).locator(".subject")).to_have_text("Similar to shop/retry.py:1")


COUNT = 'def count_{0}(stock):\n    """How many of {0} are in stock."""\n    return stock[{0!r}]\n'


def _top(hit: Locator) -> float:
    """Where it is in the window, in pixels from the top."""
    box = hit.bounding_box()
    assert box is not None
    return box["y"]


def _hide_and_show(window: VSCode) -> None:
    """Look at the explorer, and come back."""
    window.run_command("View: Show Explorer")
    expect(window.page.locator(".explorer-folders-view")).to_be_visible()
