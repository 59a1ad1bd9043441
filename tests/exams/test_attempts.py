"""Start, deadlines and what a teacher does. Handing in: test_submitting.py; closing: test_closing.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from exams import attempts, publishing
from exams.exceptions import (
    AttemptLocked,
    ExamClosed,
    ExamNotOpenYet,
    NotFound,
    NotStarted,
    WrongEntryToken,
)
from exams.models import Answer, Attempt, Exam, Student
from tests.exams.at_once import at_once
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student
from tests.web import wait_until

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MINUTES_90 = timedelta(minutes=90)


def start(exam: Exam, student: Student | None = None, token: str = "") -> Attempt:
    return attempts.start_attempt(student=student or make_student(), exam_id=exam.pk, entry_token=token)


# -- start -------------------------------------------------------------------------------------------------------


def test_starting_gives_the_newest_paper_and_the_whole_duration() -> None:
    exam = make_exam(published=True)
    before = attempts.database_now()
    attempt = start(exam)
    assert attempt.status == Attempt.Status.IN_PROGRESS
    assert attempt.paper.version == 1
    assert before <= attempt.started_at <= attempts.database_now()
    assert attempt.deadline_at == attempt.started_at + MINUTES_90


def test_starting_again_comes_back_to_the_same_attempt() -> None:
    exam, student = make_exam(published=True, entry_token="MERAH7"), make_student()
    first = start(exam, student, "MERAH7")
    publishing.close_exam(exam_id=exam.pk)
    assert start(exam, student) == first, "without the token, and although nobody else may start now"
    assert Attempt.objects.count() == 1


def test_who_starts_late_has_until_the_close() -> None:
    now = attempts.database_now()
    exam = make_exam(published=True, closes_at=now + 10 * MINUTE)
    assert start(exam).deadline_at == exam.closes_at


@pytest.mark.parametrize("typed", ["MERAH7", "merah7", " Merah7 "])
def test_an_entry_token_is_taken_as_people_type_it(typed: str) -> None:
    assert start(make_exam(published=True, entry_token="MERAH7"), token=typed).pk


@pytest.mark.parametrize("typed", ["", "MERAH", "MERAH77", "\N{FULLWIDTH DIGIT SEVEN}", "*"])
def test_a_wrong_entry_token_starts_nothing(typed: str) -> None:
    with pytest.raises(WrongEntryToken):
        start(make_exam(published=True, entry_token="MERAH7"), token=typed)
    assert not Attempt.objects.exists()


def test_before_the_opening_the_student_is_told_when() -> None:
    exam = make_exam(published=True, opens_at=attempts.database_now() + HOUR)
    with pytest.raises(ExamNotOpenYet) as refused:
        start(exam)
    assert refused.value.details["opensAt"] == exam.opens_at
    assert abs(refused.value.details["serverNow"] / 1000 - attempts.database_now().timestamp()) < 5


@pytest.mark.parametrize("how", ["closes_at", "status"])
def test_after_the_close_nobody_starts(how: str) -> None:
    exam = make_exam(published=True)
    if how == "status":
        publishing.close_exam(exam_id=exam.pk)
    else:
        Exam.objects.filter(pk=exam.pk).update(closes_at=attempts.database_now())
    with pytest.raises(ExamClosed):
        start(exam)


def test_a_draft_and_no_exam_are_not_found() -> None:
    for exam_id in (make_exam().pk, 2**62):
        with pytest.raises(NotFound):
            attempts.start_attempt(student=make_student(), exam_id=exam_id, entry_token="")


@pytest.mark.django_db(transaction=True)
def test_starting_at_once_starts_once() -> None:
    exam, student = make_exam(published=True), make_student()
    found = at_once(4, lambda _number: start(exam, student).pk)
    assert len(set(found)) == 1
    assert Attempt.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_verb_has_committed_when_it_returns() -> None:
    """`durable=True`: inside somebody's transaction "returned" would not mean "committed"."""
    exam, student = make_exam(published=True), make_student()
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        start(exam, student)


# -- finding -----------------------------------------------------------------------------------------------------


