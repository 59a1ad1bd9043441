"""
The verbs of an attempt: start, submit, extend, lock, unlock, close_expired, grade.

Contract:
- Each verb is one transaction; when it returns, it is committed (`durable=True`).
- The lock order of docs/explanation/saving.md: the attempt first (`FOR UPDATE`), then its answers.
- The database's clock decides. `close_expired` takes few statements however many attempts it closes.

Not here: saving while the exam runs (`autosave/`), HTTP (`api.py`).
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from exams import papers, receipts
from exams.autosave.entries import Save
from exams.autosave.store import apply_in_submit
from exams.conf import conf
from exams.exceptions import (
    AttemptLocked,
    ExamClosed,
    ExamNotOpenYet,
    NotFound,
    NotStarted,
    WrongEntryToken,
)
from exams.models import Answer, Attempt, Exam, Student
from exams.scoring import GivenAnswer, Score, score_paper

logger = logging.getLogger(__name__)

#: So many attempts are closed in one transaction; a school of 3,000 takes six.
_CLOSE_BATCH = 500


def database_now() -> datetime:
    """The database's clock: the only one that decides deadlines."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [now] = cursor.fetchone()
    assert isinstance(now, datetime)  # noqa: S101 - for the type checker
    return now


def grace() -> timedelta:
    """For how long after the deadline saves still land."""
    return timedelta(seconds=conf().save_grace_seconds)


def is_overdue(attempt: Attempt, now: datetime) -> bool:
    """Whether a running attempt's deadline and grace are over: it takes no save any more and should be closed."""
    return attempt.status == Attempt.Status.IN_PROGRESS and attempt.deadline_at + grace() <= now


# -- start -------------------------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def start_attempt(*, student: Student, exam_id: int, entry_token: str) -> Attempt:
    """
    Start, or come back to the attempt that runs already; sending it twice starts once.

    Raises `NotFound`, `ExamNotOpenYet`, `ExamClosed`, `WrongEntryToken`. Coming back needs no token: the phone may
    have been restarted after the supervisor left.
    """
    running = Attempt.objects.select_related("exam").filter(student=student, exam_id=exam_id).first()
    if running is not None:
        return running
    # No lock on the exam: a whole class starts at once. Who starts in the instant of a new version gets the one before.
    exam = Exam.objects.filter(pk=exam_id).exclude(status=Exam.Status.DRAFT).first()
    if exam is None:
        raise NotFound
    now = database_now()
    if now < exam.opens_at:
        raise ExamNotOpenYet(opensAt=exam.opens_at, serverNow=int(now.timestamp() * 1000))
    if now >= exam.closes_at or exam.status == Exam.Status.CLOSED:
        raise ExamClosed
    if exam.entry_token and not hmac.compare_digest(exam.entry_token.encode(), entry_token.strip().upper().encode()):
        raise WrongEntryToken(field="entryToken")
    attempt, _created = Attempt.objects.get_or_create(
        student=student,
        exam=exam,
        defaults={
            "paper": exam.papers.defer("content").get(version=exam.version),
            "started_at": now,
            "deadline_at": exam.deadline_for(now, timedelta()),
        },
    )
    return attempt


def find_attempt(*, student: Student, exam_id: int) -> Attempt:
    """This student's attempt, closed first if its time is over. Raises `NotStarted` or `NotFound`."""
    found = Attempt.objects.select_related("exam", "paper").defer("paper__content")  # which `papers.load` keeps
    attempt = found.filter(student=student, exam_id=exam_id).first()
    if attempt is None:
        if Exam.objects.exclude(status=Exam.Status.DRAFT).filter(pk=exam_id).exists():
            raise NotStarted
        raise NotFound
    if is_overdue(attempt, database_now()):
        close_expired(attempt_ids=[attempt.pk])
        attempt.refresh_from_db()
    return attempt


# -- submit ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What submit reports: the attempt as it is now, and which of the device's answers the server lacks."""

    attempt: Attempt
    answered: int
    missing: list[int] = field(default_factory=list)


