"""Applying an emergency file: what was chosen and is still so, once, with the reason in the history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils.translation import override

from exams import attempts, receipts
from exams.emergency import EmergencyFile, OtherAttemptsFile, open_file
from exams.emergency_apply import Application, apply_file, compare, keep_upload
from exams.emergency_difference import Verdict, milliseconds
from exams.models import Attempt, EmergencyUpload
from tests.exams.at_once import at_once
from tests.exams.emergency_maker import entry, make_file
from tests.exams.factories import WRONG, make_answer, make_attempt, make_exam, make_student

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(django_user_model: Any) -> Any:
    return django_user_model.objects.create_user("pengawas", is_staff=True)


def closed(attempt: Attempt, *missing: int) -> Attempt:
    attempts.submit_attempt(
        student=attempt.student,
        exam_id=attempt.exam_id,
        pending=[],
        manifest=dict.fromkeys(missing, milliseconds(attempts.database_now())),
    )
    attempt.refresh_from_db()
    return attempt


def edited(attempt: Attempt, seconds: int = 30) -> int:
    """A revision so many seconds after the attempt's start, a minute ago."""
    return milliseconds(attempt.started_at + timedelta(seconds=seconds))


def apply_all(file: EmergencyFile, staff: Any, *verdicts: Verdict, **options: Any) -> Application:
    """As if every row with one of *verdicts* (all that are expected) were ticked."""
    rows = compare(Attempt.objects.get(pk=file.attempt_id), file)
    chosen = {
        row.question_id: row.verdict for row in rows if (row.verdict in verdicts if verdicts else row.is_expected)
    }
    return apply_file(file=file, chosen=chosen, user_id=staff.pk, **{"reason": "HP mati", **options})


def stored(attempt: Attempt) -> dict[int, tuple[Any, int]]:
    return {answer.question_id: (answer.value, answer.revision) for answer in attempt.answers.all()}


def two_questions(**overrides: Any) -> tuple[Attempt, int, int]:
    exam = make_exam(published=True, questions=["multiple_choice", "true_false"])
    attempt = make_attempt(exam, **overrides)
    first, second = exam.questions.order_by("position").values_list("pk", flat=True)
    return attempt, first, second


def test_a_closed_attempt_is_scored_and_signed_anew(staff: Any) -> None:
    attempt, choice, truth = two_questions()
    make_answer(attempt, attempt.exam.questions.get(pk=choice), value=WRONG["multiple_choice"], revision=5)
    closed(attempt, choice, truth)
    assert (attempt.score, attempt.missing_answers) == (0, 2)
    first_receipt, submitted_at = attempt.receipt, attempt.submitted_at
    revision = edited(attempt)
    file = open_file(make_file(attempt, entry(choice, "jkrt", revision), entry(truth, True, revision)))
    done = apply_all(file, staff)
    attempt.refresh_from_db()
    assert (done.applied, done.left_out, done.old_receipt) == (2, 0, first_receipt)
    assert stored(attempt) == {choice: ("jkrt", revision), truth: (True, revision)}
    assert (attempt.score, attempt.missing_answers, attempt.submitted_at) == (Decimal(2), 0, submitted_at)
    assert attempt.receipt not in ("", first_receipt)
    assert receipts.covers(attempt, list(attempt.answers.all()))


def test_the_history_says_who_why_how_many_and_both_receipts(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    closed(attempt, choice)
    old = attempt.receipt
    content = make_file(attempt, entry(choice, "jkrt", edited(attempt)), serverNow=1_780_000_000_000)
    with override("en"):
        apply_all(open_file(content), staff, reason="  HP mati, dilihat Bu Rina ")
    attempt.refresh_from_db()
    line = LogEntry.objects.get()
    assert (line.user, line.get_edited_object()) == (staff, attempt)
    for word in ("2026-05-29 03:26:40", "answers changed: 1", "“HP mati, dilihat Bu Rina”.", old, attempt.receipt):
        assert word in line.change_message


def test_a_second_time_changes_nothing_at_all(staff: Any) -> None:
    attempt, choice, truth = two_questions()
    closed(attempt, choice, truth)
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt))))
    chosen = {choice: Verdict.MISSING}
    assert apply_file(file=file, chosen=chosen, reason="x", user_id=staff.pk).applied == 1
    before = (Attempt.objects.values().get(pk=attempt.pk), list(attempt.answers.values()), LogEntry.objects.count())
    assert before[0]["missing_answers"] == 1
    again = apply_file(file=file, chosen=chosen, reason="x", user_id=staff.pk)
    assert (again.applied, again.left_out) == (0, 1)
    after = (Attempt.objects.values().get(pk=attempt.pk), list(attempt.answers.values()), LogEntry.objects.count())
    assert after == before
    assert apply_all(file, staff).applied == 0


