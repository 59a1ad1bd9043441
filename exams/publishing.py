"""
The verbs of an exam: publish (again after closing, to reopen it), close; and filling it with questions.

Contract:
- `publish()` freezes the paper and makes the exam visible; called again after an edit it makes a new version, which
  new attempts get while running ones keep theirs.
- `add_questions()` adds all or nothing.

Not here: what frozen means (`papers.py`), attempts (`attempts.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from exams import papers
from exams.content import QuestionType
from exams.exceptions import ExamError
from exams.importers.base import ImportedQuestion
from exams.models import Exam, Paper, Question


class NothingToAsk(ExamError):
    """An exam without a question that can be answered cannot be published."""

    code, status = "nothing_to_ask", 409
    message = _("There is no question to answer yet.")


class BrokenQuestion(ExamError):
    """A question that was stored past its checks: it could not be answered or scored."""

    code, status = "broken_question", 409
    message = _("A question is broken.")


@transaction.atomic(durable=True)
def publish(*, exam_id: int) -> Paper:
    """
    Freeze the questions as they are and let students in when the exam opens.

    Raises `NothingToAsk`, or `BrokenQuestion` with the details `question` and `reason`.
    """
    exam = Exam.objects.select_for_update().get(pk=exam_id)
    questions = exam.questions.filter(is_withdrawn=False)
    if not questions.exclude(type=QuestionType.DESCRIPTION).exists():
        raise NothingToAsk
    for question in questions:
        if found := question.problems():
            raise BrokenQuestion(question=question.pk, reason="; ".join(found))
    paper = papers.freeze(exam)
    Exam.objects.filter(pk=exam_id).update(status=Exam.Status.PUBLISHED)
    return paper


def close_exam(*, exam_id: int) -> None:
    """Nobody starts any more; attempts that run go on until their deadline."""
    Exam.objects.filter(pk=exam_id, status=Exam.Status.PUBLISHED).update(status=Exam.Status.CLOSED)


@transaction.atomic
def add_questions(*, exam_id: int, questions: Sequence[ImportedQuestion]) -> list[Question]:
    """Append *questions* to the exam in their order."""
    exam = Exam.objects.select_for_update().get(pk=exam_id)  # two imports at once append one after the other
    last = exam.questions.aggregate(last=Max("position"))["last"] or 0
    return Question.objects.bulk_create(
        Question(
            exam=exam, position=last + number, category=imported.category[:255], **Question.columns_of(imported.content)
        )
        for number, imported in enumerate(questions, start=1)
    )
