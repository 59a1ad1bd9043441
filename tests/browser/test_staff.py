"""What a teacher sees in a real browser: the admin and the API's description, under our Content-Security-Policy."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from exams import attempts
from exams.content import QuestionType
from tests.browser.conftest import Window
from tests.exams.autosave.sitting import sit_down
from tests.exams.factories import RIGHT
from tests.web import WebProcess

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a-long-password-for-tests"


def log_in(window: Window) -> None:
    get_user_model().objects.create_superuser("guru", password=PASSWORD)
    page = window.page
    page.goto("/admin/")
    page.fill("input[name=username]", "guru")
    page.fill("input[name=password]", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#site-name")


def test_a_teacher_finds_a_submitted_attempt_and_its_answers(window: Window, web: WebProcess) -> None:
    sitting = sit_down(["multiple_choice", "essay"])
    for question, kind in zip(sitting.questions, (QuestionType.MULTIPLE_CHOICE, QuestionType.ESSAY), strict=True):
        assert sitting.save(web, RIGHT[kind], question=question).status_code == 200
    done = attempts.submit_attempt(student=sitting.attempt.student, exam_id=sitting.exam_id, pending=[], manifest={})
    log_in(window)
    page = window.page
    window.screenshot("admin-index")
    page.goto("/admin/exams/attempt/")
    window.screenshot("admin-attempts")
    page.goto(f"/admin/exams/attempt/{sitting.attempt.pk}/change/")
    assert done.attempt.receipt in page.inner_text("body")
    window.screenshot("admin-attempt")
    page.goto("/admin/exams/answer/")
    window.screenshot("admin-answers")
    assert page.locator("#result_list tbody tr").count() == 2
    assert window.complaints == []


def test_the_description_of_the_api_is_shown_whole(window: Window) -> None:
    page = window.page
    page.goto("/docs")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == 14
    assert page.locator("text=save-answers").count() > 0
    window.screenshot("docs")
    assert window.complaints == []
