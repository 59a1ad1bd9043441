"""Is a receipt genuine? What staff see for one that is, one that was replaced, one that nobody has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from exams import attempts, receipts
from exams.emergency import open_file
from exams.emergency_apply import apply_file
from exams.emergency_difference import Verdict, milliseconds
from exams.models import Answer, Attempt
from tests.exams.admin.pages import list_of
from tests.exams.emergency_maker import entry, make_file
from tests.exams.factories import make_answer, make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db

PAGE = "/admin/exams/attempt/receipt/"


@pytest.fixture
def attempt() -> Attempt:
    exam = make_exam(published=True, questions=["multiple_choice", "true_false"])
    found = make_attempt(exam, make_student(name="Siti Aminah"))
    make_answer(found, exam.questions.get(type="multiple_choice"))
    attempts.submit_attempt(student=found.student, exam_id=exam.pk, pending=[], manifest={})
    found.refresh_from_db()
    return found


def check(client: Any, code: str) -> str:
    response = client.get(PAGE, {"code": code})
    assert response.status_code == 200
    return response.content.decode()


def test_a_genuine_receipt_says_whose_it_is(admin_client, attempt):
    body = check(admin_client, attempt.receipt)
    assert f"{attempt.receipt} is genuine" in body
    for words in ("Siti Aminah", attempt.exam.title, "<td>1</td>"):
        assert words in body


@pytest.mark.parametrize(
    "spell",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: f" {' '.join(code)} ",
        lambda code: code.replace("-", "\N{EN DASH}"),
    ],
    ids=["small", "no dash", "spaces", "long dash"],
)
def test_how_it_is_typed_does_not_matter(admin_client, attempt, spell):
    assert f"{attempt.receipt} is genuine" in check(admin_client, spell(attempt.receipt))


@pytest.mark.parametrize("code", ["ABCDE", "ABCDE-FGHJ0", "ABCDE-FGHJKL", "💥", "%%%%%-%%%%%"])
def test_what_can_be_no_receipt_is_called_that(admin_client, attempt, code):
    body = check(admin_client, code)
    assert "This cannot be a receipt" in body
    assert "finding" not in body


def test_one_that_nobody_has_is_not_known(admin_client, attempt):
    assert "ABCDE-FGHJK is not known" in check(admin_client, "ABCDE-FGHJK")
    assert "finding" not in admin_client.get(PAGE).content.decode()


def test_answers_that_were_changed_behind_the_programs_back_are_noticed(admin_client, attempt):
    Answer.objects.filter(attempt=attempt).update(value="bndg")
    body = check(admin_client, attempt.receipt)
    assert "the answers stored now are not those" in body
    assert "is genuine" not in body


def test_a_receipt_that_an_emergency_file_replaced_leads_to_the_new_one(admin_client, admin_user, attempt):
    old = attempt.receipt
    question = attempt.exam.questions.get(type="true_false").pk
    edited = milliseconds(attempt.started_at + timedelta(seconds=5))
    file = open_file(make_file(attempt, entry(question, True, edited)))
    apply_file(file=file, chosen={question: Verdict.MISSING}, reason="HP mati", user_id=admin_user.pk)
    attempt.refresh_from_db()
    body = check(admin_client, old.lower())
    assert f"{old} is no longer valid" in body
    for words in ("HP mati", attempt.receipt, "Siti Aminah", admin_user.username):
        assert words in body
    body = check(admin_client, attempt.receipt)
    assert "is genuine" in body
    assert "HP mati" in body, "and why it is not the first one"


def test_a_receipt_of_the_key_before_is_genuine_while_that_is_a_fallback(attempt, settings):
    answers = list(attempt.answers.all())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-one-for-everybody"
    assert receipts.covers(attempt, answers)
    settings.SECRET_KEY_FALLBACKS = []
    assert not receipts.covers(attempt, answers)


def test_who_may_see_attempts_may_check_receipts(client, django_user_model, attempt):
    user = django_user_model.objects.create_user("piket", is_staff=True)
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_attempt"))
    assert "is genuine" in check(client, attempt.receipt)
    client.logout()
    assert client.get(PAGE, {"code": attempt.receipt}).status_code == 302


def test_the_links_are_where_staff_look(admin_client):
    for page in (list_of(Attempt), "/admin/"):
        assert PAGE in admin_client.get(page).content.decode()
