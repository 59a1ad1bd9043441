"""Emergency files: what a page has signed comes out, and for everything else there is a sentence."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams import emergency
from exams.autosave import ticket as tickets
from exams.emergency import (
    FILE_MAX_BYTES,
    DamagedFile,
    EmergencyFileError,
    FileTooLarge,
    ForgedFile,
    NotOurFile,
    OtherAttemptsFile,
    OtherSchoolsFile,
    UnknownVersion,
    attempt_of,
    open_file,
)
from exams.models import Attempt
from tests.exams.autosave.sitting import ticket_for
from tests.exams.emergency_maker import entry, make_file, payload_of, seal, sign
from tests.exams.factories import make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt() -> Attempt:
    return make_attempt(student=make_student(name="Siti “Ayu” Ñandú"))


def test_what_the_page_put_in_comes_out(attempt: Attempt) -> None:
    content = make_file(
        attempt,
        entry(7, "jkrt", 5, "multiple_choice"),
        entry(8, "Baris satu\nbaris dua 🙂", 6, "essay"),
        entry(9, None, 7),
        serverNow=1_700_000_000_123,
        deviceNow=1_600_000_000_000,
    )
    file = open_file(content)
    assert (file.attempt_id, file.exam_id, file.student_id) == (attempt.pk, attempt.exam_id, attempt.student_id)
    assert (file.username, file.name) == (attempt.student.username, "Siti “Ayu” Ñandú")
    assert [(e.question_id, e.question_type, e.answer, e.revision) for e in file.entries] == [
        (7, "multiple_choice", "jkrt", 5),
        (8, "essay", "Baris satu\nbaris dua 🙂", 6),
        (9, None, None, 7),
    ]
    assert file.server_now == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert file.device_now == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert attempt_of(file) == attempt


def test_nothing_of_it_can_be_read_without_the_key(attempt: Attempt) -> None:
    content = make_file(attempt, entry(7, "rahasia sekali", 5))
    seen = content + base64.b64decode(json.loads(content)["data"])
    for secret in (b"rahasia", attempt.student.username.encode() + b'"', ticket_for(attempt).encode()[:40]):
        assert secret not in seen
    assert make_file(attempt)[-80:] != make_file(attempt)[-80:], "another key and IV each time"


def test_a_ticket_that_has_expired_still_says_who_made_the_file(attempt: Attempt) -> None:
    assert open_file(make_file(attempt, ticket=ticket_for(attempt, expires_at=1))).attempt_id == attempt.pk


# -- the key -----------------------------------------------------------------------------------------------------


def test_the_key_is_a_point_of_the_curve_and_stays_the_same(settings: Any) -> None:
    key = base64.b64decode(emergency.public_key_text())
    assert (len(key), key[0]) == (65, 4)
    settings.SECRET_KEY = "another"
    assert base64.b64decode(emergency.public_key_text()) != key
    settings.SECRET_KEY = "fixed-for-this-test"
    # A file that was made before an update must open after it: the derivation never changes.
    assert emergency.public_key_text() == FIXED


#: Computed by hand: HMAC(HMAC(0, secret), label 0 1), that times the base point.
FIXED = "BHP3UcJ2nC6okAb0sBlAyVuOHH2RXpykrAfXHkgAOw74oqCDS4QjJs9St3lNHJ+GLy+85xXHX/p8Qx8aPH5Ay3A="


def test_files_for_the_key_before_are_read_while_it_is_a_fallback(attempt: Attempt, settings: Any) -> None:
    content = make_file(attempt, entry(7, "a", 5))
    before = settings.SECRET_KEY
    settings.SECRET_KEY = "the-new-one"
    with pytest.raises(OtherSchoolsFile):
        open_file(content)
    settings.SECRET_KEY_FALLBACKS = [before]
    assert len(open_file(content).entries) == 1


# -- everything that can be wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"[]",
        b"{}",
        b"null",
        b"%PDF-1.7",
        b"[" * 200_000,
        b'{"format":"other","version":1}',
        b"\xff{}",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_what_is_no_emergency_file_is_called_that(content: bytes) -> None:
    with pytest.raises(NotOurFile):
        open_file(content)


def test_a_large_file_is_not_looked_at() -> None:
    with pytest.raises(FileTooLarge):
        open_file(b"x" * (FILE_MAX_BYTES + 1))


def test_a_newer_version_is_not_called_damaged(attempt: Attempt) -> None:
    with pytest.raises(UnknownVersion):
        open_file(seal(b"", version=2))


def test_no_changed_byte_gives_another_content(attempt: Attempt) -> None:
    content = make_file(attempt, entry(7, "jkrt", 5, "multiple_choice"))
    whole = open_file(content)
    chance = random.Random(3)
    kinds = set()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        try:
            assert open_file(bytes(changed)) == whole
        except EmergencyFileError as error:
            kinds.add(type(error))
    assert kinds >= {DamagedFile, NotOurFile, UnknownVersion, OtherSchoolsFile}


def test_a_file_that_was_cut_off_is_called_damaged(attempt: Attempt) -> None:
    content = make_file(attempt, entry(7, "jkrt", 5))
    for length in (60, 200, len(content) // 2, len(content) - 1):
        with pytest.raises(DamagedFile):
            open_file(content[:length])


@pytest.mark.parametrize("field", ["keyId", "ephemeralKey", "iv", "note"])
def test_what_stands_in_plain_sight_belongs_to_it(attempt: Attempt, field: str) -> None:
    first, second = (json.loads(make_file(attempt, entry(7, "a", 5))) for _ in range(2))
    second["note"] = "Something else"
    second["keyId"] = "0" * 16
    with pytest.raises(EmergencyFileError):
        open_file(json.dumps({**first, field: second[field]}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"iv": ""},
        {"iv": "AAAA"},
        {"iv": "not base64!"},
        {"ephemeralKey": ""},
        {"ephemeralKey": base64.b64encode(b"\x04" + bytes(64)).decode()},  # not on the curve
        {"ephemeralKey": base64.b64encode(bytes(65)).decode()},
        {"data": ""},
        {"data": "AAAA"},
        {"data": 5},
        {"extra": 1},
        {"note": None},
    ],
    ids=str,
)
def test_wrong_fields_are_damage(attempt: Attempt, changes: dict[str, Any]) -> None:
    with pytest.raises(DamagedFile):
        open_file(json.dumps({**json.loads(make_file(attempt)), **changes}).encode())


@given(st.binary(max_size=300))
def test_whatever_was_encrypted_nothing_else_is_raised(plain: bytes) -> None:
    with pytest.raises(EmergencyFileError):
        open_file(seal(plain))


def test_who_has_no_ticket_cannot_sign(attempt: Attempt) -> None:
    payload = json.dumps(payload_of(attempt, entry(7, "a", 5))).encode()
    header, claims, _signature = ticket_for(attempt).split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for ticket in ("", "x", f"{header}.{claims}.AAAA", f"{unsigned}.{claims}.", "x" * 10_000):
        with pytest.raises(ForgedFile):
            open_file(seal(sign(payload, ticket)))


def test_the_signature_is_over_every_byte(attempt: Attempt) -> None:
    payload = json.dumps(payload_of(attempt, entry(7, "a", 5))).encode()
    plain = sign(payload, ticket_for(attempt))
    assert open_file(seal(plain))
    for forged in (
        plain.replace(b'"a"', b'"b"'),
        plain + b" ",
        plain.replace(b"\n", b"\nA", 1),
        plain[: -len(payload)],
    ):
        with pytest.raises(ForgedFile):
            open_file(seal(forged))


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"examId":1}'],
    ids=lambda payload: repr(payload[:12]),
)
def test_a_signed_content_of_another_shape_is_damage(attempt: Attempt, payload: bytes) -> None:
    with pytest.raises(DamagedFile):
        open_file(seal(sign(payload, ticket_for(attempt))))


@pytest.mark.parametrize("times", [{"serverNow": -1}, {"deviceNow": 10**30}, {"serverNow": None}, {"deviceNow": "x"}])
def test_times_that_no_clock_shows_are_damage(attempt: Attempt, times: dict[str, Any]) -> None:
    with pytest.raises(DamagedFile):
        open_file(make_file(attempt, **times))


# -- somebody else's ---------------------------------------------------------------------------------------------


def test_a_ticket_signs_for_its_own_attempt_only(attempt: Attempt) -> None:
    other = make_attempt(attempt.exam)
    with pytest.raises(OtherAttemptsFile):
        open_file(make_file(other, entry(7, "a", 5), ticket=ticket_for(attempt)))
    with pytest.raises(OtherAttemptsFile):
        open_file(make_file(attempt, examId=attempt.exam_id + 1))


@pytest.mark.parametrize("claim", ["student", "exam"])
def test_the_attempt_must_be_what_the_ticket_says(attempt: Attempt, claim: str) -> None:
    other = {"student": make_student().pk, "exam": make_exam(published=True).pk}[claim]
    said = {"examId": other} if claim == "exam" else {}
    with pytest.raises(OtherAttemptsFile):
        attempt_of(open_file(make_file(attempt, ticket=ticket_for(attempt, **{claim: other}), **said)))


def test_an_attempt_that_is_gone_or_renamed_is_nobodys(attempt: Attempt) -> None:
    gone = attempt.pk + 1_000_000
    ticket = tickets.issue(attempt=gone, student=attempt.student_id, exam=attempt.exam_id, version=1, expires_at=1)
    with pytest.raises(OtherAttemptsFile):
        attempt_of(open_file(make_file(attempt, attemptId=gone, ticket=ticket)))
    with pytest.raises(OtherAttemptsFile):
        attempt_of(open_file(make_file(attempt, student={"username": "lain", "name": attempt.student.name})))


# -- entries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "x",
        {},
        {"questionId": 0, "answer": "a", "revision": 5},
        {"questionId": 7, "answer": "a"},
        {"questionId": 7, "answer": "a", "revision": 0},
        {"questionId": 7, "answer": "a", "revision": 2**53},
        {"questionId": "7", "answer": "a", "revision": 5},
    ],
    ids=str,
)
def test_a_broken_entry_is_counted_and_costs_no_other(attempt: Attempt, broken: Any) -> None:
    file = open_file(make_file(attempt, broken, entry(8, "b", 6)))
    assert [e.question_id for e in file.entries] == [8]
    assert file.unreadable == 1


def test_of_two_entries_for_a_question_the_newest_counts(attempt: Attempt) -> None:
    file = open_file(make_file(attempt, entry(7, "a", 5), entry(7, "b", 6), entry(7, "c", 4)))
    assert [(e.answer, e.revision) for e in file.entries] == [("b", 6)]
    assert file.unreadable == 0
