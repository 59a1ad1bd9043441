"""
The exam page opens again without network and without server, to its own student only, in one piece.

In a real browser and with a real service worker. What becomes of the answers is the business of `test_network_cut.py`
and `test_kills.py`; here it is the page and its paper.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page

from exams.page_assets import FOLDER
from tests.browser.conftest import Devices
from tests.browser.house import House
from tests.browser.student import Seat, StudentPage, session_cookie, take_seat
from tests.browser.wire import Mode, Reply, Request, Wire
from tests.web import WebProcess, url_of_test_database, wait_until

KINDS = ["multiple_choice", "short_answer", "essay", "true_false"]
NOBODY_THERE = "Tidak ada jaringan"
_KEPT = """async ([exam, version]) => {
    const registration = await navigator.serviceWorker.getRegistration("/siswa/ujian/");
    if (!registration || !registration.active || registration.active.state !== "activated") return false;
    for (const cacheName of await caches.keys()) {
        const owner = await caches.match(`/siswa/ujian/${exam}?copy=owner`, {cacheName});
        const found = owner && await owner.json();
        if (found && found.isComplete && (!version || found.version === version)) return true;
    }
    return false;
}"""
_LEFT = """async () => [
    ...await caches.keys(),
    ...(await navigator.serviceWorker.getRegistrations()).map(registration => registration.scope),
]"""


def wait_kept(page: Page, seat: Seat, version: str = "") -> None:
    """Until a whole copy and a worker that serves it are there. (`wait_for_function` takes any promise for a yes.)"""
    wait_until(lambda: page.evaluate(_KEPT, [seat.exam.pk, version]), 20, "a copy")


def left(page: Page) -> list[str]:
    """What is left on the device: copies and workers."""
    found: list[str] = page.evaluate(_LEFT)
    return found


def version_of(page: Page) -> str:
    version: str = page.evaluate("JSON.parse(document.getElementById('boot').textContent).version")
    return version


def address(seat: Seat) -> str:
    return f"/siswa/ujian/{seat.exam.pk}"


def is_shown(page: Page, seat: Seat) -> bool:
    """Whether the browser, as it is now, would show anything of this student's exam at its address."""
    try:
        page.goto(address(seat))
    except Error as error:
        if "net::ERR" in str(error):
            return False
        raise
    if page.title() != NOBODY_THERE:
        page.wait_for_selector("#question[data-question], #username")
    return seat.student.name in page.content() or page.locator("#question").count() > 0


# -- the page without network --------------------------------------------------------------------------------------


def cut(student: StudentPage, wire: Wire) -> None:
    wire.set(Mode.CUT)


def hang(student: StudentPage, wire: Wire) -> None:
    wire.set(Mode.HANG)


def off_line(student: StudentPage, wire: Wire) -> None:
    student.go_off_line()


def nobody_behind_the_proxy(student: StudentPage, wire: Wire) -> None:
    wire.answer_with = lambda request: Reply(502, "<h1>Bad Gateway</h1>", content_type="text/html")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("break_it", [cut, hang, off_line, nobody_behind_the_proxy])
def test_a_reload_without_network_shows_the_paper_and_all_answers_and_the_student_goes_on(
    break_it: Any, phone: Devices, wire: Wire
) -> None:
    seat = take_seat(KINDS)
    choice, text, essay, yes_or_no = seat.questions
    student = phone(seat)
    student.answer(choice, "bndg")
    student.wait_saved()
    wait_kept(student.page, seat)
    saved = student.cell(choice)

    break_it(student, wire)
    waiting = student.answer(text, "fotosintesis")
    started = time.monotonic()
    student.reload()
    # 5 s until the worker gives the network up and 3 s until the page does, where it does not simply fail.
    assert time.monotonic() - started < 12
    assert student.cell(choice) == saved
    assert (student.cell(text).state, student.cell(text).revision) == ("waiting", waiting)
    assert student.answer_shown(choice) == "bndg"
    assert student.answer_shown(text) == "fotosintesis"
    student.answer(essay, "Matahari terbit.")
    student.reload()
    student.answer(yes_or_no, True)

    wire.answer_with = None
    wire.set(Mode.OPEN)
    student.go_on_line()
    student.wait_saved(timeout=45_000)
    assert seat.values() == {choice: "bndg", text: "fotosintesis", essay: "Matahari terbit.", yes_or_no: True}
    assert student.complaints == []


def test_a_reload_while_the_server_is_dead_shows_the_same(own_house: House, phone: Devices) -> None:
    seat = take_seat(KINDS[:2])
    choice, text = seat.questions
    student = phone(seat, url=own_house.url)
    student.answer(choice, "bndg")
    student.wait_saved()
    wait_kept(student.page, seat)
    own_house.kill_server()
    try:
        student.answer(text, "fotosintesis")
        student.reload()
        assert student.answer_shown(choice) == "bndg"
        assert student.answer_shown(text) == "fotosintesis"
    finally:
        own_house.start_server()
    student.wait_saved(timeout=45_000)
    assert seat.values() == {choice: "bndg", text: "fotosintesis"}


