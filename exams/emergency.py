"""
The emergency file: answers that a page could not deliver, carried to the school by hand.

Contract:
- `public_key_text()` is what a page needs to make a file (`static/exams/emergency.js`). The key pair follows from
  `SECRET_KEY`, so it exists from set-up on and there is no second secret to lose. Files that were made for the key of
  an entry in `SECRET_KEY_FALLBACKS` are read as well.
- `open_file()` gives what is in a file or raises one `EmergencyFileError` with a sentence for staff. Whatever bytes
  come in, nothing else is raised and no other content comes out than what a page has signed.
- What a file proves: that whoever made it held a ticket of this very attempt. It proves neither when an answer was
  edited nor that nobody else looked at it; docs/howto/emergency-file.md says so to staff.

The file is JSON in plain sight: format, version, a note for people, the key's id, an ephemeral P-256 point, an IV and
the data. The data are AES-256-GCM over "ticket LF signature LF payload", the other fields are its additional data. The
AES key is HKDF-SHA-256 of the ECDH secret, the signature HMAC-SHA-256 over the payload, keyed by the ticket.

Not here: what a file would change (`emergency_difference.py`), changing it (`emergency_apply.py`), the page (`admin/`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, NamedTuple, NoReturn

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from exams.autosave import ticket as tickets
from exams.autosave.messages import SaveRequest
from exams.exceptions import BadTicket, ExamError
from exams.models import Attempt

FORMAT = "tahan-uji-emergency-file"
VERSION = 1
#: Forty essays of 30,000 letters take 1.6 MiB in base64: far more than anybody types into a phone in one exam.
FILE_MAX_BYTES = 2 * 1024 * 1024

_CURVE = ec.SECP256R1()
#: How many scalars there are: the order of P-256's base point (SEC 2, section 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_KEY_LABEL = b"tahan-uji.emergency-key.v1"
_FILE_LABEL = b"tahan-uji.emergency-file.v1"
_TICKET_MAX_BYTES = 4096
#: The end of the year 9999, the last one that Python can show.
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]


# -- what can be wrong -------------------------------------------------------------------------------------------


class EmergencyFileError(ExamError):
    """Why a file cannot be used; `message` is the sentence for staff. Never sent to students."""

    code = "emergency_file"


class FileTooLarge(EmergencyFileError):
    message = _("The file is too large to be an emergency file of this program.")


class NotOurFile(EmergencyFileError):
    message = _(
        "This is not an emergency file. Its name ends in .tahanuji; look into the downloads of the student's device."
    )


class UnknownVersion(EmergencyFileError):
    message = _("This emergency file was made by a newer version of the program. Update the server, then try again.")


class DamagedFile(EmergencyFileError):
    message = _(
        "The file is damaged: a part of it is missing or was changed. Download it again on the student's device and "
        "copy the file itself, not its text."
    )


class OtherSchoolsFile(EmergencyFileError):
    message = _(
        "The file was made for another server, or SECRET_KEY has changed since. "
        "Put the old key into SECRET_KEY_FALLBACKS to read it."
    )


class ForgedFile(EmergencyFileError):
    message = _("The signature is wrong: the file was not made by the page of a student who sits an exam here.")


class OtherAttemptsFile(EmergencyFileError):
    message = _("The file contradicts its ticket, which belongs to another attempt, exam or student. Do not use it.")


# -- the school's key --------------------------------------------------------------------------------------------


class _KeyPair(NamedTuple):
    private: ec.EllipticCurvePrivateKey
    public: bytes
    id: str


@lru_cache(maxsize=8)
def _key_pair(secret: str) -> _KeyPair:
    for counter in range(256):
        # Its own label, so that the scalar is of no use for anything else that follows from SECRET_KEY.
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_LABEL + bytes([counter]))
        scalar = int.from_bytes(hkdf.derive(secret.encode()), "big")
        if 0 < scalar < _ORDER:  # all but one of 2**32
            break
    private = ec.derive_private_key(scalar, _CURVE)
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _KeyPair(private, public, hashlib.sha256(public).hexdigest()[:16])


def public_key_text() -> str:
    """The school's public key as a page wants it: the 65 bytes of the uncompressed point in base64."""
    return base64.b64encode(_key_pair(settings.SECRET_KEY).public).decode()


# -- the file ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EmergencyFile:
    """
    What a page has put into a file.

    *entries*: at most one per question, the newest, each with a revision; judged by nobody yet. *unreadable*: how many
    more there were that are no entries. *server_now* and *device_now* are the page's word for when it made the file.
    """

    exam_id: int
    attempt_id: int
    student_id: int
    username: str
    name: str
    entries: tuple[SaveRequest, ...]
    unreadable: int
    server_now: datetime
    device_now: datetime