def test_a_running_attempt_just_has_the_answers(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt))))
    done = apply_all(file, staff)
    attempt.refresh_from_db()
    assert (done.applied, done.old_receipt, attempt.receipt) == (1, "", "")
    assert (attempt.status, attempt.score) == (Attempt.Status.IN_PROGRESS, None)
    assert choice in stored(attempt)
    assert LogEntry.objects.count() == 1


def test_a_locked_attempt_is_for_staff_to_decide(staff: Any) -> None:
    attempt, choice, _truth = two_questions(status="locked")
    assert apply_all(open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt)))), staff).applied == 1
    attempt.refresh_from_db()
    assert attempt.status == Attempt.Status.LOCKED


def test_only_what_was_chosen_is_applied(staff: Any) -> None:
    attempt, choice, truth = two_questions()
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt)), entry(truth, True, edited(attempt))))
    apply_file(file=file, chosen={truth: Verdict.MISSING}, reason="x", user_id=staff.pk)
    assert set(stored(attempt)) == {truth}


def test_late_edits_are_applied_where_somebody_chose_them_as_late(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    closed(attempt)
    late = milliseconds(attempts.database_now()) + 60_000
    file = open_file(make_file(attempt, entry(choice, "jkrt", late)))
    assert apply_all(file, staff).applied == 0
    assert apply_file(file=file, chosen={choice: Verdict.MISSING}, reason="x", user_id=staff.pk).left_out == 1
    assert stored(attempt) == {}
    assert apply_all(file, staff, Verdict.AFTER_END).applied == 1
    assert stored(attempt) == {choice: ("jkrt", late)}


def test_a_row_that_has_changed_since_it_was_shown_is_left_out(staff: Any) -> None:
    attempt, choice, truth = two_questions()
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt)), entry(truth, True, edited(attempt))))
    shown = {row.question_id: row.verdict for row in compare(attempt, file)}
    make_answer(attempt, attempt.exam.questions.get(pk=choice), value="bndg", revision=edited(attempt, 40))
    done = apply_file(file=file, chosen=shown, reason="x", user_id=staff.pk)
    assert (done.applied, done.left_out) == (1, 1)
    assert stored(attempt)[choice] == ("bndg", edited(attempt, 40))


def test_rows_that_cannot_be_chosen_are_not_applied_whatever_is_sent(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    file = open_file(
        make_file(attempt, entry(choice, "none", edited(attempt)), entry(99_999_999, "x", edited(attempt)))
    )
    shown = {row.question_id: row.verdict for row in compare(attempt, file)}
    assert apply_file(file=file, chosen=shown, reason="x", user_id=staff.pk).applied == 0
    assert apply_file(file=file, chosen={choice: Verdict.MISSING}, reason="x", user_id=staff.pk).applied == 0


def test_it_needs_a_reason(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt))))
    with pytest.raises(ValueError, match="reason"):
        apply_all(file, staff, reason="  ")
    assert stored(attempt) == {}


def test_a_file_that_is_no_longer_its_students_is_refused(staff: Any) -> None:
    attempt, choice, _truth = two_questions()
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt))))
    Attempt.objects.filter(pk=attempt.pk).update(student=make_student())
    with pytest.raises(OtherAttemptsFile):
        apply_all(file, staff)


def test_the_points_of_an_essay_that_is_replaced_are_given_anew(staff: Any) -> None:
    exam = make_exam(published=True, questions=["essay"])
    attempt = make_attempt(exam)
    answer = make_answer(attempt, exam.questions.get(), revision=5)
    closed(attempt)
    attempts.grade_answer(answer_id=answer.pk, points=Decimal(4))
    apply_all(open_file(make_file(attempt, entry(answer.question_id, "Lebih panjang", edited(attempt)))), staff)
    attempt.refresh_from_db()
    assert (attempt.score, attempt.ungraded_essays) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_two_who_apply_it_at_once_apply_it_once(staff: Any) -> None:
    attempt, choice, truth = two_questions()
    closed(attempt, choice, truth)
    file = open_file(make_file(attempt, entry(choice, "jkrt", edited(attempt))))

    def apply(_thread: int) -> Application:
        return apply_file(file=file, chosen={choice: Verdict.MISSING}, reason="x", user_id=staff.pk)

    done = at_once(2, apply)
    assert sorted(one.applied for one in done) == [0, 1]
    attempt.refresh_from_db()
    assert (attempt.missing_answers, LogEntry.objects.count()) == (1, 1)
    assert receipts.covers(attempt, list(attempt.answers.all()))


def test_the_same_upload_is_kept_once(staff: Any) -> None:
    attempt, _choice, _truth = two_questions()
    contents = [make_file(attempt), make_file(attempt)]
    kept = [keep_upload(attempt_id=attempt.pk, content=c, user_id=staff.pk) for c in (contents[0], *contents)]
    assert len({upload.pk for upload in kept}) == 2
    assert {bytes(upload.content) for upload in EmergencyUpload.objects.all()} == set(contents)
