"""Handing in over HTTP: what is applied, what is rejected, what is missing, and how often one may ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from exams import attempts, publishing
from exams.content import QuestionType
from exams.models import Attempt
from tests.exams.at_once import at_once
from tests.exams.autosave.sitting import now_ms
from tests.exams.factories import RIGHT, make_answer, make_attempt, make_exam, make_student
from tests.exams.student_browser import EXAMS, Browser, card_of, logged_in, post_json
from tests.web import WebProcess

pytestmark = pytest.mark.django_db


class Sitting:
    """A running attempt whose student hands in through Django's client."""

    def __init__(self, *kinds: QuestionType | str, **overrides: Any) -> None:
        self.attempt = make_attempt(make_exam(published=True, questions=kinds or ["multiple_choice"]), **overrides)
        self.questions = list(self.attempt.exam.questions.order_by("position"))
        self.client = logged_in(self.attempt.student)

    @property
    def path(self) -> str:
        return f"{EXAMS}/{self.attempt.exam_id}/submit"

    def submit(self, *answers: Any, status: int = 200, **body: Any) -> dict[str, Any]:
        response = post_json(self.client, self.path, {"answers": list(answers), **body})
        assert response.status_code == status, response.content
        return dict(response.json())

    def pending(self, answer: Any, number: int = 0, **changes: Any) -> dict[str, Any]:
        return {"questionId": self.questions[number].pk, "answer": answer, "revision": now_ms(), **changes}

    def stored(self) -> dict[int, Any]:
        return dict(self.attempt.answers.values_list("question_id", "value"))


def test_a_page_of_another_student_hands_in_nothing_of_this_one() -> None:
    """A shared computer: the page is the first student's, the session the second one's."""
    first = Sitting()
    second = make_attempt(first.attempt.exam)
    reply = first.submit(first.pending("jkrt"), attemptId=second.pk, status=409)
    assert reply["code"] == "other_attempt"
    for attempt in (first.attempt, second):
        attempt.refresh_from_db()
        assert attempt.status == Attempt.Status.IN_PROGRESS
    assert first.submit(first.pending("jkrt"), attemptId=first.attempt.pk)["status"] == "submitted"


def test_every_type_of_answer_can_be_handed_in() -> None:
    sitting = Sitting(*RIGHT)
    answers = [sitting.pending(answer, number) for number, answer in enumerate(RIGHT.values())]
    manifest = {str(answer["questionId"]): answer["revision"] for answer in answers}
    reply = sitting.submit(*answers, manifest=manifest)
    assert (reply["status"], reply["answered"], reply["missing"], reply["rejected"]) == ("submitted", 7, [], [])
    assert list(sitting.stored().values()) == list(RIGHT.values())
    sitting.attempt.refresh_from_db()
    assert (sitting.attempt.score, sitting.attempt.ungraded_essays) == (Decimal(8), 1)
    assert reply["receipt"] == sitting.attempt.receipt


def test_answers_are_stored_in_their_one_form() -> None:
    sitting = Sitting("multiple_response", "numerical")
    sitting.submit(sitting.pending(["twoo", "thre"]), sitting.pending(3.5, 1))
    assert list(sitting.stored().values()) == [["thre", "twoo"], "3.5"]


