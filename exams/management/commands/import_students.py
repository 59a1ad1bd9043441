"""`manage.py import_students`: students from a CSV file, and exam cards for those who have none."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db import IntegrityError, transaction

from exams import student_import
from exams.card_sheets import private_file, write_csv
from exams.cards import issue_cards
from exams.importers.base import ImportFormatError, read_bank
from exams.models import Student
from exams.student_import import BadRow, Plan, Roster


class Command(BaseCommand):
    help = (
        "Import students from a CSV file with the columns nisn, nama, kelas and, if wanted, username and "
        "no_hp_orang_tua. Known students (by NISN) are brought up to date, nobody is deleted, PINs stay. "
        "Rows with errors are named by line; then nothing is imported."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV with , or ; or tabs")
        parser.add_argument("--dry-run", action="store_true", help="read, compare and report, change nothing")
        parser.add_argument(
            "--cards", type=Path, metavar="OUT.csv", help="give PINs to those in FILE who have none and write them here"
        )

    @no_translations
    def handle(self, *, file: Path, dry_run: bool, cards: Path | None, **_options: Any) -> None:
        roster = _read(file)
        if roster.ignored_columns:
            self.stderr.write(f"Columns that are not used: {', '.join(roster.ignored_columns)}")
        try:
            with private_file(cards) if cards and not dry_run else nullcontext() as sheet, transaction.atomic():
                planned = student_import.plan(roster.rows)
                self._refuse_bad(file, [*roster.bad, *planned.bad])
                if not roster.rows:
                    raise CommandError(f"{file}: there is no student in it.")
                if not dry_run:
                    student_import.store(planned)
                made = 0 if sheet is None else _write_cards(roster, sheet)
        except FileExistsError as exc:
            raise CommandError(
                f"{cards} exists already. It may hold the only copy of PINs: name another file."
            ) from exc
        except OSError as exc:
            raise CommandError(f"{cards}: {exc.strerror}.") from exc
        except IntegrityError as exc:
            raise CommandError("Students were changed at the same moment. Nothing was imported: run it again.") from exc
        self._report(planned, dry_run=dry_run)
        if sheet is not None:
            self.stdout.write(f"{made} exam card(s) written to {cards}. The PINs are nowhere else.")

    def _refuse_bad(self, file: Path, bad: list[BadRow]) -> None:
        for row in sorted(bad, key=lambda row: row.line):
            self.stderr.write(f"{file}:{row.line}: {row.reason}")
        if bad:
            raise CommandError(f"{len(bad)} row(s) cannot be used, so nothing was imported.")

    def _report(self, planned: Plan, *, dry_run: bool) -> None:
        new, changed, unchanged = len(planned.new), len(planned.changed), len(planned.unchanged)
        self.stdout.write(
            f"{new} new, {changed} changed, {unchanged} unchanged{': nothing stored' if dry_run else ''}."
        )
        if planned.void:
            self.stdout.write(
                f"The user name of {len(planned.void)} student(s) changes, so their exam cards become void: "
                f"{', '.join(planned.void[:10])}{' …' if len(planned.void) > 10 else ''}"
            )


def _write_cards(roster: Roster, sheet: TextIO) -> int:
    without = Student.objects.filter(nisn__in=[row.nisn for row in roster.rows], pin_hmac="")
    made = issue_cards(without.select_for_update().order_by("class_name", "name"))
    # On the disk before the PINs count: after a crash there are either both or none.
    write_csv(sheet, made)
    return len(made)


def _read(file: Path) -> Roster:
    try:
        return student_import.read_roster(read_bank(file))
    except ImportFormatError as exc:
        raise CommandError(f"{file}: {exc}") from exc
    except OSError as exc:
        raise CommandError(f"{file}: {exc.strerror}.") from exc
