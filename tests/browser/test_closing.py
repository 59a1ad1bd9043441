"""How an attempt ends or pauses: locked by a teacher, more time, time-up with and without network, submit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exams import attempts
from exams.models import Attempt
from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import Seat, StudentPage, take_seat
from tests.browser.wire import Mode, Wire
from tests.web import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def _ends_in(seat: Seat, seconds: float) -> None:
    """Move the deadline in the table, as a teacher does who takes time back."""
    deadline = attempts.database_now() + timedelta(seconds=seconds)
    Attempt.objects.filter(pk=seat.attempt.pk).update(deadline_at=deadline, started_at=deadline - timedelta(hours=1))


def _status(seat: Seat) -> str:
    seat.attempt.refresh_from_db()
    return seat.attempt.status


def test_a_locked_attempt_keeps_the_answers_and_goes_on_by_itself_when_it_is_unlocked(phone: Devices) -> None:
    seat = take_seat()
    first, second, third = seat.questions
    student = phone(seat)
    student.answer(first, "jkrt")
    student.wait_saved()
    attempts.lock_attempts(attempt_ids=[seat.attempt.pk])
    student.answer(second, "bndg")
    student.page.wait_for_selector("#locked:visible")
    keep_screenshot(student.page, "exam-phone-locked", full_page=False)
    student.wait_status("closed")
    assert student.cell(second).state == "waiting"
    assert seat.values() == {first: "jkrt"}
    student.go_to(third)
    assert student.page.locator("#question input[name=answer]:enabled").count() == 0
    attempts.unlock_attempts(attempt_ids=[seat.attempt.pk])
    student.wait_saved(timeout=25_000)
    assert not student.page.locator("#locked").is_visible()
    student.answer(third, "sbya")
    student.wait_saved()
    assert seat.values() == {first: "jkrt", second: "bndg", third: "sbya"}


def test_more_time_reaches_the_page(phone: Devices) -> None:
    seat = take_seat()
    student = phone(seat)
    before = student.seconds_left()
    attempts.extend_attempt(attempt_id=seat.attempt.pk, minutes=10)
    student.reload()
    assert abs(student.seconds_left() - before - 600) < 20


def test_at_time_up_the_page_hands_in_by_itself_with_what_was_being_typed(phone: Devices) -> None:
    seat = take_seat(["multiple_choice", "essay"])
    choice, essay = seat.questions
    _ends_in(seat, 5)
    student = phone(seat)
    student.answer(choice, "bndg")
    student.go_to(essay)
    student.type("Saya sedang menulis ketika waktu")
    student.page.wait_for_selector("#receipt", timeout=20_000)
    keep_screenshot(student.page, "exam-phone-time-up")
    assert _status(seat) == Attempt.Status.SUBMITTED
    assert seat.attempt.missing_answers == 0
    assert seat.values() == {choice: "bndg", essay: "Saya sedang menulis ketika waktu"}


def test_at_time_up_without_network_it_keeps_trying_until_it_has_a_receipt(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice", "essay"])
    choice, essay = seat.questions
    _ends_in(seat, 6)
    student = phone(seat)
    wire.set(Mode.CUT)
    student.answer(choice, "bndg")
    student.answer(essay, "Ditulis tanpa jaringan")
    student.page.wait_for_function(
        "() => Number(document.querySelector('#timer').dataset.seconds) <= 0", timeout=20_000
    )
    student.page.wait_for_selector("#submit-progress:visible, #closed:visible")
    keep_screenshot(student.page, "exam-phone-time-up-no-network", full_page=False)
    assert student.page.locator("#receipt").count() == 0
    wire.set(Mode.OPEN)
    student.page.wait_for_selector("#receipt", timeout=30_000)
    assert _status(seat) == Attempt.Status.SUBMITTED
    assert seat.attempt.missing_answers == 0
    assert seat.values() == {choice: "bndg", essay: "Ditulis tanpa jaringan"}


def test_after_the_grace_the_page_says_which_answers_did_not_arrive(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    first, second, _ = seat.questions
    student = phone(seat)
    student.answer(first, "jkrt")
    student.wait_saved()
    wire.set(Mode.CUT)
    number = student.grid_cell(second).get_attribute("data-number")
    student.answer(second, "bndg")
    _ends_in(seat, -120)
    wire.set(Mode.OPEN)
    student.send_now()
    student.page.wait_for_selector("#closed:visible, #missing:visible", timeout=20_000)
    keep_screenshot(student.page, "exam-phone-too-late")
    said = student.page.locator("#closed:visible, #missing:visible").first.inner_text()
    assert str(number) in said
    assert student.page.locator("#emergency-download").is_visible()
    assert _status(seat) == Attempt.Status.EXPIRED
    assert seat.values() == {first: "jkrt"}


def test_what_still_waits_in_the_typing_pause_is_part_of_the_submit(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["essay"])
    [essay] = seat.questions
    student = phone(seat)
    student.go_to(essay)
    student.type("Kata terakhir")
    student.submit()
    assert seat.values() == {essay: "Kata terakhir"}
    assert _status(seat) == Attempt.Status.SUBMITTED
    assert seat.attempt.missing_answers == 0


def test_a_submit_without_network_keeps_trying_and_says_so(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    wire.set(Mode.CUT)
    for question in seat.questions:
        student.answer(question, "sbya")
    student.open_submit()
    assert student.page.locator("#submit-dialog .waiting").is_visible()
    student.page.click("#confirm-submit")
    student.page.wait_for_selector("#submit-progress:visible")
    keep_screenshot(student.page, "exam-phone-hand-in-no-network", full_page=False)
    assert student.page.locator("#receipt").count() == 0
    wire.set(Mode.OPEN)
    student.page.wait_for_selector("#receipt", timeout=20_000)
    assert seat.values() == dict.fromkeys(seat.questions, "sbya")
    assert _status(seat) == Attempt.Status.SUBMITTED


def test_a_submit_whose_reply_is_lost_ends_with_the_same_receipt(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    for question in seat.questions:
        student.answer(question, "sbya")
    student.wait_saved()
    student.open_submit()
    wire.only = "/submit"
    wire.set(Mode.SWALLOW)
    student.page.click("#confirm-submit")
    wait_until(lambda: any(path.endswith("/submit") for path in wire.paths()), 10, "a submit on its way")
    wire.set(Mode.OPEN)
    student.page.wait_for_selector("#receipt", timeout=20_000)
    assert _status(seat) == Attempt.Status.SUBMITTED
    assert seat.attempt.receipt in student.page.inner_text("#receipt")
    assert sum(path.endswith("/submit") for path in wire.paths()) >= 2


def test_a_teacher_who_closes_the_attempt_ends_the_exam_on_the_page(phone: Devices) -> None:
    seat = take_seat()
    first, second, _ = seat.questions
    student: StudentPage = phone(seat)
    student.answer(first, "jkrt")
    student.wait_saved()
    attempts.submit_attempt(student=seat.student, exam_id=seat.exam.pk, pending=[], manifest={})
    student.answer(second, "bndg")
    student.page.wait_for_selector("#closed:visible, #receipt:visible", timeout=20_000)
    assert seat.values() == {first: "jkrt"}
