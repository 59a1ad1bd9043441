"""
Exam cards: a user name and a PIN made by the server.

Contract:
- A PIN has eight characters of an alphabet without look-alikes, about 40 bits, and is shown once: only a keyed HMAC is
  stored. No slow hash: a thousand logins in a minute must not cost a thousand of them, and five tries a minute against
  40 random bits need none. Who has the table but not `SECRET_KEY` has nothing.
- A new PIN voids the old one, and ends the sessions that were opened with it.
- Case, spaces and dashes do not matter when a PIN is typed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from exams.models import Student

#: No 0 and O, no 1, I and L. Eight of these 31 are 39.6 bits.
PIN_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
PIN_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is printed. The PIN exists nowhere else."""

    username: str
    name: str
    class_name: str
    pin: str

    @property
    def printed_pin(self) -> str:
        """In two halves, as people read it."""
        return f"{self.pin[:4]}-{self.pin[4:]}"


def _hmac(secret: str, username: str, pin: str) -> str:
    # The user name is part of it: equal PINs of two students do not look equal in the table.
    message = b"tahan-uji.pin.v1\x00" + username.encode() + b"\x00" + pin.encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def normalise_pin(typed: str) -> str:
    """A PIN as it was made, from what was typed."""
    # Not only the ASCII ones: phones turn them into long dashes and hard spaces.
    return "".join(letter for letter in typed.upper() if letter.isalnum())


def issue_cards(students: Iterable[Student]) -> list[Card]:
    """Give each of *students* a new PIN and return the cards to print."""
    cards = []
    changed = []
    for student in students:
        pin = "".join(secrets.choice(PIN_ALPHABET) for _ in range(PIN_LENGTH))
        student.pin_hmac = _hmac(settings.SECRET_KEY, student.username, pin)
        changed.append(student)
        cards.append(Card(username=student.username, name=student.name, class_name=student.class_name, pin=pin))
    Student.objects.bulk_update(changed, ["pin_hmac"], batch_size=500)
    return cards


def student_with_card(*, username: str, pin: str) -> Student | None:
    """The student whose card this is, or None. Takes as long for an unknown name as for a wrong PIN."""
    name = username.strip().lower()
    student = Student.objects.filter(username=name, is_active=True).first()
    stored = student.pin_hmac if student else ""
    fitting = [
        hmac.compare_digest(stored, _hmac(secret, name, normalise_pin(pin)))
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
    return student if student and stored and any(fitting) else None


def fingerprint(student: Student) -> str:
    """What a session remembers of the card it was opened with; changes with every new PIN."""
    return student.pin_hmac[:16]
