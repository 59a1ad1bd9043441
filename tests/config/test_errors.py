"""The database away or busy is a 503 that says when to come back; never a 500."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import InterfaceError, OperationalError, transaction
from django.test import Client, RequestFactory

from config.errors import server_error
from exams.models import Attempt
from tests.exams.autosave.sitting import sit_down
from tests.exams.described import Description
from tests.exams.factories import make_attempt
from tests.exams.student_browser import EXAMS, Browser, card_of
from tests.web import WebProcess, post_save, save_path, url_of_test_database, wait_until

#: The seconds that a page waits for a connection, as DESIGN.md has them for this profile.
SERVERLESS_WAIT = 2


def is_come_back_later(response: httpx.Response) -> bool:
    body = response.json()
    seconds = int(response.headers["retry-after"])
    return (
        response.status_code == 503
        and (body["success"], body["code"]) == (False, "unavailable")
        and "Coba lagi" in body["message"]
        and 1 <= seconds <= 10
        and 0 < body["retryAfterMs"] <= seconds * 1000
    )


@pytest.fixture(scope="module")
def web_without_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    nowhere: Path = tmp_path_factory.mktemp("nowhere")
    url = f"postgresql://postgres@/tahan_uji?host={nowhere}"
    with WebProcess(url, DATABASE_PROFILE="serverless") as process:
        yield process


def test_without_a_database_pages_and_api_answer_503(web_without_database: WebProcess) -> None:
    """All of them at once, because each waits for as long as a connection may take."""
    token = "x" * 32
    headers = {"Cookie": f"sessionid={'s' * 32}; csrftoken={token}", "X-CSRFToken": token}

    def ask(method: str, path: str) -> tuple[httpx.Response, float]:
        begun = time.monotonic()
        body = {"username": "siswa1", "pin": "AAAA2222"} if method == "POST" else None
        response = web_without_database.client.request(method, path, headers=headers, json=body)
        return response, time.monotonic() - begun

    methods, paths = ("GET", "GET", "GET", "POST"), ("/admin/", "/api/auth/session", EXAMS, "/api/auth/login")
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(paths, pool.map(ask, methods, paths), strict=True))
    assert {path: response.status_code for path, (response, _) in answers.items()} == dict.fromkeys(paths, 503)
    page, _waited = answers.pop("/admin/")
    assert '<meta http-equiv="refresh"' in page.text, "a page comes back by itself"
    assert int(page.headers["Retry-After"]) >= 1
    assert all(is_come_back_later(response) for response, _waited in answers.values())
    assert max(waited for _response, waited in answers.values()) < SERVERLESS_WAIT + 3


def test_what_needs_no_database_goes_on_without_one(web_without_database: WebProcess) -> None:
    assert web_without_database.client.get("/healthz").status_code == 200
    assert web_without_database.client.get("/docs/json").status_code == 200
    response = web_without_database.client.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "away")


@pytest.mark.django_db(transaction=True)
def test_saves_answer_as_they_are_described(web_without_database: WebProcess) -> None:
    description = Description()
    sitting = sit_down()
    save = {"questionId": sitting.questions[0], "answer": "jkrt"}
    response = post_save(web_without_database, sitting.ticket, sitting.exam_id, save)
    assert description.check("saveAnswer", response, 503)["retryAfterMs"]
    assert response.headers["retry-after"]
    response = web_without_database.client.post(
        f"{save_path(sitting.exam_id)}s",
        json={"answers": [save]},
        headers={"Authorization": f"Bearer {sitting.ticket}"},
    )
    assert description.check("saveAnswers", response, 503)["retryAfterMs"]


@pytest.mark.django_db(transaction=True)
def test_an_empty_pool_answers_503_within_its_wait_and_recovers() -> None:
    attempt = make_attempt()
    with (
        WebProcess(url_of_test_database(), DATABASE_PROFILE="serverless") as web,
        Browser(web) as browser,
        ThreadPoolExecutor(1) as pool,
    ):
        browser.log_in(card_of(attempt.student))
        with transaction.atomic():
            Attempt.objects.select_for_update().get(pk=attempt.pk)
            # It waits for our lock, with the only connection in its hands.
            waiting = pool.submit(browser.post, f"{EXAMS}/{attempt.exam_id}/submit", {})
            wait_until(lambda: web.ready()["pages"]["inside"] == 1, what="a page inside")
            begun = time.monotonic()
            response = web.client.get("/api/auth/session")
            waited = time.monotonic() - begun
        assert response.status_code == 503, response.text
        assert is_come_back_later(response)
        assert waited < SERVERLESS_WAIT + 1
        assert waiting.result(timeout=10).status_code == 200
        assert web.client.get("/api/auth/session").status_code == 200


# -- the handlers by themselves ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [(OperationalError("away"), 503), (InterfaceError("closed"), 503), (RuntimeError("a bug"), 500)],
)
def test_only_a_database_that_is_away_is_a_503(error: Exception, status: int) -> None:
    try:
        raise error
    except Exception:  # noqa: BLE001 - as Django calls the handler
        response = server_error(RequestFactory().get("/"))
    assert response.status_code == status
    assert ("Retry-After" in response) is (status == 503)


def test_a_page_that_fails_in_the_middleware_is_a_503_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(SessionStore, "load", away)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "s" * 32
    assert client.get("/admin/").status_code == 503


@pytest.mark.parametrize("path", ["/api/nothing", "/api/siswa/ujian/abc/start", "/api/"])
def test_an_address_that_is_none_is_json_under_api(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 404
    assert response.json() == {"success": False, "code": "not_found", "message": "Ujian itu tidak ada untukmu."}


def test_elsewhere_it_is_a_page() -> None:
    response = Client().get("/nothing")
    assert response.status_code == 404
    assert "text/html" in response["Content-Type"]
