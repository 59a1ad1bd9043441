"""The pages before an exam card is known: login, logout, language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from tests.exams.factories import make_student
from tests.exams.pages import PageText
from tests.exams.student_browser import EXAMS, card_of, logged_in, post_json

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    caches["ratelimit"].clear()
    yield
    caches["ratelimit"].clear()


def log_in(client: Client, username: str, pin: str, **fields: str) -> Any:
    return client.post("/masuk", {"username": username, "pin": pin, **fields})


def who(client: Client) -> str | None:
    student = client.get("/api/auth/session").json()["student"]
    return student and student["username"]


# -- the card ----------------------------------------------------------------------------------------------------


def test_the_card_opens_a_session_and_leads_to_the_exams(client: Client) -> None:
    card = card_of()
    response = log_in(client, f" {card.username.upper()} ", card.printed_pin)
    assert (response.status_code, response["Location"]) == (303, "/ujian")
    assert who(client) == card.username


@pytest.mark.parametrize("dash", ["", "-", " ", " - ", "\N{EN DASH}", "\N{NO-BREAK SPACE}"])
def test_the_pin_may_be_typed_in_small_letters_with_anything_between(client: Client, dash: str) -> None:
    card = card_of()
    typed = f" {card.pin[:4]}{dash}{card.pin[4:]} ".lower()
    assert log_in(client, card.username, typed).status_code == 303


def test_wrong_name_wrong_pin_and_nobody_are_told_the_same(client: Client) -> None:
    card, other = card_of(), card_of()
    inactive = card_of(make_student(is_active=False))
    for name, pin in [("nobody", card.pin), (card.username, other.pin), (inactive.username, inactive.pin)]:
        response = log_in(client, name, pin)
        page = PageText(response)
        assert response.status_code == 401
        assert page.text("problem") == "Nama pengguna atau PIN salah."
        assert "problem" in str((page.by_id("pin") or {})["aria-describedby"]).split()
        assert "autofocus" in (page.by_id("pin") or {})
        assert (page.by_id("username") or {})["value"] == name, "only the PIN has to be typed again"
        assert pin not in page.html
        assert page.problems() == []
    assert who(client) is None


@pytest.mark.parametrize(
    ("fields", "wrong", "focus"),
    [
        ({}, {"username", "pin"}, "username"),
        ({"username": "siswa1"}, {"pin"}, "pin"),
        ({"username": "", "pin": "AAAA2222"}, {"username"}, "username"),
        ({"username": "x" * 65, "pin": "x" * 33}, {"username", "pin"}, "username"),
        ({"username": "a\0b", "pin": "a\0b"}, {"username", "pin"}, "username"),
        ({"username": '"><script>', "pin": ""}, {"pin"}, "pin"),
    ],
)
def test_a_form_that_is_not_filled_in_says_so_at_the_field(
    client: Client, fields: dict[str, str], wrong: set[str], focus: str
) -> None:
    response = client.post("/masuk", fields)
    page = PageText(response)
    assert response.status_code == 400
    assert {name for name in ("username", "pin") if page.text(f"{name}-error")} == wrong
    for name in wrong:
        field = page.by_id(name) or {}
        assert field["aria-invalid"] == "true"
        assert f"{name}-error" in str(field["aria-describedby"]).split()
    assert [field["name"] for field in page.all("input") if "autofocus" in field] == [focus]
    assert page.problems() == []


def test_a_session_starts_under_a_new_key(client: Client) -> None:
    card = card_of()
    session = client.session
    session["planted"] = True
    session.save()
    log_in(client, card.username, card.pin)
    assert client.session.session_key != session.session_key
    assert "planted" not in client.session


def test_who_is_logged_in_already_goes_on(client: Client) -> None:
    student = logged_in(make_student())
    assert student.get("/masuk")["Location"] == "/ujian"
    assert student.get("/masuk?next=/siswa/ujian/7")["Location"] == "/siswa/ujian/7"
    assert client.get("/masuk").status_code == 200


def test_another_card_takes_the_session_over() -> None:
    client, card = logged_in(make_student()), card_of()
    assert log_in(client, card.username, card.pin).status_code == 303
    assert who(client) == card.username


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/siswa/ujian/5", "/siswa/ujian/5"),
        ("/ujian/5?a=b", "/ujian/5?a=b"),
        ("", "/ujian"),
        ("ujian/5", "/ujian"),
        ("https://evil.test/", "/ujian"),
        ("//evil.test/", "/ujian"),
        ("///evil.test/", "/ujian"),
        ("/\\evil.test/", "/ujian"),
        ("/\t/evil.test/", "/ujian"),
        ("javascript:alert(1)", "/ujian"),
        ("http:/evil.test", "/ujian"),
    ],
)
def test_after_the_login_only_our_own_addresses_are_gone_to(client: Client, wanted: str, target: str) -> None:
    card = card_of()
    form = PageText(client.get("/masuk", {"next": wanted}))
    assert next(field["value"] for field in form.all("input") if field.get("name") == "next") == target
    assert log_in(client, card.username, card.pin, next=wanted)["Location"] == target


def test_a_wrong_card_does_not_forget_where_to_go(client: Client) -> None:
    page = PageText(log_in(client, "nobody", "AAAA2222", next="/siswa/ujian/5"))
    assert "/siswa/ujian/5" in [field.get("value") for field in page.all("input") if field.get("name") == "next"]


# -- limits ------------------------------------------------------------------------------------------------------


def test_guessing_ends_with_a_page_that_says_how_long_to_wait(client: Client) -> None:
    card, other = card_of(), card_of()
    # The windows are aligned to the clock: two of them if an edge lies between these tries.
    tries = [log_in(client, card.username.upper(), "AAAA2222") for _ in range(11)]
    statuses = [response.status_code for response in tries]
    assert set(statuses) == {401, 429}
    assert statuses.index(429) >= 5
    refused = tries[statuses.index(429)]
    seconds = int(refused["Retry-After"])
    page = PageText(refused)
    assert 1 <= seconds <= 60
    assert page.text("problem") == f"Terlalu banyak request. Tunggu {seconds} detik."
    assert page.by_id("pin") is not None, "to try again there and then"
    assert page.problems() == []
    assert log_in(client, other.username, other.pin).status_code == 303


def test_guesses_on_the_page_and_over_the_api_are_counted_together(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = {"login": "2/1d"}
    body = {"username": "siswa1", "pin": "AAAA2222"}
    assert log_in(client, **body).status_code == 401
    assert post_json(client, "/api/auth/login", body).status_code == 401
    assert log_in(client, **body).status_code == 429


def test_an_address_is_limited_as_well(client: Client, settings: Any) -> None:
    settings.RATE_LIMITS = {"login_address": "1/1d"}
    assert log_in(client, "siswa1", "AAAA2222").status_code == 401
    assert log_in(client, "siswa2", "AAAA2222").status_code == 429
    assert client.get("/masuk").status_code == 200, "looking is not guessing"


# -- going out ---------------------------------------------------------------------------------------------------


def test_logout_ends_the_session_for_good_and_by_post_only() -> None:
    client = logged_in(make_student())
    stolen = client.cookies["sessionid"].value
    assert client.get("/keluar").status_code == 405
    assert who(client) is not None
    response = client.post("/keluar")
    assert (response.status_code, response["Location"]) == (303, "/masuk")
    client.cookies["sessionid"] = stolen
    assert client.get("/ujian")["Location"] == "/masuk?next=/ujian"


@pytest.mark.parametrize("path", ["/masuk", "/keluar", "/bahasa", "/ujian/1"])
def test_a_form_of_another_site_is_refused(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = logged_in(make_student()).cookies
    response = client.post(path, {"username": "a", "pin": "b"}, headers={"Accept-Language": "en"})
    assert response.status_code == 403
    assert "Please send that again" in response.content.decode()


def test_the_forms_bring_their_tokens() -> None:
    client = Client(enforce_csrf_checks=True)
    card = card_of()
    token = next(f["value"] for f in PageText(client.get("/masuk")).all("input") if f["name"] == "csrfmiddlewaretoken")
    assert log_in(client, card.username, card.pin, csrfmiddlewaretoken=str(token)).status_code == 303
    page = PageText(client.get("/ujian"))
    posts = [form for form in page.all("form") if form.get("method") == "post"]
    tokens = [f["value"] for f in page.all("input") if f["name"] == "csrfmiddlewaretoken"]
    assert len(posts) == len(tokens) == 2
    assert client.post("/keluar", {"csrfmiddlewaretoken": tokens[0]}).status_code == 303


# -- language ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "id"),
        ("en-US,en;q=0.9,id;q=0.8", "en"),
        ("id-ID,id;q=0.9,en-US;q=0.8", "id"),
        ("in-ID,en;q=0.8", "id"),  # Indonesian as old Android browsers call it
        ("jv,fr;q=0.5", "id"),
    ],
)
def test_a_page_is_in_the_browsers_language_and_indonesian_by_default(
    client: Client, header: str, language: str
) -> None:
    response = client.get("/masuk", headers={"Accept-Language": header})
    page = PageText(response)
    assert page.all("html")[0]["lang"] == language
    assert response["Content-Language"] == language
    assert ("Masuk" in page.html) is (language == "id")


def test_the_switch_is_remembered_and_rules_the_api_too() -> None:
    client = logged_in(make_student())
    headers = {"Accept-Language": "id-ID,id;q=0.9"}
    page = PageText(client.get("/ujian", headers=headers))
    [offered] = [button["value"] for button in page.all("button") if button.get("name") == "language"]
    assert offered == "en"
    response = client.post("/bahasa", {"language": offered, "next": "/ujian"}, headers=headers)
    assert (response.status_code, response["Location"]) == (303, "/ujian")
    cookie = response.cookies["django_language"]
    assert (cookie.value, cookie["max-age"], cookie["samesite"]) == ("en", 365 * 86400, "Lax")
    assert PageText(client.get("/ujian", headers=headers)).all("html")[0]["lang"] == "en"
    assert client.get(f"{EXAMS}/1/state", headers=headers).json()["message"] == "There is no such exam for you."
    client.post("/bahasa", {"language": "id", "next": "/ujian"}, headers=headers)
    assert PageText(client.get("/ujian", headers={"Accept-Language": "en"})).all("html")[0]["lang"] == "id"


@pytest.mark.parametrize("language", ["", "fr", "../../etc", "en-us"])
def test_a_language_that_is_none_of_ours_changes_nothing(client: Client, language: str) -> None:
    response = client.post("/bahasa", {"language": language, "next": "//evil.test"})
    assert (response.status_code, response["Location"]) == (303, "/")
    assert "django_language" not in response.cookies
    client.cookies["django_language"] = language
    assert PageText(client.get("/masuk")).all("html")[0]["lang"] == "id"


def test_the_language_is_switched_by_post_only(client: Client) -> None:
    assert client.get("/bahasa?language=en").status_code == 405
