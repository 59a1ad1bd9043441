"""Exam cards: a PIN for a person to type, and nothing to steal."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from exams.cards import PIN_ALPHABET, Card, issue_cards, normalise_pin, student_with_card
from exams.models import Student
from tests.exams.factories import make_student

pytestmark = pytest.mark.django_db


@pytest.fixture
def card() -> Card:
    [card] = issue_cards([make_student()])
    return card


def owner(card: Card, pin: str | None = None) -> Student | None:
    return student_with_card(username=card.username, pin=card.pin if pin is None else pin)


def test_a_pin_has_eight_characters_without_look_alikes() -> None:
    pins = [card.pin for card in issue_cards([make_student() for _ in range(50)])]
    assert len(set(pins)) == 50
    assert {len(pin) for pin in pins} == {8}
    assert set("".join(pins)) <= set(PIN_ALPHABET)
    assert not set("0O1IL") & set(PIN_ALPHABET)
    assert len(set(PIN_ALPHABET)) == 31


def test_only_a_keyed_hash_of_the_pin_is_stored(card: Card) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(students)::text FROM students WHERE username = %s", [card.username])
        [(row,)] = cursor.fetchall()
    assert card.pin.lower() not in row.lower()
    assert len(Student.objects.get(username=card.username).pin_hmac) == 64


def test_without_the_secret_key_the_table_is_worth_nothing(card: Card, settings: Any) -> None:
    settings.SECRET_KEY = "another"
    assert owner(card) is None


def test_a_card_of_an_older_key_still_works(card: Card, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = ["older", settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    student = owner(card)
    assert student is not None
    assert student.username == card.username


def test_equal_pins_do_not_look_equal_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.choice", lambda letters: letters[0])
    first, second = issue_cards([make_student(), make_student()])
    assert first.pin == second.pin
    students = Student.objects.filter(username__in=[first.username, second.username])
    assert len(set(students.values_list("pin_hmac", flat=True))) == 2


@pytest.mark.parametrize(
    "typed",
    [
        "{pin}",
        "{half}-{rest}",
        " {half} {rest} ",
        "{lower}",
        "{half}\N{EN DASH}{rest}",
        "{half}\N{NO-BREAK SPACE}{rest}\t",
        "{half}--{rest}.",
    ],
)
def test_a_pin_is_taken_as_people_type_it(card: Card, typed: str) -> None:
    typed = typed.format(pin=card.pin, half=card.pin[:4], rest=card.pin[4:], lower=card.pin.lower())
    assert normalise_pin(typed) == card.pin
    assert owner(card, typed) is not None


def test_what_is_printed_can_be_typed(card: Card) -> None:
    assert owner(card, card.printed_pin) is not None


def test_a_user_name_is_taken_as_people_type_it(card: Card) -> None:
    assert student_with_card(username=f" {card.username.upper()} ", pin=card.pin) is not None


def test_a_wrong_pin_opens_nothing(card: Card) -> None:
    swapped = card.pin[1:] + card.pin[:1]
    tries = ["", card.pin[:-1], card.pin + "A", swapped if swapped != card.pin else "", "\0", "x" * 10_000]
    assert [owner(card, pin) for pin in tries] == [None] * len(tries)


def test_the_pin_of_somebody_else_opens_nothing(card: Card) -> None:
    [other] = issue_cards([make_student()])
    assert owner(card, other.pin) is None


@pytest.mark.parametrize("username", ["nobody", "", "siswa'--", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}"])
def test_an_unknown_name_opens_nothing_and_costs_the_same(card: Card, username: str) -> None:
    with CaptureQueriesContext(connection) as known:
        owner(card, "WRONG234")
    with CaptureQueriesContext(connection) as unknown:
        assert student_with_card(username=username, pin=card.pin) is None
    assert len(unknown) == len(known)


def test_who_has_no_card_cannot_come_in() -> None:
    student = make_student()
    assert [student_with_card(username=student.username, pin=pin) for pin in ("", " ", "-")] == [None] * 3


def test_who_may_not_log_in_cannot_come_in(card: Card) -> None:
    Student.objects.filter(username=card.username).update(is_active=False)
    assert owner(card) is None


def test_a_new_pin_voids_the_old_one(card: Card) -> None:
    [new] = issue_cards(Student.objects.filter(username=card.username))
    assert owner(card) is None
    assert owner(new) is not None


def login(card: Card) -> Client:
    client = Client()
    body = {"username": card.username, "pin": card.pin}
    assert client.post("/api/auth/login", body, content_type="application/json").status_code == 200
    return client


def is_logged_in(client: Client) -> bool:
    return client.get("/api/auth/session").json()["student"] is not None


def test_a_new_pin_ends_the_sessions_of_the_old_one(card: Card) -> None:
    phone = login(card)
    assert is_logged_in(phone)
    [new] = issue_cards(Student.objects.filter(username=card.username))
    assert not is_logged_in(phone)
    assert phone.get("/api/siswa/ujian").status_code == 401
    assert is_logged_in(login(new))


def test_a_session_ends_when_the_student_may_not_log_in_any_more(card: Card) -> None:
    phone = login(card)
    Student.objects.filter(username=card.username).update(is_active=False)
    assert not is_logged_in(phone)


def test_many_cards_take_few_statements() -> None:
    students = [make_student() for _ in range(40)]
    with CaptureQueriesContext(connection) as queries:
        issue_cards(students)
    assert len([query for query in queries if query["sql"].startswith("UPDATE")]) == 1
    assert issue_cards([]) == []
