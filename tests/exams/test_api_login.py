"""Coming in: sessions, wrong cards, and a limit that stops guessing without locking out a school."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from tests.exams.factories import make_student
from tests.exams.student_browser import EXAMS, Browser, card_of, logged_in, post_json
from tests.web import WebProcess

pytestmark = pytest.mark.django_db

LOGIN = "/api/auth/login"


def log_in(client: Client, username: str, pin: str, **options: Any) -> Any:
    return post_json(client, LOGIN, {"username": username, "pin": pin}, **options)


@pytest.mark.django_db(transaction=True)
def test_guessing_is_stopped_by_the_name_and_harms_nobody_else(web: WebProcess) -> None:
    card, other = card_of(), card_of()
    with Browser(web) as browser:
        browser.get("/api/auth/session")
        # The limit's windows are aligned to the clock: two of them if an edge lies between these tries.
        tries = [browser.post(LOGIN, {"username": card.username.upper(), "pin": "AAAA2222"}) for _ in range(11)]
        statuses = [answer.status_code for answer in tries]
        assert set(statuses) == {401, 429}
        assert statuses.index(429) >= 5
        wrong, refused = tries[0], tries[statuses.index(429)]
        assert wrong.json()["code"] == "wrong_card"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        problem = refused.json()
        assert (problem["success"], problem["code"]) == (False, "rate_limited")
        assert "Terlalu banyak" in problem["message"]
        assert 0 < problem["retryAfterMs"] <= 60_000
        assert browser.log_in(other).status_code == 200


def test_the_right_card_waits_as_well_once_the_limit_is_reached() -> None:
    card = card_of()
    client = Client()
    answers = (log_in(client, card.username, "AAAA2222").status_code for _ in range(11))
    assert 429 in answers
    assert log_in(client, f" {card.username} ", card.pin).status_code in (429, 200), "200 only in the next window"


def test_wrong_name_wrong_pin_and_nobody_look_alike() -> None:
    card, other = card_of(), card_of()
    inactive = card_of(make_student(is_active=False))
    tries = [("nobody", card.pin), (card.username, other.pin), (inactive.username, inactive.pin)]
    answers = [log_in(Client(), *attempt) for attempt in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0]["WWW-Authenticate"] == "Session"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["pin", "username"]),
        ({"username": "siswa1"}, ["pin"]),
        ({"username": "", "pin": ""}, ["pin", "username"]),
        ({"username": None, "pin": None}, ["pin", "username"]),
        ({"username": ["a"], "pin": {"a": 1}}, ["pin", "username"]),
        ({"username": True, "pin": False}, ["pin", "username"]),
        ({"username": "x" * 65, "pin": "x" * 33}, ["pin", "username"]),
        ({"username": "a\0b", "pin": "a\0b"}, ["pin", "username"]),
    ],
)
def test_a_login_of_the_wrong_shape_names_its_fields(body: Any, fields: list[str]) -> None:
    response = post_json(Client(), LOGIN, body)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (400, "invalid")
    assert sorted(problem["fields"]) == fields


def test_a_session_starts_under_a_new_key() -> None:
    """So that a key somebody planted before is worth nothing."""
    card = card_of()
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    assert log_in(client, card.username, card.pin).status_code == 200
    assert client.session.session_key != planted
    assert "planted" not in client.session
    assert not Session.objects.filter(session_key=planted).exists()


def test_the_session_cookie_is_out_of_a_scripts_reach() -> None:
    cookie = logged_in(make_student()).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_logging_in_again_changes_the_student() -> None:
    client = logged_in(make_student())
    card = card_of()
    log_in(client, card.username, card.pin)
    assert client.get("/api/auth/session").json()["student"]["username"] == card.username


def test_logging_out_ends_the_session_for_good() -> None:
    client = logged_in(make_student())
    stolen = client.cookies["sessionid"].value
    assert post_json(client, "/api/auth/logout").json() == {"success": True}
    assert post_json(client, "/api/auth/logout").status_code == 200, "harmless without a session"
    client.cookies["sessionid"] = stolen
    assert client.get(EXAMS).status_code == 401


@pytest.mark.parametrize("path", ["", "/1/state", "/1/result", "/1/start", "/1/submit"])
def test_without_a_session_there_is_nothing_to_see(path: str) -> None:
    client = Client()
    is_post = path.endswith(("start", "submit"))
    response = post_json(client, EXAMS + path) if is_post else client.get(EXAMS + path)
    assert (response.status_code, response.json()["code"]) == (401, "not_logged_in")


def test_a_made_up_session_is_nobodys() -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    assert client.get("/api/auth/session").json()["student"] is None
    session = client.session
    session["student_id"] = make_student().pk
    session["student_card"] = "guess"
    session.save()
    assert client.get(EXAMS).status_code == 401


def test_a_student_is_no_member_of_staff() -> None:
    response = logged_in(make_student()).get("/admin/")
    assert response.status_code == 302
    assert "login" in response["Location"]
