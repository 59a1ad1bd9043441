"""
What `make demo` prints: where to go, as whom, and how to stop, on one screen of 24 lines by 80 columns.
"""

from __future__ import annotations

from pathlib import Path

from django.utils.timezone import localtime

from exams.demo.prepare import Cards, Teacher
from exams.models import Exam


def screen(*, host: str, port: int, exam: Exam, questions: int, students: int, cards: Cards, teacher: Teacher) -> str:
    """The text, without a line end at its end."""
    for_everyone = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
    site = f"http://{'127.0.0.1' if for_everyone else host}:{port}"
    until = localtime(exam.closes_at)
    password = teacher.password or "(changed by hand; not known here)"
    lines = [
        "",
        f"  Tahan Uji, the demonstration: {site}",
        "",
        f"  Students  {site}/masuk",
        f"  Staff     {site}/admin/",
        f"            user {teacher.username}, password {password}",
        f"  API       {site}/docs",
        f"  Health    {site}/healthz",
        "",
        f"  Exam      {exam.pk}: {exam.title}, {questions} questions, {exam.duration_minutes} minutes",
        f"            entry token {exam.entry_token}, open until {until:%Y-%m-%d %H:%M}",
        f"  Cards     of {students} students (user name, PIN), for example:",
        *(
            f"            {card.username}  {card.printed_pin}  {card.name} ({card.class_name})"
            for card in cards.samples
        ),
        f"            the others: {_short(cards.path)}",
    ]
    if for_everyone:
        lines.append(f"  Phones    http://<this machine's address>:{port}")
    if cards.made:
        void = f"; {cards.void} older ones are void" if cards.void else ""
        lines.append(f"            {cards.made} new cards were made{void}.")
    lines += [
        "",
        "  Ctrl-C stops the server; `make demo` starts it again with the same data.",
    ]
    return "\n".join(lines)


def _short(path: Path) -> str:
    """*path* as one would type it here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
