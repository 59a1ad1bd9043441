"""
Eighteen ways in which exam platforms have lost their students' answers, and what shows that this one does not.

| # | what goes wrong elsewhere | shown by |
|---|---|---|
| 1 | the device forgets an answer before the server has acknowledged it | test_replies: every trouble; test_kills |
| 2 | retries without a pause, a busy server is hit harder | test_replies: not asked before the time that it told |
| 3 | saving stops shortly before the deadline | below |
| 4 | answers restored from the device count as saved and are never sent | test_kills, test_storage_trouble |
| 5 | back, forward or a reopened tab replays an old page over real answers | test_storage_trouble: old pages |
| 6 | edits are ordered by the device's clock | test_clocks |
| 7 | what waits in the typing pause is not part of the submit | test_closing: typing pause, time-up |
| 8 | one bad entry blocks the queue, a 401 deletes, a 429 feeds itself | test_replies, test_session_end; below |
| 9 | a draft is deleted by any click; drafts of two questions are mixed up | below |
| 10 | an old tab writes blanks over new answers | test_two_tabs; below |
| 11 | the order of the questions lives in the browser | below |
| 12 | the next student on a computer gets the answers of the first | test_shared_computer |
| 13 | time is up, the last save failed, the attempt is closed all the same | test_closing: time-up without network |
| 14 | a save fails and nothing is said | test_replies: shown as failed; below |
| 15 | "connection lost" is shown though the network is fine, or stays | below |
| 16 | the session ends and takes the page with it | test_session_end |
| 17 | time follows the device's clock, or stops in a sleeping tab | test_clocks; below |
| 18 | the server believes the times and the student that a page posts | below |
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from exams.attempts import database_now
from exams.models import Answer, Attempt
from tests.browser.conftest import Devices
from tests.browser.student import take_seat
from tests.browser.wire import Mode, Reply, Wire
from tests.exams.autosave.sitting import now_ms
from tests.web import WebProcess, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_3_saving_goes_on_until_the_deadline_and_into_the_grace(phone: Devices) -> None:
    seat = take_seat()
    # Two seconds before the end, and the page has not been told that it is so near.
    student = phone(seat)
    deadline = database_now() + timedelta(seconds=2)
    Attempt.objects.filter(pk=seat.attempt.pk).update(deadline_at=deadline)
    first, second, _ = seat.questions
    student.answer(first, "jkrt")
    student.wait_state(first, "saved")
    wait_until(lambda: database_now() > deadline, 5, "the deadline")
    student.answer(second, "bndg")
    wait_until(lambda: second in seat.values(), 10, "a save in the grace")
    assert seat.values() == {first: "jkrt", second: "bndg"}


def test_8_a_429_does_not_feed_itself(phone: Devices, wire: Wire, web: WebProcess) -> None:
    seat = take_seat(["multiple_choice"])
    [question] = seat.questions
    student = phone(seat)
    # Another device has saved this very question just now: the server refuses ours for two seconds.
    assert seat.other_device().save(web, "sbya", revision=now_ms()).status_code == 200
    newest = student.answer(question, "bndg")
    student.wait_saved()
    assert seat.stored() == {question: ("bndg", newest)}
    assert len(wire.saves()) == 2, "refused once, taken once"
    first, second = wire.saves()
    assert second.at - first.at > 1.5


def test_9_each_question_keeps_its_own_draft_whatever_is_clicked(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["short_answer", "essay", "short_answer"])
    drafts = dict(zip(seat.questions, ("satu", "dua dua dua", "tiga"), strict=True))
    student = phone(seat)
    student.wait_copy()
    wire.set(Mode.CUT)
    for question, text in drafts.items():
        student.go_to(question)
        student.type(text)  # and away in the middle of it, without leaving the field first
    page = student.page
    student.mark_doubtful(next(iter(seat.questions)))
    for _ in seat.questions:
        page.locator("#next:enabled, #previous:enabled").first.click()
    student.open_submit()
    page.click("#cancel-submit")
    for question, text in drafts.items():
        assert student.answer_shown(question) == text
    student.reload()
    for question, text in drafts.items():
        assert student.answer_shown(question) == text
    wire.set(Mode.OPEN)
    student.send_now()
    student.wait_saved()
    assert seat.values() == drafts


def test_10_a_tab_that_only_looks_writes_nothing(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["short_answer", "multiple_choice"])
    text, choice = seat.questions
    old = phone(seat)
    old.go_to(text)
    new = old.another_tab()
    new.answer(text, "jawaban baru")
    new.answer(choice, "jkrt")
    new.wait_saved()
    before = seat.stored()
    since = len(wire.requests)
    old.page.bring_to_front()
    old.page.click("#question #answer")
    old.leave_field()
    for question in (choice, text, choice):
        old.go_to(question)
    old.page.locator("#next:enabled, #previous:enabled").first.click()
    old.reload()
    assert wire.saves(since) == []
    assert seat.stored() == before


def test_11_each_student_has_an_order_of_his_own_and_answers_the_right_questions(phone: Devices) -> None:
    seats = [take_seat(["multiple_choice"] * 6)]
    seats.append(take_seat(exam=seats[0].exam))
    orders = []
    for seat in seats:
        student = phone(seat)
        order = student.page.locator("#grid [data-question]").evaluate_all("all => all.map(c => c.dataset.question)")
        orders.append(order)
        for question, option in zip(seat.questions, ("jkrt", "bndg", "sbya") * 2, strict=True):
            student.answer(question, option)
        student.wait_saved()
        student.reload()
        again = student.page.locator("#grid [data-question]").evaluate_all("all => all.map(c => c.dataset.question)")
        assert again == order
        assert list(seat.values().values()) == ["jkrt", "bndg", "sbya"] * 2
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_14_a_save_that_fails_is_said_and_the_answer_is_not_called_saved(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    wire.answer_with = lambda request: Reply(500, "<h1>Server Error</h1>", "text/html") if request.is_save else None
    first, *_ = seat.questions
    student.answer(first, "jkrt")
    student.wait_status("waiting")
    assert student.cell(first).state == "waiting"
    assert "1 jawaban menunggu jaringan" in student.status().text
    assert (first, student.cell(first).revision) not in phone.shown.saved()
    wire.answer_with = None
    student.send_now()
    student.wait_saved()
    assert seat.values() == {first: "jkrt"}


def test_15_a_healthy_network_is_never_called_anything_else(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice", "essay", "short_answer", "matching"])
    choice, essay, text, _ = seat.questions
    wire.delay_seconds = 0.3  # as through the walls of a school
    student = phone(seat)
    student.answer(choice, "jkrt")
    student.go_to(essay)
    student.type("Kami pergi ke pantai dan pulang malam hari.", delay_ms=30)
    student.answer(text, "dingin")
    student.answer(choice, "sbya")
    student.reload()
    student.wait_saved()
    assert set(phone.shown.kinds()) <= {"saved", "sending"}


def test_15_a_trouble_that_is_over_is_called_over(phone: Devices, wire: Wire) -> None:
    seat = take_seat()
    student = phone(seat)
    student.go_off_line()
    first, *_ = seat.questions
    student.answer(first, "jkrt")
    student.wait_status("waiting")
    student.go_on_line()
    student.wait_saved()
    assert phone.shown.kinds()[-1] == "saved"
    assert student.status().text.strip() == "Semua jawaban tersimpan"


def test_17_time_goes_on_while_the_page_sleeps(phone: Devices) -> None:
    seat = take_seat()
    student = phone(seat)
    session = student.context.new_cdp_session(student.page)
    before, at = student.seconds_left(), now_ms()
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    wait_until(lambda: now_ms() - at > 3000, 10, "three seconds of sleep")
    session.send("Page.setWebLifecycleState", {"state": "active"})
    first, *_ = seat.questions
    student.answer(first, "jkrt")
    student.wait_saved()
    slept = (now_ms() - at) / 1000
    assert abs(before - slept - student.seconds_left()) < 2


def test_18_a_page_that_lies_about_time_and_student_changes_nothing(phone: Devices, wire: Wire) -> None:
    seat, other = take_seat(), take_seat()
    student = phone(seat)
    first, *_ = seat.questions
    student.answer(first, "jkrt")
    student.wait_saved()
    [save] = wire.saves()
    lie = {
        "questionId": first,
        "answer": "bndg",
        "student": other.student.pk,
        "studentId": other.student.pk,
        "attemptId": other.attempt.pk,
        "elapsedSeconds": 1,
        "savedAt": "2020-01-01T00:00:00Z",
    }
    status = student.page.evaluate(
        """async ([path, ticket, body]) => {
            const headers = {"Content-Type": "application/json", "Authorization": ticket};
            const reply = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
            return reply.status;
        }""",
        [save.path, save.headers["authorization"], lie],
    )
    assert status in (200, 429)
    assert not Answer.objects.filter(attempt=other.attempt).exists()
    deadline = Attempt.objects.get(pk=seat.attempt.pk).deadline_at
    assert deadline == seat.attempt.deadline_at
