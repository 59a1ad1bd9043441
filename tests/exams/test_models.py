"""The database refuses what breaks a rule, also where nobody called `clean()`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError

from exams.content import QuestionType
from exams.models import Answer, Attempt, Exam, Paper, PaperQuestion, Question, Student
from tests.exams.factories import (
    make_answer,
    make_attempt,
    make_exam,
    make_question,
    make_student,
    question_of,
)

pytestmark = pytest.mark.django_db


def refused(write: Callable[[], object], constraint: str) -> None:
    """*write* must break *constraint*, by its name in the database."""
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        write()


@pytest.mark.parametrize(
    ("field", "value", "constraint"),
    [
        ("username", "Budi", "username_is_typeable"),
        ("username", "", "username_is_typeable"),
        ("username", "budi santoso", "username_is_typeable"),
        ("username", "-budi", "username_is_typeable"),
        ("username", "budi\n", "username_is_typeable"),
        ("username", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}di", "username_is_typeable"),
        ("nisn", "123456789", "nisn_has_ten_digits"),
        ("nisn", "12345678ab", "nisn_has_ten_digits"),
        ("nisn", "\N{ARABIC-INDIC DIGIT ONE}234567890", "nisn_has_ten_digits"),
        ("parent_phone", "+6281234567", "parent_phone_is_digits"),
        ("parent_phone", "0812", "parent_phone_is_digits"),
    ],
)
def test_a_student_can_be_found_and_reached(field: str, value: str, constraint: str) -> None:
    student = make_student()
    refused(lambda: Student.objects.filter(pk=student.pk).update(**{field: value}), constraint)


@pytest.mark.parametrize("field", ["username", "nisn"])
def test_no_two_students_are_mistaken_for_each_other(field: str) -> None:
    first, second = make_student(), make_student()
    setattr(second, field, getattr(first, field))
    refused(lambda: Student.objects.bulk_update([second], [field]), f"students_{field}")


def test_a_student_typed_by_a_person_is_brought_into_form() -> None:
    student = Student(username=" Budi.S ", nisn="0012345678", name="Budi", parent_phone="0812-3456-7890")
    student.full_clean()
    assert (student.username, student.parent_phone) == ("budi.s", "6281234567890")


@pytest.mark.parametrize(
    ("field", "value"), [("username", "budi santoso"), ("nisn", "12"), ("parent_phone", "62"), ("name", "")]
)
def test_a_wrong_student_is_refused_at_its_field(field: str, value: str) -> None:
    student = Student(**{"username": "budi", "nisn": "0012345678", "name": "Budi", field: value})
    with pytest.raises(ValidationError) as wrong:
        student.full_clean()
    assert list(wrong.value.message_dict) == [field]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"closes_at": F("opens_at")}, "exam_closes_after_it_opens"),
        ({"duration_minutes": 0}, "exam_lasts_a_week_at_most"),
        ({"duration_minutes": 7 * 24 * 60 + 1}, "exam_lasts_a_week_at_most"),
        ({"status": "open"}, "exam_status_known"),
        ({"status": "published"}, "published_exam_has_a_paper"),
        ({"status": "closed"}, "published_exam_has_a_paper"),
    ],
)
def test_an_exam_can_be_sat(values: dict[str, Any], constraint: str) -> None:
    exam = make_exam()
    refused(lambda: Exam.objects.filter(pk=exam.pk).update(**values), constraint)


def test_an_exam_typed_by_a_person_is_brought_into_form() -> None:
    exam = make_exam()
    exam.entry_token = " merah7 "
    exam.clean()
    assert exam.entry_token == "MERAH7"
    exam.closes_at = exam.opens_at - timedelta(minutes=1)
    with pytest.raises(ValidationError, match=r".") as wrong:
        exam.clean()
    assert list(wrong.value.message_dict) == ["closes_at"]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"type": "drawing"}, "question_type_known"),
        ({"text_format": "latex"}, "question_format_known"),
        ({"points": -1}, "question_points_not_negative"),
    ],
)
def test_a_question_is_one_we_know(values: dict[str, Any], constraint: str) -> None:
    question = make_question(make_exam())
    refused(lambda: Question.objects.filter(pk=question.pk).update(**values), constraint)


@pytest.mark.parametrize("kind", list(QuestionType))
def test_a_question_comes_out_of_its_columns_as_it_went_in(kind: QuestionType) -> None:
    question = make_question(make_exam(questions=[]), kind)
    question.refresh_from_db()
    assert question.content == question_of(kind)
    question.full_clean(exclude=["options", "key", "feedback"])


@pytest.mark.parametrize(
    "values", [{"key": {"weights": {"gone": 100}}}, {"key": {"weights": "all"}}, {"options": {"choices": [{"id": 1}]}}]
)
def test_a_question_that_cannot_be_scored_is_refused(values: dict[str, Any]) -> None:
    question = make_question(make_exam())
    for name, value in values.items():
        setattr(question, name, value)
    with pytest.raises(ValidationError):
        question.clean()


# -- papers ------------------------------------------------------------------------------------------------------


def test_a_version_of_a_paper_is_there_once() -> None:
    exam = make_exam(published=True)
    refused(lambda: Paper.objects.create(exam=exam, version=1, content={}), "one_paper_per_version")
    refused(lambda: Paper.objects.create(exam=exam, version=0, content={}), "paper_version_from_one")


def test_a_question_stands_once_in_a_paper() -> None:
    [row] = PaperQuestion.objects.filter(paper__exam=make_exam(published=True))
    again = PaperQuestion(paper=row.paper, question=row.question)
    refused(lambda: PaperQuestion.objects.bulk_create([again]), "question_once_in_a_paper")


# -- attempts ----------------------------------------------------------------------------------------------------


def test_a_student_sits_an_exam_once() -> None:
    first = make_attempt()
    refused(lambda: make_attempt(first.exam, first.student), "one_attempt_per_student_and_exam")


CLOSED = {"submitted_at": F("started_at"), "score": Decimal(1), "max_score": Decimal(1), "receipt": "ABCDE-FGHJK"}


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"status": "paused"}, "attempt_status_known"),
        ({"deadline_at": F("started_at") - timedelta(seconds=1)}, "deadline_after_start"),
        ({"status": "submitted"}, "closed_attempt_is_scored"),
        ({"status": "expired"}, "closed_attempt_is_scored"),
        *[
            ({"status": status, **CLOSED, **lacking}, "closed_attempt_is_scored")
            for status in ("submitted", "expired")
            for lacking in ({"submitted_at": None}, {"score": None}, {"max_score": None}, {"receipt": ""})
        ],
        *[
            ({"status": status, name: value}, "closed_attempt_is_scored")
            for status in ("in_progress", "locked")
            for name, value in CLOSED.items()
            if name != "max_score"
        ],
        ({"extra_minutes": -1}, "attempts_extra_minutes_check"),
        ({"missing_answers": -1}, "attempts_missing_answers_check"),
    ],
)
def test_an_attempt_is_either_open_or_closed_and_scored(values: dict[str, Any], constraint: str) -> None:
    attempt = make_attempt()
    refused(lambda: Attempt.objects.filter(pk=attempt.pk).update(**values), constraint)


def test_a_closed_attempt_with_everything_is_taken() -> None:
    attempt = make_attempt()
    Attempt.objects.filter(pk=attempt.pk).update(status="submitted", **CLOSED)


# -- answers -----------------------------------------------------------------------------------------------------


def test_a_question_has_one_answer_in_an_attempt() -> None:
    attempt = make_attempt()
    [question] = attempt.exam.questions.all()
    first = make_answer(attempt, question)
    again = Answer(attempt=attempt, question=question, value="bndg", revision=9, saved_at=first.saved_at)
    refused(lambda: Answer.objects.bulk_create([again]), "one_answer_per_question")


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"revision": 0}, "revision_is_a_js_number"),
        ({"revision": -1}, "revision_is_a_js_number"),
        ({"revision": 2**53}, "revision_is_a_js_number"),
        ({"points": Decimal("-0.01")}, "points_by_hand_not_negative"),
        ({"question_id": 2**62}, "question"),
        ({"attempt_id": 2**62}, "attempt"),
    ],
)
def test_an_answer_belongs_somewhere_and_has_a_revision(values: dict[str, Any], constraint: str) -> None:
    attempt = make_attempt()
    answer = make_answer(attempt, attempt.exam.questions.get())

    def write() -> None:
        Answer.objects.filter(pk=answer.pk).update(**values)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what a commit would do

    refused(write, constraint)


@pytest.mark.parametrize("owner", ["exam", "student", "paper"])
def test_what_an_attempt_needs_cannot_be_deleted(owner: str) -> None:
    attempt = make_attempt()
    with pytest.raises(ProtectedError):
        getattr(attempt, owner).delete()


def test_an_attempt_with_answers_cannot_be_deleted() -> None:
    attempt = make_attempt()
    make_answer(attempt, attempt.exam.questions.get())
    with pytest.raises(ProtectedError):
        attempt.delete()


def test_the_answers_key_starts_with_the_attempt() -> None:
    """So that the table can be distributed by attempt, and the upsert has its arbiter."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'one_answer_per_question'")
        assert cursor.fetchall() == [("PRIMARY KEY (attempt_id, question_id)",)]


