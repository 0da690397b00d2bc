"""Debian's Chromium, headless, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright
from processes import PATIENCE_SECONDS
from toolchain import Toolchain

_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium(tools: Toolchain) -> Iterator[Browser]:
    """A browser in which pages of one's own can be opened; every `expect` has the tests' patience.

    As long as it is open, Playwright holds an asyncio loop, and no other can run in this thread.
    """
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tools.chromium, args=list(_OPTIONS))
        yield browser
        browser.close()
