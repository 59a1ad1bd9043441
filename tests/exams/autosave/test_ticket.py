"""The ticket: forged, expired, unsigned, another exam's; and what it does not decide."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings

from exams.autosave import ticket as tickets
from exams.exceptions import BadTicket
from exams.models import Answer
from tests.exams.autosave.sitting import sit_down, ticket_for
from tests.exams.factories import make_attempt
from tests.web import WebProcess, post_save

CLAIMS = {"attempt": 1, "student": 2, "exam": 3, "version": 4}
NOW = 1_800_000_000


def issue(**changes: Any) -> str:
    return tickets.issue(**{**CLAIMS, "expires_at": NOW + 60, **changes})


def part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_ticket_says_what_was_put_into_it() -> None:
    ticket = tickets.read(issue().encode(), now=NOW)
    assert (ticket.attempt, ticket.student, ticket.exam, ticket.version) == (1, 2, 3, 4)


def test_it_expires_at_its_second_even_after_it_was_verified() -> None:
    token = issue().encode()
    assert tickets.read(token, now=NOW + 59.9)
    with pytest.raises(BadTicket):
        tickets.read(token, now=NOW + 60)


def test_a_ticket_of_an_old_key_verifies_while_the_key_is_a_fallback(settings: Any) -> None:
    token = issue().encode()
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another" * 8
    with pytest.raises(BadTicket):
        tickets.read(token, now=NOW)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert tickets.read(token, now=NOW).exam == 3


def forged_tokens() -> dict[str, str]:
    claims = {**CLAIMS, "exp": int(time.time()) + 3600}
    good = tickets.issue(**CLAIMS, expires_at=int(time.time()) + 3600)
    head, body, signature = good.split(".")
    key = tickets._key(django_settings.SECRET_KEY)
    return {
        "words": "let me in",
        "no signature": f"{head}.{body}.",
        "another body": f"{head}.{part({**claims, 'attempt': 99})}.{signature}",
        "alg none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
        "alg none, signed": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.{signature}",
        "alg HS512": jwt.encode(claims, key + key, algorithm="HS512"),
        "the bare secret": jwt.encode(claims, django_settings.SECRET_KEY, algorithm="HS256"),
        "no expiry": jwt.encode(CLAIMS, key, algorithm="HS256"),
        "expiry as text": jwt.encode({**claims, "exp": "tomorrow"}, key, algorithm="HS256"),
        "a field missing": jwt.encode({"exp": claims["exp"], "attempt": 1}, key, algorithm="HS256"),
        "expired": tickets.issue(**CLAIMS, expires_at=int(time.time()) - 1),
        "very long": "x" * 20_000,
        "not ASCII": "tiket-ÿ",
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", forged_tokens())
def test_a_forged_ticket_is_a_401_that_says_how_to_get_another(web: WebProcess, name: str) -> None:
    token = forged_tokens()[name].encode("latin-1")
    response = web.client.post(
        "/api/siswa/ujian/3/save-answer",
        json={"questionId": 1, "answer": "x"},
        headers={b"Authorization": b"Bearer " + token},
    )
    assert response.status_code == 401, response.text
    assert response.json()["code"] == "bad_ticket"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db(transaction=True)
def test_without_a_bearer_there_is_no_way_in(web: WebProcess) -> None:
    sitting = sit_down()
    for value in ("", "Basic eA==", sitting.ticket, f"Token {sitting.ticket}"):
        response = web.client.post(
            f"/api/siswa/ujian/{sitting.exam_id}/save-answer",
            json={"questionId": sitting.questions[0], "answer": "jkrt"},
            headers={"Authorization": value},
        )
        assert response.status_code == 401
    assert Answer.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_ticket_of_another_exam_is_a_403(web: WebProcess) -> None:
    mine, other = sit_down(), sit_down()
    body = {"questionId": other.questions[0], "answer": "jkrt"}
    response = post_save(web, mine.ticket, other.exam_id, body)
    assert (response.status_code, response.json()["code"]) == (403, "ticket_for_other_exam")


@pytest.mark.django_db(transaction=True)
def test_a_ticket_saves_into_its_own_attempt_whatever_the_body_says(web: WebProcess) -> None:
    mine = sit_down()
    other = make_attempt(mine.attempt.exam)
    body = {"questionId": mine.questions[0], "answer": "jkrt", "attempt": other.pk, "student": other.student_id}
    assert post_save(web, mine.ticket, mine.exam_id, body).status_code == 200
    assert other.answers.count() == 0
    assert mine.attempt.answers.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_version_that_does_not_exist_is_a_401(web: WebProcess) -> None:
    mine = sit_down()
    response = post_save(
        web, ticket_for(mine.attempt, version=7), mine.exam_id, {"questionId": mine.questions[0], "answer": "jkrt"}
    )
    assert response.status_code == 401