class _Sealed(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    format: str
    version: int
    note: str
    key_id: str
    ephemeral_key: str
    iv: str
    data: str

    def additional_data(self) -> bytes:
        fields = (self.format, str(self.version), self.key_id, self.ephemeral_key, self.iv, self.note)
        return "\n".join(fields).encode()


class _Marks(msgspec.Struct, frozen=True):
    format: str
    version: int


class _Student(msgspec.Struct, frozen=True):
    username: str
    name: str


class _Payload(msgspec.Struct, frozen=True, rename="camel"):
    exam_id: int
    attempt_id: int
    student: _Student
    entries: list[msgspec.Raw]
    server_now: _Milliseconds
    device_now: _Milliseconds


#: What msgspec raises for bytes that are not what was asked for; the last one for brackets nested without end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def open_file(content: bytes) -> EmergencyFile:
    """What is in the file *content*. Raises an `EmergencyFileError`."""
    if len(content) > FILE_MAX_BYTES:
        raise FileTooLarge
    sealed = _read_sealed(content)
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    pair = next((pair for pair in map(_key_pair, secrets) if pair.id == sealed.key_id), None)
    if pair is None:
        raise OtherSchoolsFile
    return _read_plain(_decrypt(sealed, pair))


def _read_sealed(content: bytes) -> _Sealed:
    try:
        marks = msgspec.json.decode(content, type=_Marks)
    except _UNREADABLE as exc:
        # A file that was cut off still begins as ours do.
        raise (DamagedFile if FORMAT.encode() in content[:200] else NotOurFile) from exc
    if marks.format != FORMAT:
        raise NotOurFile
    if marks.version != VERSION:
        raise UnknownVersion
    try:
        return msgspec.json.decode(content, type=_Sealed)
    except _UNREADABLE as exc:
        raise DamagedFile from exc


def _unbase64(text: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise DamagedFile from exc
    if base64.b64encode(found).decode() != text:  # bits behind the last byte that Python would ignore
        raise DamagedFile
    return found


def _decrypt(sealed: _Sealed, pair: _KeyPair) -> bytes:
    ephemeral, iv, data = (_unbase64(text) for text in (sealed.ephemeral_key, sealed.iv, sealed.data))
    if len(ephemeral) != len(pair.public) or len(iv) != 12:
        raise DamagedFile
    try:
        # Refuses a point that is not on the curve: with one, the answers would tell about the school's key.
        public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, ephemeral)
        shared = pair.private.exchange(ec.ECDH(), public)
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=_FILE_LABEL + ephemeral + pair.public)
        return AESGCM(hkdf.derive(shared)).decrypt(iv, data, sealed.additional_data())
    except (ValueError, InvalidTag) as exc:
        raise DamagedFile from exc


def _read_plain(plain: bytes) -> EmergencyFile:
    token, _lf, rest = plain.partition(b"\n")
    signature, _lf, payload = rest.partition(b"\n")
    if len(token) > _TICKET_MAX_BYTES:
        raise ForgedFile
    try:
        # At the time 0 no ticket is too old: here it says who made the file, not whether he may still save.
        ticket = tickets.read(token, now=0)
    except BadTicket as exc:
        raise ForgedFile from exc
    expected = base64.b64encode(hmac.new(token, payload, hashlib.sha256).digest())
    if not hmac.compare_digest(expected, signature):
        raise ForgedFile
    try:
        said = msgspec.json.decode(payload, type=_Payload)
    except _UNREADABLE as exc:
        raise DamagedFile from exc
    if (said.exam_id, said.attempt_id) != (ticket.exam, ticket.attempt):
        raise OtherAttemptsFile
    entries, unreadable = _entries(said.entries)
    return EmergencyFile(
        exam_id=ticket.exam,
        attempt_id=ticket.attempt,
        student_id=ticket.student,
        username=said.student.username,
        name=said.student.name,
        entries=entries,
        unreadable=unreadable,
        server_now=_moment(said.server_now),
        device_now=_moment(said.device_now),
    )


def _entries(raw: list[msgspec.Raw]) -> tuple[tuple[SaveRequest, ...], int]:
    """The newest entry of each question, and how many are none: one broken entry must not cost the others."""
    newest: dict[int, tuple[int, SaveRequest]] = {}
    unreadable = 0
    for text in raw:
        try:
            entry = msgspec.json.decode(text, type=SaveRequest)
        except _UNREADABLE:
            unreadable += 1
            continue
        if entry.revision is None:
            unreadable += 1
        elif entry.question_id not in newest or newest[entry.question_id][0] < entry.revision:
            newest[entry.question_id] = (entry.revision, entry)
    return tuple(entry for _revision, entry in newest.values()), unreadable


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


# -- whose it is -------------------------------------------------------------------------------------------------


def check_belongs(file: EmergencyFile, attempt: Attempt) -> None:
    """Raise `OtherAttemptsFile` unless *file* was made by the student of *attempt*, for this attempt."""
    if (
        (file.attempt_id, file.exam_id, file.student_id) != (attempt.pk, attempt.exam_id, attempt.student_id)
        # The name that the page showed. It can differ only if the user name was changed since, or by forgery.
        or file.username != attempt.student.username
    ):
        _contradiction()


def attempt_of(file: EmergencyFile) -> Attempt:
    """The attempt that *file* is of, with its student, exam and paper. Raises `OtherAttemptsFile`."""
    found = Attempt.objects.select_related("student", "exam", "paper").filter(pk=file.attempt_id).first()
    if found is None:
        _contradiction()
    check_belongs(file, found)
    return found


def _contradiction() -> NoReturn:
    raise OtherAttemptsFile
