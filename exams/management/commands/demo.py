"""`manage.py demo`: everything that `make demo` shows, made or kept; the server is started by `make demo`."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, no_translations

from exams.demo import prepare
from exams.demo.screen import screen


class Command(BaseCommand):
    help = (
        "Prepare the demonstration: an open exam, invented students with exam cards, a teacher. Run again, it keeps "
        "what is there. For a database of its own: never run it on a school's."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--students", type=int, default=300, help="default: %(default)s")
        parser.add_argument(
            "--port", type=int, help="what the screen says; default: PORT of the environment, else 8000"
        )
        parser.add_argument("--host", default="127.0.0.1", help="what the screen says; default: %(default)s")

    @no_translations
    def handle(self, *, students: int, port: int | None, host: str, **_options: Any) -> None:
        if not 3 <= students <= 10_000:
            raise CommandError("Give 3 to 10,000 students.")
        if port is None:
            text = os.environ.get("PORT") or "8000"
            if not (text.isascii() and text.isdigit()):
                raise CommandError(f"PORT is {text!r}: use a number.")
            port = int(text)
        try:
            exam = prepare.prepare_exam()
            people = prepare.prepare_students(students)
            cards = prepare.prepare_cards(people)
            teacher = prepare.prepare_teacher()
        except prepare.DemoError as exc:
            raise CommandError(str(exc)) from exc
        questions = exam.questions.filter(is_withdrawn=False).count()
        self.stdout.write(
            screen(
                host=host,
                port=port,
                exam=exam,
                questions=questions,
                students=len(people),
                cards=cards,
                teacher=teacher,
            )
        )