def test_only_ones_own_attempt_is_found() -> None:
    attempt = make_attempt()
    assert attempts.find_attempt(student=attempt.student, exam_id=attempt.exam_id) == attempt
    with pytest.raises(NotStarted):
        attempts.find_attempt(student=make_student(), exam_id=attempt.exam_id)
    with pytest.raises(NotFound):
        attempts.find_attempt(student=attempt.student, exam_id=make_exam().pk)


@pytest.mark.parametrize(
    ("overdue", "status"),
    [(-MINUTE, "in_progress"), (59 * timedelta(seconds=1), "in_progress"), (MINUTE, "expired"), (HOUR, "expired")],
)
def test_an_attempt_is_closed_on_reading_once_deadline_and_grace_are_over(overdue: timedelta, status: str) -> None:
    now = attempts.database_now()
    attempt = make_attempt(started_at=now - 3 * HOUR, deadline_at=now - overdue)
    make_answer(attempt, attempt.exam.questions.get())
    found = attempts.find_attempt(student=attempt.student, exam_id=attempt.exam_id)
    assert found.status == status
    if status == "expired":
        assert (found.score, found.max_score) == (Decimal(1), Decimal(1))
        assert found.submitted_at == attempt.deadline_at + MINUTE, "the instant after which no save landed"
        assert found.receipt


def test_an_attempt_that_a_teacher_has_locked_is_not_closed_on_reading() -> None:
    now = attempts.database_now()
    attempt = make_attempt(started_at=now - 3 * HOUR, deadline_at=now - HOUR, status="locked")
    assert attempts.find_attempt(student=attempt.student, exam_id=attempt.exam_id).status == "locked"


# -- what a teacher does -----------------------------------------------------------------------------------------


def test_extra_time_moves_the_deadline_past_the_close_as_well() -> None:
    now = attempts.database_now()
    attempt = start(make_exam(published=True, closes_at=now + 10 * MINUTE))
    attempts.extend_attempt(attempt_id=attempt.pk, minutes=15)
    extended = attempts.extend_attempt(attempt_id=attempt.pk, minutes=5)
    assert extended.extra_minutes == 20
    assert extended.deadline_at == attempt.exam.closes_at + 20 * MINUTE


def test_extra_time_can_be_taken_back_but_no_more_than_that() -> None:
    attempt = start(make_exam(published=True))
    attempts.extend_attempt(attempt_id=attempt.pk, minutes=15)
    attempts.extend_attempt(attempt_id=attempt.pk, minutes=-40)
    attempt.refresh_from_db()
    assert (attempt.extra_minutes, attempt.deadline_at) == (0, attempt.started_at + MINUTES_90)


@pytest.mark.parametrize("status", ["submitted", "expired"])
def test_a_closed_attempt_is_not_extended(status: str) -> None:
    attempt = make_attempt(status=status)
    with pytest.raises(ExamClosed):
        attempts.extend_attempt(attempt_id=attempt.pk, minutes=5)
    attempt.refresh_from_db()
    assert attempt.extra_minutes == 0


def test_extending_after_the_close_was_moved_to_before_the_start() -> None:
    attempt = start(make_exam(published=True))
    Exam.objects.filter(pk=attempt.exam_id).update(closes_at=attempt.started_at - 10 * MINUTE)
    assert attempts.extend_attempt(attempt_id=attempt.pk, minutes=5).deadline_at == attempt.started_at
    assert attempts.extend_attempt(attempt_id=attempt.pk, minutes=15).deadline_at == attempt.started_at + 10 * MINUTE


def test_a_new_duration_or_close_reaches_open_attempts_with_their_extra_time() -> None:
    exam = make_exam(published=True)
    running, locked, extended = start(exam), start(exam), start(exam)
    attempts.lock_attempts(attempt_ids=[locked.pk])
    attempts.extend_attempt(attempt_id=extended.pk, minutes=10)
    done = make_attempt(exam, status="submitted")
    Exam.objects.filter(pk=exam.pk).update(duration_minutes=30)
    attempts.refresh_deadlines(exam_id=exam.pk)
    for attempt, minutes in ((running, 30), (locked, 30), (extended, 40), (done, 90)):
        attempt.refresh_from_db()
        assert attempt.deadline_at == attempt.started_at + minutes * MINUTE
    Exam.objects.filter(pk=exam.pk).update(opens_at=exam.opens_at - HOUR, closes_at=exam.opens_at)
    attempts.refresh_deadlines(exam_id=exam.pk)
    running.refresh_from_db()
    assert running.deadline_at == running.started_at, "never before the start"


