"""The network is gone for a minute while a student goes on: nothing is lost, the page stays usable, all arrives."""

from __future__ import annotations

import time

import pytest

from exams.content import QuestionType
from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import take_seat
from tests.browser.wire import Mode, Wire
from tests.exams.factories import RIGHT, WRONG, make_answer

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = (
    QuestionType.MULTIPLE_CHOICE,
    QuestionType.MULTIPLE_RESPONSE,
    QuestionType.TRUE_FALSE,
    QuestionType.SHORT_ANSWER,
    QuestionType.NUMERICAL,
    QuestionType.MATCHING,
    QuestionType.ESSAY,
)
ANSWERS = 20
CUT_SECONDS = 60


@pytest.mark.timeout(200)
def test_twenty_answers_change_while_the_network_is_cut_for_a_minute(phone: Devices, wire: Wire) -> None:
    seat = take_seat([KINDS[number % len(KINDS)] for number in range(ANSWERS)])
    for row in seat.exam.questions.all():
        make_answer(seat.attempt, row, value=WRONG.get(QuestionType(row.type), "Belum."))
    before = seat.stored()
    student = phone(seat)
    student.wait_saved()
    student.wait_copy()
    wanted = {question: RIGHT[kind] for question, kind in seat.questions.items()}

    cut_at = time.monotonic()
    seconds_left = student.seconds_left()
    wire.set(Mode.HANG)  # at first nobody knows: what was sent is never answered
    for count, (question, value) in enumerate(wanted.items(), start=1):
        student.answer(question, value)
        if count == ANSWERS // 2:
            # Then connections break, and in the end there is no Wi-Fi either: the phone knows that it is off line.
            wire.set(Mode.CUT)
            student.reload()
            student.go_off_line()
            assert sum(cell.state == "waiting" for cell in student.cells().values()) == count
    status = student.status()
    assert (status.kind, status.waiting) == ("waiting", ANSWERS)
    assert f"{ANSWERS} jawaban menunggu jaringan, aman di perangkat ini" in status.text
    keep_screenshot(student.page, "cut-waiting", full_page=False)
    student.reload()
    assert {cell.state for cell in student.cells().values()} == {"waiting"}
    for question, value in wanted.items():
        assert student.answer_shown(question) == value
    student.page.locator("#next:enabled, #previous:enabled").first.click()
    assert seat.stored() == before
    # It is a minute indeed, by the page's own clock, which goes on.
    student.page.wait_for_function(
        "until => Number(document.querySelector('#timer').dataset.seconds) <= until",
        arg=seconds_left - CUT_SECONDS,
        timeout=CUT_SECONDS * 1000,
    )
    assert time.monotonic() - cut_at >= CUT_SECONDS - 2

    sent_before = len(wire.requests)
    wire.set(Mode.OPEN)
    student.go_on_line()
    student.wait_saved(timeout=45_000)
    assert seat.values() == wanted
    assert {question: cell.revision for question, cell in student.cells().items()} == {
        question: revision for question, (_, revision) in seat.stored().items()
    }
    assert len(wire.saves(sent_before)) <= 3, "twenty answers go as one request, not as twenty"
    assert student.complaints == []
