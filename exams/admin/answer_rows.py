"""
An attempt's answers as a teacher reads them: the paper's questions in order, what was answered, what it earned.

Contract: two queries for any attempt (its answers, and the paper where this process has not read it yet).
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import strip_tags
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from exams import papers
from exams.answers import ESSAY_MAX, is_answered
from exams.content import QuestionType
from exams.models import Answer, Attempt, Question
from exams.papers import FrozenPaper
from exams.scoring import score_answer


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One line of the table. *points* is None where nothing was answered, or where an essay waits for its points."""

    question: str
    type: str
    is_essay: bool
    answer: Answer | None
    value: str
    points: Decimal | None
    maximum: str


def plain(markup: str, *, longest: int) -> str:
    """The words of *markup*, cut to *longest* characters."""
    return Truncator(" ".join(html.unescape(strip_tags(markup.replace("<br>", " "))).split())).chars(longest)


def readable(paper: FrozenPaper, answer: Answer, *, longest: int) -> str:
    """*answer* in words: the texts of the options that were chosen instead of their ids."""
    question = paper.by_id.get(answer.question_id)
    value = answer.value
    if question is None or not is_answered(value):
        return ""
    shown = paper.rendered[answer.question_id]
    texts = {option["id"]: plain(option["html"], longest=200) for option in (*shown["choices"], *shown["stems"])}
    match question.type:
        case QuestionType.MULTIPLE_CHOICE:
            text = texts.get(value, str(value))
        case QuestionType.MULTIPLE_RESPONSE:
            text = "; ".join(texts.get(option_id, option_id) for option_id in value)
        case QuestionType.MATCHING:
            text = "; ".join(f"{texts.get(left, left)} → {texts.get(right, right)}" for left, right in value.items())
        case QuestionType.TRUE_FALSE:
            text = _("true") if value else _("false")
        case _:
            text = str(value)
    return Truncator(text).chars(longest)


def answer_rows(attempt: Attempt) -> list[AnswerRow]:
    """The table of *attempt*: every question of its paper that can be answered, answered or not."""
    paper = papers.load(attempt.paper_id)
    answers = {answer.question_id: answer for answer in attempt.answers.order_by("question_id")}
    rows = []
    for question_id, question in paper.pairs():
        if question.type is QuestionType.DESCRIPTION:
            continue
        answer = answers.get(question_id)
        is_essay = question.type is QuestionType.ESSAY
        if answer is None or not is_answered(answer.value):
            points = None
        else:
            points = answer.points if is_essay else score_answer(question, answer.value)
        rows.append(
            AnswerRow(
                question=question.name or plain(paper.rendered[question_id]["html"], longest=100),
                type=str(Question.Type(question.type).label),
                is_essay=is_essay,
                answer=answer,
                value="" if answer is None else readable(paper, answer, longest=ESSAY_MAX),
                points=points,
                maximum=f"{question.points:g}",
            )
        )
    return rows
