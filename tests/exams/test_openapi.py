"""The OpenAPI description is valid, complete, and tells the truth about every answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from drf_spectacular.validation import validate_schema

from exams import api, attempts, cards
from exams.content import QuestionType
from exams.models import Attempt
from exams.urls import urlpatterns
from tests.exams.autosave.sitting import now_ms, sit_down
from tests.exams.described import Description
from tests.exams.factories import RIGHT, make_answer, make_attempt, make_exam, make_student
from tests.exams.student_browser import EXAMS, card_of, logged_in, post_json
from tests.web import WebProcess, save_path

pytestmark = pytest.mark.django_db

STUDENTS = ("/api/auth/", "/api/siswa/")  # staff and programs: tests/notifications/test_api_described.py
SAVES = ("saveAnswer", "saveAnswers")


@pytest.fixture(scope="session")  # not module: transactional tests run at the very end, after other modules
def description() -> Description:
    return Description(under=STUDENTS)


def test_the_description_is_valid_openapi(description: Description) -> None:
    assert description.document["openapi"].startswith("3.1")
    validate_schema(description.document)


def test_every_endpoint_is_described(description: Description) -> None:
    addresses = {"/" + re.sub(r"<int:(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in urlpatterns}
    ours = {address for address in addresses if address.startswith("/api/")}  # the others are pages
    saves = {f"{EXAMS}/{{exam_id}}/{name}" for name in ("save-answer", "save-answers")}
    assert set(description.paths) == ours | saves


def test_saves_want_a_ticket_and_everything_else_the_session(description: Description) -> None:
    schemes = description.document["components"]["securitySchemes"]
    assert (schemes["saveTicket"]["scheme"], schemes["studentSession"]["name"]) == ("bearer", "sessionid")
    for name, _status in description.answers:
        wanted = "saveTicket" if name in SAVES else "studentSession"
        assert {wanted: []} in description.operation(name)["security"]


def test_an_undescribed_name_would_be_found(description: Description) -> None:
    """The test's own test: the description is closed, so that what it does not list is an error."""
    schema = {"$ref": "#/components/schemas/Success"}
    assert description.problems(schema, {"success": True}) == []
    assert description.problems(schema, {"success": True, "secret": 1})
    assert description.problems(schema, {"success": "yes"})
    assert description.problems(schema, {})


# -- real answers ------------------------------------------------------------------------------------------------


class Talk:
    """A student's client whose every answer is held against the description."""

    def __init__(self, description: Description, client: Client | None = None) -> None:
        self.description = description
        self.client = client or Client()

    def get(self, name: str, path: str, status: int) -> Any:
        return self.description.check(name, self.client.get(path), status)

    def post(self, name: str, path: str, body: Any, status: int, **options: Any) -> Any:
        return self.description.check(name, post_json(self.client, path, body, **options), status)

    def refuses_bodies(self, name: str, path: str) -> None:
        """What no POST with a body takes."""
        for body, content_type, status in ((b"{", "application/json", 400), (b"{}", "text/plain", 415)):
            self.description.check(name, self.client.post(path, data=body, content_type=content_type), status)
        self.description.check(name, self.client.post(path, data=b"1" * 2**21, content_type="application/json"), 413)


@pytest.fixture
def talk(description: Description) -> Talk:
    return Talk(description)


@pytest.fixture
def student_talk(description: Description) -> Callable[[Any], Talk]:
    return lambda student: Talk(description, logged_in(student))


@pytest.fixture
def limits(settings: Any) -> Callable[..., None]:
    """Change limits: with a refusal for everyone after one hit a day, no edge of a window can come between."""

    def change(**rates: str) -> None:
        settings.RATE_LIMITS = rates

    return change


def test_answers_of_coming_in(talk: Talk, limits: Callable[..., None]) -> None:
    card = card_of()
    credentials = {"username": card.username, "pin": card.pin}
    assert talk.get("session", "/api/auth/session", 200)["student"] is None
    talk.post("login", "/api/auth/login", {}, 400)
    talk.post("login", "/api/auth/login", {**credentials, "pin": "AAAA2222"}, 401)
    talk.post("login", "/api/auth/login", credentials, 200)
    talk.get("session", "/api/auth/session", 200)
    talk.refuses_bodies("login", "/api/auth/login")
    strict = Talk(talk.description, Client(enforce_csrf_checks=True))
    strict.post("login", "/api/auth/login", credentials, 403)
    strict.post("logout", "/api/auth/logout", None, 403)
    talk.post("logout", "/api/auth/logout", None, 200)
    limits(login="1/1d")
    talk.client.post("/api/auth/login", credentials, content_type="application/json")
    talk.post("login", "/api/auth/login", credentials, 429)