@transaction.atomic(durable=True)
def submit_attempt(
    *, student: Student, exam_id: int, pending: Sequence[tuple[int, int, bytes]], manifest: Mapping[int, int]
) -> Submission:
    """
    Apply what the device still had, close, score, and say what is missing.

    *pending*: (question id, revision, value as JSON), already checked against the paper; *manifest*: the newest
    revision per question that the device knows. Submitting again reports the first receipt and applies nothing
    but what it says is missing; after deadline and grace the attempt is closed as expired instead.
    Raises `NotStarted`, `AttemptLocked`.
    """
    attempt = Attempt.objects.select_for_update().filter(student=student, exam_id=exam_id).first()
    if attempt is None:
        raise NotStarted
    if attempt.status == Attempt.Status.LOCKED:
        raise AttemptLocked
    if attempt.status == Attempt.Status.IN_PROGRESS:
        now = database_now()
        is_late = is_overdue(attempt, now)
        if not is_late:
            apply_in_submit([Save(attempt.pk, question, revision, value) for question, revision, value in pending])
        missing = _missing(attempt, manifest)
        attempt.missing_answers = len(missing)
        attempt.status = Attempt.Status.EXPIRED if is_late else Attempt.Status.SUBMITTED
        attempt.submitted_at = now
        _close([attempt])
        logger.info("Attempt closed", extra={"action": f"attempt_{attempt.status}", "attempt": attempt.pk})
    else:
        missing = _missing(attempt, manifest)
        if len(missing) > attempt.missing_answers:
            # A phone that was offline when the time ran out, or a second device: the teacher is told as well.
            attempt.missing_answers = len(missing)
            attempt.save(update_fields=["missing_answers"])
    return Submission(attempt=attempt, missing=missing, answered=_score_all([attempt])[attempt.pk].answered)


def _missing(attempt: Attempt, manifest: Mapping[int, int]) -> list[int]:
    stored = dict(attempt.answers.values_list("question_id", "revision"))
    return sorted(question for question, revision in manifest.items() if stored.get(question, 0) < revision)


# -- closing and scoring -----------------------------------------------------------------------------------------


def close_expired(*, attempt_ids: Iterable[int] | None = None) -> int:
    """
    Close and score every attempt whose deadline and grace are over (of *attempt_ids*, or of all), and return how many.

    An attempt that is locked by somebody this moment is left for the next call, and so is one that cannot be scored (a
    newer program wrote its paper): it is logged and holds up nobody else.
    """
    closed = last = 0
    while True:
        with transaction.atomic(durable=True):
            overdue = Attempt.objects.select_for_update(skip_locked=True).filter(
                status=Attempt.Status.IN_PROGRESS, deadline_at__lte=database_now() - grace(), pk__gt=last
            )
            if attempt_ids is not None:
                overdue = overdue.filter(pk__in=list(attempt_ids))
            attempts = list(overdue.order_by("pk")[:_CLOSE_BATCH])
            for attempt in attempts:
                attempt.status = Attempt.Status.EXPIRED
                attempt.submitted_at = attempt.deadline_at + grace()
            closed += _close(attempts, leave_out_broken=True)
        if len(attempts) < _CLOSE_BATCH:
            return closed
        last = attempts[-1].pk


def _answers_of(attempts: Sequence[Attempt]) -> dict[int, list[Answer]]:
    answers: dict[int, list[Answer]] = {attempt.pk: [] for attempt in attempts}
    for answer in Answer.objects.filter(attempt__in=answers).order_by("attempt_id", "question_id"):
        answers[answer.attempt_id].append(answer)
    return answers


def _score(attempt: Attempt, answers: Sequence[Answer]) -> Score:
    given = {answer.question_id: GivenAnswer(value=answer.value, points=answer.points) for answer in answers}
    return score_paper(papers.load(attempt.paper_id).pairs(), given)


def _score_all(attempts: Sequence[Attempt]) -> dict[int, Score]:
    answers = _answers_of(attempts)
    return {attempt.pk: _score(attempt, answers[attempt.pk]) for attempt in attempts}


_SCORE_FIELDS = ("score", "max_score", "ungraded_essays")


