"""
An emergency file made in Python as `static/exams/emergency.js` makes it, and ways to make it wrong.

Written from the format's description and not from `exams/emergency.py`, so that a mistake there is not made twice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exams import emergency
from exams.models import Attempt
from tests.exams.autosave.sitting import ticket_for

NOTE = "Berkas darurat"


def entry(question: int, answer: Any, revision: int, kind: str | None = None) -> dict[str, Any]:
    return {"questionId": question, "questionType": kind, "answer": answer, "revision": revision}


def payload_of(attempt: Attempt, *entries: Any, **changes: Any) -> dict[str, Any]:
    """What the page says; *changes* are its fields."""
    now_ms = int(time.time() * 1000)
    return {
        "examId": attempt.exam_id,
        "attemptId": attempt.pk,
        "student": {"username": attempt.student.username, "name": attempt.student.name},
        "entries": list(entries),
        "serverNow": now_ms,
        "deviceNow": now_ms,
        **changes,
    }


def sign(payload: bytes, ticket: str) -> bytes:
    signature = hmac.new(ticket.encode(), payload, hashlib.sha256).digest()
    return ticket.encode() + b"\n" + base64.b64encode(signature) + b"\n" + payload


def seal(plain: bytes, *, public_key: str | None = None, **fields: Any) -> bytes:
    """*plain* encrypted for this school; *fields* replace what stands in plain sight, before it is authenticated."""
    public = base64.b64decode(public_key or emergency.public_key_text())
    school = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    private = ec.generate_private_key(ec.SECP256R1())
    ephemeral = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    info = b"tahan-uji.emergency-file.v1" + ephemeral + public
    key = HKDF(algorithm=SHA256(), length=32, salt=b"", info=info).derive(private.exchange(ec.ECDH(), school))
    iv = os.urandom(12)
    outside: dict[str, Any] = {
        "format": "tahan-uji-emergency-file",
        "version": 1,
        "note": NOTE,
        "keyId": hashlib.sha256(public).hexdigest()[:16],
        "ephemeralKey": base64.b64encode(ephemeral).decode(),
        "iv": base64.b64encode(iv).decode(),
        **fields,
    }
    names = ("format", "version", "keyId", "ephemeralKey", "iv", "note")
    additional = "\n".join(str(outside[name]) for name in names).encode()
    data = AESGCM(key).encrypt(iv, plain, additional)
    return json.dumps({**outside, "data": base64.b64encode(data).decode()}, separators=(",", ":")).encode()


def make_file(attempt: Attempt, *entries: Any, ticket: str | None = None, **changes: Any) -> bytes:
    """The file that the page of *attempt* makes; *changes* are fields of what it says."""
    payload = json.dumps(payload_of(attempt, *entries, **changes)).encode()
    return seal(sign(payload, ticket or ticket_for(attempt)))
