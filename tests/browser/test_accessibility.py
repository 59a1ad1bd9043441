"""axe finds nothing, on any student page, in light and dark, wide and at 320 pixels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from exams import attempts
from tests.browser.conftest import DESK, PHONE, Devices, keep_screenshot
from tests.browser.student import ALL_KINDS, StudentPage, take_seat
from tests.browser.wire import Mode, Wire
from tests.exams.factories import RIGHT, make_exam, make_student

pytestmark = pytest.mark.django_db(transaction=True)

SCREENS: dict[str, dict[str, Any]] = {
    "desk": DESK,
    "phone": PHONE,
    "narrow": {**PHONE, "viewport": {"width": 320, "height": 640}},
}
LOOKS = [("desk", "light"), ("phone", "dark"), ("narrow", "light")]
Make = Callable[[dict[str, Any]], Devices]


def assert_accessible(page: Page, name: str) -> None:
    keep_screenshot(page, name, full_page=False)
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}\n{found.generate_report()}"


@pytest.mark.parametrize(("screen", "scheme"), LOOKS)
def test_the_pages_before_and_after(screen: str, scheme: str, devices: Make) -> None:
    student = make_student()
    soon = attempts.database_now() + timedelta(hours=1)
    make_exam(published=True, opens_at=soon, title="Belum dibuka")
    token = make_exam(published=True, entry_token="MERDEKA")
    done = take_seat(student=student)
    attempts.submit_attempt(student=student, exam_id=done.exam.pk, pending=[], manifest={done.of("multiple_choice"): 9})
    device = devices(SCREENS[screen])
    page = device.context(student, color_scheme=scheme).new_page()
    paths = ["/ujian", f"/ujian/{token.pk}", f"/ujian/{done.exam.pk}/hasil"]
    for path in paths:
        page.goto(path)
        assert_accessible(page, f"axe-{screen}-{scheme}{path.replace(str(done.exam.pk), 'n').replace('/', '-')}")
    stranger = device.context(color_scheme=scheme).new_page()
    stranger.goto("/masuk")
    assert_accessible(stranger, f"axe-{screen}-{scheme}-masuk")
    stranger.fill("#username", "siapa")
    stranger.fill("#pin", "SALAH-PIN")
    stranger.click("main button[type=submit]")
    stranger.wait_for_selector("#problem")
    assert_accessible(stranger, f"axe-{screen}-{scheme}-masuk-salah")


@pytest.mark.parametrize(("screen", "scheme"), LOOKS)
def test_the_exam_page_in_all_its_states(screen: str, scheme: str, devices: Make, wire: Wire) -> None:
    seat = take_seat(ALL_KINDS)
    student = devices(SCREENS[screen])(seat, color_scheme=scheme)
    page = student.page
    for question, kind in seat.questions.items():
        student.go_to(question)
        assert_accessible(page, f"axe-{screen}-{scheme}-{kind}")
    for question in list(seat.answerable)[:3]:
        student.answer(question, RIGHT[seat.questions[question]])
    student.wait_saved()
    student.mark_doubtful(seat.answerable[0])
    wire.set(Mode.CUT)
    student.answer(seat.answerable[3], RIGHT[seat.questions[seat.answerable[3]]])
    student.wait_status("waiting")
    assert_accessible(page, f"axe-{screen}-{scheme}-waiting")
    if page.locator("#open-grid").is_visible():
        page.click("#open-grid")
        assert_accessible(page, f"axe-{screen}-{scheme}-grid")
        page.click("#close-grid")
    student.open_submit()
    assert_accessible(page, f"axe-{screen}-{scheme}-submit")
    page.click("#confirm-submit")
    page.wait_for_selector("#submit-progress:visible")
    assert_accessible(page, f"axe-{screen}-{scheme}-submitting")


def test_the_end_and_the_pin(phone: Devices, wire: Wire) -> None:
    seat = take_seat(deadline_at=attempts.database_now() + timedelta(seconds=6))
    first, *_ = seat.questions
    student: StudentPage = phone(seat, color_scheme="dark")
    page = student.page
    wire.set(Mode.CUT)
    student.answer(first, "jkrt")
    page.wait_for_selector("#closed:visible")
    assert_accessible(page, "axe-phone-dark-time-up")
    student.context.clear_cookies()
    wire.set(Mode.OPEN)
    page.wait_for_selector("#login-dialog[open]", timeout=30_000)
    assert_accessible(page, "axe-phone-dark-pin")
    page.fill("#pin", seat.card.pin)
    page.click("#login-dialog button[type=submit]")
    page.wait_for_selector("#receipt", timeout=30_000)
