"""The pages around the exam in a browser: with scripts, without, on a slow finger, and while a class waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from exams import attempts
from exams.models import Attempt
from tests.browser.conftest import PHONE, Devices, Window
from tests.browser.wire import Mode, Wire
from tests.exams.factories import make_attempt, make_exam, make_student
from tests.exams.student_browser import card_of

pytestmark = pytest.mark.django_db(transaction=True)

#: The device's clock a year behind, and no patience: the countdown must need neither.
WRONG_CLOCK = "const now = Date.now; Date.now = () => now() - 365 * 86400000; Math.random = () => 0;"


def posts(page: Page) -> list[str]:
    """Grows with every POST of the page."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    return sent


def test_without_scripts_everything_works_up_to_the_exam(devices: Callable[[dict[str, Any]], Devices]) -> None:
    card = card_of()
    exam = make_exam(published=True, entry_token="MERAH7")
    page = devices(PHONE).context(java_script_enabled=False, locale="en-GB").new_page()
    page.goto("/")
    page.fill("#username", card.username)
    page.fill("#pin", "AAAA2222")
    page.click("main button")
    assert page.locator("#pin").evaluate("field => field === document.activeElement")
    page.fill("#pin", card.printed_pin.lower())
    page.click("main button")
    page.click(f'a[href="/ujian/{exam.pk}"]')
    page.fill("#entry_token", "biru")
    page.click("#start")
    assert "token is wrong" in page.inner_text("#entry_token-error")
    page.fill("#entry_token", "merah7")
    page.click("#start")
    page.wait_for_url(f"**/siswa/ujian/{exam.pk}")
    assert "JavaScript" in page.inner_text("noscript")
    Attempt.objects.update(
        status="submitted", submitted_at=attempts.database_now(), score=0, max_score=1, receipt="ABCDE-FGHJK"
    )
    page.reload()
    assert page.inner_text("#receipt") == "ABCDE-FGHJK"
    page.click("#language button")
    assert page.get_attribute("html", "lang") == "id"
    page.click("#logout button")
    page.wait_for_url("**/masuk")


def test_an_upcoming_exam_opens_by_itself_on_a_device_whose_clock_is_wrong(phone: Devices, wire: Wire) -> None:
    opens_at = attempts.database_now() + timedelta(seconds=4)
    exam = make_exam(published=True, opens_at=opens_at, closes_at=opens_at + timedelta(hours=1))
    context = phone.context(make_student())
    context.add_init_script(WRONG_CLOCK)
    page = context.new_page()
    page.goto("/ujian")
    page.wait_for_selector(".countdown:has-text('0:00:0')")
    wire.set(Mode.CUT)
    page.wait_for_selector(f".countdown:has-text('{page.get_attribute('.countdown', 'data-opening')}')")
    with page.expect_response("**/ujian") as reloaded:
        wire.set(Mode.OPEN)
    assert reloaded.value.status == 200
    page.wait_for_selector(f"section:has(#open) a[href='/ujian/{exam.pk}']")
    assert page.locator(".countdown").count() == 0


def test_a_double_tap_sends_a_form_once(phone: Devices) -> None:
    exam = make_exam(published=True)
    page = phone.context(make_student()).new_page()
    page.goto(f"/ujian/{exam.pk}")
    sent = posts(page)
    page.dblclick("#start", no_wait_after=True)
    page.wait_for_url(f"**/siswa/ujian/{exam.pk}")
    assert [address.rsplit("/", 1)[0][-6:] for address in sent if "/api/" not in address] == ["/ujian"]


def test_the_button_wakes_up_when_the_page_is_seen_again(phone: Devices) -> None:
    page = phone.context().new_page()
    page.goto("/masuk")
    page.evaluate("document.querySelector('main form').addEventListener('submit', (event) => event.preventDefault())")
    page.fill("#username", "siswa")
    page.fill("#pin", "AAAA2222")
    page.click("main button")
    page.wait_for_selector("main button:disabled")
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    page.wait_for_selector("main button:enabled")


def test_no_page_breaks_its_own_security_policy(window: Window) -> None:
    student = make_student()
    card = card_of(student)
    ours = make_exam(published=True)
    soon = attempts.database_now() + timedelta(hours=1)
    make_exam(published=True, opens_at=soon, closes_at=soon + timedelta(hours=1))
    done = make_attempt(None, student, status="submitted", missing_answers=2)
    page = window.page
    page.goto("/masuk")
    window.screenshot("student-login")
    page.fill("#username", card.username)
    page.fill("#pin", card.printed_pin)
    page.click("main button")
    page.wait_for_selector(".countdown:visible")
    window.screenshot("student-exams")
    page.goto(f"/ujian/{ours.pk}")
    window.screenshot("student-exam-info")
    page.goto(f"/ujian/{done.exam_id}/hasil")
    page.wait_for_load_state("networkidle")
    window.screenshot("student-result")
    assert window.complaints == []
