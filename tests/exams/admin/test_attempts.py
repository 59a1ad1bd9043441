"""Attempts and answers in the admin: supervise, read, grade."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from exams import attempts
from exams.models import Answer, Attempt
from tests.exams.admin.pages import act, list_of, messages_of, page_of
from tests.exams.factories import RIGHT, WRONG, make_answer, make_attempt, make_exam, question_of

pytestmark = pytest.mark.django_db

ALL_TYPES = [
    "multiple_choice", "multiple_response", "true_false", "short_answer", "numerical", "matching",
    "essay", "description",
]  # fmt: skip


@pytest.fixture
def essay() -> Answer:
    """An essay worth 5 points in a running attempt."""
    exam = make_exam(published=True, questions=["essay", "true_false"])
    return make_answer(make_attempt(exam), exam.questions.get(type="essay"))


def close(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(
        started_at=attempt.started_at - timedelta(days=2), deadline_at=attempt.started_at - timedelta(days=1)
    )
    assert attempts.close_expired(attempt_ids=[attempt.pk]) == 1
    attempt.refresh_from_db()


# -- supervising -------------------------------------------------------------------------------------------------


def test_lock_and_unlock(admin_client):
    running, done = make_attempt(), make_attempt(status="submitted")
    assert "1 attempt is locked." in messages_of(act(admin_client, "lock", [running, done]))
    assert set(Attempt.objects.values_list("status", flat=True)) == {"locked", "submitted"}
    assert LogEntry.objects.get(change_message="Locked.").object_id == str(running.pk)
    assert "1 attempt goes on." in messages_of(act(admin_client, "unlock", [running, done]))
    assert set(Attempt.objects.values_list("status", flat=True)) == {"in_progress", "submitted"}


@pytest.mark.django_db(transaction=True)
def test_more_time_for_open_attempts_only_where_transactions_are_real(admin_client):
    running, done = make_attempt(), make_attempt(status="expired")
    before = running.deadline_at
    said = messages_of(act(admin_client, "give_more_time", [running, done]))
    assert "1 attempt got 10 minutes more." in said
    assert "1 attempt is over and got no more time." in said
    running.refresh_from_db()
    assert (running.extra_minutes, running.deadline_at) == (10, before + timedelta(minutes=10))


@pytest.mark.parametrize("name", ["lock", "unlock", "give_more_time"])
def test_who_may_only_look_cannot_supervise(client, django_user_model, name):
    user = django_user_model.objects.create_user("piket", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_attempt"))
    client.force_login(user)
    attempt = make_attempt()
    before = Attempt.objects.values().get()
    assert client.get(page_of(attempt)).status_code == 200
    act(client, name, [attempt])
    assert Attempt.objects.values().get() == before


def test_nothing_on_the_page_can_be_typed(admin_client):
    attempt = make_attempt()
    response = admin_client.post(page_of(attempt), {"status": "submitted", "score": "100"})
    assert response.status_code == 403
    attempt.refresh_from_db()
    assert attempt.status == "in_progress"


# -- reading -----------------------------------------------------------------------------------------------------


def test_the_page_shows_answers_in_words_with_their_points(admin_client):
    exam = make_exam(published=True, questions=ALL_TYPES)
    attempt = make_attempt(exam, status="submitted", receipt="ABCDE-FGHJK", missing_answers=2)
    for question in exam.questions.exclude(type__in=["description", "numerical"]):
        make_answer(attempt, question)
    rows = {row.type: row for row in admin_client.get(page_of(attempt)).context["answer_rows"]}
    assert rows["multiple choice"].value == "Jakarta"
    assert rows["multiple response"].value == "3; 2"
    assert rows["true or false"].value == "true"
    assert rows["matching"].value == "Aceh → Banda Aceh; Bali → Denpasar"
    assert rows["essay"].value == RIGHT["essay"]
    assert {kind: row.points for kind, row in rows.items()} == {
        "multiple choice": 1, "multiple response": 2, "true or false": 1, "short answer": 1, "matching": 2,
        "essay": None, "numerical": None,
    }  # fmt: skip
    assert rows["numerical"].answer is None
    body = admin_client.get(page_of(attempt)).content.decode()
    assert "ABCDE-FGHJK" in body
    assert "give points" in body


def test_wrong_and_cleared_answers_earn_nothing(admin_client):
    exam = make_exam(published=True, questions=["true_false", "short_answer"])
    attempt = make_attempt(exam)
    make_answer(attempt, exam.questions.get(type="true_false"), value=WRONG["true_false"])
    make_answer(attempt, exam.questions.get(type="short_answer"), value=None)
    wrong, cleared = admin_client.get(page_of(attempt)).context["answer_rows"]
    assert (wrong.value, wrong.points) == ("false", 0)
    assert (cleared.value, cleared.points) == ("", None)


def test_an_answer_cannot_put_markup_into_the_page(admin_client):
    evil = "<script>alert(1)</script>"
    exam = make_exam(published=True, questions=[question_of("essay", stem=f"Tulis {evil}", name="")])
    answer = make_answer(make_attempt(exam), exam.questions.get(), value=evil)
    for page in (page_of(answer.attempt), page_of(answer), list_of(Answer), page_of(exam.papers.get())):
        body = admin_client.get(page).content.decode()
        assert "alert(1)" in body
        assert evil not in body


def test_more_answers_take_no_more_queries(admin_client):
    small, large = (make_exam(published=True, questions=["true_false"] * count) for count in (1, 30))
    pages = []
    for exam in (small, large):
        attempt = make_attempt(exam)
        for question in exam.questions.all():
            make_answer(attempt, question)
        pages.append(page_of(attempt))
    counts = []
    for page in pages:
        admin_client.get(page)  # session, content types and the paper are read once
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(page)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10


def test_filters_find_what_needs_a_teacher(admin_client, essay):
    make_attempt(status="submitted", missing_answers=3)
    waiting = make_attempt(status="submitted", ungraded_essays=1)
    found = admin_client.get(list_of(Attempt), {"attention": "essays"}).context["cl"].queryset
    assert list(found) == [waiting]
    found = admin_client.get(list_of(Attempt), {"attention": "missing"}).context["cl"].queryset
    assert [attempt.missing_answers for attempt in found] == [3]


def test_the_essay_filter_leaves_out_empty_and_graded_ones(admin_client, essay):
    exam = essay.attempt.exam
    question = essay.question
    for value in (None, ""):
        make_answer(make_attempt(exam), question, value=value)
    graded = make_answer(make_attempt(exam), question, points=Decimal(2))
    make_answer(essay.attempt, exam.questions.get(type="true_false"))
    assert list(admin_client.get(list_of(Answer), {"essays": "ungraded"}).context["cl"].queryset) == [essay]
    assert list(admin_client.get(list_of(Answer), {"essays": "graded"}).context["cl"].queryset) == [graded]


# -- grading -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_points_for_an_essay_score_a_closed_attempt_anew(admin_client, essay):
    close(essay.attempt)
    assert (essay.attempt.score, essay.attempt.ungraded_essays) == (0, 1)
    assert admin_client.post(page_of(essay), {"points": "3.5"}).status_code == 302
    essay.refresh_from_db()
    essay.attempt.refresh_from_db()
    assert essay.points == Decimal("3.5")
    assert (essay.attempt.score, essay.attempt.max_score, essay.attempt.ungraded_essays) == (Decimal("3.5"), 6, 0)
    assert essay.value == RIGHT["essay"]
    assert admin_client.post(page_of(essay), {"points": ""}).status_code == 302
    essay.attempt.refresh_from_db()
    assert (essay.attempt.score, essay.attempt.ungraded_essays) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_points_may_be_given_while_the_attempt_runs(admin_client, essay):
    assert admin_client.post(page_of(essay), {"points": "5"}).status_code == 302
    close(essay.attempt)
    assert (essay.attempt.score, essay.attempt.ungraded_essays) == (5, 0)


@pytest.mark.parametrize(
    ("points", "said"),
    [("5.01", "worth 5 points at most"), ("-1", "greater than or equal to 0"), ("x", "Enter a number")],
)
def test_points_that_the_question_does_not_have_are_refused(admin_client, essay, points, said):
    response = admin_client.post(page_of(essay), {"points": points})
    assert said in response.content.decode()
    essay.refresh_from_db()
    assert essay.points is None


def test_the_paper_decides_how_many_points_there_are(admin_client, essay):
    essay.question.points = 100
    essay.question.save()
    assert "worth 5 points at most" in admin_client.post(page_of(essay), {"points": "6"}).content.decode()


@pytest.mark.django_db(transaction=True)
def test_only_the_points_of_an_essay_can_be_written(admin_client, essay):
    question = essay.attempt.exam.questions.get(type="true_false")
    answer = make_answer(essay.attempt, question)
    sent = {"points": "1", "value": "false", "revision": "99", "question_text": "x"}
    before = Answer.objects.values("value", "revision", "saved_at")
    assert admin_client.post(page_of(answer), sent).status_code == 302
    assert admin_client.post(page_of(essay), sent).status_code == 302
    assert Answer.objects.get(pk=answer.pk).points is None
    assert Answer.objects.get(pk=essay.pk).points == 1
    assert list(before) == list(Answer.objects.values("value", "revision", "saved_at"))


def test_a_save_that_comes_during_grading_is_kept(admin_client, essay, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(page_of(essay), {"points": "2"})
        Answer.objects.filter(pk=essay.pk).update(value="Lebih panjang", revision=essay.revision + 1)
    essay.refresh_from_db()
    assert (essay.value, essay.points) == ("Lebih panjang", 2)


def test_answers_can_be_neither_added_nor_deleted(admin_client, essay):
    assert admin_client.get("/admin/exams/answer/add/").status_code == 403
    assert admin_client.post(page_of(essay, "delete"), {"post": "yes"}).status_code == 403
    act(admin_client, "delete_selected", [essay], post="yes")
    assert Answer.objects.filter(pk=essay.pk).exists()


def test_a_long_essay_can_be_read_whole(admin_client):
    exam = make_exam(published=True, questions=["essay"])
    text = "panjang sekali " * 1_900 + "tamat"
    answer = make_answer(make_attempt(exam), exam.questions.get(), value=text)
    assert "tamat" in admin_client.get(page_of(answer)).content.decode()
    assert "tamat" in admin_client.get(page_of(answer.attempt)).content.decode()
    assert "tamat" not in admin_client.get(list_of(Answer)).content.decode()
