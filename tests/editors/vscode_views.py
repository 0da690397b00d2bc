"""LucAstra's own views in VS Code's side bar, which are pages within pages."""

import re
from collections.abc import Collection
from contextlib import suppress

from playwright.sync_api import Error, Frame, Page, expect
from processes import until
from shop import SHOP
from vscode_session import VSCode

SEARCH = "#query"
CHAT = "#question"


def wait_until_indexed(window: VSCode, files: Collection[str] = SHOP) -> None:
    """Wait until all of `files` can be found; a workspace is also ready before its first scan has begun."""
    window.wait_until_ready()
    expect(window.status).to_have_accessible_name(re.compile(rf"\b{len(files)} files, .* up to date"))


def open_search(window: VSCode) -> Frame:
    """Show the search view; returns its page."""
    window.run_command("LucAstra: Search Code")
    return search_view(window)


def search_view(window: VSCode) -> Frame:
    """The page of the search view, once it is shown."""
    return _view_with(window.page, SEARCH)


def open_chat(window: VSCode) -> Frame:
    """Show the chat view; returns its page."""
    window.run_command("LucAstra: Ask About This Code")
    return chat_view(window)


def chat_view(window: VSCode) -> Frame:
    """The page of the chat view, once it is shown."""
    return _view_with(window.page, CHAT)


def fold(window: VSCode, name: str) -> None:
    """Leave the other view the whole side bar."""
    window.page.get_by_role("button", name=f"{name} Section").click()


def _view_with(page: Page, box: str) -> Frame:
    """The view that has the box; the editor makes its frames anew whenever it shows a view."""
    found: list[Frame] = []

    def look() -> bool:
        with suppress(Error):  # a frame that was made a moment ago is still being loaded
            found[:] = [frame for frame in page.frames if frame.query_selector(box) is not None]
        page.wait_for_timeout(50)
        return bool(found)

    until(look)
    return found[0]
