"""`manage.py exam_cards`: new PINs, as a table for a mail merge or as pages to print."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import QuerySet

from exams.card_sheets import private_file, write_csv, write_html
from exams.cards import issue_cards
from exams.models import Student


class Command(BaseCommand):
    help = "Make new exam cards (user name and PIN) and write them to a file. The students' old cards become void."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--class", dest="classes", nargs="+", default=[], metavar="CLASS", help="of these classes")
        parser.add_argument(
            "--username", dest="usernames", nargs="+", default=[], metavar="NAME", help="of these students"
        )
        parser.add_argument("--all", action="store_true", dest="everyone", help="of everyone who may log in")
        parser.add_argument("--out", type=Path, help="a new file; default: exam-cards.csv or exam-cards.html")
        parser.add_argument("--html", action="store_true", help="pages to print (A4) instead of CSV")
        parser.add_argument("--yes", action="store_true", help="do not ask before old cards become void")

    def handle(
        self,
        *,
        classes: list[str],
        usernames: list[str],
        everyone: bool,
        out: Path | None,
        html: bool,
        yes: bool,
        **_options: Any,
    ) -> None:
        wanted = _wanted(classes, [name.strip().lower() for name in usernames], everyone=everyone)
        void = wanted.exclude(pin_hmac="").count()
        if void and not yes:
            self._ask(f"{void} of {wanted.count()} student(s) have a card, which becomes void. Go on? [y/N] ")
        path = out or Path("exam-cards.html" if html else "exam-cards.csv")
        try:
            with private_file(path) as file, transaction.atomic():
                cards = issue_cards(wanted.select_for_update().order_by("class_name", "name"))
                # On the disk before the PINs count: after a crash either the new cards are valid or the old ones.
                (write_html if html else write_csv)(file, cards)
        except FileExistsError as exc:
            raise CommandError(
                f"{path} exists already. It may hold the only copy of PINs: name another with --out."
            ) from exc
        except OSError as exc:
            raise CommandError(f"{path}: {exc.strerror}.") from exc
        self.stdout.write(f"{len(cards)} exam card(s) written to {path}. The PINs are nowhere else.")

    def _ask(self, question: str) -> None:
        if not sys.stdin.isatty():
            raise CommandError(f"{question.removesuffix(' Go on? [y/N] ')} Say --yes if that is meant.")
        if input(question).strip().lower() not in ("y", "yes", "ya"):
            raise CommandError("Nothing was changed.")


def _wanted(classes: list[str], usernames: list[str], *, everyone: bool) -> QuerySet[Student]:
    students = Student.objects.filter(is_active=True)
    if not (classes or usernames or everyone):
        raise CommandError("Whose cards? Give --class, --username or --all.")
    if everyone:
        found = students
    else:
        for column, names in (("class_name", classes), ("username", usernames)):
            known = students.filter(**{f"{column}__in": names}).values_list(column, flat=True)
            unknown = sorted(set(names).difference(known))
            if unknown:
                what = "class" if column == "class_name" else "user name"
                raise CommandError(f"No student who may log in has this {what}: {', '.join(unknown)}.")
        found = students.filter(class_name__in=classes) | students.filter(username__in=usernames)
    if not found.exists():
        raise CommandError("There are no students yet: import them with import_students.")
    return found
