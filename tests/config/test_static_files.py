"""Static files: kept for ever under their version, still right under an old one, small on the wire."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client

from config.static_files import send_versioned
from exams import page_assets
from tests.web import WebProcess

ICON = (page_assets.FOLDER / "icon.svg").read_bytes()
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Files of the test's own in the place of exams/static/exams/."""
    monkeypatch.setattr(page_assets, "FOLDER", tmp_path)
    page_assets._read.cache_clear()
    yield tmp_path
    page_assets._read.cache_clear()


# -- through the real server -------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_file_under_its_version_is_kept_for_ever(web: WebProcess) -> None:
    response = web.client.get(page_assets.url("icon.svg"))
    assert (response.status_code, response.content) == (200, ICON)
    assert response.headers["Cache-Control"] == FOR_EVER
    assert response.headers["Content-Type"] == "image/svg+xml"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers


@pytest.mark.django_db(transaction=True)
def test_a_page_from_before_an_update_gets_the_current_file_and_keeps_it_not(web: WebProcess) -> None:
    address = "/static/v-0123456789ab/exams/icon.svg"
    response = web.client.get(address)
    assert (response.status_code, response.content) == (200, ICON)
    assert response.headers["Cache-Control"] == "no-cache"
    again = web.client.get(address, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.django_db(transaction=True)
def test_a_browser_that_takes_gzip_gets_less(web: WebProcess) -> None:
    address = page_assets.url("autosave.js")
    plain = web.client.get(address, headers={"Accept-Encoding": "identity"})
    packed = web.client.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    assert packed.content == plain.content
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    head = web.client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Cache-Control"] == FOR_EVER


@pytest.mark.django_db(transaction=True)
def test_the_other_static_files_are_as_before(web: WebProcess) -> None:
    response = web.client.get("/static/exams/cards.css")
    assert response.status_code == 200
    assert "immutable" not in response.headers["Cache-Control"]
    assert web.client.get("/static/admin/css/base.css").status_code == 200


# -- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/static/v-{}/exams/nothing.js",
        "/static/v-{}/exams/",
        "/static/v-{}/exams/../exams/icon.svg",
        "/static/v-{}/exams/%2e%2e/models.py",
        "/static/v-{}/admin/css/base.css",
        "/static/v-{}x/exams/icon.svg",
        "/static/v-/exams/icon.svg",
        "/static/V-{}/exams/icon.svg",
        "/static/v-{}/exams/icon.svg/",
    ],
)
def test_there_is_nothing_else_under_a_version(client: Client, path: str) -> None:
    assert client.get(path.format(page_assets.load().version)).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_file_can_only_be_read(client: Client, method: str) -> None:
    assert getattr(client, method)(page_assets.url("icon.svg")).status_code == 404


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("br;q=1, gzip;q=0.5", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
    ],
)
def test_what_is_not_accepted_is_not_sent(client: Client, accepted: str, is_packed: bool) -> None:
    response = client.get(page_assets.url("autosave.js"), headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in response) is is_packed
    content = gzip.decompress(response.content) if is_packed else response.content
    assert content == page_assets.without_comments((page_assets.FOLDER / "autosave.js").read_bytes())


# -- without Django ----------------------------------------------------------------------------------------------


def over_asgi(path: str, method: str = "GET", **headers: str) -> tuple[bool, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return asyncio.run(send_versioned({"method": method, "path": path, "headers": raw}, send)), sent


def test_the_same_answer_can_be_given_without_a_thread(client: Client) -> None:
    address = page_assets.url("autosave.js")
    was_sent, [start, body] = over_asgi(address, accept_encoding="gzip")
    response = client.get(address, headers={"Accept-Encoding": "gzip"})
    headers = httpx.Headers(start["headers"])
    assert was_sent
    assert (start["status"], body["body"]) == (200, response.content)
    assert dict(headers).items() <= {name.lower(): value for name, value in response.items()}.items()
    was_sent, [start, body] = over_asgi(address, if_none_match=headers["etag"])
    assert (was_sent, start["status"], body["body"]) == (True, 304, b"")
    assert over_asgi(address, "HEAD")[1][1]["body"] == b""


@pytest.mark.parametrize(("path", "method"), [("/static/exams/icon.svg", "GET"), ("/masuk", "GET"), ("", "POST")])
def test_what_is_no_versioned_file_is_left_to_others(path: str, method: str) -> None:
    assert over_asgi(path or page_assets.url("icon.svg"), method) == (False, [])


# -- the version -------------------------------------------------------------------------------------------------


def test_the_version_follows_from_names_and_contents(folder: Path) -> None:
    def version() -> str:
        page_assets._read.cache_clear()
        return page_assets.load().version

    (folder / "a.js").write_text("1")
    (folder / "b.js").write_text("2")
    seen = [version(), version()]
    assert seen[0] == seen[1]
    (folder / "b.js").write_text("3")
    seen.append(version())
    (folder / "b.js").rename(folder / "c.js")
    seen.append(version())
    (folder / "a.js").write_text("13")
    (folder / "c.js").write_text("")
    seen.append(version())
    assert len(set(seen)) == 4
    assert all(len(one) == 12 and set(one) <= set("0123456789abcdef") for one in seen)


def test_what_is_kept_for_ever_is_what_the_version_stands_for(folder: Path, client: Client, settings: Any) -> None:
    """Also while an update replaces the files under a running process."""
    (folder / "a.js").write_text("old")
    address = page_assets.url("a.js")
    (folder / "a.js").write_text("new and longer")
    assert client.get(address).content == b"old"
    settings.DEBUG = True
    assert page_assets.url("a.js") != address, "a developer sees changes at once"
    response = client.get(address)
    assert (response.content, response["Cache-Control"]) == (b"new and longer", "no-cache")


def test_the_exam_page_needs_whatever_its_modules_import(folder: Path) -> None:
    (folder / "page.js").write_text('import { a } from "./a.js";\nimport "./b.js";\nconst c = import("./c.js");')
    (folder / "a.js").write_text(
        'import {\n    d,\n} from "./d.js";\nimport { b } from "./b.js"; // a ring\nconst x = "./no.js";'
    )
    (folder / "d.js").write_text('export * from "./a.js";')
    for name in ("b.js", "c.js", "no.js", "site.js", "student.css", "icon.svg"):
        (folder / name).write_text("")
    prefix = page_assets.load().prefix
    names = ["page.js", "a.js", "b.js", "c.js", "d.js", "student.css", "icon.svg"]
    assert sorted(page_assets.exam_page_assets()) == sorted(prefix + name for name in names)


# -- what goes out -----------------------------------------------------------------------------------------------


def test_comments_with_lines_of_their_own_stay_here_and_lines_keep_their_numbers() -> None:
    script = b"""/*
 * What it does.
 */
import { a } from "./a.js"; // kept: the line is code

    // gone
    /* gone */
    const url = "https://example.org/*"; /* kept */
\t/* over
       two lines */
    return url; // kept
"""
    assert (
        page_assets.without_comments(script)
        == b"""


import { a } from "./a.js"; // kept: the line is code



    const url = "https://example.org/*"; /* kept */


    return url; // kept
"""
    )


@pytest.mark.parametrize("path", sorted(page_assets.FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_no_line_within_a_template_literal_looks_like_a_comment(path: Path) -> None:
    """What `without_comments` cannot tell from a comment must not be there."""
    code = page_assets.without_comments(path.read_bytes()).decode()
    source = path.read_text()
    assert code.count("`") % 2 == 0
    for literal in code.split("`")[1::2]:
        assert literal in source
