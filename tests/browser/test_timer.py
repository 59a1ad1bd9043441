"""Time left: the server's clock, warnings once each, more time, and a clock that only guesses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exams import attempts
from exams.models import Attempt
from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import Seat, StudentPage, take_seat
from tests.browser.test_offline import wait_kept
from tests.browser.wire import Mode, Wire

pytestmark = pytest.mark.django_db(transaction=True)

HEARD = """() => {
    window.warnings = [];
    const place = document.querySelector("#warning");
    new MutationObserver(() => place.textContent && window.warnings.push(place.textContent))
        .observe(place, {childList: true, characterData: true, subtree: true});
}"""


def ends_in(seat: Seat, seconds: float) -> None:
    deadline = attempts.database_now() + timedelta(seconds=seconds)
    Attempt.objects.filter(pk=seat.attempt.pk).update(deadline_at=deadline, started_at=deadline - timedelta(hours=1))


def look_again(student: StudentPage) -> None:
    """The page comes back from the background, more than 20 s after it last asked."""
    student.page.clock.run_for(25_000)
    student.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.parametrize("minutes", [10, 5, 1])
def test_each_warning_comes_once_and_a_reload_does_not_repeat_it(minutes: int, phone: Devices) -> None:
    seat = take_seat()
    ends_in(seat, minutes * 60 + 4)
    student = phone(seat)
    page = student.page
    assert page.inner_text("#warning") == ""
    page.evaluate(HEARD)
    page.wait_for_function("() => document.querySelector('#warning').textContent !== ''")
    assert str(minutes) in page.inner_text("#warning")
    assert page.get_attribute("#warning", "role") == "alert"
    assert page.get_attribute("#timer", "data-low") == "true"
    keep_screenshot(page, f"exam-phone-warning-{minutes}", full_page=False)
    page.wait_for_function(f"() => Number(document.querySelector('#timer').dataset.seconds) <= {minutes * 60 - 2}")
    assert len(page.evaluate("window.warnings")) == 1
    student.reload()
    page.wait_for_selector("#timer[data-low=true]")
    assert page.inner_text("#warning") == ""


def test_the_timer_follows_the_server_and_counts_by_itself(phone: Devices) -> None:
    seat = take_seat()
    ends_in(seat, 3_700)
    student = phone(seat)
    assert 3_690 < student.seconds_left() <= 3_700
    assert student.page.inner_text("#timer .timer-digits").startswith("1:01:")
    student.page.wait_for_function("() => Number(document.querySelector('#timer').dataset.seconds) < 3696")
    assert student.page.get_attribute("#timer", "role") == "timer"


def test_more_time_given_during_the_exam_is_seen_when_the_page_is_looked_at_again(phone: Devices) -> None:
    seat = take_seat()
    ends_in(seat, 300)
    context = phone.context(seat.student)
    page = context.new_page()
    page.clock.install()
    student = StudentPage(page, seat).open()
    page.wait_for_selector("#timer[data-low=true]")
    ends_in(seat, 1_800)
    look_again(student)
    page.wait_for_selector("#timer[data-low=false]")


def test_more_time_given_at_the_last_moment_opens_the_page_again(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    first, *_ = seat.questions
    ends_in(seat, 5)
    student = phone(seat)
    page = student.page
    wire.set(Mode.CUT)
    page.wait_for_selector("#closed:visible")
    assert page.locator("#question input[name=answer]").first.is_disabled()
    keep_screenshot(page, "exam-phone-time-up", full_page=False)
    ends_in(seat, 600)
    wire.set(Mode.OPEN)
    student.wait_toast("Waktumu|more time", timeout=30_000)
    assert not page.locator("#closed").is_visible()
    student.answer(first, "jkrt")
    student.wait_saved()
    assert seat.values() == {first: "jkrt"}


def test_a_clock_that_only_guesses_says_so_and_hands_nothing_in(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    first, *_ = seat.questions
    student = phone(seat)
    page = student.page
    wait_kept(page, seat)
    student.answer(first, "bndg")
    student.wait_saved()
    ends_in(seat, 12)
    student.reload()
    wire.set(Mode.CUT)
    student.reload()
    page.wait_for_function("() => Number(document.querySelector('#timer').dataset.seconds) === 0")
    assert page.inner_text("#timer .timer-about") != ""
    student.answer(first, "jkrt")
    assert student.cell(first).state == "waiting"
    assert not page.locator("#question input[name=answer]").first.is_disabled()
    wire.set(Mode.OPEN)
    page.wait_for_selector("#receipt", timeout=40_000)
    assert seat.values() == {first: "jkrt"}
