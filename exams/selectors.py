"""
Reads that the API and the pages share.

Contract: nothing here belongs to another student, and an attempt whose time is over is closed before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from exams import attempts, papers
from exams.answers import is_answered
from exams.content import QuestionType
from exams.exceptions import NotStarted
from exams.models import Attempt, Exam, Student


@dataclass(frozen=True)
class MyExam:
    """An exam and what this student made of it so far."""

    exam: Exam
    attempt: Attempt | None


@dataclass(frozen=True)
class MyExams:
    """All exams that are not drafts, by what a student can do with them, each list in the order of opening."""

    now: datetime
    open: list[MyExam] = field(default_factory=list)
    upcoming: list[MyExam] = field(default_factory=list)
    done: list[MyExam] = field(default_factory=list)


def exams_of(student: Student) -> MyExams:
    """Open: may be started or goes on (a locked one too); upcoming: not yet; done: handed in, expired, or missed."""
    now = attempts.database_now()
    own = Attempt.objects.filter(student=student)
    overdue = [attempt.pk for attempt in own if attempts.is_overdue(attempt, now)]
    if overdue:
        attempts.close_expired(attempt_ids=overdue)
    mine = {attempt.exam_id: attempt for attempt in (own.all() if overdue else own)}
    groups = MyExams(now)
    for exam in Exam.objects.exclude(status=Exam.Status.DRAFT).order_by("opens_at", "pk"):
        found = MyExam(exam, mine.get(exam.pk))
        _group(groups, found).append(found)
    return groups


def _group(groups: MyExams, found: MyExam) -> list[MyExam]:
    exam, attempt = found.exam, found.attempt
    if attempt is not None:
        return groups.done if attempt.is_closed else groups.open
    if exam.status == Exam.Status.CLOSED or exam.closes_at <= groups.now:
        return groups.done
    return groups.upcoming if groups.now < exam.opens_at else groups.open


def exam_of(student: Student, exam_id: int) -> MyExam:
    """One exam, as in `exams_of`. Raises `NotFound`."""
    try:
        attempt = attempts.find_attempt(student=student, exam_id=exam_id)
    except NotStarted:
        return MyExam(Exam.objects.get(pk=exam_id), None)
    return MyExam(attempt.exam, attempt)


def questions_to_answer(paper_id: int) -> int:
    """How many questions of a paper take an answer."""
    questions = papers.load(paper_id).by_id.values()
    return sum(question.type is not QuestionType.DESCRIPTION for question in questions)


def answered_questions(attempt: Attempt) -> int:
    """How many questions have an answer that is not empty: the number that submit reports."""
    return sum(is_answered(value) for value in attempt.answers.values_list("value", flat=True))
