"""
The signed ticket that lets a page save without a session query.

Contract:
- `issue()` signs attempt, student, exam, paper version and expiry as a JWT (HS256) with a key derived from
  `SECRET_KEY`; `read()` returns them or raises `BadTicket`. Old keys in `SECRET_KEY_FALLBACKS` still verify.
- A ticket says who may save, not whether: lock, submit and deadline are looked up in the database with every save.
- The signature is checked once per ticket and process, the expiry every time.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache

import jwt
import msgspec
from django.conf import settings

from exams.exceptions import BadTicket

_ALGORITHM = "HS256"
#: Verified tickets kept per process: a large school's students, about 10 MiB.
_VERIFIED_MAX = 20_000


class Ticket(msgspec.Struct, frozen=True):
    """What a ticket says; times are seconds since 1970."""

    attempt: int
    student: int
    exam: int
    version: int
    exp: int


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    # Derived, so that a ticket can never pass for anything else that is signed with SECRET_KEY.
    return hmac.new(secret.encode(), b"tahan-uji.save-ticket.v1", hashlib.sha256).digest()


def issue(*, attempt: int, student: int, exam: int, version: int, expires_at: int) -> str:
    """A ticket that is valid until *expires_at* (seconds since 1970)."""
    claims = Ticket(attempt=attempt, student=student, exam=exam, version=version, exp=expires_at)
    return jwt.encode(msgspec.to_builtins(claims), _key(settings.SECRET_KEY), algorithm=_ALGORITHM)


@lru_cache(maxsize=_VERIFIED_MAX)
def _verified(token: bytes, secrets: tuple[str, ...]) -> Ticket:
    for secret in secrets:
        try:
            # The expiry is checked by `read`, each time.
            claims = jwt.decode(
                token, _key(secret), algorithms=[_ALGORITHM], options={"require": ["exp"], "verify_exp": False}
            )
            return msgspec.convert(claims, Ticket)
        except (jwt.InvalidTokenError, msgspec.ValidationError):
            continue
    raise BadTicket


def read(token: bytes, *, now: float | None = None) -> Ticket:
    """The ticket in *token*, or `BadTicket` if it is forged, damaged, unsigned or expired."""
    ticket = _verified(token, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    if ticket.exp <= (time.time() if now is None else now):
        raise BadTicket
    return ticket
