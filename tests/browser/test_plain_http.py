"""
An exam over plain HTTP on the school's network, as many schools serve it.

There is no service worker, no Web Locks and no WebCrypto. Everything else works as it does over HTTPS, and both the
student's page and the admin say what is missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model

from exams.content import QuestionType
from exams.models import Attempt
from tests.browser.conftest import Devices, Window
from tests.browser.student import ALL_KINDS, Seat, questions_of, take_seat
from tests.browser.wire import Mode, Wire
from tests.exams.factories import RIGHT, make_exam, make_student
from tests.exams.student_browser import card_of
from tests.web import WebProcess, url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)

_THERE = """[
    ["secure context", isSecureContext], ["worker", navigator.serviceWorker], ["copies", window.caches],
    ["locks", navigator.locks], ["encryption", crypto.subtle],
].filter(([, thing]) => thing).map(([name]) => name)"""


@pytest.fixture(scope="module")
def plain_server(web: WebProcess) -> Iterator[WebProcess]:
    """Its start says what it means for the students."""
    with WebProcess(url_of_test_database(), HTTPS="false", ALLOWED_HOSTS="sekolah.test") as server:
        assert "exams.W001" in "".join(server.output)
        yield server


@pytest.fixture
def network(plain_server: WebProcess) -> Iterator[Wire]:
    with Wire(plain_server.url) as wire:
        yield wire


@pytest.fixture
def school(network: Wire) -> str:
    """The server under a name that is not `localhost`; Chromium finds it on this machine."""
    return f"http://sekolah.test:{urlsplit(network.url).port}"


def test_an_exam_from_the_card_to_the_receipt(school: str, desk: Devices) -> None:
    exam = make_exam(published=True, questions=ALL_KINDS, entry_token="MERDEKA")
    card = card_of(make_student())
    student = desk(url=school)
    page = student.page
    student.log_in(card)
    student.start(exam.pk, "merdeka")
    assert page.evaluate(_THERE) == []
    assert page.locator("#plain-http").is_visible()
    assert "HTTPS" in page.inner_text("#plain-http")

    attempt = Attempt.objects.get(exam=exam)
    seat = Seat(exam, attempt.student, card, attempt, questions_of(exam))
    student.sit_at(seat)
    for question in seat.answerable:
        student.answer(question, RIGHT[seat.questions[question]])
    student.wait_saved()
    right = {question: RIGHT[seat.questions[question]] for question in seat.answerable}
    assert seat.values() == right

    student.reload()
    student.wait_saved()
    assert {student.cell(question).state for question in seat.answerable} == {"saved"}
    assert student.answer_shown(seat.of(QuestionType.ESSAY)) == RIGHT[QuestionType.ESSAY]

    student.submit()
    attempt.refresh_from_db()
    assert (attempt.status, attempt.missing_answers) == (Attempt.Status.SUBMITTED, 0)
    assert attempt.receipt in page.inner_text("#receipt")
    page.click("#logout button")
    page.wait_for_selector("#username")
    assert student.complaints == []


def test_answers_wait_on_the_device_and_survive_a_reload(school: str, desk: Devices, network: Wire) -> None:
    seat = take_seat(["multiple_choice", "short_answer"])
    choice, text = seat.questions
    student = desk(seat, url=school)
    network.set(Mode.BUSY)
    student.answer(choice, "bndg")
    student.answer(text, "fotosintesis")
    student.wait_state(text, "waiting")
    student.reload()
    assert seat.values() == {}
    assert student.answer_shown(text) == "fotosintesis"
    network.set(Mode.OPEN)
    student.wait_saved(timeout=45_000)
    assert seat.values() == {choice: "bndg", text: "fotosintesis"}


def test_of_two_tabs_one_sends_and_when_it_closes_the_other_does(school: str, desk: Devices, network: Wire) -> None:
    seat = take_seat()
    first, second, third = seat.questions
    one = desk(seat, url=school)
    two = one.another_tab()
    since = len(network.requests)
    one.answer(first, "jkrt")
    two.answer(second, "bndg")
    for tab in (one, two):
        tab.wait_saved()
        assert (tab.answer_shown(first), tab.answer_shown(second)) == ("jkrt", "bndg")
    saves = [save for request in network.saves(since) for save in request.saves()]
    sent = Counter((save["questionId"], save["revision"]) for save in saves)
    assert set(sent.values()) == {1}
    one.page.close()
    two.answer(third, "sbya")
    two.wait_saved(timeout=30_000)
    assert seat.values() == {first: "jkrt", second: "bndg", third: "sbya"}


def test_the_admin_says_what_students_miss(school: str, window: Window) -> None:
    get_user_model().objects.create_superuser("guru", password="a-long-password-for-tests")
    page = window.page
    page.goto(f"{school}/admin/")
    assert page.locator("#plain-http").is_visible()
    page.fill("input[name=username]", "guru")
    page.fill("input[name=password]", "a-long-password-for-tests")
    page.click("input[type=submit]")
    page.wait_for_selector("#site-name")
    assert "docs/howto/https-on-a-lan.md" in page.inner_text("#plain-http")
    window.screenshot("admin-plain-http")
    assert page.locator("#plain-http").count() == 1
