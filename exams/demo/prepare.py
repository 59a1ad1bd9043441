"""
Making the demonstration's parts.

Contract: as in the package's docstring. A card file whose PINs no longer work at all (another database, another
`SECRET_KEY`) is made anew; a student who got a new card in the admin keeps that one.
"""

from __future__ import annotations

import csv
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from exams import attempts, publishing
from exams.card_sheets import private_file, write_csv
from exams.cards import PIN_ALPHABET, Card, issue_cards, normalise_pin, student_with_card
from exams.demo.people import NISN_PREFIX, invent
from exams.importers.base import parse, read_bank
from exams.models import Exam, Student

TEACHER = "guru"
EXAM_TITLE = "Ujian Demo"
ENTRY_TOKEN = "DEMO1"  # noqa: S105 - read out in the exam room
_QUESTIONS = Path(__file__).with_name("soal_demo.gift")
_OPEN_FOR = timedelta(days=30)
_SAMPLES = 3


class DemoError(Exception):
    """Something of somebody else stands in the way; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The staff account. *password* is None where it was changed by hand and is not ours to know."""

    username: str
    password: str | None
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class Cards:
    """The card file, how many cards were made just now, how many older ones that made void, and a few that work."""

    path: Path
    made: int
    void: int
    samples: list[Card]


def folder() -> Path:
    """Where the demonstration keeps what is secret; made for the owner alone."""
    path = Path(os.environ.get("TAHAN_UJI_VAR") or settings.BASE_DIR / "var") / "demo"
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


# -- the exam ----------------------------------------------------------------------------------------------------


def prepare_exam() -> Exam:
    """The exam with the questions of `soal_demo.gift`, published and open; opened again when its time is over."""
    now = attempts.database_now()
    exam = Exam.objects.filter(title=EXAM_TITLE).order_by("pk").first()
    if exam is None:
        exam = _import_exam(Exam(opens_at=now, closes_at=now + _OPEN_FOR))
    if exam.closes_at < now + timedelta(days=1):
        Exam.objects.filter(pk=exam.pk).update(closes_at=now + _OPEN_FOR)
        attempts.refresh_deadlines(exam_id=exam.pk)
    if exam.status != Exam.Status.PUBLISHED:
        publishing.publish(exam_id=exam.pk)
    exam.refresh_from_db()
    return exam


@transaction.atomic
def _import_exam(exam: Exam) -> Exam:
    result = parse(read_bank(_QUESTIONS), "gift")
    if result.bad:
        raise DemoError("\n".join(f"{_QUESTIONS.name}:{bad.line}: {bad.reason}" for bad in result.bad))
    exam.title, exam.entry_token, exam.duration_minutes, exam.show_result = EXAM_TITLE, ENTRY_TOKEN, 90, True
    exam.save()
    publishing.add_questions(exam_id=exam.pk, questions=result.questions)
    return exam


# -- students and cards ------------------------------------------------------------------------------------------


def prepare_students(count: int) -> list[Student]:
    """The first *count* invented students, those that were there and those that were missing, in their order."""
    wanted = [invent(number) for number in range(1, count + 1)]
    taken = Student.objects.filter(username__in=[student.username for student in wanted])
    stranger = taken.exclude(nisn__startswith=NISN_PREFIX).first()
    if stranger is not None:
        raise DemoError(f"{stranger} is a student of this database: run the demo on a database of its own.")
    Student.objects.bulk_create(wanted, batch_size=500, ignore_conflicts=True)
    return list(Student.objects.filter(nisn__in=[student.nisn for student in wanted]).order_by("nisn"))


def prepare_cards(students: list[Student]) -> Cards:
    """Cards for *students*: those of the card file, and new ones for who has none that is known."""
    path = folder() / "kartu-ujian.csv"
    known = _read_cards(path)
    working = _working(students, known)
    if not working:
        known = {}
    without = [student for student in students if not (working and student.pin_hmac)]
    void = sum(student.pin_hmac != "" for student in without)
    if without:
        with transaction.atomic():
            made = issue_cards(without)
            known |= {card.username: card for card in made}
            # Before the commit: a crash between the two leaves a file whose cards do not work, and that is found.
            _replace(path, known, students)
        working = _working(students, known)
    return Cards(path=path, made=len(without), void=void, samples=working)


def _read_cards(path: Path) -> dict[str, Card]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            row["username"]: Card(
                username=row["username"], name=row["name"], class_name=row["class"], pin=normalise_pin(row["pin"])
            )
            for row in csv.DictReader(file)
        }


def _replace(path: Path, cards: dict[str, Card], students: list[Student]) -> None:
    """Write the cards of *students*, and after them those of a larger run before, in place of the file at *path*."""
    names = [student.username for student in students if student.username in cards]
    names += sorted(cards.keys() - set(names))
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # of a run that was cut off
    with private_file(draft) as file:
        write_csv(file, [cards[name] for name in names])
    draft.replace(path)


def _working(students: list[Student], known: dict[str, Card]) -> list[Card]:
    """The first few of *known* that let their students in."""
    working: list[Card] = []
    for student in students:
        card = known.get(student.username)
        if card is not None and student_with_card(username=card.username, pin=card.pin) is not None:
            working.append(card)
            if len(working) == _SAMPLES:
                break
    return working


# -- the teacher -------------------------------------------------------------------------------------------------


def prepare_teacher() -> Teacher:
    """The superuser `guru`, with the password of the file. A password that was changed by hand stays."""
    path = folder() / "guru.txt"
    user = get_user_model().objects.filter(username=TEACHER).first()
    if path.exists():
        password = path.read_text(encoding="utf-8").strip()
        if user is not None:
            return Teacher(username=TEACHER, password=password if user.check_password(password) else None, is_new=False)
    else:
        password = "".join(secrets.choice(PIN_ALPHABET) for _ in range(14)).lower()
        with private_file(path) as file:
            file.write(f"{password}\n")
    if user is None:
        get_user_model().objects.create_superuser(username=TEACHER, password=password)
    else:
        user.set_password(password)
        user.save(update_fields=["password"])
    return Teacher(username=TEACHER, password=password, is_new=True)