def test_an_answer_can_be_cleared_and_needs_no_revision() -> None:
    sitting = Sitting("multiple_choice", "essay")
    make_answer(sitting.attempt, sitting.questions[0])
    without = {"questionId": sitting.questions[1].pk, "answer": "Pantai."}
    assert sitting.submit(sitting.pending(None), without)["answered"] == 1
    assert list(sitting.stored().values()) == [None, "Pantai."]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown option": ({"answer": "zzzz"}, "wrong_answer"),
    "wrong type": ({"answer": {"a": 1}}, "wrong_answer"),
    "another question": ({"questionId": 2**40}, "unknown_question"),
    "no id": ({"questionId": None}, "not_json"),
    "an id beyond bigint": ({"questionId": 10**30}, "not_json"),
    "an id as text": ({"questionId": "1"}, "not_json"),
    "revision beyond": ({"revision": 10**30}, "not_json"),
    "revision zero": ({"revision": 0}, "not_json"),
    "revision as text": ({"revision": "1"}, "not_json"),
    "revision ahead": ({"revision": now_ms() + 10**9}, "revision_ahead"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_wrong_answer_never_stops_a_submit(name: str) -> None:
    changes, code = BAD[name]
    sitting = Sitting("multiple_choice", "true_false")
    reply = sitting.submit(sitting.pending("jkrt") | changes, sitting.pending(True, 1))
    [rejected] = reply["rejected"]
    assert rejected["code"] == code
    assert rejected["reason"]
    known = isinstance(changes.get("questionId", 1), int) and code != "not_json"
    assert rejected["questionId"] == (changes.get("questionId", sitting.questions[0].pk) if known else None)
    assert sitting.stored() == {sitting.questions[1].pk: True}
    assert reply["status"] == "submitted"


def test_a_rejected_answer_is_missing_as_well() -> None:
    sitting = Sitting()
    question = sitting.questions[0].pk
    reply = sitting.submit(sitting.pending("zzzz"), manifest={str(question): now_ms()})
    assert reply["missing"] == [question]
    sitting.attempt.refresh_from_db()
    assert sitting.attempt.missing_answers == 1


@pytest.mark.parametrize(
    "manifest",
    [
        {"a": 1},
        {"": 1},
        {"-1": 1},
        {"1.0": 1},
        {"9" * 19: 1},
        {"\N{ARABIC-INDIC DIGIT ONE}": 1},
        {"1": 0},
        {"1": 2**53},
        {"1": None},
        {"1": "x"},
        {"1": 1.5},
        {"1": {}},
        {str(number): 1 for number in range(1, 1_002)},
    ],
    ids=lambda manifest: str(manifest)[:20],
)
def test_a_manifest_that_is_none_is_refused_and_the_attempt_goes_on(manifest: Any) -> None:
    sitting = Sitting()
    assert sitting.submit(manifest=manifest, status=400)["fields"]["manifest"]
    sitting.attempt.refresh_from_db()
    assert sitting.attempt.status == Attempt.Status.IN_PROGRESS


def test_the_largest_paper_can_be_handed_in() -> None:
    sitting = Sitting()
    ids = range(sitting.questions[0].pk, sitting.questions[0].pk + 1_000)
    answers = [{"questionId": number, "answer": "jkrt", "revision": 5} for number in ids]
    reply = sitting.submit(*answers, manifest={str(number): 5 for number in ids})
    assert len(reply["rejected"]) == len(reply["missing"]) == 999
    assert reply["answered"] == 1


# -- again, late, locked -----------------------------------------------------------------------------------------


def test_the_first_receipt_comes_again_as_often_as_it_is_asked_for() -> None:
    sitting = Sitting()
    first = sitting.submit(sitting.pending("jkrt"))
    for _ in range(20):
        again = sitting.submit(sitting.pending("bndg"))
        assert (again["receipt"], again["submittedAt"]) == (first["receipt"], first["submittedAt"])
    assert list(sitting.stored().values()) == ["jkrt"]


def test_a_second_try_within_five_seconds_waits() -> None:
    """A double click that reaches the server before the first submit is through."""
    sitting = Sitting()

    def submit_and_forget() -> Any:
        running = {"status": "in_progress", "submitted_at": None, "score": None, "receipt": ""}
        Attempt.objects.filter(pk=sitting.attempt.pk).update(**running)
        return post_json(sitting.client, sitting.path, {})

    answers = [submit_and_forget() for _ in range(3)]  # two windows, if the clock's edge lies between them
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 5


def test_the_limit_of_one_student_is_not_anothers() -> None:
    exam = make_exam(published=True)
    for _ in range(4):
        attempt = make_attempt(exam)
        response = post_json(logged_in(attempt.student), f"{EXAMS}/{exam.pk}/submit", {})
        assert response.status_code == 200


def test_too_late_is_expired_and_nothing_is_applied() -> None:
    now = attempts.database_now()
    sitting = Sitting(started_at=now - timedelta(hours=3), deadline_at=now - timedelta(hours=1))
    question = sitting.questions[0].pk
    reply = sitting.submit(sitting.pending("jkrt"), manifest={str(question): now_ms()})
    assert (reply["status"], reply["answered"], reply["missing"]) == ("expired", 0, [question])
    assert sitting.stored() == {}
    sitting.attempt.refresh_from_db()
    assert sitting.attempt.missing_answers == 1, "the teacher sees that the phone had an answer"


def test_a_locked_attempt_is_not_handed_in() -> None:
    sitting = Sitting(status="locked")
    assert sitting.submit(sitting.pending("jkrt"), status=409)["code"] == "attempt_locked"
    assert sitting.stored() == {}


def test_what_was_not_started_is_not_handed_in() -> None:
    exam = make_exam(published=True)
    response = post_json(logged_in(make_student()), f"{EXAMS}/{exam.pk}/submit", {})
    assert (response.status_code, response.json()["code"]) == (409, "not_started")


def test_questions_of_the_attempts_own_version_are_handed_in() -> None:
    sitting = Sitting("multiple_choice", "true_false")
    sitting.attempt.exam.questions.filter(pk=sitting.questions[1].pk).update(is_withdrawn=True)
    assert publishing.publish(exam_id=sitting.attempt.exam_id).version == 2
    reply = sitting.submit(sitting.pending(True, 1))
    assert (reply["rejected"], reply["answered"]) == ([], 1)


# -- over HTTP ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_body_without_a_declared_length_is_not_lost(web: WebProcess) -> None:
    """HTTP/2 in front of us, and chunks behind it: the answers in such a submit are answers like any others."""
    attempt = make_attempt()
    question = attempt.exam.questions.get().pk
    body = json.dumps({"answers": [{"questionId": question, "answer": "jkrt", "revision": 5}]}).encode()

    def chunks() -> Iterator[bytes]:
        yield body[:10]
        yield body[10:]

    with Browser(web) as browser:
        browser.log_in(card_of(attempt.student))
        headers = {"Content-Type": "application/json"}
        reply = browser.post(f"{EXAMS}/{attempt.exam_id}/submit", content=chunks(), headers=headers)
    assert (reply.status_code, reply.json()["answered"]) == (200, 1)


@pytest.mark.django_db(transaction=True)
def test_handing_in_from_two_tabs_at_once_gives_one_receipt(web: WebProcess) -> None:
    attempt = make_attempt()
    with Browser(web) as browser:
        browser.log_in(card_of(attempt.student))
        replies = at_once(4, lambda _number: browser.post(f"{EXAMS}/{attempt.exam_id}/submit", {}))
        assert {reply.status_code for reply in replies} <= {200, 429}
        receipts = {reply.json()["receipt"] for reply in replies if reply.status_code == 200}
        assert len(receipts) == 1
        again = browser.post(f"{EXAMS}/{attempt.exam_id}/submit", {})
        assert again.json()["receipt"] in receipts
