"""What the server, or somebody who stands before it, may answer to a save; nothing is thrown away because of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import StudentPage, take_seat
from tests.browser.wire import Mode, Reply, Request, Wire
from tests.web import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

_PORTAL = "<!doctype html><title>Selamat datang</title><h1>Masuk ke Wi-Fi sekolah</h1>"


@pytest.mark.parametrize(("status", "code"), [(422, "wrong_answer"), (404, "unknown_question")])
def test_one_refused_answer_is_shown_as_failed_and_the_others_go_on(
    status: int, code: str, phone: Devices, wire: Wire
) -> None:
    seat = take_seat(["multiple_choice", "short_answer", "multiple_choice"])
    first, refused, third = seat.questions
    problem = {
        "success": False,
        "code": code,
        "message": "Tidak dapat disimpan.",
        "field": "answer",
        "reason": "alasan",
    }

    def refuse(request: Request) -> Reply | None:
        is_it = request.is_save and not request.is_bulk and request.saves()[0]["questionId"] == refused
        return Reply(status, problem) if is_it and request.saves()[0]["answer"] == "salah" else None

    wire.answer_with = refuse
    student = phone(seat)
    student.answer(refused, "salah")
    student.wait_state(refused, "failed")
    assert student.page.locator("#reason").is_visible()
    keep_screenshot(student.page, f"exam-phone-failed-{status}", full_page=False)
    student.answer(first, "jkrt")
    student.answer(third, "bndg")
    student.wait_state(first, "saved")
    student.wait_state(third, "saved")
    assert student.cell(refused).state == "failed"
    assert "1 jawaban tidak dapat disimpan" in student.status().text
    assert seat.values() == {first: "jkrt", third: "bndg"}
    # It is still there after a reload, and another answer to the same question is sent as ever.
    student.reload()
    assert student.answer_shown(refused) == "salah"
    student.answer(refused, "benar")
    student.wait_saved()
    assert seat.values() == {first: "jkrt", refused: "benar", third: "bndg"}
    assert student.complaints == []


@pytest.mark.parametrize("mode", [Mode.BUSY, Mode.LIMIT, Mode.SWALLOW, Mode.CUT])
def test_answers_wait_through_every_trouble_and_arrive(mode: Mode, phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"] * 5)
    student = phone(seat)
    wire.set(mode)
    for question in seat.questions:
        student.answer(question, "sbya")
    assert any(cell.state == "waiting" for cell in student.cells().values())
    asked = len(wire.requests)
    wait_until(lambda: student.status().kind != "saved" or asked, 5)
    wire.set(Mode.OPEN)
    student.wait_saved(timeout=20_000)
    assert seat.values() == dict.fromkeys(seat.questions, "sbya")
    saved = phone.shown.saved()
    stored = {(question, revision) for question, (_, revision) in seat.stored().items()}
    assert saved.keys() == stored, "only what is stored was shown as saved"
    assert student.complaints == []


def test_a_captive_portal_is_no_acknowledgement(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    wire.answer_with = lambda request: Reply(200, _PORTAL, "text/html")
    for question in seat.questions:
        student.answer(question, "sbya")
    student.wait_status("waiting")
    assert {cell.state for cell in student.cells().values()} == {"waiting"}
    assert phone.shown.saved() == {}
    wire.answer_with = None
    student.send_now()
    student.wait_saved()
    assert seat.values() == dict.fromkeys(seat.questions, "sbya")


def test_somebody_elses_json_is_no_acknowledgement_either(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    wire.answer_with = lambda request: Reply(200, {"status": "ok"}) if request.is_save else None
    first, *_ = seat.questions
    student.answer(first, "sbya")
    student.wait_status("waiting")
    assert phone.shown.saved() == {}
    wire.answer_with = None
    student.send_now()
    student.wait_saved()
    assert seat.values() == {first: "sbya"}


def test_a_server_that_is_busy_is_not_asked_before_the_time_that_it_told(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    told_ms = 1000
    busy = {"success": False, "code": "unavailable", "message": "Server sibuk.", "retryAfterMs": told_ms}
    wire.answer_with = lambda request: Reply(503, busy, headers={"Retry-After": "1"}) if request.is_save else None
    for question in seat.questions:
        student.answer(question, "jkrt")
    wait_until(lambda: len(_pump(student, wire)) >= 3, 15, "three tries")
    at = [request.at for request in wire.saves()]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert all(gap >= told_ms / 1000 - 0.05 for gap in gaps), gaps
    assert len({round(gap, 2) for gap in gaps}) == len(gaps), f"no jitter: {gaps}"
    wire.answer_with = None
    student.wait_saved()
    assert seat.values() == dict.fromkeys(seat.questions, "jkrt")


def _pump(student: StudentPage, wire: Wire) -> list[Request]:
    student.status()
    return wire.saves()


def test_a_busy_server_is_said(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    wire.set(Mode.BUSY)
    first, *_ = seat.questions
    student.answer(first, "jkrt")
    student.wait_status("busy")
    keep_screenshot(student.page, "exam-phone-busy", full_page=False)
    wire.set(Mode.OPEN)
    student.wait_saved()
    assert seat.values() == {first: "jkrt"}
