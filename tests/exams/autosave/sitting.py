"""A student who sits an exam over HTTP: the shortest way for a test to save."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from exams.autosave import ticket as tickets
from exams.content import QuestionContent, QuestionType
from exams.models import Answer, Attempt
from tests.exams.factories import make_attempt, make_exam
from tests.web import WebProcess, post_save


@dataclass
class Sitting:
    """An attempt with its ticket and its questions' ids."""

    attempt: Attempt
    ticket: str
    questions: list[int] = field(default_factory=list)

    @property
    def exam_id(self) -> int:
        return self.attempt.exam_id

    def save(
        self, web: WebProcess, answer: Any = "jkrt", *, question: int | None = None, **body: Any
    ) -> httpx.Response:
        """One save of *answer* to the first question, unless told otherwise."""
        body = {"questionId": self.questions[0] if question is None else question, "answer": answer, **body}
        return post_save(web, self.ticket, self.exam_id, body)

    def stored(self, question: int | None = None) -> Answer | None:
        return self.attempt.answers.filter(question_id=self.questions[0] if question is None else question).first()


def ticket_for(attempt: Attempt, **claims: Any) -> str:
    """A ticket for *attempt*; *claims* override what it says."""
    usual = {
        "attempt": attempt.pk,
        "student": attempt.student_id,
        "exam": attempt.exam_id,
        "version": attempt.paper.version,
        "expires_at": int(time.time()) + 3600,
    }
    return tickets.issue(**{**usual, **claims})


def sit_down(
    questions: Iterable[QuestionContent | QuestionType | str] = (QuestionType.MULTIPLE_CHOICE,), **overrides: Any
) -> Sitting:
    """A running attempt at an exam with *questions*; *overrides* are the attempt's columns."""
    attempt = make_attempt(make_exam(published=True, questions=questions), **overrides)
    ids = list(attempt.exam.questions.order_by("position").values_list("pk", flat=True))
    return Sitting(attempt, ticket_for(attempt), ids)


def now_ms() -> int:
    return int(time.time() * 1000)
