"""The device's clock is wrong, or is set in the middle of the exam: that changes nothing."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.conftest import Devices
from tests.browser.student import StudentPage, take_seat
from tests.browser.wire import Mode, Wire

pytestmark = pytest.mark.django_db(transaction=True)

YEAR_MS = 365 * 24 * 3600 * 1000
#: The wall clock as a test sets it; it stays set over reloads. What does not jump (performance.now) is left alone.
_SETTABLE = """(() => {
    const RealDate = Date;
    const real = RealDate.now.bind(RealDate);
    const shift = () => Number(sessionStorage.getItem("shift") || 0);
    class SetDate extends RealDate {
        constructor(...given) { if (given.length === 0) super(real() + shift()); else super(...given); }
        static now() { return real() + shift(); }
    }
    window.Date = SetDate;
})();"""


def _clock_can_be_set(context: BrowserContext) -> None:
    context.add_init_script(_SETTABLE)


def _set_clock(student: StudentPage, shift_ms: int) -> None:
    student.page.evaluate("shift => sessionStorage.setItem('shift', shift)", shift_ms)
    off_by = student.page.evaluate("Date.now()") - time.time() * 1000
    assert abs(off_by - shift_ms) < 60_000


def test_a_clock_set_a_year_forth_and_back_changes_nothing(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"] * 5)
    context = phone.context(seat.student)
    _clock_can_be_set(context)
    student = StudentPage(context.new_page(), seat).open()
    began, seconds_left = time.monotonic(), student.seconds_left()
    questions = list(seat.questions)
    revisions = []
    for question, shift_ms in zip(questions, (0, YEAR_MS, -YEAR_MS, YEAR_MS, 0), strict=True):
        _set_clock(student, shift_ms)
        revisions.append(student.answer(question, "bndg"))
        student.wait_state(question, "saved")
        assert abs(seconds_left - student.seconds_left() - (time.monotonic() - began)) < 3
        if shift_ms:
            student.reload()
            assert abs(seconds_left - student.seconds_left() - (time.monotonic() - began)) < 3
    # And once more each, on the same question: the last one is the newest, whatever the clock said.
    for shift_ms, option in ((YEAR_MS, "jkrt"), (-YEAR_MS, "sbya")):
        _set_clock(student, shift_ms)
        revisions.append(student.answer(questions[0], option))
    student.wait_saved()
    assert seat.values() == {**dict.fromkeys(questions, "bndg"), questions[0]: "sbya"}
    assert all(earlier < later for earlier, later in pairwise(revisions))
    assert abs(revisions[-1] - time.time() * 1000) < 60_000
    assert student.complaints == []


@pytest.mark.parametrize("shift_ms", [YEAR_MS, -YEAR_MS], ids=["forth", "back"])
def test_a_reload_without_network_and_with_a_wrong_clock_loses_no_edit(
    shift_ms: int, phone: Devices, wire: Wire
) -> None:
    seat = take_seat(["multiple_choice"] * 2)
    context = phone.context(seat.student)
    _clock_can_be_set(context)
    student = StudentPage(context.new_page(), seat).open()
    first, second = seat.questions
    student.answer(first, "bndg")
    student.wait_saved()
    student.wait_copy()
    wire.set(Mode.CUT)
    student.answer(second, "bndg")
    _set_clock(student, shift_ms)
    student.reload()
    for question in seat.questions:
        student.answer(question, "sbya")
    student.reload()
    student.answer(first, "jkrt")
    wire.set(Mode.OPEN)
    student.send_now()
    student.wait_saved(timeout=20_000)
    assert seat.values() == {first: "jkrt", second: "sbya"}
    for _, revision in seat.stored().values():
        assert abs(revision - time.time() * 1000) < 60_000
    # The next edit still wins over those that were made under the wrong clock.
    student.answer(second, "jkrt")
    student.wait_saved()
    assert seat.values() == dict.fromkeys(seat.questions, "jkrt")
    assert student.complaints == []
