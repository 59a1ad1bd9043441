"""Whatever is sent to Django's part of the API: a clear 4xx, never a 500. For saves see autosave/test_bodies.py."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from django.test import Client

from exams.models import Attempt
from tests.exams.factories import make_attempt, make_exam, make_student
from tests.exams.student_browser import EXAMS, Browser, card_of, logged_in
from tests.web import WebProcess

pytestmark = pytest.mark.django_db

BROKEN: dict[str, bytes] = {
    "half of it": b'{"username":',
    "no JSON": b"username=siswa1&pin=ABCD",
    "NaN": b'{"username": NaN}',
    "infinite": b'{"manifest": {"1": 1e999}}',
    "raw NUL": b'{"username": "a\0"}',
    "lone surrogate": b'{"username": "\\ud800", "pin": "\\udfff"}',
    "not UTF-8": b'{"username": "\xff"}',
    "UTF-16": '{"username": "a"}'.encode("utf-16"),
    "deep and unclosed": b"[" * 100_000,
    "deep": b'{"answers":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a number of 5,000 digits": b'{"manifest": {"1": ' + b"9" * 5_000 + b"}}",
}
#: JSON, but not what any of our POSTs expects.
MISSHAPEN: dict[str, Any] = {
    "a list": [],
    "null": None,
    "a number": 7,
    "a text": "submit",
    "wrong types": {"username": {}, "pin": [], "entryToken": {}, "answers": "all", "manifest": []},
    "more wrong types": {"username": [[]], "pin": 1, "entryToken": [1], "answers": {"a": 1}, "manifest": "x"},
    "NUL": {"username": "\0", "pin": "\0", "entryToken": "\0", "answers": ["\0"], "manifest": {"\0": 1}},
    "too long": {"username": "x" * 70, "pin": "x" * 70, "entryToken": "x" * 70, "answers": [{}] * 1_001},
    "numbers too large": {"username": 10**40, "pin": 1, "entryToken": 10**40, "manifest": {"1": 10**30}},
    "900 deep": json.loads('{"username":' + "[" * 900 + "]" * 900 + ',"answers":' + "[" * 900 + "]" * 900 + "}"),
}
PATHS = ["/api/auth/login", "/api/auth/logout", f"{EXAMS}/{{exam}}/start", f"{EXAMS}/{{exam}}/submit"]


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt(make_exam(published=True, entry_token="MERAH7"))


def post(client: Client, path: str, body: bytes, content_type: str = "application/json") -> Any:
    return client.post(path, data=body, content_type=content_type)


def is_problem(response: Any, *statuses: int) -> bool:
    body = response.json()
    return response.status_code in statuses and body["success"] is False and body["code"] and body["message"]


@pytest.mark.parametrize("path", [path for path in PATHS if "logout" not in path])
def test_what_is_no_json_is_400(path: str, attempt: Attempt) -> None:
    client = logged_in(attempt.student)
    for name, body in BROKEN.items():
        response = post(client, path.format(exam=attempt.exam_id), body)
        assert is_problem(response, 400), name
        assert response.json()["code"] == "not_json", name
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.IN_PROGRESS


@pytest.mark.parametrize("path", [path for path in PATHS if "logout" not in path])
def test_json_of_another_shape_is_400(path: str, attempt: Attempt) -> None:
    client = logged_in(attempt.student)
    refused = {}
    for name, body in MISSHAPEN.items():
        response = post(client, path.format(exam=attempt.exam_id), json.dumps(body).encode())
        assert response.status_code < 500, name
        refused[name] = is_problem(response, 400)
    if path.endswith("start"):
        del refused["900 deep"], refused["numbers too large"]  # nothing wrong in its own fields
    if path.endswith("login"):
        del refused["numbers too large"]
    assert [name for name, was_refused in refused.items() if not was_refused] == []


@pytest.mark.parametrize("path", PATHS)
def test_another_type_of_content_is_415(path: str, attempt: Attempt) -> None:
    client = logged_in(attempt.student)
    types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
        "a/b;" * 99,
    ]
    for content_type in types:
        response = post(client, path.format(exam=attempt.exam_id), b"{}", content_type)
        assert response.status_code == 200 if path.endswith("logout") else is_problem(response, 415), content_type


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [path for path in PATHS if "logout" not in path])
def test_the_real_server_says_the_same(web: WebProcess, path: str) -> None:
    student = make_student()
    attempt = make_attempt(student=student)
    with Browser(web) as browser:
        browser.log_in(card_of(student))
        path = path.format(exam=attempt.exam_id)
        headers = {"Content-Type": "application/json"}
        for body in (BROKEN["deep"], BROKEN["lone surrogate"], BROKEN["raw NUL"]):
            assert is_problem(browser.post(path, content=body, headers=headers), 400)
        huge = browser.post(path, content=b'{"a":"' + b"x" * 1_100_000 + b'"}', headers=headers)
        assert is_problem(huge, 413)
        assert huge.json()["code"] == "too_large"
        if "login" not in path:
            assert browser.post(path).status_code == 200, "no body at all"


def test_a_huge_body_is_413_also_on_another_server() -> None:
    """Behind WSGI there is no gate that has looked at the length before."""
    response = post(Client(), "/api/auth/login", b'{"a":"' + b"x" * 1_100_000 + b'"}')
    assert is_problem(response, 413)


def test_random_bytes_are_never_a_500(attempt: Attempt) -> None:
    client = logged_in(attempt.student)
    dice = random.Random(7)  # the same bytes in each run: what it finds once it finds again
    seeds = [*BROKEN.values(), *(json.dumps(body).encode() for body in MISSHAPEN.values())]
    for _ in range(60):
        body = bytearray(dice.choice(seeds)[:2_000])
        for _ in range(dice.randrange(1, 6)):
            body[dice.randrange(len(body))] = dice.randrange(256)
        response = post(client, f"{EXAMS}/{attempt.exam_id}/submit", bytes(body))
        assert response.status_code < 500, bytes(body)


@pytest.mark.parametrize("header", ["Accept-Language", "Cookie", "X-CSRFToken", "Origin", "Accept"])
def test_odd_headers_are_never_a_500(header: str) -> None:
    for value in ("", "\xff\x00", ";;,,==", "x" * 5_000, "sessionid=\x00", "csrftoken=é; sessionid=" + "a" * 3_000):
        client = Client(enforce_csrf_checks=True)
        assert client.get("/api/auth/session", headers={header: value}).status_code < 500, value
        response = client.post("/api/auth/login", data=b"{}", content_type="application/json", headers={header: value})
        assert response.status_code < 500, value
