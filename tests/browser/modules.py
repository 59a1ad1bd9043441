"""The exam page's modules alone: imported into an empty page of the real server, with partners written in the test."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.web import PROJECT

HARNESS = (PROJECT / "tests" / "browser" / "harness.js").read_text()


def run_js(page: Page, body: str, **values: Any) -> Any:
    """The value that *body*, an async JavaScript function of the keyword arguments, returns."""
    if page.url == "about:blank":
        page.goto("/healthz")
    page.evaluate(HARNESS)
    names = ", ".join(values)
    return page.evaluate(f"async ({{{names}}}) => {{ {body} }}", values)
