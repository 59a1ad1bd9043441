"""
Exam cards as files: a table for a mail merge, or a page to print.

Contract:
- `private_file()` makes a file that only its owner can read and never overwrites one: the PINs in an older file may be
  the only copy. If what fills it fails, the file is gone again.
- Names are text in both forms: no HTML, no formula of a spreadsheet.

Not here: making the PINs (`cards.py`).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from exams.cards import Card

COLUMNS = ("username", "pin", "name", "class")
#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Open the new file *path* with mode 0600. Raises `FileExistsError`, or another `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_csv(file: TextIO, cards: Sequence[Card]) -> None:
    """Write *cards* as CSV, ready to be committed: after this the PINs are on the disk."""
    file.write("\ufeff")  # without it Excel shows names with accents wrongly
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows((card.username, card.printed_pin, _text(card.name), _text(card.class_name)) for card in cards)
    _to_disk(file)


def write_html(file: TextIO, cards: Sequence[Card]) -> None:
    """Write *cards* as one page without links to anything, several on an A4 sheet."""
    style = finders.find("exams/cards.css")
    assert isinstance(style, str)  # noqa: S101 - for the type checker: one file is asked for, and it is ours
    context = {"cards": cards, "style": Path(style).read_text(encoding="utf-8")}
    file.write(render_to_string("admin/exams/student/cards.html", context))
    _to_disk(file)


def _text(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _to_disk(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())
