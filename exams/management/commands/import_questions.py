"""`manage.py import_questions`: question banks (GIFT, Aiken) into an exam, all of them or none."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from exams import publishing
from exams.importers.base import BadQuestion, ImportedQuestion, ImportFormatError, parse, read_bank
from exams.models import Exam


class Command(BaseCommand):
    help = (
        "Import question banks into an exam. A question that cannot be used is named by file, line and reason; "
        "then nothing is imported, unless --skip-bad is given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="GIFT or Aiken, as text")
        parser.add_argument("--exam", type=int, required=True, help="the exam's number, as the admin shows it")
        parser.add_argument("--format", choices=["auto", "gift", "aiken"], default="auto", help="default: %(default)s")
        parser.add_argument("--skip-bad", action="store_true", help="import the others and list those left out")
        parser.add_argument("--dry-run", action="store_true", help="read and report, import nothing")

    def handle(
        self, *, files: list[Path], exam: int, format: str, skip_bad: bool, dry_run: bool, **_options: Any
    ) -> None:
        target = Exam.objects.filter(pk=exam).first()
        if target is None:
            raise CommandError(f"There is no exam {exam}. {_known_exams()}")
        questions: list[ImportedQuestion] = []
        bad: list[tuple[Path, BadQuestion]] = []
        for path in files:
            result = _read(path, format)
            questions += result.questions
            bad += ((path, one) for one in result.bad)
        for path, one in bad:
            name = f" ({one.name})" if one.name else ""
            self.stderr.write(f"{path}:{one.line}: {one.reason}{name}")
        if bad and not skip_bad:
            raise CommandError(
                f"{len(bad)} question(s) cannot be used, so nothing was imported. "
                "Correct them, or import the others with --skip-bad."
            )
        if not questions:
            raise CommandError("There is no question to import.")
        if not dry_run:
            publishing.add_questions(exam_id=target.pk, questions=questions)
        self._report(target, questions, len(bad), dry_run=dry_run)

    def _report(self, exam: Exam, questions: list[ImportedQuestion], bad: int, *, dry_run: bool) -> None:
        for kind, count in sorted(Counter(str(question.content.type) for question in questions).items()):
            self.stdout.write(f"{count:6} {kind.replace('_', ' ')}")
        verb = "would be imported" if dry_run else "imported"
        left_out = f", {bad} left out" if bad else ""
        self.stdout.write(f"{len(questions):6} question(s) {verb} into exam {exam.pk} ({exam.title}){left_out}.")
        if not dry_run and exam.status != Exam.Status.DRAFT:
            self.stdout.write(f"New attempts get them after: manage.py publish_exam {exam.pk}")


def _read(path: Path, fmt: Any) -> Any:
    try:
        return parse(read_bank(path), fmt)
    except ImportFormatError as exc:
        raise CommandError(f"{path}: {exc}") from exc
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}.") from exc


def _known_exams() -> str:
    newest = [f"{exam.pk} ({exam.title})" for exam in Exam.objects.order_by("-pk")[:5]]
    return f"The newest ones are: {', '.join(newest)}." if newest else "Make one in the admin first."
