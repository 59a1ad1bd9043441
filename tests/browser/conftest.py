"""A real Chromium for tests: the system's. A missing one is said aloud at home and fails where CI is set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.web import PROJECT, WebProcess

SCREENSHOTS = PROJECT / "var" / "screenshots"


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """For this package alone: Playwright's event loop would be in the way of every `asyncio.run` after it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium on this machine: install it to run the browser tests"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Playwright's sync interface runs an event loop in this thread; Django would refuse its queries there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Window:
    """A page and everything it complained about: CSP violations and script errors arrive here."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def screenshot(self, name: str) -> None:
        """Kept under var/screenshots, to be looked at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def window(chromium: Browser, web: WebProcess) -> Iterator[Window]:
    context = chromium.new_context(base_url=web.url, viewport={"width": 1280, "height": 800}, locale="id-ID")
    context.set_default_timeout(15_000)
    yield Window(context.new_page())
    context.close()
