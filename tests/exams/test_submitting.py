"""Handing in: a reconciliation. The races against saves are in autosave/test_races.py."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from exams import attempts
from exams.attempts import Submission
from exams.content import QuestionType
from exams.exceptions import NotStarted
from exams.models import Attempt, Question
from tests.exams.at_once import at_once
from tests.exams.factories import RIGHT, WRONG, make_answer, make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db


def submit(attempt: Attempt, *pending: tuple[Question, int, Any], manifest: dict[int, int] | None = None) -> Submission:
    saves = [(question.pk, revision, json.dumps(value).encode()) for question, revision, value in pending]
    return attempts.submit_attempt(
        student=attempt.student, exam_id=attempt.exam_id, pending=saves, manifest=manifest or {}
    )


def sit(*kinds: QuestionType | str) -> tuple[Attempt, list[Question]]:
    attempt = make_attempt(make_exam(published=True, questions=kinds or ["multiple_choice"]))
    return attempt, list(attempt.exam.questions.order_by("position"))


def stored(attempt: Attempt) -> dict[int, tuple[int, Any]]:
    return {answer.question_id: (answer.revision, answer.value) for answer in attempt.answers.all()}


def test_the_score_of_a_whole_paper_is_the_hand_computed_one() -> None:
    attempt, questions = sit(*QuestionType)
    by_type = {QuestionType(question.type): question for question in questions}
    for kind in (QuestionType.MULTIPLE_CHOICE, QuestionType.MATCHING, QuestionType.ESSAY):
        make_answer(attempt, by_type[kind])
    make_answer(attempt, by_type[QuestionType.TRUE_FALSE], value=False)
    make_answer(attempt, by_type[QuestionType.NUMERICAL], value=None)  # cleared
    found = submit(
        attempt,
        (by_type[QuestionType.MULTIPLE_RESPONSE], 1, ["twoo"]),
        (by_type[QuestionType.SHORT_ANSWER], 1, "Sejuk"),
    )
    # choice 1, matching 2, response half of 2, short answer half of 1; the essay waits, the numerical is cleared.
    attempt.refresh_from_db()
    assert attempt.score == Decimal("4.50")
    assert attempt.max_score == 13
    assert (attempt.ungraded_essays, found.answered, found.missing) == (1, 6, [])
    assert attempt.status == Attempt.Status.SUBMITTED
    assert attempt.submitted_at is not None
    assert attempts.database_now() - attempt.submitted_at < timedelta(seconds=10)


def test_a_paper_without_answers_can_be_handed_in() -> None:
    attempt, _questions = sit()
    found = submit(attempt)
    assert (found.answered, found.missing, found.attempt.score) == (0, [], Decimal(0))
    assert found.attempt.receipt


@pytest.mark.parametrize(
    ("revisions", "kept"),
    [([6], 6), ([5], 5), ([4], 5), ([4, 7, 6], 7), ([7, 7], 7)],
)
def test_of_stored_and_pending_answers_the_newest_counts(revisions: list[int], kept: int) -> None:
    attempt, [question] = sit()
    make_answer(attempt, question, revision=5, value="jkrt")
    submit(attempt, *[(question, revision, "bndg") for revision in revisions])
    assert stored(attempt)[question.pk] == (kept, "jkrt" if kept == 5 else "bndg")
    attempt.refresh_from_db()
    assert attempt.score == (1 if kept == 5 else 0)


def test_the_two_seconds_do_not_hold_for_what_is_handed_in() -> None:
    attempt, [question] = sit()
    make_answer(attempt, question, revision=5, value="bndg", saved_at=attempts.database_now())
    submit(attempt, (question, 6, "jkrt"))
    assert stored(attempt)[question.pk] == (6, "jkrt")


def test_what_the_device_has_and_the_server_lacks_is_missing_for_both() -> None:
    attempt, questions = sit("multiple_choice", "true_false", "essay", "short_answer")
    same, newer, never, older = (question.pk for question in questions)
    for question in (questions[0], questions[1], questions[3]):
        make_answer(attempt, question, revision=5)
    found = submit(attempt, manifest={same: 5, newer: 6, never: 1, older: 4})
    assert found.missing == sorted([newer, never])
    attempt.refresh_from_db()
    assert attempt.missing_answers == 2


def test_a_pending_answer_is_not_missing() -> None:
    attempt, [question] = sit()
    assert submit(attempt, (question, 6, "jkrt"), manifest={question.pk: 6}).missing == []


# -- again and late ----------------------------------------------------------------------------------------------


def test_handing_in_again_gives_the_first_receipt_and_changes_nothing() -> None:
    attempt, [question] = sit()
    first = submit(attempt, (question, 5, "jkrt"))
    before = Attempt.objects.values().get(pk=attempt.pk)
    again = submit(attempt, (question, 6, "bndg"))
    assert again.attempt.receipt == first.attempt.receipt
    assert again.answered == 1
    assert stored(attempt)[question.pk] == (5, "jkrt")
    assert Attempt.objects.values().get(pk=attempt.pk) == before


def test_what_turns_out_missing_afterwards_is_told_to_the_teacher_as_well() -> None:
    attempt, [question] = sit()
    submit(attempt, (question, 5, "jkrt"), manifest={question.pk: 5})
    assert submit(attempt, manifest={question.pk: 6}).missing == [question.pk]
    assert submit(attempt, manifest={}).missing == []
    attempt.refresh_from_db()
    assert attempt.missing_answers == 1, "and not forgotten by a page that knows less"


LATE = timedelta(minutes=2)


def test_what_comes_after_deadline_and_grace_is_not_applied() -> None:
    attempt, [question] = sit()
    now = attempts.database_now()
    Attempt.objects.filter(pk=attempt.pk).update(started_at=now - timedelta(hours=2), deadline_at=now - LATE)
    make_answer(attempt, question, revision=5, value="bndg")
    found = submit(attempt, (question, 6, "jkrt"), manifest={question.pk: 6})
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.EXPIRED
    assert stored(attempt)[question.pk] == (5, "bndg")
    assert (found.missing, attempt.missing_answers, attempt.score) == ([question.pk], 1, Decimal(0))


def test_within_the_grace_it_is() -> None:
    attempt, [question] = sit()
    now = attempts.database_now()
    Attempt.objects.filter(pk=attempt.pk).update(
        started_at=now - timedelta(hours=2), deadline_at=now - timedelta(seconds=30)
    )
    submit(attempt, (question, 6, "jkrt"))
    attempt.refresh_from_db()
    assert (attempt.status, attempt.score) == (Attempt.Status.SUBMITTED, Decimal(1))


def test_nothing_is_handed_in_that_was_not_started() -> None:
    attempt, _questions = sit()
    with pytest.raises(NotStarted):
        attempts.submit_attempt(student=make_student(), exam_id=attempt.exam_id, pending=[], manifest={})


def test_handing_in_touches_no_other_attempt() -> None:
    attempt, [question] = sit()
    other = make_attempt(attempt.exam)
    submit(attempt, (question, 6, RIGHT[QuestionType.MULTIPLE_CHOICE]))
    other.refresh_from_db()
    assert other.status == Attempt.Status.IN_PROGRESS
    assert not other.answers.exists()


@pytest.mark.django_db(transaction=True)
def test_handing_in_at_once_gives_one_receipt() -> None:
    attempt, [question] = sit()
    answers = [RIGHT[QuestionType.MULTIPLE_CHOICE], WRONG[QuestionType.MULTIPLE_CHOICE]] * 2
    found = at_once(4, lambda number: submit(attempt, (question, 10 + number, answers[number])))
    assert len({submission.attempt.receipt for submission in found}) == 1
    assert len({submission.attempt.submitted_at for submission in found}) == 1
    revision, value = stored(attempt)[question.pk]
    attempt.refresh_from_db()
    assert value == answers[revision - 10]
    assert attempt.score == (1 if value == RIGHT[QuestionType.MULTIPLE_CHOICE] else 0)
