"""`manage.py publish_exam`: freeze an exam's questions and let students in when it opens."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exams import publishing
from exams.models import Exam


class Command(BaseCommand):
    help = "Publish an exam, or the changes of one that is published: running attempts keep the paper they have."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("exam", type=int, help="the exam's number, as the admin shows it")

    def handle(self, *, exam: int, **_options: Any) -> None:
        try:
            paper = publishing.publish(exam_id=exam)
        except Exam.DoesNotExist as exc:
            raise CommandError(f"There is no exam {exam}.") from exc
        except publishing.NothingToAsk as exc:
            raise CommandError(f"Exam {exam} has no question to answer: import some with import_questions.") from exc
        except publishing.BrokenQuestion as exc:
            raise CommandError("Question {question} is broken: {reason}".format(**exc.details)) from exc
        count = len(paper.content["questions"])
        self.stdout.write(f"Exam {exam} is published: version {paper.version} with {count} question(s).")