@pytest.mark.django_db(transaction=True)
def test_two_exams_on_one_device_open_each_with_its_own_paper(phone: Devices, wire: Wire) -> None:
    first = take_seat(["multiple_choice"])
    second = take_seat(["essay", "essay"], student=first.student)
    device = phone(first)
    wait_kept(device.page, first)
    other = StudentPage(device.context.new_page(), second).open()
    wait_kept(other.page, second)
    wire.set(Mode.CUT)
    device.reload()
    other.reload()
    assert set(device.cells()) == set(first.questions)
    assert set(other.cells()) == set(second.questions)


@pytest.mark.django_db(transaction=True)
def test_with_the_network_a_reload_costs_few_requests(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    since = len(wire.requests)
    student.reload()
    student.page.wait_for_load_state("networkidle")
    asked = wire.paths(since)
    assert {address(seat), f"/api/siswa/ujian/{seat.exam.pk}/start"} <= set(asked)
    assert len(asked) <= 5, asked


# -- what the server says goes first -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_way_to_the_login_page_is_passed_on(phone: Devices) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    student.context.clear_cookies()
    student.page.goto(address(seat))
    student.page.wait_for_selector("#username")
    assert "/masuk?next=" in student.page.url


@pytest.mark.django_db(transaction=True)
def test_an_exam_without_a_copy_waits_for_the_network_by_itself(phone: Devices, wire: Wire) -> None:
    kept = take_seat(["multiple_choice"])
    other = take_seat(["essay"], student=kept.student)
    student = phone(kept)
    wait_kept(student.page, kept)
    wire.set(Mode.CUT)
    student.page.goto(address(other))
    assert student.page.title() == NOBODY_THERE
    assert "No network" in student.page.inner_text("body")
    wire.set(Mode.OPEN)
    StudentPage(student.page, other).wait_ready()


# -- whose page it is ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_after_the_receipt_nothing_is_left(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    student.submit()
    assert left(student.page) == []
    wire.set(Mode.CUT)
    assert not is_shown(student.page, seat)


@pytest.mark.django_db(transaction=True)
def test_a_logout_forgets_before_the_server_even_answers(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    # No page of ours runs a script after this logout: as if the browser had been killed.
    nothing = Reply(200, "<title>Gone</title>", content_type="text/html")
    wire.answer_with = lambda request: nothing if request.path == "/keluar" else None
    page = student.context.new_page()
    page.goto("/ujian")
    page.click("#logout button")
    page.wait_for_url("**/keluar")
    assert left(page) == []


@pytest.mark.django_db(transaction=True)
def test_the_next_student_gets_nothing_of_the_first_ones_off_line(desk: Devices, wire: Wire) -> None:
    first = take_seat(["short_answer"])
    second = take_seat(exam=first.exam)
    device = desk(first)
    wait_kept(device.page, first)
    device.page.goto("/ujian")
    device.page.click("#logout button")
    device.page.wait_for_selector("#username")
    assert left(device.page) == []
    wire.set(Mode.CUT)
    assert not is_shown(device.page, first)
    wire.set(Mode.OPEN)

    other = StudentPage(device.page, second)
    other.log_in(second.card)
    other.open()
    wait_kept(other.page, second)
    wire.set(Mode.CUT)
    other.reload()
    assert second.student.name in other.page.content()
    assert first.student.name not in other.page.content()


@pytest.mark.django_db(transaction=True)
def test_a_student_who_comes_by_a_link_clears_what_another_one_left(desk: Devices, wire: Wire) -> None:
    """Without a logout: another session in the same browser, and straight to an exam page."""
    first = take_seat(["short_answer"])
    second = take_seat(["essay"])
    device = desk(first)
    wait_kept(device.page, first)
    device.page.goto("about:blank")
    device.context.clear_cookies()
    device.context.add_cookies([session_cookie(second.student, wire.url)])  # type: ignore[list-item]
    other = StudentPage(device.page, second).open()
    wait_kept(other.page, second)
    wire.set(Mode.CUT)
    assert not is_shown(other.page, first)


@pytest.mark.django_db(transaction=True)
def test_whoever_cannot_be_logged_out_keeps_his_exam(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    page = student.context.new_page()
    page.goto("/ujian")
    wire.set(Mode.CUT)
    page.click("#logout button")
    page.wait_for_url("chrome-error://**")
    student.reload()


# -- in one piece --------------------------------------------------------------------------------------------------


@pytest.fixture
def later_version(tmp_path: Path, web: WebProcess) -> Any:
    """The same server after an update of the page, on the same database."""
    shutil.copytree(FOLDER, tmp_path / "exams")
    with (tmp_path / "exams" / "texts.js").open("a") as module:
        module.write('\ndocument.documentElement.dataset.later = "yes";\n')
    (tmp_path / "later_settings.py").write_text(
        "from config.settings import *\n"
        "from pathlib import Path\n"
        "from exams import page_assets\n"
        f"page_assets.FOLDER = Path({str(tmp_path / 'exams')!r})\n"
    )
    database = url_of_test_database()
    with WebProcess(database, DJANGO_SETTINGS_MODULE="later_settings", PYTHONPATH=str(tmp_path)) as server:
        yield server


def is_later(page: Page) -> bool:
    return page.get_attribute("html", "data-later") == "yes"


@pytest.mark.django_db(transaction=True)
def test_an_update_in_the_middle_of_an_exam(phone: Devices, wire: Wire, later_version: WebProcess) -> None:
    seat = take_seat(KINDS[:3])
    choice, text, essay = seat.questions
    student = phone(seat)
    student.answer(choice, "bndg")
    wait_kept(student.page, seat)
    earlier = version_of(student.page)
    wire.server_url = later_version.url
    student.answer(text, "fotosintesis")
    student.wait_saved()

    # The earlier page, in one piece, as long as the student has not loaded the later one.
    wire.set(Mode.CUT)
    student.reload()
    assert (version_of(student.page), is_later(student.page)) == (earlier, False)

    # The later page came, but not all that belongs to it: the copy is still the earlier one.
    wire.answer_with = lambda request: _only_the_page_itself(request, address(seat))
    wire.set(Mode.OPEN)
    student.reload()
    student.page.wait_for_selector("html[data-later=yes]")
    student.answer(essay, "Matahari terbit.")
    student.wait_saved()
    wire.answer_with = None
    wire.set(Mode.CUT)
    student.reload()
    assert (version_of(student.page), is_later(student.page)) == (earlier, False)
    assert student.answer_shown(essay) == "Matahari terbit."

    # All of it.
    wire.set(Mode.OPEN)
    student.reload()
    later = version_of(student.page)
    assert later != earlier
    wait_kept(student.page, seat, later)
    wire.set(Mode.CUT)
    student.reload()
    assert (version_of(student.page), is_later(student.page)) == (later, True)
    assert student.answer_shown(choice) == "bndg"
    assert student.complaints == []


def _only_the_page_itself(request: Request, exam_page: str) -> Reply | None:
    is_second_look = request.path == exam_page and request.headers.get("sec-fetch-mode") != "navigate"
    return Reply(503, "busy", headers={"Retry-After": "1"}) if is_second_look else None


_KEEP = """async (changes) => {
    const boot = JSON.parse(document.getElementById("boot").textContent);
    const {keepCopy, readCopy} = await import(boot.assets[0].replace("page.js", "offline.js"));
    const {examId, attemptId, version, language, assets} = boot;
    const copy = {examId, attemptId, version, language, assets, student: boot.student.id, data: {n: 1}, ...changes};
    return {isKept: await keepCopy(copy), data: await readCopy(copy)};
}"""

_READ = """async (student) => {
    const boot = JSON.parse(document.getElementById("boot").textContent);
    const {readCopy} = await import(boot.assets[0].replace("page.js", "offline.js"));
    return readCopy({examId: boot.examId, student});
}"""


@pytest.mark.django_db(transaction=True)
def test_no_copy_is_made_of_what_does_not_belong_together(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    page = student.page
    assets = page.evaluate("JSON.parse(document.getElementById('boot').textContent).assets")
    older = [asset.replace(version_of(page), "0123456789ab") for asset in assets]
    wrong: list[dict[str, Any]] = [
        {"attemptId": seat.attempt.pk + 1},
        {"version": "0123456789ab"},
        {"version": "0123456789ab", "assets": older},
        {"language": "en"},
    ]
    before = left(page)
    for changes in wrong:
        assert page.evaluate(_KEEP, changes)["isKept"] is False, changes
        assert left(page) == before, changes
    page.evaluate("async () => { for (const name of await caches.keys()) await caches.delete(name); }")
    assert page.evaluate(_KEEP, {"assets": older})["isKept"] is False
    assert page.evaluate("caches.keys()") == []
    assert page.evaluate(_KEEP, {}) == {"isKept": True, "data": {"n": 1}}


@pytest.mark.django_db(transaction=True)
def test_a_copy_is_read_by_its_own_student_only(phone: Devices) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    assert student.page.evaluate(_READ, seat.student.pk)["attempt"]["id"] == seat.attempt.pk
    assert student.page.evaluate(_READ, seat.student.pk + 1) is None
    # Nor does his page become a copy for somebody else.
    assert student.page.evaluate(_KEEP, {"student": seat.student.pk + 1}) == {"isKept": False, "data": None}
    assert student.page.evaluate("caches.keys()") == []


@pytest.mark.django_db(transaction=True)
def test_new_data_of_the_same_page_costs_no_request(phone: Devices, wire: Wire) -> None:
    seat = take_seat(["multiple_choice"])
    student = phone(seat)
    wait_kept(student.page, seat)
    since = len(wire.requests)
    assert student.page.evaluate(_KEEP, {"data": {"n": 2}}) == {"isKept": True, "data": {"n": 2}}
    asked = wire.requests[since:]
    assert [each.headers for each in asked if "/static/" in each.path or each.path == address(seat)] == []