def _set_score(attempt: Attempt, score: Score) -> None:
    attempt.score, attempt.max_score = score.points, score.maximum
    attempt.ungraded_essays = score.ungraded_essays


def _close(attempts: Sequence[Attempt], *, leave_out_broken: bool = False) -> int:
    """
    Score and sign *attempts*, whose status and submitted_at are set and whose rows are locked; store and count them.
    """
    answers = _answers_of(attempts) if attempts else {}
    closed = []
    for attempt in attempts:
        try:
            _set_score(attempt, _score(attempt, answers[attempt.pk]))
        except Exception:
            if not leave_out_broken:
                raise
            logger.exception("Attempt %s cannot be scored", attempt.pk, extra={"action": "attempt_not_scored"})
            continue
        attempt.receipt = receipts.sign(attempt, answers[attempt.pk])
        closed.append(attempt)
    if closed:
        Attempt.objects.bulk_update(closed, ["status", "submitted_at", "receipt", "missing_answers", *_SCORE_FIELDS])
    return len(closed)


def rescore(attempt: Attempt) -> None:
    """Score and sign anew a closed *attempt* whose answers were changed. Its row is locked by the caller."""
    _close([attempt])


# -- what a teacher does -----------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def extend_attempt(*, attempt_id: int, minutes: int) -> Attempt:
    """Give *minutes* more (or fewer, if negative). Only while the attempt is open. Raises `ExamClosed`."""
    attempt = Attempt.objects.select_for_update(of=("self",)).select_related("exam").get(pk=attempt_id)
    if attempt.is_closed:
        raise ExamClosed
    attempt.extra_minutes = max(0, attempt.extra_minutes + minutes)
    attempt.deadline_at = attempt.exam.deadline_for(attempt.started_at, attempt.extra)
    attempt.save(update_fields=["extra_minutes", "deadline_at"])
    return attempt


@transaction.atomic(durable=True)
def refresh_deadlines(*, exam_id: int) -> None:
    """After an exam's close or duration was changed: open attempts get the deadline that follows from it."""
    exam = Exam.objects.get(pk=exam_id)
    open_attempts = list(
        exam.attempts.select_for_update()
        .filter(status__in=[Attempt.Status.IN_PROGRESS, Attempt.Status.LOCKED])
        .order_by("pk")
    )
    for attempt in open_attempts:
        attempt.deadline_at = exam.deadline_for(attempt.started_at, attempt.extra)
    Attempt.objects.bulk_update(open_attempts, ["deadline_at"], batch_size=_CLOSE_BATCH)


def lock_attempts(*, attempt_ids: Iterable[int]) -> int:
    """Stop saves at once, until `unlock_attempts`; what is stored stays. Returns how many were running."""
    return _change_status(attempt_ids, Attempt.Status.IN_PROGRESS, Attempt.Status.LOCKED)


def unlock_attempts(*, attempt_ids: Iterable[int]) -> int:
    """Let locked attempts go on. The clock has not stopped: extend them if they should get the time back."""
    return _change_status(attempt_ids, Attempt.Status.LOCKED, Attempt.Status.IN_PROGRESS)


@transaction.atomic(durable=True)
def _change_status(attempt_ids: Iterable[int], before: Attempt.Status, after: Attempt.Status) -> int:
    found = Attempt.objects.filter(pk__in=list(attempt_ids), status=before)
    locked = list(found.select_for_update().order_by("pk").values_list("pk", flat=True))  # by id, as everywhere
    return Attempt.objects.filter(pk__in=locked).update(status=after)


@transaction.atomic(durable=True)
def grade_answer(*, answer_id: int, points: Decimal | None) -> None:
    """The teacher's points for an essay; a closed attempt is scored anew."""
    answer = Answer.objects.get(pk=answer_id)
    attempt = Attempt.objects.select_for_update().get(pk=answer.attempt_id)
    Answer.objects.filter(pk=answer_id).update(points=points)
    if attempt.is_closed:
        _set_score(attempt, _score_all([attempt])[attempt.pk])
        attempt.save(update_fields=list(_SCORE_FIELDS))
