"""A student who cannot decide: ten changes of one answer each second, for ten seconds."""

from __future__ import annotations

import time

import pytest

from tests.browser.conftest import Devices
from tests.browser.student import take_seat
from tests.browser.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)

CHANGES, SECONDS, REQUESTS_MAX = 100, 10, 6
OPTIONS = ("jkrt", "bndg", "sbya")


def test_the_last_of_a_hundred_changes_is_stored_with_few_requests(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    [question] = seat.questions
    student = phone(seat)
    student.go_to(question)
    places = {}
    for option in OPTIONS:
        box = student.page.locator(f'#question label:has(input[value="{option}"])').bounding_box()
        assert box is not None
        places[option] = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sent_before = len(wire.requests)
    began = time.monotonic()
    for number in range(CHANGES):
        # Each press takes most of a tenth of a second, as a thumb's does.
        student.page.mouse.click(*places[OPTIONS[number % 3]], delay=1000 * SECONDS / CHANGES - 10)
    took = time.monotonic() - began
    assert took < 2 * SECONDS, "the machine was too slow for ten changes a second"
    last = OPTIONS[(CHANGES - 1) % 3]
    sent_while_clicking = len(wire.saves(sent_before))
    student.wait_saved()
    [(value, revision)] = seat.stored().values()
    assert value == last
    assert student.answer_shown(question) == last
    assert student.cell(question).revision == revision
    assert len({sight.revision for sight in phone.shown.sights if sight.question == question}) >= CHANGES
    assert sent_while_clicking <= len(wire.saves(sent_before)) <= REQUESTS_MAX + (took > SECONDS + 2)
