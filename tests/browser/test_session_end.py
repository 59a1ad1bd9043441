"""The session ends in the middle of the exam: deleted, logged out in another tab. The page stays, nothing is lost."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session

from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import StudentPage, take_seat
from tests.browser.wire import Reply, Request, Wire

pytestmark = pytest.mark.django_db(transaction=True)

_BAD_TICKET = {"success": False, "code": "bad_ticket", "message": "Tiket tidak berlaku."}


def _refuse_tickets(wire: Wire, *, times: int) -> None:
    """As when the ticket has run out: the server's own words, for the next *times* saves."""
    left = iter(range(times))

    def answer(request: Request) -> Reply | None:
        return Reply(401, _BAD_TICKET) if request.is_save and next(left, None) is not None else None

    wire.answer_with = answer


def test_a_session_that_ends_with_the_ticket_asks_for_the_pin_over_the_page(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice", "essay", "multiple_choice"])
    first, essay, third = seat.questions
    student = phone(seat)
    Session.objects.all().delete()
    student.answer(first, "jkrt")
    student.wait_saved()  # the ticket still says who it is: nobody is asked for anything
    assert not student.page.locator("#login-dialog").is_visible()

    _refuse_tickets(wire, times=1)
    student.go_to(essay)
    student.type("Liburan di Bali")
    student.leave_field()
    student.page.wait_for_selector("#login-dialog[open]")
    keep_screenshot(student.page, "exam-phone-login-dialog", full_page=False)
    student.wait_status("login")
    address = student.page.url
    student.page.fill("#pin", "22222222")
    student.page.click("#login-dialog button[type=submit]")
    student.page.locator("#pin-error").filter(has_text="PIN").wait_for()
    student.page.fill("#pin", seat.card.printed_pin.lower())
    student.page.click("#login-dialog button[type=submit]")
    student.page.wait_for_selector("#login-dialog", state="hidden")
    student.wait_saved()
    assert student.page.url == address
    assert student.shown_question() == essay
    student.answer(third, "sbya")
    student.wait_saved()
    assert seat.values() == {first: "jkrt", essay: "Liburan di Bali", third: "sbya"}
    assert student.complaints == []


def test_who_puts_the_pin_off_can_go_on_and_log_in_later(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    Session.objects.all().delete()
    _refuse_tickets(wire, times=1)
    first, second, third = seat.questions
    student.answer(first, "jkrt")
    student.page.wait_for_selector("#login-dialog[open]")
    student.page.click("#login-later")
    student.answer(second, "bndg")
    student.answer(third, "sbya")
    status = student.status()
    assert (status.kind, status.waiting) == ("login", 3)
    student.page.click("#log-in-again")
    student.page.fill("#pin", seat.card.pin)
    student.page.click("#login-dialog button[type=submit]")
    student.wait_saved()
    assert seat.values() == {first: "jkrt", second: "bndg", third: "sbya"}


def test_an_expired_ticket_is_renewed_without_a_word_while_the_session_lives(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    _refuse_tickets(wire, times=1)
    for question in seat.questions:
        student.answer(question, "jkrt")
    student.wait_saved()
    assert not student.page.locator("#login-dialog").is_visible()
    assert seat.values() == dict.fromkeys(seat.questions, "jkrt")
    assert any(path.endswith("/state") for path in wire.paths())


def test_a_logout_in_another_tab_loses_nothing(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    first, second, third = seat.questions
    student = phone(seat)
    student.answer(first, "jkrt")
    other = student.context.new_page()
    other.goto("/ujian")
    other.click('form[action="/keluar"] button')
    other.wait_for_url(re.compile("/masuk"))
    other.close()
    student.page.bring_to_front()
    student.answer(second, "bndg")
    student.answer(third, "bndg")
    if student.page.locator("#login-dialog[open]").count():
        student.page.fill("#pin", seat.card.pin)
        student.page.click("#login-dialog button[type=submit]")
    student.wait_saved()
    assert seat.values() == {first: "jkrt", second: "bndg", third: "bndg"}
    # A reload needs the session: the card brings the student back to where he was.
    student.page.reload()
    student.page.wait_for_url(re.compile("/masuk"))
    StudentPage(student.page, seat).log_in(seat.card)
    student.wait_ready()
    assert student.answer_shown(third) == "bndg"
