"""A computer in the lab: one student after the other in the same browser."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error as PlaywrightError

from tests.browser.conftest import Devices
from tests.browser.student import StudentPage, take_seat
from tests.browser.wire import Mode, Wire

pytestmark = pytest.mark.django_db(transaction=True)


def _log_out(student: StudentPage) -> None:
    student.page.goto("/ujian")
    student.page.click('form[action="/keluar"] button')
    student.page.wait_for_url(re.compile("/masuk"))


def test_the_next_student_never_sees_or_sends_the_first_ones_answers_and_he_finds_them_again(
    desk: Devices, wire: Wire
) -> None:
    first = take_seat(["multiple_choice", "short_answer"])
    second = take_seat(exam=first.exam)
    choice, text = first.questions
    sitting = desk(first)
    wire.set(Mode.BUSY)
    sitting.answer(choice, "bndg")
    sitting.answer(text, "rahasia Ani")
    sitting.wait_state(text, "waiting")
    _log_out(sitting)
    assert first.values() == {}

    wire.set(Mode.OPEN)
    since = len(wire.requests)
    other = StudentPage(sitting.page, second)
    other.log_in(second.card)
    other.open()
    assert {cell.state for cell in other.cells().values()} == {"empty"}
    assert other.answer_shown(choice) is None
    assert other.answer_shown(text) is None
    assert "rahasia Ani" not in other.page.content()
    assert first.student.name not in other.page.content()
    other.answer(choice, "jkrt")
    other.wait_saved()
    assert second.values() == {choice: "jkrt"}
    assert [save["answer"] for request in wire.saves(since) for save in request.saves()] == ["jkrt"]
    assert first.values() == {}
    other.submit()
    _log_out(other)

    again = StudentPage(other.page, first)
    again.log_in(first.card)
    again.open()
    again.wait_toast("Memulihkan 2 jawaban yang gagal tersimpan")
    again.wait_saved()
    assert first.values() == {choice: "bndg", text: "rahasia Ani"}
    assert second.values() == {choice: "jkrt"}


def test_without_network_the_next_student_is_not_shown_the_first_ones_page(desk: Devices, wire: Wire) -> None:
    first = take_seat(["short_answer"])
    second = take_seat(exam=first.exam)
    [text] = first.questions
    sitting = desk(first)
    sitting.answer(text, "rahasia Ani")
    sitting.wait_saved()
    sitting.wait_copy()
    _log_out(sitting)
    StudentPage(sitting.page).log_in(second.card)
    wire.set(Mode.CUT)
    page = sitting.context.new_page()
    with suppress(PlaywrightError):  # "no connection" is what we hope for
        page.goto(f"/siswa/ujian/{first.exam.pk}")
    shown = page.locator("html").inner_html()
    assert "rahasia Ani" not in shown
    assert first.student.name not in shown
    assert page.locator("#question[data-question]").count() == 0