def test_answers_of_an_exam(student_talk: Callable[[Any], Talk], limits: Callable[..., None]) -> None:
    exam = make_exam(published=True, questions=list(QuestionType), entry_token="MERAH7", show_result=True)
    student = make_student()
    talk = student_talk(student)
    path = f"{EXAMS}/{exam.pk}"
    talk.get("state", f"{path}/state", 409)
    talk.get("result", f"{path}/result", 409)
    talk.post("submit", f"{path}/submit", {}, 409)
    talk.post("start", f"{path}/start", {"entryToken": "BIRU8"}, 403)
    talk.post("start", f"{path}/start", {"entryToken": []}, 400)
    talk.refuses_bodies("start", f"{path}/start")
    talk.post("start", f"{path}/start", {"entryToken": "MERAH7"}, 200)
    talk.get("result", f"{path}/result", 409)
    attempt = Attempt.objects.get(exam=exam)
    for question in exam.questions.exclude(type="description"):
        make_answer(
            attempt, question, value=None if question.type == "numerical" else RIGHT[QuestionType(question.type)]
        )
    assert talk.post("start", f"{path}/start", None, 200)["answers"]
    assert talk.get("state", f"{path}/state", 200)["ticket"]
    make_exam(published=True, opens_at=attempts.database_now() + timedelta(hours=1))
    make_exam(published=True, opens_at=exam.opens_at - timedelta(days=2), closes_at=exam.opens_at)
    listed = talk.get("exams", EXAMS, 200)
    assert all(listed[group] for group in ("open", "upcoming", "done"))
    talk.post("submit", f"{path}/submit", {"manifest": []}, 400)
    talk.refuses_bodies("submit", f"{path}/submit")
    wrong = [{}, {"questionId": 1}, {"questionId": exam.questions.earliest("pk").pk, "answer": {}, "revision": 5}]
    limits(submit_exam="1/1d")
    submitted = talk.post("submit", f"{path}/submit", {"answers": wrong, "manifest": {str(2**40): 5}}, 200)
    assert len(submitted["rejected"]) == 3
    assert submitted["missing"] == [2**40]
    talk.post("submit", f"{path}/submit", {}, 200)
    assert talk.get("result", f"{path}/result", 200)["score"] is None
    essay = attempt.answers.get(question__type="essay")
    attempts.grade_answer(answer_id=essay.pk, points=Decimal(5))
    assert talk.get("result", f"{path}/result", 200)["score"] == 12
    assert talk.get("state", f"{path}/state", 200)["ticket"] is None
    talk.post("start", f"{path}/start", None, 409)
    Attempt.objects.update(status="in_progress", submitted_at=None, score=None, receipt="")
    talk.post("submit", f"{path}/submit", {}, 429)
    strict = student_talk(make_student())
    strict.client.handler.enforce_csrf_checks = True
    for name in ("start", "submit"):
        strict.post(name, f"{path}/{name}", None, 403)


def test_answers_before_the_opening_and_after_the_close(student_talk: Callable[[Any], Talk]) -> None:
    now = attempts.database_now()
    soon = make_exam(published=True, opens_at=now + timedelta(hours=1))
    over = make_exam(published=True, opens_at=now - timedelta(hours=2), closes_at=now - timedelta(hours=1))
    locked = make_attempt(status="locked")
    talk = student_talk(locked.student)
    assert talk.post("start", f"{EXAMS}/{soon.pk}/start", None, 409)["opensAt"]
    assert talk.post("start", f"{EXAMS}/{over.pk}/start", None, 409)["code"] == "exam_closed"
    for name in ("start", "submit"):
        assert talk.post(name, f"{EXAMS}/{locked.exam_id}/{name}", None, 409)["code"] == "attempt_locked"
    talk.get("result", f"{EXAMS}/{locked.exam_id}/result", 409)
    talk.get("state", f"{EXAMS}/{locked.exam_id}/state", 200)
    talk.get("exams", EXAMS, 200)


READS = {"exams": EXAMS, "state": f"{EXAMS}/0/state", "result": f"{EXAMS}/0/result"}
WRITES = {"start": f"{EXAMS}/0/start", "submit": f"{EXAMS}/0/submit"}


def test_answers_to_nobody_and_about_nothing(talk: Talk, student_talk: Callable[[Any], Talk]) -> None:
    student = student_talk(make_student())
    for name, path in READS.items():
        talk.get(name, path, 401)
        if name != "exams":
            student.get(name, path, 404)
    for name, path in WRITES.items():
        talk.post(name, path, None, 401)
        student.post(name, path, None, 404)


def test_answers_to_somebody_who_asks_too_often(
    student_talk: Callable[[Any], Talk], limits: Callable[..., None]
) -> None:
    talk = student_talk(make_student())
    limits(general="1/1d")
    talk.client.get(EXAMS)
    for name, path in READS.items():
        talk.get(name, path, 429)
    for name, path in WRITES.items():
        talk.post(name, path, None, 429)


