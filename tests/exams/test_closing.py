"""`close_expired`: few statements however many attempts, and nobody waits for anybody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from exams import attempts, papers, publishing
from exams.content import QuestionType
from exams.models import Attempt, Exam, Paper
from tests.exams.at_once import at_once
from tests.exams.factories import make_answer, make_attempt, make_exam

pytestmark = pytest.mark.django_db


def overdue(exam: Exam) -> Attempt:
    """An attempt with a right answer to every question, whose deadline was two hours ago."""
    now = attempts.database_now()
    attempt = make_attempt(exam, started_at=now - timedelta(hours=4), deadline_at=now - timedelta(hours=2))
    for question in exam.questions.exclude(type="description"):
        make_answer(attempt, question)
    return attempt


def statements_for(count: int) -> int:
    exam = make_exam(published=True, questions=["multiple_choice", "essay"])
    for _ in range(count):
        overdue(exam)
    papers.load.cache_clear()
    with CaptureQueriesContext(connection) as queries:
        assert attempts.close_expired() == count
    assert Attempt.objects.filter(exam=exam, status="expired", score=1, max_score=6, ungraded_essays=1).count() == count
    return len(queries)


def test_the_number_of_statements_does_not_depend_on_the_number_of_attempts() -> None:
    few = statements_for(3)
    assert statements_for(60) == few
    assert few <= 10


def test_more_than_one_transaction_takes_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_CLOSE_BATCH", 2)
    exam = make_exam(published=True)
    for _ in range(5):
        overdue(exam)
    assert attempts.close_expired() == 5
    assert attempts.close_expired() == 0


def test_only_what_is_over_and_running_is_closed() -> None:
    exam = make_exam(published=True, questions=list(QuestionType))
    now = attempts.database_now()
    started: dict[str, Any] = {"started_at": now - timedelta(hours=4)}
    over = overdue(exam)
    others = [
        make_attempt(exam),
        make_attempt(exam, deadline_at=now - timedelta(seconds=30), **started),  # in its grace
        make_attempt(exam, deadline_at=now - timedelta(hours=1), status="locked", **started),
        make_attempt(exam, deadline_at=now - timedelta(hours=1), status="submitted", **started),
    ]
    before = list(Attempt.objects.filter(pk__in=[other.pk for other in others]).order_by("pk").values())
    assert attempts.close_expired() == 1
    assert list(Attempt.objects.filter(pk__in=[other.pk for other in others]).order_by("pk").values()) == before
    over.refresh_from_db()
    assert over.status == Attempt.Status.EXPIRED
    assert (over.score, over.max_score, over.ungraded_essays) == (Decimal(8), Decimal(13), 1)
    assert over.submitted_at == over.deadline_at + timedelta(minutes=1)
    assert over.receipt


def test_only_the_attempts_that_were_asked_for_are_closed() -> None:
    exam = make_exam(published=True)
    wanted, other = overdue(exam), overdue(exam)
    assert attempts.close_expired(attempt_ids=[wanted.pk]) == 1
    other.refresh_from_db()
    assert other.status == Attempt.Status.IN_PROGRESS
    assert attempts.close_expired(attempt_ids=[]) == 0


def test_attempts_of_several_exams_and_versions_are_scored_by_their_own_papers() -> None:
    exam = make_exam(published=True, questions=["multiple_choice"])
    first = overdue(exam)
    exam.questions.update(points=3)
    publishing.publish(exam_id=exam.pk)
    exam.refresh_from_db()
    second, third = overdue(exam), overdue(make_exam(published=True, questions=["true_false", "short_answer"]))
    assert attempts.close_expired() == 3
    scores = [Attempt.objects.get(pk=attempt.pk).score for attempt in (first, second, third)]
    assert scores == [1, 3, 2]


@pytest.mark.django_db(transaction=True)
def test_an_attempt_that_somebody_holds_is_left_for_the_next_call() -> None:
    exam = make_exam(published=True)
    held, free = overdue(exam), overdue(exam)
    with transaction.atomic():
        Attempt.objects.select_for_update().get(pk=held.pk)
        [closed] = at_once(1, lambda _number: attempts.close_expired())
        assert closed == 1
    free.refresh_from_db()
    held.refresh_from_db()
    assert (free.status, held.status) == ("expired", "in_progress")
    assert attempts.close_expired() == 1


@pytest.mark.django_db(transaction=True)
def test_closing_at_once_closes_each_attempt_once() -> None:
    exam = make_exam(published=True)
    for _ in range(20):
        overdue(exam)
    assert sum(at_once(4, lambda _number: attempts.close_expired())) == 20
    assert attempts.close_expired() == 0


def test_an_attempt_that_cannot_be_scored_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exam = make_exam(published=True)
    broken = [overdue(exam) for _ in range(2)]
    strange = Paper.objects.create(exam=exam, version=99, content={"questions": [{"from": "a newer program"}]})
    Attempt.objects.filter(pk__in=[attempt.pk for attempt in broken]).update(paper=strange)
    healthy = overdue(exam)
    monkeypatch.setattr(attempts, "_CLOSE_BATCH", 1)  # so that a batch of nothing but broken ones is met
    assert attempts.close_expired() == 1
    healthy.refresh_from_db()
    assert healthy.status == "expired"
    assert Attempt.objects.filter(status="in_progress").count() == 2
    assert f"Attempt {broken[0].pk} cannot be scored" in caplog.text
