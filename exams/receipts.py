"""
The receipt: a short code that proves what was handed in.

Contract:
- The same attempt with the same answers, revisions and time gives the same code; any other answer gives another one.
- Ten letters of an alphabet without look-alikes are 50 bits: enough for a dispute, short enough to copy.
- `covers()` knows receipts that were signed with a key in `SECRET_KEY_FALLBACKS` as well.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from django.conf import settings

from exams.models import Answer, Attempt

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def sign(attempt: Attempt, answers: Sequence[Answer]) -> str:
    """The code for *attempt*, whose submitted_at is set, with *answers*: `ABCDE-FGHJK`."""
    return _sign(attempt, answers, settings.SECRET_KEY)


def covers(attempt: Attempt, answers: Sequence[Answer]) -> bool:
    """Whether the receipt of *attempt* is genuine and *answers* are the ones that it was given for."""
    receipt = attempt.receipt.encode()
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(_sign(attempt, answers, secret).encode(), receipt) for secret in secrets)


def as_typed(text: str) -> str | None:
    """
    The receipt that somebody meant who typed *text*: case, spaces and dashes do not matter. None if it cannot be one.
    """
    letters = "".join(text.upper().split()).replace("-", "").replace("\N{EN DASH}", "")
    if len(letters) != 10 or not set(letters) <= set(_ALPHABET):
        return None
    return f"{letters[:5]}-{letters[5:]}"


def _sign(attempt: Attempt, answers: Sequence[Answer], secret: str) -> str:
    assert attempt.submitted_at is not None  # noqa: S101 - the caller closes it
    content = [
        attempt.pk,
        round(attempt.submitted_at.timestamp() * 1_000_000),
        sorted((answer.question_id, answer.revision, answer.value) for answer in answers),
    ]
    digest = hmac.new(
        secret.encode(),
        b"tahan-uji.receipt.v1" + msgspec.json.encode(content, order="sorted"),
        hashlib.sha256,
    ).digest()
    number = int.from_bytes(digest[:8], "big")
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))
    return f"{letters[:5]}-{letters[5:]}"
