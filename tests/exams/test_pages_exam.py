"""What the exam page and the receipt give to their modules, and the service worker's script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from exams import attempts, emergency, page_assets, page_texts
from exams.autosave import ticket as tickets
from exams.models import Attempt
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student
from tests.exams.pages import PageText
from tests.exams.student_browser import logged_in
from tests.web import WebProcess

pytestmark = pytest.mark.django_db


def boot_of(client: Client, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.content
    return PageText(response).boot


def test_the_exam_page_brings_what_its_modules_need() -> None:
    student = make_student(name="Siti </script><b>", class_name="9C")
    attempt = make_attempt(make_exam(published=True, title="Ujian <Akhir>"), student)
    boot = boot_of(logged_in(student), f"/siswa/ujian/{attempt.exam_id}")
    version = page_assets.load().version
    assert boot.pop("texts") == page_texts.texts()
    assert boot.pop("assets") == page_assets.exam_page_assets()
    assert boot == {
        "examId": attempt.exam_id,
        "attemptId": attempt.pk,
        "title": "Ujian <Akhir>",
        "student": {
            "id": student.pk,
            "username": student.username,
            "name": "Siti </script><b>",
            "className": "9C",
        },
        "language": "id",
        "version": version,
        "emergencyKey": emergency.public_key_text(),
        "urls": {
            "exams": "/ujian",
            "result": f"/ujian/{attempt.exam_id}/hasil",
            "login": f"/masuk?next=/siswa/ujian/{attempt.exam_id}",
            "serviceWorker": "/siswa/sw.js",
        },
    }


def test_the_exam_page_has_no_paper_no_answer_and_no_ticket() -> None:
    """It is fetched before the time runs, kept by a service worker, and must not outlive a logout."""
    student = make_student()
    exam = make_exam(published=True)
    attempt = make_attempt(exam, student)
    make_answer(attempt, exam.questions.get())
    html = logged_in(student).get(f"/siswa/ujian/{exam.pk}").content.decode()
    assert "1950" not in html
    assert "jkrt" not in html
    assert not re.search(r"eyJ[\w-]+\.", html), "no JWT"


def test_the_exam_page_speaks_the_students_language() -> None:
    student = make_student()
    attempt = make_attempt(None, student)
    client = logged_in(student)
    client.cookies["django_language"] = "en"
    page = PageText(client.get(f"/siswa/ujian/{attempt.exam_id}"))
    assert page.boot["language"] == page.all("html")[0]["lang"] == "en"
    assert page.problems() == []


def test_the_exam_page_sets_the_cookie_that_its_posts_need() -> None:
    student = make_student()
    attempt = make_attempt(None, student)
    client = logged_in(student)
    client.cookies.pop("csrftoken", None)
    cookie = client.get(f"/siswa/ujian/{attempt.exam_id}").cookies["csrftoken"]
    assert not cookie["httponly"], "the page's script reads it"


@pytest.mark.parametrize("questions", [1, 40])
def test_the_exam_page_takes_four_statements_however_long_the_paper(
    questions: int, django_assert_max_num_queries: Any
) -> None:
    student = make_student()
    exam = make_exam(published=True, questions=["multiple_choice"] * questions)
    attempt = make_attempt(exam, student)
    for question in exam.questions.all():
        make_answer(attempt, question)
    client = logged_in(student)
    with django_assert_max_num_queries(4):  # session, student, attempt with exam and paper, the database's clock
        assert client.get(f"/siswa/ujian/{exam.pk}").status_code == 200


def test_the_exam_page_of_an_attempt_whose_time_is_over_leads_to_the_receipt() -> None:
    student = make_student()
    now = attempts.database_now()
    times = {"started_at": attempts.database_now() - attempts.grace() * 90, "deadline_at": now - attempts.grace() * 2}
    attempt = make_attempt(None, student, **times)
    client = logged_in(student)
    assert client.get(f"/siswa/ujian/{attempt.exam_id}")["Location"] == f"/ujian/{attempt.exam_id}/hasil"
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.EXPIRED


def test_every_file_that_the_exam_page_names_is_there() -> None:
    student = make_student()
    attempt = make_attempt(None, student)
    client = logged_in(student)
    page = PageText(client.get(f"/siswa/ujian/{attempt.exam_id}"))
    named = {*page.boot["assets"]}
    named |= {str(script["src"]) for script in page.all("script") if script.get("src")}
    named |= {str(link["href"]) for link in page.all("link")}
    assert {address: client.get(address).status_code for address in named} == dict.fromkeys(named, 200)
    assert named == set(page.boot["assets"]), "all of it works without network"


# -- the receipt's data ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Attempt.Status.SUBMITTED, Attempt.Status.EXPIRED])
def test_the_receipt_brings_a_ticket_for_the_emergency_file(status: Attempt.Status) -> None:
    student = make_student()
    attempt = make_attempt(None, student, status=status)
    boot = boot_of(logged_in(student), f"/ujian/{attempt.exam_id}/hasil")
    ticket = tickets.read(boot["ticket"].encode())
    assert (ticket.attempt, ticket.student, ticket.exam) == (attempt.pk, student.pk, attempt.exam_id)
    assert ticket.version == attempt.paper.version
    assert 3500 < ticket.exp - attempts.database_now().timestamp() <= 3600
    assert boot["assets"] == []
    assert {"examId", "attemptId", "title", "student", "language", "version", "emergencyKey", "texts", "urls"} < set(
        boot
    )


@pytest.mark.django_db(transaction=True)
def test_the_receipts_ticket_saves_nothing(web: WebProcess) -> None:
    student = make_student()
    attempt = make_attempt(None, student, status=Attempt.Status.SUBMITTED)
    ticket = boot_of(logged_in(student), f"/ujian/{attempt.exam_id}/hasil")["ticket"]
    save = {"questionId": attempt.exam.questions.get().pk, "answer": "jkrt"}
    address = f"/api/siswa/ujian/{attempt.exam_id}/save-answer"
    response = web.client.post(address, json=save, headers={"Authorization": f"Bearer {ticket}"})
    assert (response.status_code, response.json()["code"]) == (409, "attempt_submitted")
    assert attempt.answers.count() == 0


# -- the service worker ------------------------------------------------------------------------------------------


def test_the_service_worker_is_a_script_that_is_asked_for_each_time(client: Client) -> None:
    response = client.get("/siswa/sw.js")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/javascript")
    assert response["Cache-Control"] == "no-cache"
    assert response.content == page_assets.without_comments((page_assets.FOLDER / "sw.js").read_bytes())
    again = client.get("/siswa/sw.js", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.post("/siswa/sw.js").status_code == 405
    assert "sessionid" not in response.cookies