def test_only_running_attempts_are_locked_and_only_locked_ones_unlocked() -> None:
    running, locked, done = make_attempt(), make_attempt(status="locked"), make_attempt(status="submitted")
    everyone = [running.pk, locked.pk, done.pk]
    assert attempts.lock_attempts(attempt_ids=everyone) == 1
    assert attempts.lock_attempts(attempt_ids=everyone) == 0
    assert attempts.unlock_attempts(attempt_ids=everyone) == 2
    statuses = dict(Attempt.objects.values_list("pk", "status"))
    assert statuses == {running.pk: "in_progress", locked.pk: "in_progress", done.pk: "submitted"}


def test_a_locked_attempt_keeps_its_deadline() -> None:
    attempt = make_attempt()
    attempts.lock_attempts(attempt_ids=[attempt.pk])
    with pytest.raises(AttemptLocked):
        attempts.submit_attempt(student=attempt.student, exam_id=attempt.exam_id, pending=[], manifest={})
    attempts.unlock_attempts(attempt_ids=[attempt.pk])
    before = attempt.deadline_at
    attempt.refresh_from_db()
    assert attempt.deadline_at == before


@pytest.fixture
def essay() -> Any:
    """An answered essay of 5 points beside a right choice of 1."""
    attempt = make_attempt(make_exam(published=True, questions=["multiple_choice", "essay"]))
    choice, question = attempt.exam.questions.order_by("position")
    make_answer(attempt, choice)
    return make_answer(attempt, question)


def state(attempt: Attempt) -> tuple[Any, int, bool]:
    attempt.refresh_from_db()
    return attempt.score, attempt.ungraded_essays, attempt.is_final


def test_a_teachers_points_score_a_closed_attempt_anew(essay: Any) -> None:
    attempt = essay.attempt
    attempts.submit_attempt(student=attempt.student, exam_id=attempt.exam_id, pending=[], manifest={})
    assert state(attempt) == (1, 1, False)
    receipt = attempt.receipt
    for points, expected in ((Decimal("3.5"), Decimal("4.5")), (Decimal(99), Decimal(6)), (Decimal(0), Decimal(1))):
        attempts.grade_answer(answer_id=essay.pk, points=points)
        assert state(attempt) == (expected, 0, True)
    attempts.grade_answer(answer_id=essay.pk, points=None)
    assert state(attempt) == (1, 1, False)
    assert attempt.receipt == receipt, "what was handed in is the same"


def test_points_given_while_the_exam_runs_count_at_its_end(essay: Any) -> None:
    attempt = essay.attempt
    attempts.grade_answer(answer_id=essay.pk, points=Decimal(2))
    assert state(attempt) == (None, 0, False)
    attempts.submit_attempt(student=attempt.student, exam_id=attempt.exam_id, pending=[], manifest={})
    assert state(attempt) == (3, 0, True)


def somebody_waits() -> bool:
    """Whether a connection to this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees one state for ever
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_two_teachers_at_once_leave_the_score_of_what_is_stored() -> None:
    attempt = make_attempt(make_exam(published=True, questions=["essay", "essay"]))
    ours, theirs = (make_answer(attempt, question) for question in attempt.exam.questions.all())
    attempts.submit_attempt(student=attempt.student, exam_id=attempt.exam_id, pending=[], manifest={})
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Attempt.objects.select_for_update().get(pk=attempt.pk)
            their_grading = pool.submit(at_once, 1, lambda _number: grade(theirs, 2))
            wait_until(somebody_waits, what="the other teacher waiting for us")
            Answer.objects.filter(pk=ours.pk).update(points=1)
        their_grading.result(timeout=10)
    assert state(attempt) == (3, 0, True)


def grade(answer: Answer, points: int) -> None:
    attempts.grade_answer(answer_id=answer.pk, points=Decimal(points))
