"""Exams in the admin: publish, close, deadlines that follow, and what the pages warn of."""

from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.utils.timezone import localtime

from exams.admin.exams import ExamAdmin, has_unpublished_changes
from exams.attempts import database_now
from exams.models import Exam, Question
from tests.exams.admin.pages import act, form_data, list_of, messages_of, page_of
from tests.exams.factories import make_attempt, make_exam, make_question

pytestmark = pytest.mark.django_db


def save(client, exam: Exam, **changes):
    """Open the page of *exam*, type *changes* and save."""
    return client.post(page_of(exam), form_data(client.get(page_of(exam))) | changes)


def test_publish_makes_a_draft_visible(admin_client):
    exam = make_exam(title="IPA")
    response = act(admin_client, "publish", [exam])
    assert "IPA is published: version 1 with 1 question." in messages_of(response)
    exam.refresh_from_db()
    assert (exam.status, exam.version) == ("published", 1)


@pytest.mark.django_db(transaction=True)
def test_publish_works_where_transactions_are_real(admin_client):
    exam = make_exam()
    assert "is published" in messages_of(act(admin_client, "publish", [exam]))


def test_an_exam_without_questions_is_named_and_the_others_are_published(admin_client):
    empty, full = make_exam(title="Kosong", questions=["description"]), make_exam(title="Isi")
    said = messages_of(act(admin_client, "publish", [empty, full]))
    assert "Kosong: there is no question to answer yet." in said
    assert "Isi is published" in said
    empty.refresh_from_db()
    assert empty.status == "draft"


def test_a_question_that_was_broken_by_hand_is_a_message_and_no_error_page(admin_client):
    exam = make_exam(title="Rusak")
    exam.questions.update(options=["no object"])
    assert "is broken: Expected `object`" in messages_of(act(admin_client, "publish", [exam]))
    exam.questions.update(options={}, key={})
    assert "is broken: " in messages_of(act(admin_client, "publish", [exam]))
    assert not exam.papers.exists()


def test_close_stops_a_published_exam_only(admin_client):
    draft, published = make_exam(title="Draf"), make_exam(title="Terbit", published=True)
    said = messages_of(act(admin_client, "close", [draft, published]))
    assert "Draf is not published." in said
    assert "Terbit is closed." in said
    assert set(Exam.objects.values_list("title", "status")) == {("Draf", "draft"), ("Terbit", "closed")}


def test_status_and_version_cannot_be_typed(admin_client):
    exam = make_exam()
    assert save(admin_client, exam, status="published", version=7, title="Baru").status_code == 302
    exam.refresh_from_db()
    assert (exam.status, exam.version, exam.title) == ("draft", 0, "Baru")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["closes_at", "duration_minutes"])
def test_running_attempts_get_the_deadline_that_follows_from_a_change(admin_client, change):
    exam = make_exam(published=True, closes_at=database_now() + timedelta(hours=5))
    attempt = make_attempt(exam)
    if change == "closes_at":
        expected = (attempt.started_at + timedelta(minutes=31)).replace(microsecond=0)
        typed = {
            "closes_at_0": f"{localtime(expected):%Y-%m-%d}",
            "closes_at_1": f"{localtime(expected):%H:%M:%S}",
        }
    else:
        typed, expected = {"duration_minutes": "20"}, attempt.started_at + timedelta(minutes=20)
    assert save(admin_client, exam, **typed).status_code == 302
    attempt.refresh_from_db()
    assert attempt.deadline_at == expected


@pytest.mark.django_db(transaction=True)
def test_deadlines_that_could_not_follow_are_told_and_saving_again_repairs_them(admin_client):
    exam = make_exam(published=True)
    attempt = make_attempt(exam)
    other = connections.create_connection("default")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM attempts FOR UPDATE")
        response = save(admin_client, exam, duration_minutes="20")
        assert "running attempts kept their deadlines" in messages_of(response)
    finally:
        other.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert save(admin_client, exam).status_code == 302
    attempt.refresh_from_db()
    assert attempt.deadline_at == attempt.started_at + timedelta(minutes=20)


def test_wrong_times_are_errors_of_the_form(admin_client):
    exam = make_exam()
    response = save(admin_client, exam, closes_at_0="2020-01-01", closes_at_1="00:00:00")
    assert "The exam closes before it opens." in response.content.decode()
    response = save(admin_client, exam, duration_minutes="99999")
    assert response.status_code == 200


def test_the_page_says_when_questions_differ_from_the_paper(admin_client):
    exam = make_exam(published=True)
    notice = "changes reach new attempts when you publish again"
    assert notice not in admin_client.get(page_of(exam)).content.decode()
    exam.questions.update(stem="Ibu kota sekarang?")
    assert notice in admin_client.get(page_of(exam)).content.decode()
    act(admin_client, "publish", [exam])
    assert notice not in admin_client.get(page_of(exam)).content.decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda exam: exam.questions.update(points=F("points") + 1),
        lambda exam: exam.questions.update(is_withdrawn=True),
        lambda exam: make_question(exam),
        lambda exam: Question.objects.filter(pk=exam.questions.first().pk).update(position=9),
        lambda exam: exam.questions.update(key=[]),
    ],
    ids=["points", "withdrawn", "added", "moved", "broken"],
)
def test_every_change_of_the_questions_counts(change):
    exam = make_exam(published=True, questions=["essay", "true_false"])
    assert not has_unpublished_changes(exam)
    change(exam)
    assert has_unpublished_changes(exam)


def test_the_list_warns_of_running_attempts_and_counts_questions(admin_client):
    exam = make_exam(published=True, questions=["essay", "essay", "true_false"])
    exam.questions.filter(type="true_false").update(is_withdrawn=True)
    make_attempt(exam)
    make_attempt(exam)
    make_attempt(exam, status="submitted")
    body = admin_client.get(list_of(Exam)).content.decode()
    assert "2 attempts are running" in body
    assert "2 (and 1 withdrawn)" in body
    assert f'{list_of(Question)}?exam__id__exact={exam.pk}"' in body


def test_a_published_exam_cannot_be_deleted(admin_client):
    exam = make_exam(published=True)
    response = admin_client.post(page_of(exam, "delete"), {"post": "yes"})
    assert "protected related objects" in response.content.decode()
    assert Exam.objects.filter(pk=exam.pk).exists()


def test_the_add_page_opens_and_stores(admin_client):
    assert admin_client.get("/admin/exams/exam/add/").status_code == 200
    data = {
        "title": "Baru",
        "opens_at_0": "2030-01-01",
        "opens_at_1": "07:00",
        "closes_at_0": "2030-01-01",
        "closes_at_1": "12:00",
        "duration_minutes": "90",
        "entry_token": " pagi7 ",
    }
    assert admin_client.post("/admin/exams/exam/add/", data).status_code == 302
    assert Exam.objects.get(title="Baru").entry_token == "PAGI7"


def test_saving_an_exam_does_not_take_back_a_version_published_meanwhile(admin_client, monkeypatch):
    exam = make_exam()
    data = form_data(admin_client.get(page_of(exam))) | {"title": "Baru"}
    loaded = ExamAdmin.get_object

    def load_then_publish(self, request, object_id, from_field=None):
        found = loaded(self, request, object_id, from_field)
        with transaction.atomic():
            Exam.objects.filter(pk=exam.pk).update(status="published", version=3)
        return found

    monkeypatch.setattr(ExamAdmin, "get_object", load_then_publish)
    assert admin_client.post(page_of(exam), data).status_code == 302
    exam.refresh_from_db()
    assert (exam.title, exam.status, exam.version) == ("Baru", "published", 3)
