"""An exam as a student sits it, from the card to the receipt, with a question of every type, on phone and desk."""

from __future__ import annotations

import pytest

from exams.content import QuestionType
from exams.models import Attempt
from tests.browser.conftest import Devices, keep_screenshot
from tests.browser.student import ALL_KINDS, Seat, questions_of
from tests.exams.factories import RIGHT, make_exam, make_student
from tests.exams.student_browser import card_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("screen", ["phone", "desk"])
def test_an_exam_from_the_card_to_the_receipt(screen: str, request: pytest.FixtureRequest) -> None:
    devices: Devices = request.getfixturevalue(screen)
    exam = make_exam(published=True, questions=ALL_KINDS, title="Ulangan Harian IPA Bab 2", entry_token="MERDEKA")
    student = make_student(name="Siti Nurhaliza binti Abdul Rahman", class_name="7A")
    card = card_of(student)
    sitting = devices()
    page = sitting.page

    def picture(name: str, *, full_page: bool = True) -> None:
        keep_screenshot(page, f"exam-{screen}-{name}", full_page=full_page)

    page.goto("/")
    assert page.url.partition("?")[0].endswith("/masuk")
    picture("01-card")
    sitting.log_in(card)
    assert page.url.endswith("/ujian")
    picture("02-exams")
    page.click(f'a[href="/ujian/{exam.pk}"]')
    page.wait_for_selector("#start")
    picture("03-rules")
    page.fill("#entry_token", "merdeka")
    page.click("#start")
    sitting.wait_ready()
    picture("04-first-question", full_page=False)

    attempt = Attempt.objects.get(student=student, exam=exam)
    seat = Seat(exam, student, card, attempt, questions_of(exam))
    sitting.sit_at(seat)
    assert {cell.state for cell in sitting.cells().values()} == {"empty", "reading"}
    for question, kind in seat.questions.items():
        if kind is QuestionType.DESCRIPTION:
            sitting.go_to(question)
        else:
            sitting.answer(question, RIGHT[kind])
        picture(f"05-{kind}", full_page=False)
    sitting.wait_saved()
    assert seat.values() == {question: RIGHT[seat.questions[question]] for question in seat.answerable}
    assert seat.stored().keys() == {question for question in seat.answerable if sitting.cell(question).revision}
    for question in seat.answerable:
        assert sitting.cell(question).revision == seat.stored()[question][1]
        assert sitting.answer_shown(question) == RIGHT[seat.questions[question]]

    sitting.mark_doubtful(seat.of("essay"))
    assert sitting.cell(seat.of("essay")).is_doubtful
    sitting.clear(seat.of("true_false"))
    sitting.wait_saved()
    assert seat.values()[seat.of("true_false")] is None
    if page.locator("#open-grid").is_visible():
        page.click("#open-grid")
        picture("06-grid", full_page=False)
        page.click("#close-grid")
    else:
        picture("06-grid", full_page=False)
    sitting.open_submit()
    picture("07-hand-in", full_page=False)
    dialog = page.locator("#submit-dialog")
    assert dialog.locator(".empty").is_visible()
    assert dialog.locator(".doubtful").is_visible()
    assert not dialog.locator(".waiting").is_visible()
    page.click("#confirm-submit")
    page.wait_for_selector("#receipt")
    picture("08-receipt")

    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.SUBMITTED
    assert attempt.missing_answers == 0
    assert attempt.receipt in page.inner_text("#receipt")
    assert "6" in page.inner_text("#answered")
    assert sitting.complaints == []
    assert sitting.console == []
    page.goto("/")
    picture("09-done")
