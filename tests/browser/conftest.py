"""A page with a night that can be looked at, and the system's browser; skipped where none is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from steadyspot.deploy.ui.serving import served
from tests.unit.deploy.ui.shown import Shown

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's browser, without a window."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium is installed here: the page is not looked at in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Looked:
    """A page that is looked at, and what the browser had to say of it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.messages: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))

    def open(self, path: str = "/") -> Page:
        """Go to a path, by the address that was printed the first time."""
        origin, token = self.address.split("/?")
        self.page.goto(f"{origin}{path}?{token}")
        return self.page


@pytest.fixture
def looking(browser: Browser) -> Any:
    """Return what opens a page of what is shown, with options of a browser's context."""

    @contextmanager
    def look(shown: Shown, *, read_only: bool = False, **options: Any) -> Iterator[Looked]:
        with served(shown, port=0, read_only=read_only) as address:
            context = browser.new_context(**options)
            context.set_default_timeout(30_000)
            try:
                looked = Looked(context.new_page(), address)
                yield looked
                assert looked.messages == []
            finally:
                context.close()

    return look
