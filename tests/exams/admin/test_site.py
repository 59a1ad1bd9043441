"""What holds for all our admin pages: staff only, bounded queries, nothing secret, nothing written by reading."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from exams import cards
from exams.models import Answer, Attempt, EmergencyUpload, Exam, Paper, PaperQuestion, Question, Student
from tests.exams.admin.pages import list_of, page_of
from tests.exams.emergency_maker import make_file
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db

MODELS = [Student, Exam, Question, Paper, PaperQuestion, Attempt, Answer, EmergencyUpload]
READ_ONLY = [Paper, PaperQuestion, Attempt]


def test_every_model_is_registered():
    assert set(apps.get_app_config("exams").get_models()) == set(MODELS)
    assert all(admin.site.is_registered(model) for model in MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_a_student_cannot_open_the_admin(client, model):
    student = make_student()
    [card] = cards.issue_cards([student])
    login = client.post(
        "/api/auth/login", {"username": card.username, "pin": card.pin}, content_type="application/json"
    )
    assert login.status_code == 200
    response = client.get(list_of(model))
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("model", MODELS)
def test_a_user_without_permissions_sees_nothing(client, django_user_model, model):
    client.force_login(django_user_model.objects.create_user("piket", is_staff=True))
    assert client.get(list_of(model)).status_code == 403


def _add_attempts(exam: Exam, count: int) -> None:
    for _ in range(count):
        attempt = make_attempt(exam)
        for question in exam.questions.all():
            if question.type != "description":
                make_answer(attempt, question)
        EmergencyUpload.objects.create(attempt=attempt, content=make_file(attempt))


@pytest.mark.parametrize("model", MODELS)
def test_a_longer_list_takes_no_more_queries(admin_client, model):
    exam = make_exam(published=True, questions=["multiple_choice", "essay"])
    _add_attempts(exam, 1)
    admin_client.get(list_of(model))  # session, content types and the paper are read once
    with CaptureQueriesContext(connection) as few:
        assert admin_client.get(list_of(model)).status_code == 200
    _add_attempts(exam, 6)
    for _ in range(4):
        make_exam()
    with CaptureQueriesContext(connection) as many:
        assert admin_client.get(list_of(model)).status_code == 200
    assert len(many) == len(few) <= 12, "\n".join(query["sql"] for query in many)


@pytest.mark.parametrize("model", MODELS)
def test_lists_can_be_searched_and_their_pages_opened(admin_client, model):
    exam = make_exam(published=True, questions=["multiple_choice"])
    _add_attempts(exam, 1)
    row = model.objects.first()
    assert admin_client.get(list_of(model), {"q": "siswa"}).status_code == 200
    assert admin_client.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_what_the_system_wrote_can_only_be_read(admin_user, model):
    request = RequestFactory().get("/")
    request.user = admin_user
    page = admin.site.get_model_admin(model)
    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)


def test_an_hmac_of_a_pin_is_on_no_page(admin_client):
    student = make_student()
    cards.issue_cards([student])
    exam = make_exam(published=True)
    make_attempt(exam, student)
    for page in (list_of(Student), *(page_of(student, what) for what in ("change", "history", "delete"))):
        response = admin_client.get(page)
        assert response.status_code == 200
        body = response.content.decode()
        assert student.pin_hmac not in body
        assert not re.search(r"\b[0-9a-f]{64}\b", body)


def test_a_saved_page_does_not_undo_what_a_verb_did_meanwhile(admin_client, monkeypatch):
    """The admin loads a row and saves it later; a card that was issued in between must stay valid."""
    student = make_student(name="Budi")
    page = admin.site.get_model_admin(Student)
    old_row = Student.objects.get(pk=student.pk)
    [card] = cards.issue_cards([student])
    monkeypatch.setattr(type(page), "get_object", lambda *_args: old_row)
    data = {
        "name": "Budi Santoso", "class_name": "8B", "nisn": student.nisn,
        "username": student.username, "is_active": "on",
    }  # fmt: skip
    assert admin_client.post(page_of(student), data).status_code == 302
    student.refresh_from_db()
    assert (student.name, student.class_name) == ("Budi Santoso", "8B")
    assert cards.student_with_card(username=card.username, pin=card.pin) == student


def test_the_header_is_ours(admin_client):
    assert "Tahan Uji" in admin_client.get("/admin/").content.decode()
