"""A real Chromium for tests: the system's. A missing one is said aloud at home and fails where CI is set."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from exams.models import Student
from tests.browser.house import House
from tests.browser.shown import Shown
from tests.browser.student import Seat, StudentPage, session_cookie
from tests.browser.wire import Wire
from tests.web import PROJECT, WebProcess

SCREENSHOTS = PROJECT / "var" / "screenshots"
FLAGS = [
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP sekolah.test 127.0.0.1",  # a host name that is not localhost: plain HTTP is not secure
]
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    A real browser on a loaded machine misses a moment now and then: once more, and once more again.

    What is broken fails three times. The random sequences are not asked again: what they find, they have found.
    """
    for item in items:
        if "/browser/" in str(item.path) and "random_sequences" not in item.nodeid:
            item.add_marker(pytest.mark.flaky(reruns=2))


def chromium_path() -> str:
    """Where Chromium is; skips (in CI: fails) the test where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium on this machine: install it to run the browser tests"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="package")
def playwright() -> Iterator[Any]:
    """For this package alone: Playwright's event loop would be in the way of every `asyncio.run` after it."""
    chromium_path()
    # Playwright's sync interface runs an event loop in this thread; Django would refuse its queries there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as running:
        yield running
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="package")
def chromium(playwright: Any) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
    yield browser
    browser.close()


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
        keep_screenshot(self.page, name)


def keep_screenshot(page: Page, name: str, *, full_page: bool = True) -> None:
    """Under var/screenshots; CI keeps them."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


@pytest.fixture
def window(chromium: Browser, web: WebProcess) -> Iterator[Window]:
    context = chromium.new_context(base_url=web.url, locale="id-ID", **DESK)
    context.set_default_timeout(15_000)
    yield Window(context.new_page())
    context.close()


@pytest.fixture
def wire(web: WebProcess) -> Iterator[Wire]:
    """The network in front of the shared server."""
    with Wire(web.url) as network:
        yield network


class Devices:
    """Makes browsers' profiles: one context each, closed when the test ends."""

    def __init__(self, browser: Browser, url: str, screen: dict[str, Any]) -> None:
        self._browser = browser
        self._url = url
        self._screen = screen
        self.contexts: list[BrowserContext] = []
        self.shown: Shown = Shown()

    def context(self, student: Student | None = None, *, url: str | None = None, **options: Any) -> BrowserContext:
        """A new profile, logged in as *student*; *url* is another server than the test's."""
        address = url or self._url
        context = self._browser.new_context(base_url=address, **{"locale": "id-ID", **self._screen, **options})
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        self.shown.watch(context)
        if student is not None:
            context.add_cookies([session_cookie(student, address)])  # type: ignore[list-item]
        return context

    def __call__(self, seat: Seat | None = None, **options: Any) -> StudentPage:
        """A tab in a new profile: at the exam of *seat*, or at nothing yet."""
        context = self.context(seat.student if seat else None, **options)
        page = StudentPage(context.new_page(), seat)
        return page.open() if seat else page


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture
def devices(
    chromium: Browser, wire: Wire, request: pytest.FixtureRequest
) -> Iterator[Callable[[dict[str, Any]], Devices]]:
    """`devices(PHONE)`; what the pages of a failed test showed and said in the end is kept and printed."""
    made: list[Devices] = []

    def make(screen: dict[str, Any]) -> Devices:
        made.append(Devices(chromium, wire.url, screen))
        return made[-1]

    yield make
    if request.node.stash.get(_FAILED, False):
        _keep_evidence(request.node.name, [context for device in made for context in device.contexts])
    for device in made:
        for context in device.contexts:
            context.close()


def _keep_evidence(test: str, contexts: list[BrowserContext]) -> None:
    for number, page in enumerate(page for context in contexts for page in context.pages):
        keep_screenshot(page, f"failed-{re.sub('[^a-z0-9_-]+', '-', test)}-{number}")
        print(f"Page {number} of {test}: {page.url}", *(said.text for said in page.console_messages()), sep="\n    ")


@pytest.fixture
def phone(devices: Callable[[dict[str, Any]], Devices]) -> Devices:
    """`phone(seat)`: the exam page on a phone of 360x740 behind `wire`."""
    return devices(PHONE)


@pytest.fixture
def desk(devices: Callable[[dict[str, Any]], Devices]) -> Devices:
    """The same on 1280x800."""
    return devices(DESK)


@pytest.fixture(scope="package")
def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def own_house(_house: House, django_db_blocker: Any) -> Iterator[House]:
    """A server and a PostgreSQL to be killed; the test's models work on them, not on the database of other tests."""
    with django_db_blocker.unblock(), _house.ours():
        yield _house
