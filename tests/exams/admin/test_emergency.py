"""Emergency files in the admin: upload, compare, apply, by who may change attempts; nothing that is not shown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from exams import attempts
from exams.emergency import FILE_MAX_BYTES
from exams.emergency_difference import milliseconds
from exams.models import Attempt, EmergencyUpload
from tests.exams.admin.pages import list_of, messages_of, page_of
from tests.exams.emergency_maker import entry, make_file
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db

UPLOAD = "/admin/exams/emergencyupload/add/"


@pytest.fixture
def attempt() -> Attempt:
    exam = make_exam(published=True, questions=["multiple_choice", "true_false", "matching", "essay"])
    return make_attempt(exam, make_student(name="Siti Aminah"))


def edited(attempt: Attempt, seconds: int = 30) -> int:
    return milliseconds(attempt.started_at + timedelta(seconds=seconds))


def question(attempt: Attempt, kind: str) -> int:
    return attempt.exam.questions.get(type=kind).pk


def close(attempt: Attempt) -> None:
    attempts.submit_attempt(student=attempt.student, exam_id=attempt.exam_id, pending=[], manifest={})
    attempt.refresh_from_db()


def upload(client: Any, content: bytes, expected: Attempt | None = None):
    query = "" if expected is None else f"?attempt={expected.pk}"
    return client.post(UPLOAD + query, {"file": SimpleUploadedFile("darurat.tahanuji", content)})


def compare(client: Any, content: bytes) -> tuple[str, Any]:
    """The address of the comparison, and the page."""
    address = upload(client, content)["Location"]
    return address, client.get(address)


def choices(response: Any, *, ticked: bool = True) -> list[str]:
    return [row.choice for row, is_ticked in response.context["rows"] if is_ticked or not ticked]


# -- uploading ---------------------------------------------------------------------------------------------------


def test_from_upload_to_the_attempt_with_a_new_receipt(admin_client, attempt):
    make_answer(attempt, attempt.exam.questions.get(type="multiple_choice"), value="bndg", revision=5)
    close(attempt)
    old = attempt.receipt
    content = make_file(
        attempt,
        entry(question(attempt, "multiple_choice"), "jkrt", edited(attempt)),
        entry(question(attempt, "matching"), {"bali": "dnps"}, edited(attempt)),
    )
    address, page = compare(admin_client, content)
    body = page.content.decode()
    for words in ("Siti Aminah", attempt.exam.title, "Jakarta", "Bandung", "Bali → Denpasar", "Newer than the server"):
        assert words in body
    response = admin_client.post(address, {"choose": choices(page), "reason": "HP mati"})
    assert response["Location"] == page_of(attempt)
    attempt.refresh_from_db()
    assert attempt.receipt != old
    assert attempt.score == Decimal(2)
    said = messages_of(response)
    assert "2 answers were taken over" in said
    assert f"{old} is replaced by {attempt.receipt}" in said
    assert LogEntry.objects.get().user.username == "admin"
    history = admin_client.get(page_of(attempt, "history")).content.decode()
    assert "HP mati" in history
    assert attempt.receipt in history


def test_the_links_are_where_staff_look(admin_client, attempt):
    assert UPLOAD in admin_client.get(list_of(Attempt)).content.decode()
    assert UPLOAD in admin_client.get("/admin/").content.decode()
    assert f"{UPLOAD}?attempt={attempt.pk}" in admin_client.get(page_of(attempt)).content.decode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.7", "This is not an emergency file."),
        (b'{"format":"tahan-uji-emergency-file","version":2}', "newer version of the program"),
        (b'{"format":"tahan-uji-emergency-file","vers', "The file is damaged"),
        (b"x" * (FILE_MAX_BYTES + 1), "too large"),
        (b"", "is empty"),
    ],
    ids=["pdf", "newer", "cut", "large", "empty"],
)
def test_what_cannot_be_used_says_why_and_is_not_kept(admin_client, content, said):
    response = upload(admin_client, content)
    assert response.status_code == 200
    assert said in response.content.decode()
    assert not EmergencyUpload.objects.exists()


def test_nothing_chosen_to_upload_is_said(admin_client):
    assert "This field is required." in admin_client.post(UPLOAD).content.decode()


def test_from_an_attempts_page_only_its_own_file_is_taken(admin_client, attempt):
    other = make_attempt()
    content = make_file(attempt)
    response = upload(admin_client, content, expected=other)
    assert "This file is of Siti Aminah" in response.content.decode()
    assert not EmergencyUpload.objects.exists()
    assert upload(admin_client, content, expected=attempt).status_code == 302


@pytest.mark.parametrize("wanted", ["0", "999999999", "x", "-1"])
def test_an_attempt_that_is_none_is_not_found(admin_client, wanted):
    assert admin_client.get(UPLOAD, {"attempt": wanted}).status_code == 404
    assert admin_client.get(f"/admin/exams/emergencyupload/{wanted}/change/").status_code == 404


# -- comparing ---------------------------------------------------------------------------------------------------


def test_what_was_edited_outside_the_time_is_not_ticked(admin_client, attempt):
    close(attempt)
    late = milliseconds(attempts.database_now()) + 3_725_000
    content = make_file(
        attempt,
        entry(question(attempt, "multiple_choice"), "jkrt", edited(attempt)),
        entry(question(attempt, "true_false"), True, edited(attempt, -1)),
        entry(question(attempt, "essay"), "Terlambat", late),
        entry(question(attempt, "matching"), "x", edited(attempt)),
        entry(99_999_999, "x", edited(attempt)),
        {"broken": True},
    )
    _address, page = compare(admin_client, content)
    assert choices(page) == [f"{question(attempt, 'multiple_choice')}:missing"]
    assert {choice.partition(":")[2] for choice in choices(page, ticked=False)} == {
        "missing", "before_start", "after_end", "not_fitting", "unknown_question",
    }  # fmt: skip
    body = page.content.decode()
    assert body.count('type="checkbox"') == 3
    assert "(+1:02:0" in body
    assert "expected an object from left-hand ids" in body
    assert "1 entry of the file cannot be read" in body


def test_a_wrong_clock_of_the_device_is_shown(admin_client, attempt):
    now = milliseconds(attempts.database_now())
    _address, page = compare(admin_client, make_file(attempt, serverNow=now, deviceNow=now + 7_200_000))
    assert "The device&#x27;s clock was 7200 s fast." in page.content.decode() or (
        "The device's clock was 7200 s fast." in page.content.decode()
    )
    _address, page = compare(admin_client, make_file(attempt, serverNow=now, deviceNow=now + 60_000))
    assert " s fast." not in page.content.decode()


def test_points_that_would_be_lost_are_announced(admin_client, attempt):
    answer = make_answer(attempt, attempt.exam.questions.get(type="essay"), revision=5, points=Decimal(3))
    _address, page = compare(admin_client, make_file(attempt, entry(answer.question_id, "Baru", edited(attempt))))
    assert "points for the old answer are dropped" in page.content.decode()


def test_an_answer_in_the_file_cannot_put_markup_into_the_page(admin_client, attempt):
    evil = "<script>alert(1)</script>"
    content = make_file(
        attempt,
        entry(question(attempt, "essay"), evil, edited(attempt)),
        entry(question(attempt, "matching"), evil, edited(attempt)),
        student={"username": attempt.student.username, "name": evil},
    )
    _address, page = compare(admin_client, content)
    assert evil not in page.content.decode()
    assert "alert(1)" in page.content.decode()


def test_looking_at_it_closes_an_attempt_whose_time_is_over(admin_client, attempt):
    now = attempts.database_now()
    Attempt.objects.filter(pk=attempt.pk).update(
        started_at=now - timedelta(hours=3), deadline_at=now - timedelta(hours=1)
    )
    attempt.refresh_from_db()
    compare(admin_client, make_file(attempt, entry(question(attempt, "essay"), "x", edited(attempt))))
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.EXPIRED


def test_a_file_that_cannot_be_opened_any_more_says_so(client, admin_user, attempt, settings):
    client.force_login(admin_user)
    address, _page = compare(client, make_file(attempt))
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a-new-one-for-everybody"
    client.force_login(admin_user)  # sessions are signed with the key as well
    response = client.get(address)
    assert response["Location"] == list_of(EmergencyUpload)
    assert "SECRET_KEY_FALLBACKS" in messages_of(response)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert client.get(address).status_code == 200


# -- applying ----------------------------------------------------------------------------------------------------


def test_without_a_reason_or_a_choice_nothing_is_changed_and_the_ticks_stay(admin_client, attempt):
    choice, truth = question(attempt, "multiple_choice"), question(attempt, "true_false")
    content = make_file(attempt, entry(choice, "jkrt", edited(attempt)), entry(truth, True, edited(attempt)))
    address, _page = compare(admin_client, content)
    page = admin_client.post(address, {"choose": [f"{truth}:missing"], "reason": "  "})
    assert "This field is required." in page.content.decode()
    assert choices(page) == [f"{truth}:missing"]
    page = admin_client.post(address, {"reason": "HP mati"})
    assert "Choose at least one answer." in page.content.decode()
    assert not attempt.answers.exists()


def test_sending_it_twice_says_that_nothing_was_changed(admin_client, attempt):
    close(attempt)
    content = make_file(attempt, entry(question(attempt, "multiple_choice"), "jkrt", edited(attempt)))
    address, page = compare(admin_client, content)
    chosen = {"choose": choices(page), "reason": "HP mati"}
    admin_client.post(address, chosen)
    before = Attempt.objects.values().get(pk=attempt.pk)
    said = messages_of(admin_client.post(address, chosen))
    assert "Nothing was changed." in said
    assert "1 answer was left out" in said
    assert Attempt.objects.values().get(pk=attempt.pk) == before
    again, page = compare(admin_client, content)
    assert again == address
    assert "There is nothing to take over" in page.content.decode()


@pytest.mark.parametrize("box", ["", "x", "1", "1:", ":missing", "1:nonsense", "-1:missing", "9" * 30 + ":missing"])
def test_boxes_that_no_page_has_are_no_choice(admin_client, attempt, box):
    content = make_file(attempt, entry(question(attempt, "multiple_choice"), "jkrt", edited(attempt)))
    address, _page = compare(admin_client, content)
    assert admin_client.post(address, {"choose": [box], "reason": "x"}).status_code in (200, 302)
    assert not attempt.answers.exists()


# -- who may -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codename", "status"), [("view_attempt", 403), ("change_attempt", 200)])
def test_only_who_may_change_attempts_gets_to_it(client, admin_client, django_user_model, attempt, codename, status):
    address, _page = compare(admin_client, make_file(attempt))
    user = django_user_model.objects.create_user("piket", is_staff=True)
    user.user_permissions.add(
        Permission.objects.get(codename=codename), Permission.objects.get(codename="view_attempt")
    )
    client.force_login(user)
    assert [client.get(page).status_code for page in (UPLOAD, address, list_of(EmergencyUpload))] == [status] * 3
    assert client.post(address, {"reason": "x"}).status_code == status
    is_linked = UPLOAD in client.get(page_of(attempt)).content.decode()
    assert is_linked == (status == 200)


def test_an_upload_can_be_neither_changed_nor_deleted(admin_client, attempt):
    upload(admin_client, make_file(attempt))
    row = EmergencyUpload.objects.get()
    assert admin_client.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403
    assert EmergencyUpload.objects.exists()
    assert reverse("admin:exams_emergencyupload_changelist") == list_of(EmergencyUpload)
