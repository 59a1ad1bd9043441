"""
Rows for tests: every maker has defaults, so that a test shows only what it is about.

Contract:
- What is made keeps the rules of the database; times are relative to the database's clock.
- `question_of(type)` is a question of each type with fixed option ids; `RIGHT[type]` is the answer that earns all its
  points and `WRONG[type]` one that earns none, both as they are stored.
- Nobody gets a card here: `cards.issue_cards` does that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
from django.db.models import JSONField, Value

from exams import attempts, publishing
from exams.content import (
    AcceptedRange,
    AcceptedText,
    Feedback,
    Key,
    Option,
    Options,
    QuestionContent,
    QuestionType,
)
from exams.models import Answer, Attempt, Exam, Question, Student

_numbers = count(1)

_QUESTIONS: dict[QuestionType, QuestionContent] = {
    QuestionType.MULTIPLE_CHOICE: QuestionContent(
        type=QuestionType.MULTIPLE_CHOICE,
        stem="Ibu kota Indonesia pada tahun 1950?",
        options=Options(choices=[Option("jkrt", "Jakarta"), Option("bndg", "Bandung"), Option("sbya", "Surabaya")]),
        key=Key(weights={"jkrt": 100, "bndg": 0, "sbya": 0}),
        feedback=Feedback(general="Lihat bab 2.", by_answer={"bndg": "Bandung tidak."}),
    ),
    QuestionType.MULTIPLE_RESPONSE: QuestionContent(
        type=QuestionType.MULTIPLE_RESPONSE,
        stem="Mana yang bilangan prima?",
        options=Options(choices=[Option("twoo", "2"), Option("thre", "3"), Option("four", "4")]),
        key=Key(weights={"twoo": 50, "thre": 50, "four": -100}),
        points=2,
    ),
    QuestionType.TRUE_FALSE: QuestionContent(
        type=QuestionType.TRUE_FALSE, stem="Air mendidih pada 100 °C.", key=Key(answer=True)
    ),
    QuestionType.SHORT_ANSWER: QuestionContent(
        type=QuestionType.SHORT_ANSWER,
        stem="Lawan kata panas?",
        key=Key(texts=[AcceptedText("dingin"), AcceptedText("sejuk", 50)]),
    ),
    QuestionType.NUMERICAL: QuestionContent(
        type=QuestionType.NUMERICAL, stem="Berapa pi?", key=Key(ranges=[AcceptedRange("3.14", "3.15")])
    ),
    QuestionType.MATCHING: QuestionContent(
        type=QuestionType.MATCHING,
        stem="Jodohkan.",
        options=Options(
            stems=[Option("bali", "Bali"), Option("aceh", "Aceh")],
            choices=[Option("dnps", "Denpasar"), Option("band", "Banda Aceh"), Option("mdan", "Medan")],
        ),
        key=Key(pairs={"bali": "dnps", "aceh": "band"}),
        points=2,
    ),
    QuestionType.ESSAY: QuestionContent(type=QuestionType.ESSAY, stem="Ceritakan liburanmu.", points=5),
    QuestionType.DESCRIPTION: QuestionContent(type=QuestionType.DESCRIPTION, stem="Bacalah teks ini."),
}

RIGHT: dict[str, Any] = {
    QuestionType.MULTIPLE_CHOICE: "jkrt",
    QuestionType.MULTIPLE_RESPONSE: ["thre", "twoo"],
    QuestionType.TRUE_FALSE: True,
    QuestionType.SHORT_ANSWER: "dingin",
    QuestionType.NUMERICAL: "3,14",
    QuestionType.MATCHING: {"aceh": "band", "bali": "dnps"},
    QuestionType.ESSAY: "Saya pergi ke pantai.",
}
WRONG: dict[str, Any] = {
    QuestionType.MULTIPLE_CHOICE: "bndg",
    QuestionType.MULTIPLE_RESPONSE: ["four"],
    QuestionType.TRUE_FALSE: False,
    QuestionType.SHORT_ANSWER: "hangat",
    QuestionType.NUMERICAL: "4",
    QuestionType.MATCHING: {"aceh": "dnps", "bali": "mdan"},
}


def question_of(kind: QuestionType | str, **changes: Any) -> QuestionContent:
    """A question of type *kind*; *changes* are fields of `QuestionContent`."""
    return msgspec.structs.replace(_QUESTIONS[QuestionType(kind)], **changes)


def make_student(**overrides: Any) -> Student:
    """An active student without a card."""
    number = next(_numbers)
    defaults = {
        "username": f"siswa{number}",
        "nisn": f"{number:010d}",
        "name": f"Siswa {number}",
        "class_name": "7A",
    }
    return Student.objects.create(**defaults | overrides)


def make_question(
    exam: Exam, question: QuestionContent | QuestionType | str = QuestionType.MULTIPLE_CHOICE, **overrides: Any
) -> Question:
    """*question* (or `question_of` its type) at the end of *exam*; *overrides* are columns."""
    content = question if isinstance(question, QuestionContent) else question_of(question)
    defaults = {"exam": exam, "position": exam.questions.count() + 1, **Question.columns_of(content)}
    return Question.objects.create(**defaults | overrides)


def make_exam(
    *,
    published: bool = False,
    questions: Iterable[QuestionContent | QuestionType | str] = (QuestionType.MULTIPLE_CHOICE,),
    **overrides: Any,
) -> Exam:
    """
    An exam that opened an hour ago and closes in a day; 90 minutes, no entry token.

    *questions*: contents or types; `list(QuestionType)` for one of each.
    """
    now = attempts.database_now()
    defaults: dict[str, Any] = {
        "title": f"Ujian {next(_numbers)}",
        "opens_at": now - timedelta(hours=1),
        "closes_at": now + timedelta(days=1),
    }
    exam = Exam.objects.create(**defaults | overrides)
    for question in questions:
        make_question(exam, question)
    if published:
        publishing.publish(exam_id=exam.pk)
        exam.refresh_from_db()
    return exam


def make_attempt(exam: Exam | None = None, student: Student | None = None, **overrides: Any) -> Attempt:
    """
    An attempt at the newest paper of *exam* (default: a published one), in progress since a minute ago.

    With a closed `status` it is scored 0 of 1 and has a receipt, because the database insists on both.
    """
    exam = exam or make_exam(published=True)
    student = student or make_student()
    now = attempts.database_now()
    defaults: dict[str, Any] = {"started_at": now - timedelta(minutes=1)}
    if overrides.get("status") in (Attempt.Status.SUBMITTED, Attempt.Status.EXPIRED):
        defaults |= {"submitted_at": now, "score": Decimal(0), "max_score": Decimal(1), "receipt": "ABCDE-FGHJK"}
    values = defaults | overrides
    values.setdefault("deadline_at", exam.deadline_for(values["started_at"], timedelta()))
    if "paper" not in values:
        values["paper"] = exam.papers.get(version=exam.version)
    return Attempt.objects.create(exam=exam, student=student, **values)


def make_answer(attempt: Attempt, question: Question, **overrides: Any) -> Answer:
    """The right answer to *question*, saved a minute ago; `value=None` is one that was cleared."""
    saved_at = attempts.database_now() - timedelta(minutes=1)
    defaults = {
        "value": RIGHT[QuestionType(question.type)],
        "revision": int(saved_at.timestamp() * 1000),
        "saved_at": saved_at,
    }
    values = defaults | overrides
    if values["value"] is None:
        values["value"] = Value(None, JSONField())  # JSON's null, as the save path writes it; None alone is SQL's
    answer = Answer.objects.create(attempt=attempt, question=question, **values)
    answer.refresh_from_db()
    return answer
