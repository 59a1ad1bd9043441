"""
The receipt: a short code that proves what was handed in.

Contract: the same attempt with the same answers, revisions and time gives the same code; any other answer gives
another one. Ten letters of an alphabet without look-alikes are 50 bits: enough for a dispute, short enough to copy.
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
    assert attempt.submitted_at is not None  # noqa: S101 - the caller closes it
    content = [
        attempt.pk,
        round(attempt.submitted_at.timestamp() * 1_000_000),
        sorted((answer.question_id, answer.revision, answer.value) for answer in answers),
    ]
    digest = hmac.new(
        settings.SECRET_KEY.encode(),
        b"tahan-uji.receipt.v1" + msgspec.json.encode(content, order="sorted"),
        hashlib.sha256,
    ).digest()
    number = int.from_bytes(digest[:8], "big")
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))
    return f"{letters[:5]}-{letters[5:]}"
