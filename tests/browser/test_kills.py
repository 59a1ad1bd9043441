"""`kill -9` of the server, of PostgreSQL and of the browser, while a student answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import BrowserContext

from exams.content import QuestionType
from tests.browser.conftest import FLAGS, PHONE, Devices, chromium_path
from tests.browser.house import House
from tests.browser.student import Seat, StudentPage, session_cookie, take_seat
from tests.browser.wire import Mode, Wire
from tests.exams.factories import RIGHT

KINDS = (QuestionType.MULTIPLE_CHOICE, QuestionType.SHORT_ANSWER, QuestionType.MATCHING) * 3


@pytest.mark.parametrize(
    ("kill", "restart"),
    [(House.kill_server, House.start_server), (House.kill_database, House.start_database)],
    ids=["server", "PostgreSQL"],
)
def test_what_is_killed_and_comes_back_loses_nothing(
    kill: Callable[[House], None], restart: Callable[[House], None], own_house: House, phone: Devices
) -> None:
    seat = take_seat(KINDS)
    student = phone(seat, url=own_house.url)
    questions = list(seat.questions)
    for question in questions[:3]:
        student.answer(question, RIGHT[seat.questions[question]])
    kill(own_house)
    for question in questions[3:]:
        student.answer(question, RIGHT[seat.questions[question]])
    student.wait_status("waiting", "busy")
    assert student.cell(questions[-1]).state == "waiting"
    restart(own_house)
    student.wait_saved(timeout=45_000)
    assert seat.values() == {question: RIGHT[kind] for question, kind in seat.questions.items()}
    assert {q: cell.revision for q, cell in student.cells().items()} == {q: r for q, (_, r) in seat.stored().items()}
    history = own_house.history([seat.attempt.pk])
    for (question, revision), at in phone.shown.saved().items():
        assert history[seat.attempt.pk, question, revision].committed_at <= at + 2
    assert student.complaints == []


# -- the browser ---------------------------------------------------------------------------------------------------

_NO_LOCAL_STORAGE = "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); };"


def _open_browser(playwright: Any, profile: Path, wire: Wire) -> BrowserContext:
    context = playwright.chromium.launch_persistent_context(
        profile, executable_path=chromium_path(), args=FLAGS, base_url=wire.url, locale="id-ID", **PHONE
    )
    context.set_default_timeout(15_000)
    return context


def _kill_browser(profile: Path) -> None:
    """The whole tree at once, as a battery that is taken out."""
    ours = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(profile) in part for part in process.info["cmdline"] or [])
    ]
    assert ours
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=10)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("storage", ["both storages", "IndexedDB alone"])
def test_five_answers_survive_a_kill_of_the_browser_right_after_the_last_tap(
    storage: str, playwright: Any, tmp_path: Path, wire: Wire
) -> None:
    # A browser writes localStorage to the disk only seconds later: without IndexedDB the last taps would be gone.
    seat = take_seat(["multiple_choice"] * 5)
    context = _open_browser(playwright, tmp_path, wire)
    if storage == "IndexedDB alone":
        context.add_init_script(_NO_LOCAL_STORAGE)
    context.add_cookies([session_cookie(seat.student, wire.url)])  # type: ignore[list-item]
    student = StudentPage(context.pages[0], seat).open()
    wire.set(Mode.CUT)
    for question in seat.questions:
        student.answer(question, "jkrt")
    assert {cell.state for cell in student.cells().values()} == {"waiting"}
    student.answer(question, "bndg")
    _kill_browser(tmp_path)
    assert seat.values() == {}

    wire.set(Mode.OPEN)
    context = _open_browser(playwright, tmp_path, wire)
    try:
        # The cookie may not have reached the disk either; a student would type his PIN.
        context.add_cookies([session_cookie(seat.student, wire.url)])  # type: ignore[list-item]
        again = StudentPage(context.pages[0], seat).open()
        again.wait_toast("Memulihkan 5 jawaban yang gagal tersimpan")
        again.wait_saved()
        assert seat.values() == {q: "bndg" if q == question else "jkrt" for q in seat.questions}
    finally:
        context.close()


def test_a_seat_of_its_own_house_is_in_no_other_database(own_house: House, web: Any) -> None:
    """The instrument: what is killed here is nobody else's."""
    seat: Seat = take_seat()
    assert own_house.server.url != web.url
    assert own_house.history([seat.attempt.pk]) == {}