def test_deadlines_end_with_the_exam_and_never_before_the_start() -> None:
    exam = make_exam(duration_minutes=60)
    opens, closes = exam.opens_at, exam.closes_at
    hour, ten = timedelta(hours=1), timedelta(minutes=10)
    assert exam.deadline_for(opens, timedelta()) == opens + hour
    assert exam.deadline_for(opens, ten) == opens + hour + ten
    assert exam.deadline_for(closes - ten, timedelta()) == closes
    assert exam.deadline_for(closes - ten, ten) == closes + ten
    assert exam.deadline_for(closes + hour, ten) == closes + hour, "the close was moved to before the start"


@pytest.mark.parametrize("sql", ["DELETE FROM paper_questions", "UPDATE paper_questions SET question_id = question_id"])
def test_what_a_paper_has_frozen_cannot_be_taken_out_of_it_by_raw_sql(sql: str) -> None:
    make_exam(published=True)
    with pytest.raises(IntegrityError, match="A paper never changes"), connection.cursor() as cursor:
        cursor.execute(sql)


def test_an_attempt_cannot_get_the_paper_of_another_exam() -> None:
    attempt, other = make_attempt(), make_exam(published=True)
    Attempt.objects.filter(pk=attempt.pk).update(paper=other.papers.get())
    with (
        pytest.raises(IntegrityError, match="attempt_has_a_paper_of_its_exam"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    attempt.save(update_fields=["paper"])
