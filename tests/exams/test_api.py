"""The students' API from first visit to result, through a real web process. Topics of their own: test_api_*.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from exams import attempts
from exams.autosave import ticket as tickets
from exams.models import Answer, Attempt, Exam
from tests.exams.factories import RIGHT, make_answer, make_attempt, make_exam, make_student
from tests.exams.student_browser import EXAMS, Browser, card_of, logged_in, post_json
from tests.web import WebProcess, post_save

pytestmark = pytest.mark.django_db

#: Where the names of a JSON object are data and not ours.
_DATA = {"answer", "fields"}


def all_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in _DATA:
                yield from all_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_names(inner)


def all_times(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (inner for name, inner in value.items() if name.endswith("At") and inner is not None)
        for inner in value.values():
            yield from all_times(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_times(inner)


@pytest.mark.django_db(transaction=True)
def test_a_student_sits_an_exam(web: WebProcess) -> None:
    student = make_student(name="Siti", class_name="9C")
    exam = make_exam(published=True, questions=list(RIGHT), entry_token="MERAH7", show_result=True, title="Ujian Akhir")
    replies = []
    with Browser(web) as browser:

        def seen(response: Any, status: int = 200) -> Any:
            assert response.status_code == status, response.text
            replies.append(response)
            return response.json()

        session = seen(browser.get("/api/auth/session"))
        assert session["student"] is None
        reply = seen(browser.log_in(card_of(student)))
        assert reply["student"] == {"username": student.username, "name": "Siti", "className": "9C"}
        assert seen(browser.get("/api/auth/session"))["student"] == reply["student"]

        [listed] = seen(browser.get(EXAMS))["open"]
        assert (listed["id"], listed["title"], listed["needsEntryToken"], listed["attempt"]) == (
            exam.pk,
            "Ujian Akhir",
            True,
            None,
        )
        path = f"{EXAMS}/{exam.pk}"
        assert seen(browser.get(f"{path}/state"), 409)["code"] == "not_started"
        assert seen(browser.post(f"{path}/start"), 403)["code"] == "wrong_entry_token"
        started = seen(browser.post(f"{path}/start", {"entryToken": "merah7"}))
        assert started["attempt"]["status"] == "in_progress"
        assert started["answers"] == []
        assert abs(started["serverNow"] / 1000 - attempts.database_now().timestamp()) < 5
        deadline = datetime.fromisoformat(started["deadlineAt"])
        assert timedelta(minutes=89) < deadline - attempts.database_now() <= timedelta(minutes=90)

        kinds = {question["type"]: question["id"] for question in started["paper"]["questions"]}
        for kind, answer in RIGHT.items():
            if kind != "true_false":
                saved = post_save(web, started["ticket"], exam.pk, {"questionId": kinds[kind], "answer": answer})
                assert seen(saved)["status"] == "saved"

        again = seen(browser.post(f"{path}/start"))
        assert (again["attempt"], again["paper"]) == (started["attempt"], started["paper"])
        state = seen(browser.get(f"{path}/state"))
        assert "paper" not in state
        stored = {answer["questionId"]: answer["answer"] for answer in state["answers"]}
        assert stored == {kinds[kind]: answer for kind, answer in RIGHT.items() if kind != "true_false"}
        assert state["ticket"]
        assert seen(browser.get(f"{path}/result"), 409)["code"] == "attempt_in_progress"

        last = {"questionId": kinds["true_false"], "answer": True, "revision": state["serverNow"]}
        manifest = {str(answer["questionId"]): answer["revision"] for answer in state["answers"]}
        submitted = seen(
            browser.post(
                f"{path}/submit",
                {"answers": [last], "manifest": {**manifest, str(kinds["true_false"]): last["revision"]}},
            )
        )
        assert (submitted["status"], submitted["answered"]) == ("submitted", 7)
        assert (submitted["missing"], submitted["rejected"]) == ([], [])
        assert seen(browser.post(f"{path}/submit"))["receipt"] == submitted["receipt"]

        result = seen(browser.get(f"{path}/result"))
        assert (result["receipt"], result["isFinal"], result["score"]) == (submitted["receipt"], False, None)
        essay = Answer.objects.get(question_id=kinds["essay"])
        attempts.grade_answer(answer_id=essay.pk, points=Decimal("4.5"))
        result = seen(browser.get(f"{path}/result"))
        assert (result["isFinal"], result["score"], result["maxScore"]) == (True, 12.5, 13)

        [done] = seen(browser.get(EXAMS))["done"]
        assert done["attempt"]["status"] == "submitted"
        state = seen(browser.get(f"{path}/state"))
        assert (state["ticket"], len(state["answers"])) == (None, 7)
        assert seen(browser.post(f"{path}/start"), 409)["code"] == "attempt_submitted"

        seen(browser.post("/api/auth/logout"))
        assert seen(browser.get(EXAMS), 401)["code"] == "not_logged_in"

    for response in replies:
        body = response.json()
        assert [name for name in all_names(body) if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name)] == []
        assert "no-store" in response.headers["cache-control"]
        assert body["success"] is (response.status_code == 200)
        assert [moment for moment in all_times(body) if not moment.endswith(("Z", "+00:00"))] == [], "all in UTC"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/logout", f"{EXAMS}/1/start", f"{EXAMS}/1/submit"])
def test_without_the_csrf_token_nothing_is_changed(web: WebProcess, path: str) -> None:
    with Browser(web, Origin="http://evil.example") as elsewhere, Browser(web) as browser:
        browser.log_in(card_of())
        problem = browser.post(path, {}, headers={"X-CSRFToken": ""})
        assert (problem.status_code, problem.json()["code"]) == (403, "csrf_failed")
        assert browser.get("/api/auth/session").json()["student"] is not None
        elsewhere.http.cookies = browser.http.cookies
        assert elsewhere.post(path, {}).json()["code"] == "csrf_failed", "another site cannot send it"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("accept_language", "words"),
    [
        ("", "kartu ujian"),
        ("id,en;q=0.5", "kartu ujian"),
        ("en-US,en;q=0.9,id;q=0.8", "exam card"),
        ("jv", "kartu ujian"),
    ],
)
def test_errors_are_indonesian_unless_english_is_preferred(web: WebProcess, accept_language: str, words: str) -> None:
    response = web.client.get(EXAMS, headers={"Accept-Language": accept_language})
    assert (response.status_code, response.json()["code"]) == (401, "not_logged_in")
    assert words in response.json()["message"]
    assert response.headers["www-authenticate"] == "Session"


# -- through Django's client from here on: nothing below depends on the server -----------------------------------


def listed(client: Any) -> dict[int, str]:
    """exam id -> the group it is in"""
    body = client.get(EXAMS).json()
    return {exam["id"]: group for group in ("open", "upcoming", "done") for exam in body[group]}


def test_exams_are_open_upcoming_or_done() -> None:
    now = attempts.database_now()
    hour, week = timedelta(hours=1), timedelta(days=7)
    student = make_student()
    over: dict[str, Any] = {"opens_at": now - week, "closes_at": now - hour}
    expected = {}

    def exam(group: str | None, *, closed: bool = False, attempt: dict[str, Any] | None = None, **options: Any) -> None:
        made = make_exam(**{"published": True, **options})
        if attempt is not None:
            make_attempt(made, student, **attempt)
        if closed:
            Exam.objects.filter(pk=made.pk).update(status="closed")
        if group is not None:
            expected[made.pk] = group

    exam("open")
    exam("upcoming", opens_at=now + hour)
    exam("done", **over)
    exam("done", closed=True)
    exam(None, published=False)
    exam("open", attempt={})
    exam("open", attempt={"status": "locked"})
    exam("done", attempt={"status": "submitted"})
    exam("open", closed=True, attempt={})  # who is in may go on
    exam("open", **over, attempt={"started_at": now - 2 * hour, "deadline_at": now + hour})  # by extra time
    exam("open", attempt={"started_at": now - 2 * hour, "deadline_at": now - timedelta(seconds=30)})  # in its grace
    exam("done", attempt={"started_at": now - 2 * hour, "deadline_at": now - hour})
    assert listed(logged_in(student)) == expected


def test_the_list_takes_few_statements(django_assert_max_num_queries: Any) -> None:
    client = logged_in(make_student())
    for _ in range(10):
        make_exam(published=True)
    with django_assert_max_num_queries(6):
        assert len(listed(client)) == 10


def test_another_students_data_is_out_of_reach() -> None:
    exam = make_exam(published=True, show_result=True)
    theirs = make_attempt(exam, status="submitted")
    make_answer(theirs, exam.questions.get(), value="bndg")
    client = logged_in(make_student())
    [mine] = client.get(EXAMS).json()["open"]
    assert mine["attempt"] is None
    for path in ("state", "result"):
        assert client.get(f"{EXAMS}/{exam.pk}/{path}").json()["code"] == "not_started"
    started = post_json(client, f"{EXAMS}/{exam.pk}/start").json()
    assert started["attempt"]["id"] != theirs.pk
    assert started["answers"] == []
    assert post_json(client, f"{EXAMS}/{exam.pk}/submit").json()["receipt"] != theirs.receipt
    theirs.refresh_from_db()
    assert (theirs.receipt, theirs.answers.get().value) == ("ABCDE-FGHJK", "bndg")


@pytest.mark.parametrize("exam_id", ["0", str(2**63), str(10**30), "9" * 5_000, "-1", "abc", "1.5"])
def test_an_unknown_exam_is_not_found(exam_id: str) -> None:
    client = logged_in(make_student())
    for response in (
        client.get(f"{EXAMS}/{exam_id}/state"),
        client.get(f"{EXAMS}/{exam_id}/result"),
        post_json(client, f"{EXAMS}/{exam_id}/start"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = post_json(client, f"{EXAMS}/{exam_id}/submit")
    assert response.status_code == 404 or response.json()["code"] == "not_started"


def test_a_draft_is_not_found() -> None:
    client = logged_in(make_student())
    exam = make_exam()
    assert client.get(f"{EXAMS}/{exam.pk}/state").status_code == 404
    assert post_json(client, f"{EXAMS}/{exam.pk}/start").status_code == 404


def test_before_the_opening_the_answer_says_when() -> None:
    opens_at = attempts.database_now() + timedelta(hours=1)
    exam = make_exam(published=True, opens_at=opens_at)
    response = post_json(logged_in(make_student()), f"{EXAMS}/{exam.pk}/start")
    problem = response.json()
    assert (response.status_code, problem["code"]) == (409, "not_open_yet")
    assert abs(datetime.fromisoformat(problem["opensAt"]) - opens_at) < timedelta(seconds=1)
    assert problem["opensAt"].endswith("Z")
    assert problem["serverNow"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("locked", "attempt_locked"), ("submitted", "attempt_submitted"), ("expired", "attempt_expired")],
)
def test_an_attempt_that_does_not_run_gives_no_paper_and_no_ticket(status: str, code: str) -> None:
    attempt = make_attempt(status=status)
    client = logged_in(attempt.student)
    response = post_json(client, f"{EXAMS}/{attempt.exam_id}/start")
    assert (response.status_code, response.json()["code"]) == (409, code)
    state = client.get(f"{EXAMS}/{attempt.exam_id}/state").json()
    assert (state["attempt"]["status"], state["ticket"]) == (status, None)
    result = client.get(f"{EXAMS}/{attempt.exam_id}/result")
    assert result.status_code == (409 if status == "locked" else 200)


@pytest.mark.parametrize(
    ("show_result", "ungraded", "score"), [(True, 0, 0.0), (True, 1, None), (False, 0, None), (False, 1, None)]
)
def test_a_score_is_shown_once_it_is_final_and_released(show_result: bool, ungraded: int, score: float | None) -> None:
    exam = make_exam(published=True, show_result=show_result)
    attempt = make_attempt(exam, status="submitted", ungraded_essays=ungraded, missing_answers=2)
    result = logged_in(attempt.student).get(f"{EXAMS}/{exam.pk}/result").json()
    assert (result["score"], result["isReleased"], result["isFinal"]) == (score, show_result, ungraded == 0)
    assert (result["maxScore"] is None) is (score is None)
    assert (result["receipt"], result["missingAnswers"]) == (attempt.receipt, 2)


def test_reading_an_overdue_attempt_closes_it() -> None:
    now = attempts.database_now()
    attempt = make_attempt(started_at=now - timedelta(hours=4), deadline_at=now - timedelta(hours=2))
    client = logged_in(attempt.student)
    state = client.get(f"{EXAMS}/{attempt.exam_id}/state").json()
    assert (state["attempt"]["status"], state["ticket"]) == ("expired", None)
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.EXPIRED


def test_a_ticket_is_only_good_for_its_own_attempt() -> None:
    attempt = make_attempt()
    state = logged_in(attempt.student).get(f"{EXAMS}/{attempt.exam_id}/state").json()
    found = tickets.read(state["ticket"].encode())
    assert (found.attempt, found.student, found.exam) == (attempt.pk, attempt.student_id, attempt.exam_id)
    assert found.version == attempt.paper.version
    assert abs(found.exp - attempts.database_now().timestamp() - 4 * 3600) < 10


@pytest.mark.parametrize("path", ["/api/auth/login", f"{EXAMS}/1/start", f"{EXAMS}/1/submit", "/api/auth/logout"])
def test_reading_does_not_change_anything(path: str) -> None:
    response = logged_in(make_student()).get(path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_the_general_limit_counts_each_student() -> None:
    client, other = logged_in(make_student()), logged_in(make_student())
    answers = (client.get(EXAMS) for _ in range(201))  # two windows, if the clock's edge lies between them
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert other.get(EXAMS).status_code == 200
