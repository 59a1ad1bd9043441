"""Two tabs of one attempt on one device: both may answer, the newest edit wins everywhere, one of them sends."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.browser.conftest import Devices
from tests.browser.student import Seat, StudentPage, take_seat
from tests.browser.wire import Mode, Wire

pytestmark = pytest.mark.django_db(transaction=True)


def _wait_shows(tab: StudentPage, question: int, revision: int) -> None:
    tab.page.wait_for_function(
        """([id, revision]) => {
            const cell = document.querySelector(`#grid [data-question="${id}"]`);
            return Number(cell.dataset.revision) === revision;
        }""",
        arg=[question, revision],
    )


def _assert_each_edit_was_sent_once(wire: Wire, since: int) -> None:
    sent = Counter((save["questionId"], save["revision"]) for request in wire.saves(since) for save in request.saves())
    assert max(sent.values()) == 1, sent


def test_the_newest_edit_of_each_question_wins_in_both_tabs_and_on_the_server(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    one = phone(seat)
    two = one.another_tab()
    first, second, third = seat.questions
    since = len(wire.requests)
    one.page.bring_to_front()
    one.answer(first, "jkrt")
    old = one.answer(second, "jkrt")
    _wait_shows(two, second, old)
    two.page.bring_to_front()
    new = two.answer(second, "bndg")
    assert new > old
    two.answer(third, "sbya")
    _wait_shows(one, second, new)
    one.page.bring_to_front()
    newest = one.answer(first, "sbya")
    _wait_shows(two, first, newest)
    for tab in (one, two):
        tab.wait_saved()
    wanted = {first: "sbya", second: "bndg", third: "sbya"}
    assert seat.values() == wanted
    for tab in (one, two):
        assert {question: tab.answer_shown(question) for question in seat.questions} == wanted
        assert tab.complaints == []
    _assert_each_edit_was_sent_once(wire, since)


def test_a_question_that_is_open_in_both_tabs_shows_the_other_tabs_answer_at_once(phone: Devices) -> None:
    seat = take_seat(["multiple_choice", "short_answer"])
    choice, text = seat.questions
    one = phone(seat)
    two = one.another_tab()
    for question, value in ((choice, "bndg"), (text, "dari tab kedua")):
        one.go_to(question)
        _wait_shows(one, question, two.answer(question, value))
        assert one.shown_question() == question
        assert one.answer_shown(question) == value


def test_a_closed_tab_leaves_the_sending_to_the_other(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    one = phone(seat)
    two = one.another_tab()
    wire.set(Mode.CUT)
    for question in seat.questions:
        two.answer(question, "jkrt")
    one.wait_state(question, "waiting")
    two.page.close()
    wire.set(Mode.OPEN)
    one.wait_saved(timeout=20_000)
    assert seat.values() == dict.fromkeys(seat.questions, "jkrt")


def test_an_old_tab_never_puts_an_older_answer_over_a_newer_one(phone: Devices, wire: Wire) -> None:
    # The old tab hears nothing: it is off line in its own profile's place, as a phone beside a laptop.
    seat = take_seat(["multiple_choice"])
    [question] = seat.questions
    old, new = phone(seat), phone(seat)
    old.wait_saved()
    old.go_off_line()
    old.answer(question, "bndg")
    old.wait_state(question, "waiting")
    newest = new.answer(question, "jkrt")
    new.wait_saved()
    old.go_on_line()
    old.wait_saved(timeout=20_000)
    assert seat.stored() == {question: ("jkrt", newest)}
    assert old.answer_shown(question) == "jkrt"
    assert old.cell(question).revision == newest
    assert new.answer_shown(question) == "jkrt"


def test_the_answer_of_another_device_is_taken_over_with_a_notice(phone: Devices, desk: Devices) -> None:
    seat = take_seat(["short_answer", "multiple_choice"])
    text, choice = seat.questions
    mine, other = phone(seat), desk(seat)
    mine.go_off_line()
    mine.answer(text, "dari ponsel")
    mine.go_to(choice)
    newest = other.answer(text, "dari komputer")
    other.wait_saved()
    mine.go_on_line()
    mine.wait_toast("perangkat lain")
    mine.wait_saved()
    assert seat.stored()[text] == ("dari komputer", newest)
    assert mine.answer_shown(text) == "dari komputer"
    assert mine.complaints == other.complaints == []


def test_two_devices_that_both_answer_end_with_the_newest_of_each_question(phone: Devices, desk: Devices) -> None:
    seat: Seat = take_seat()
    first, second, third = seat.questions
    mine, other = phone(seat), desk(seat)
    mine.answer(first, "jkrt")
    mine.wait_saved()
    other.answer(first, "bndg")
    other.answer(second, "bndg")
    mine.answer(second, "sbya")
    mine.answer(third, "sbya")
    for page in (mine, other):
        page.wait_saved()
    assert seat.values() == {first: "bndg", second: "sbya", third: "sbya"}
    for page in (mine, other):
        page.reload()
        assert {question: page.answer_shown(question) for question in seat.questions} == seat.values()
