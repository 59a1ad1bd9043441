"""Damaged, full or blocked storage; back, forward and reopened tabs: never a blank page, never an older answer."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import StudentPage, take_seat
from tests.browser.wire import Mode, Wire
from tests.web import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

_BLOCKED = """
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
    indexedDB.open = () => { throw new DOMException("blocked", "SecurityError"); };
"""
_FORBIDDEN = """
    Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
    Object.defineProperty(window, "indexedDB", { get() { return undefined; } });
"""


@pytest.mark.parametrize("trouble", [_BLOCKED, _FORBIDDEN], ids=["full", "forbidden"])
def test_where_nothing_can_be_kept_the_page_says_so_and_still_saves(trouble: str, phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice", "essay"])
    choice, essay = seat.questions
    context = phone.context(seat.student)
    context.add_init_script(trouble)
    student = StudentPage(context.new_page(), seat).open()
    note = student.page.locator("#storage-note")
    note.wait_for()
    assert "terbuka" in note.inner_text(), "answers are safe only while the page stays open"
    keep_screenshot(student.page, "exam-phone-no-storage", full_page=False)
    wire.set(Mode.CUT)
    student.answer(choice, "bndg")
    student.answer(essay, "Hujan terus.")
    student.wait_status("waiting")
    said = student.status().text
    assert "aman di perangkat" not in said, "nothing is kept on this device"
    wire.set(Mode.OPEN)
    student.send_now()
    student.wait_saved()
    assert seat.values() == {choice: "bndg", essay: "Hujan terus."}
    assert student.complaints == []


@pytest.mark.parametrize("rubbish", ["{not json", "null", '{"a": 1}', "7"])
def test_damaged_storage_is_set_aside(rubbish: str, phone: Devices) -> None:
    seat = take_seat()
    first, *_ = seat.questions
    student = phone(seat)
    key = f"failedAnswers_{seat.exam.pk}"
    student.page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, rubbish])
    student.reload()
    aside = student.page.evaluate(
        """key => Object.keys(localStorage)
            .filter(other => other.startsWith(key) && other !== key).map(other => localStorage.getItem(other))""",
        key,
    )
    assert rubbish in aside
    student.answer(first, "bndg")
    student.wait_saved()
    assert seat.values() == {first: "bndg"}
    assert student.complaints == []


def test_what_is_whole_among_damaged_answers_is_recovered(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    first, second, _ = seat.questions
    student = phone(seat)
    wire.set(Mode.CUT)
    student.answer(first, "bndg")
    student.answer(second, "sbya")
    key = f"failedAnswers_{seat.exam.pk}"
    kept = json.loads(student.page.evaluate("key => localStorage.getItem(key)", key))
    damaged = json.dumps([{"questionId": "?"}, *kept, None])
    student.page.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, damaged])
    wire.set(Mode.OPEN)
    student.reload()
    student.wait_saved()
    assert seat.values() == {first: "bndg", second: "sbya"}


def test_storage_that_fills_up_in_the_middle_is_said_and_survived(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    first, second, _ = seat.questions
    student.answer(first, "jkrt")
    student.wait_saved()
    wire.set(Mode.CUT)
    student.page.evaluate(_BLOCKED + "void 0")
    student.answer(second, "sbya")
    student.wait_state(second, "waiting")
    # IndexedDB was open already and takes it: the answer is as safe as before.
    wire.set(Mode.OPEN)
    student.reload()
    student.wait_saved()
    assert seat.values() == {first: "jkrt", second: "sbya"}


# -- old pages that come back ------------------------------------------------------------------------------------------


def test_going_back_never_puts_an_older_answer_over_a_newer_one(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["short_answer", "multiple_choice"])
    text, choice = seat.questions
    student = phone(seat)
    student.answer(text, "lama")
    student.answer(choice, "jkrt")
    student.wait_saved()
    student.page.goto("/ujian")
    other = student.another_tab()
    newest = other.answer(text, "baru")
    other.wait_saved()
    other.page.close()
    student.page.go_back()
    student.wait_ready()
    student.page.wait_for_function(
        """([id, revision]) =>
            Number(document.querySelector(`#grid [data-question="${id}"]`).dataset.revision) === revision""",
        arg=[text, newest],
    )
    assert student.answer_shown(text) == "baru"
    assert student.answer_shown(choice) == "jkrt"
    student.answer(choice, "sbya")
    student.wait_saved()
    assert seat.values() == {text: "baru", choice: "sbya"}
    student.page.go_forward()
    student.page.go_back()
    student.wait_ready()
    student.wait_saved()
    assert seat.values() == {text: "baru", choice: "sbya"}


def test_a_tab_that_is_closed_and_opened_again_has_everything(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["short_answer", "multiple_choice"])
    text, choice = seat.questions
    student = phone(seat)
    student.answer(choice, "jkrt")
    student.wait_saved()
    wire.set(Mode.CUT)
    student.answer(choice, "sbya")
    student.go_to(text)
    student.type("belum selesai menge")  # the tab goes in the middle of the word
    student.page.close(run_before_unload=False)
    wire.set(Mode.OPEN)
    again = StudentPage(student.context.new_page(), seat).open()
    again.wait_saved()
    assert seat.values() == {text: "belum selesai menge", choice: "sbya"}
    assert again.answer_shown(text) == "belum selesai menge"


def test_leaving_the_page_in_the_middle_of_a_word_loses_nothing(phone: Devices) -> None:
    # The last request outlives the page, as a rule; where a browser drops it, the answer is still on the device.
    arrived = 0
    for _ in range(3):
        seat = take_seat(["essay"])
        [essay] = seat.questions
        student = phone(seat)
        student.wait_copy()
        student.go_to(essay)
        student.type("Kalimat yang belum")
        assert seat.values().get(essay) != "Kalimat yang belum"
        student.page.goto("/ujian")
        with suppress(AssertionError):
            wait_until(lambda seat=seat: seat.values(), 2)  # type: ignore[misc]
        arrived += seat.values() == {essay: "Kalimat yang belum"}
        student.open()
        student.wait_saved()
        assert seat.values() == {essay: "Kalimat yang belum"}
    assert arrived, "not one of three pages has sent its last word while it was left"
