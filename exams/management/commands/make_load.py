"""`manage.py make_load`: a published exam, started attempts and their tickets, for anyone's load generator."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from exams import attempts, publishing
from exams.autosave import ticket as tickets
from exams.content import Key, Options, QuestionContent, QuestionType, make_options
from exams.importers.base import ImportedQuestion
from exams.models import Attempt, Exam, Student

_HOURS = 24


class Command(BaseCommand):
    help = (
        "Make a published exam with N students who have started it, and write their tickets to a file. "
        "For load tests: never run it on a school's own database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--students", type=int, required=True)
        parser.add_argument("--questions", type=int, required=True)
        parser.add_argument(
            "--out", type=Path, required=True, help="JSON file with the exam, its questions and tickets"
        )

    def handle(self, *, students: int, questions: int, out: Path, **_options: Any) -> None:
        if not 1 <= students <= 100_000 or not 1 <= questions <= 1_000:
            raise CommandError("Give 1 to 100,000 students and 1 to 1,000 questions.")
        try:
            out.touch()
        except OSError as exc:
            raise CommandError(f"Cannot write {out}: {exc.strerror}.") from exc
        now = attempts.database_now()
        run = secrets.token_hex(3)
        exam = Exam.objects.create(
            title=f"Load {run}",
            opens_at=now - timedelta(hours=1),
            closes_at=now + timedelta(hours=_HOURS),
            duration_minutes=_HOURS * 60,
        )
        publishing.add_questions(exam_id=exam.pk, questions=[_question(number) for number in range(questions)])
        paper = publishing.publish(exam_id=exam.pk)
        with transaction.atomic():
            first = int(run, 16) * 100  # NISNs of different runs do not meet
            people = Student.objects.bulk_create(
                (
                    Student(
                        username=f"load-{run}-{number}", nisn=f"{(first + number) % 10**10:010d}", name=f"Load {number}"
                    )
                    for number in range(students)
                ),
                batch_size=1_000,
            )
            started = Attempt.objects.bulk_create(
                (
                    Attempt(exam=exam, student=student, paper=paper, started_at=now, deadline_at=exam.closes_at)
                    for student in people
                ),
                batch_size=1_000,
            )
        expires_at = int(exam.closes_at.timestamp())
        load = {
            "exam": exam.pk,
            "paperVersion": paper.version,
            "questions": [_answers(question) for question in paper.content["questions"]],
            "attempts": [
                {
                    "id": attempt.pk,
                    "ticket": tickets.issue(
                        attempt=attempt.pk,
                        student=attempt.student_id,
                        exam=exam.pk,
                        version=paper.version,
                        expires_at=expires_at,
                    ),
                }
                for attempt in started
            ],
        }
        out.write_text(json.dumps(load))
        self.stdout.write(f"Exam {exam.pk}: {students} started attempts, {questions} questions; tickets in {out}.")


def _question(number: int) -> ImportedQuestion:
    options = make_options(["Satu", "Dua", "Tiga", "Empat"])
    content = QuestionContent(
        type=QuestionType.MULTIPLE_CHOICE,
        stem=f"Soal {number + 1}: mana yang benar?",
        options=Options(choices=options),
        key=Key(weights={option.id: 100.0 if option is options[number % 4] else 0.0 for option in options}),
    )
    return ImportedQuestion(content=content, line=number + 1, category="")


def _answers(question: dict[str, Any]) -> dict[str, Any]:
    choices = question["content"]["options"]["choices"]
    return {"id": question["id"], "type": question["content"]["type"], "answers": [choice["id"] for choice in choices]}