def test_answers_while_the_database_is_away(
    student_talk: Callable[[Any], Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("the connection is closed")

    talk = student_talk(make_student())
    for place, name in (
        (attempts, "database_now"),
        (attempts, "find_attempt"),
        (attempts, "start_attempt"),
    ):
        monkeypatch.setattr(place, name, away)
    monkeypatch.setattr(cards, "student_with_card", away)
    talk.get("session", "/api/auth/session", 503)
    for name, path in READS.items():
        talk.get(name, path, 503)
    for name, path in WRITES.items():
        talk.post(name, path, None, 503)
    talk.post("login", "/api/auth/login", {"username": "a", "pin": "b"}, 503)
    monkeypatch.setattr(api, "log_out", away)
    talk.post("logout", "/api/auth/logout", None, 503)


@pytest.mark.django_db(transaction=True)
def test_answers_of_the_save_path(web: WebProcess, description: Description) -> None:
    sitting, other, closed = sit_down(list(RIGHT)), sit_down(), sit_down(status="locked")

    def post(name: str, body: Any, status: int, **options: Any) -> Any:
        path = save_path(options.pop("exam", sitting.exam_id)) + ("s" if name == "saveAnswers" else "")
        headers = {"Authorization": f"Bearer {options.pop('ticket', sitting.ticket)}", **options.pop("headers", {})}
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        return description.check(name, web.client.post(path, headers=headers, **sent), status)

    right = [
        {"questionId": question, "answer": answer, "revision": now_ms() - 9}
        for question, answer in zip(sitting.questions, RIGHT.values(), strict=True)
    ]
    for answer in right:
        assert post("saveAnswer", answer, 200)["status"] == "saved"
    assert post("saveAnswer", right[0], 200)["status"] == "already_saved"
    assert post("saveAnswer", {**right[0], "answer": "bndg"}, 200)["answer"] == "jkrt"
    post("saveAnswer", {"questionId": right[0]["questionId"], "answer": "bndg"}, 429)
    many = post(
        "saveAnswers", {"answers": [*right, {}, {**right[0], "revision": now_ms()}, {**right[1], "answer": 1}]}, 200
    )
    assert {result.get("code") for result in many["results"]} == {None, "wrong_answer", "rate_limited"}

    for name in SAVES:
        wrap: Callable[[Any], Any] = (lambda save: save) if name == "saveAnswer" else (lambda save: {"answers": [save]})
        json_type = {"Content-Type": "application/json"}
        post(name, b"{", 400, headers=json_type)
        post(name, wrap(right[0]), 401, ticket="none")
        post(name, wrap(right[0]), 403, ticket=other.ticket)
        post(name, b"1" * 2**21, 413, headers=json_type)
        post(name, b"{}", 415, headers={"Content-Type": "text/plain"})
        post(name, [], 422)
    post("saveAnswer", {**right[0], "questionId": 2**40}, 404)
    post("saveAnswer", {**right[0], "revision": now_ms() + 10**7}, 422)
    locked = {**right[0], "questionId": closed.questions[0]}
    assert post("saveAnswer", locked, 409, exam=closed.exam_id, ticket=closed.ticket)["code"] == "attempt_locked"
    assert post("saveAnswers", {"answers": [locked]}, 200, exam=closed.exam_id, ticket=closed.ticket)


@pytest.mark.django_db(transaction=True)  # these run after all others
def test_every_described_answer_was_given(description: Description) -> None:
    """Runs last in this file, and only means something when all of it ran."""
    if not description.seen:
        pytest.skip("the tests before this one were not run")
    # 503s of the save path need a database that is away: tests/config/test_errors.py.
    elsewhere = {(name, "503") for name in SAVES}
    assert description.answers - description.seen - elsewhere == set()


# -- the page ----------------------------------------------------------------------------------------------------


def test_the_page_loads_under_our_content_security_policy(web: WebProcess) -> None:
    page = web.client.get("/docs")
    html = page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\son\w+=|style=|<script(?![^>]*\ssrc=)", html), "inline: the policy blocks it"
    assets = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(assets) >= 5
    for asset in assets:
        assert asset.startswith("/"), "from our own server"
        response = web.client.get(asset.replace("&amp;", "&"))
        assert response.status_code == 200, asset
        if asset.endswith((".js", "script=")):
            assert "javascript" in response.headers["content-type"]
    script = web.client.get("/docs?script=").text
    assert '"/docs/json' in script.replace("'", '"')


def test_the_description_comes_as_json() -> None:
    response = Client().get("/docs/json")
    assert "json" in response["Content-Type"]
    assert response.json()["info"]["title"] == "Tahan Uji"
