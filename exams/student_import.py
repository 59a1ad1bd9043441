"""
Students from a CSV file, as schools export them.

Contract:
- `read_roster()` is pure: it gives every row that can be used and names every one that cannot, by line. It raises
  `ImportFormatError` only where the file as a whole is no list of students.
- `plan()` compares rows with the database and names what would collide; `store()` writes a plan, all of it or nothing.
- A student is known by the NISN. Nobody is deleted, switched on or off, and a PIN stays valid, except where the user
  name changes: the name is part of what is stored of the PIN, so the old card is void and the plan says whose.
- A column that the file does not have, and an empty user name, leave a known student's value as it is.

Not here: reading bytes (`importers/base.py`), exam cards (`cards.py`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction

from exams.importers.base import ImportFormatError
from exams.models import Student

#: Header names that we have seen, by column; compared in small letters with everything else as one underscore.
_HEADERS: dict[str, set[str]] = {
    "nisn": {"nisn", "no_nisn", "nomor_nisn", "nomor_induk_siswa_nasional"},
    "name": {"name", "full_name", "student_name"}
    | {"nama", "nama_siswa", "nama_lengkap", "nama_peserta", "nama_peserta_didik"},
    "class_name": {"class", "class_name", "kelas", "rombel", "rombongan_belajar", "rombel_saat_ini"},
    "username": {"username", "user_name", "user", "login", "nama_pengguna"},
    "parent_phone": {"parent_phone", "phone", "no_hp", "nomor_hp", "hp", "no_telp", "telepon", "whatsapp", "no_wa"}
    | {"no_hp_ortu", "hp_ortu", "no_wa_ortu", "no_hp_orang_tua", "nomor_hp_orang_tua", "hp_orang_tua", "no_hp_wali"}
    | {"no_telp_orang_tua", "telepon_orang_tua", "no_wa_orang_tua", "wa_orang_tua"},
}
_REQUIRED = ("nisn", "name", "class_name")
_DELIMITERS = (",", ";", "\t")
#: What a file may change of a student who is known.
_WRITTEN = ("username", "name", "class_name", "parent_phone")
#: What one statement takes; more gains nothing and holds locks longer.
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class RosterRow:
    """A row that is right in itself. None: the file does not say."""

    line: int
    nisn: str
    name: str
    class_name: str
    username: str | None = None
    parent_phone: str | None = None


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A file's rows in its order, the bad ones, and the columns that nobody asked for."""

    rows: list[RosterRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    ignored_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `store()` will write. *void* are the NISNs whose exam cards become void by a new user name."""

    new: list[Student] = field(default_factory=list)
    changed: list[Student] = field(default_factory=list)
    unchanged: list[Student] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


# -- reading -----------------------------------------------------------------------------------------------------


def read_roster(text: str) -> Roster:
    """Read *text*, which has "\\n" line ends, as CSV with `,`, `;` or tabs."""
    text = text.removeprefix("\ufeff")
    before = 0
    if re.match(r"sep=.\n", text):  # Excel's own hint; the header says the same
        text, before = text.partition("\n")[2], 1
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda sign: len(_known_columns(next(csv.reader([first], delimiter=sign), []))))
    records = _records(text, delimiter, before)
    _line, header = next(records, (1, []))
    columns = _columns(header)
    roster = Roster(ignored_columns=[name for name in header if name.strip() and _column_of(name) is None])
    lines_of_nisn: dict[str, int] = {}
    for line, cells in records:
        found = _row(line, cells, columns, len(header))
        if isinstance(found, RosterRow) and found.nisn in lines_of_nisn:
            found = BadRow(line=line, reason=f"NISN {found.nisn} is in line {lines_of_nisn[found.nisn]} already.")
        if isinstance(found, BadRow):
            roster.bad.append(found)
        else:
            lines_of_nisn[found.nisn] = line
            roster.rows.append(found)
    return roster


def _records(text: str, delimiter: str, before: int) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record that is not empty. A quoted cell may have several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        line = before + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as exc:
            raise ImportFormatError(
                f"Line {line}: this is not CSV ({exc}). Is there a quotation mark too many?"
            ) from exc
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _column_of(name: str) -> str | None:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return next((column for column, names in _HEADERS.items() if plain in names), None)


def _known_columns(header: Iterable[str]) -> list[str]:
    return [column for column in map(_column_of, header) if column is not None]


def _columns(header: Sequence[str]) -> Mapping[str, int]:
    """Which cell holds which column."""
    columns: dict[str, int] = {}
    for index, name in enumerate(header):
        column = _column_of(name)
        if column is None:
            continue
        if column in columns:
            raise ImportFormatError(f"The columns “{header[columns[column]]}” and “{name}” mean the same: remove one.")
        columns[column] = index
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        names = {"nisn": "nisn", "name": "nama (name)", "class_name": "kelas (class)"}
        raise ImportFormatError(
            f"The first line must name the columns; missing: {', '.join(names[column] for column in missing)}."
        )
    return columns


def _row(line: int, cells: Sequence[str], columns: Mapping[str, int], width: int) -> RosterRow | BadRow:
    if any(cell.strip() for cell in cells[width:]):
        return BadRow(line=line, reason=f"It has {len(cells)} cells where the first line has {width}.")

    def cell(column: str) -> str:
        index = columns[column]
        return " ".join(cells[index].split()) if index < len(cells) else ""

    values = {column: cell(column) for column in columns}
    values["nisn"] = values["nisn"].removeprefix("'")  # how one forces a text in a spreadsheet
    student = Student(**values)
    if not student.username:
        student.username = student.nisn
    reasons = list(_reasons(student))
    if reasons:
        return BadRow(line=line, reason=" ".join(reasons))
    return RosterRow(
        line=line,
        nisn=student.nisn,
        name=student.name,
        class_name=student.class_name,
        username=student.username if values.get("username") else None,
        parent_phone=student.parent_phone if "parent_phone" in columns else None,
    )


def _reasons(student: Student) -> Iterator[str]:
    """What the model finds wrong, for the person who has the file before him."""
    if any("\x00" in value for value in (student.name, student.class_name, student.username, student.parent_phone)):
        yield "A cell contains a NUL character."
        return
    if not re.fullmatch(r"[0-9]{10}", student.nisn):
        # Not filled up with zeros here: a guess could turn one student into another.
        lost = student.nisn.isdigit() and 0 < len(student.nisn) < 10
        hint = " Spreadsheets drop leading zeros: format the column as text." if lost else ""
        yield f"NISN “{student.nisn[:40]}” has not ten digits.{hint}"
        return
    # One after the other, because `full_clean()` would ask the database about every row.
    checks: tuple[Callable[[], None], ...] = (partial(student.clean_fields, {"nisn", "parent_phone"}), student.clean)
    for check in checks:
        try:
            check()
        except ValidationError as exc:
            for name, problems in exc.message_dict.items():
                yield f"{name.removesuffix('_name')}: {' '.join(problems)}"


# -- comparing and storing ---------------------------------------------------------------------------------------


def plan(rows: Sequence[RosterRow]) -> Plan:
    """What *rows* change. Call it in a transaction: the students that are known stay locked until it ends."""
    planned = Plan()
    known = {
        student.nisn: student
        for student in Student.objects.select_for_update().filter(nisn__in=[row.nisn for row in rows]).order_by("pk")
    }
    usernames = {
        row.nisn: row.username or (known[row.nisn].username if row.nisn in known else row.nisn) for row in rows
    }
    holders = dict(Student.objects.filter(username__in=usernames.values()).values_list("username", "nisn"))
    lines: dict[str, int] = {}
    for row in rows:
        username = usernames[row.nisn]
        if username in lines:
            planned.bad.append(
                BadRow(line=row.line, reason=f"User name “{username}” is in line {lines[username]} already.")
            )
            continue
        lines[username] = row.line
        holder = holders.get(username, row.nisn)
        if holder != row.nisn:
            reason = f"User name “{username}” belongs to the student with NISN {holder}."
            planned.bad.append(BadRow(line=row.line, reason=reason))
            continue
        _plan_one(planned, row, username, known.get(row.nisn))
    return planned


def _plan_one(planned: Plan, row: RosterRow, username: str, known: Student | None) -> None:
    phone = row.parent_phone if row.parent_phone is not None else (known.parent_phone if known else "")
    student = Student(nisn=row.nisn, name=row.name, class_name=row.class_name, username=username, parent_phone=phone)
    if known is None:
        planned.new.append(student)
    elif all(getattr(student, column) == getattr(known, column) for column in _WRITTEN):
        planned.unchanged.append(known)
    else:
        planned.changed.append(student)
        if known.username != username and known.pin_hmac:
            planned.void.append(row.nisn)


@transaction.atomic
def store(planned: Plan) -> None:
    """Write *planned*, which has no bad rows. Raises `IntegrityError` if somebody took a user name meanwhile."""
    Student.objects.filter(nisn__in=planned.void).update(pin_hmac="")
    Student.objects.bulk_create(
        [*planned.new, *planned.changed],
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["nisn"],
        update_fields=_WRITTEN,
    )
