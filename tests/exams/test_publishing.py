"""Publishing freezes; what is frozen stays."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from exams import papers, publishing
from exams.content import QuestionType
from exams.exceptions import ExamError
from exams.importers.base import ImportedQuestion
from exams.models import Exam, Paper, Question
from tests.exams.at_once import at_once
from tests.exams.factories import make_attempt, make_exam, make_question, question_of

pytestmark = pytest.mark.django_db


def test_publishing_freezes_every_type_as_it_is() -> None:
    exam = make_exam(questions=list(QuestionType))
    paper = publishing.publish(exam_id=exam.pk)
    exam.refresh_from_db()
    assert (exam.status, exam.version, paper.version) == (Exam.Status.PUBLISHED, 1, 1)
    frozen = papers.load(paper.pk)
    assert [content for _id, content in frozen.pairs()] == [question_of(kind) for kind in QuestionType]
    assert list(frozen.by_id) == list(exam.questions.order_by("position").values_list("pk", flat=True))
    assert set(paper.questions.all()) == set(exam.questions.all())


def test_the_save_path_reads_the_same_paper_from_its_bytes() -> None:
    exam = make_exam(published=True, questions=list(QuestionType))
    paper = exam.papers.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT content::text FROM papers WHERE id = %s", [paper.pk])
        [(content,)] = cursor.fetchall()
    assert papers.decode(exam.pk, 1, content.encode()) == papers.load(paper.pk)


def test_publishing_again_without_a_change_makes_no_version() -> None:
    exam = make_exam(published=True, questions=list(QuestionType))
    assert publishing.publish(exam_id=exam.pk).version == 1
    assert exam.papers.count() == 1


@pytest.mark.parametrize(
    "change", [{"stem": "Berapa?"}, {"points": Decimal("1.5")}, {"is_withdrawn": True}, {"position": 99}]
)
def test_an_edit_makes_a_version_and_running_attempts_keep_theirs(change: dict[str, object]) -> None:
    exam = make_exam(published=True, questions=["multiple_choice", "true_false"])
    running = make_attempt(exam)
    before = papers.load(running.paper_id)
    first = exam.questions.order_by("position")[0]
    Question.objects.filter(pk=first.pk).update(**change)
    assert publishing.publish(exam_id=exam.pk).version == 2
    exam.refresh_from_db()
    assert exam.version == 2
    assert make_attempt(exam).paper.version == 2
    running.refresh_from_db()
    assert running.paper.version == 1
    papers.load.cache_clear()
    assert papers.load(running.paper_id) == before


def test_a_new_name_of_the_exam_is_no_new_paper() -> None:
    exam = make_exam(published=True)
    Exam.objects.filter(pk=exam.pk).update(title="Lain", duration_minutes=5)
    assert publishing.publish(exam_id=exam.pk).version == 1


def test_a_withdrawn_question_comes_back_in_a_third_version() -> None:
    exam = make_exam(published=True, questions=["multiple_choice", "true_false"])
    for withdrawn in (True, False):
        exam.questions.filter(type="true_false").update(is_withdrawn=withdrawn)
        publishing.publish(exam_id=exam.pk)
    assert list(exam.papers.order_by("version").values_list("version", flat=True)) == [1, 2, 3]
    first, second, third = (papers.load(paper.pk).by_id for paper in exam.papers.order_by("version"))
    assert first == third
    assert len(second) == 1


@pytest.mark.parametrize("questions", [[], ["description"]])
def test_an_exam_without_anything_to_answer_is_not_published(questions: list[str]) -> None:
    exam = make_exam(questions=questions)
    with pytest.raises(publishing.NothingToAsk) as refused:
        publishing.publish(exam_id=exam.pk)
    assert isinstance(refused.value, ExamError)
    exam.refresh_from_db()
    assert (exam.status, exam.version) == (Exam.Status.DRAFT, 0)


def test_a_withdrawn_question_is_nothing_to_ask() -> None:
    exam = make_exam()
    exam.questions.update(is_withdrawn=True)
    with pytest.raises(publishing.NothingToAsk):
        publishing.publish(exam_id=exam.pk)


def test_a_published_exam_can_be_closed_and_published_again() -> None:
    exam = make_exam(published=True)
    publishing.close_exam(exam_id=exam.pk)
    exam.refresh_from_db()
    assert exam.status == Exam.Status.CLOSED
    publishing.publish(exam_id=exam.pk)
    exam.refresh_from_db()
    assert (exam.status, exam.version) == (Exam.Status.PUBLISHED, 1)


def test_a_draft_is_not_closed() -> None:
    exam = make_exam()
    publishing.close_exam(exam_id=exam.pk)
    exam.refresh_from_db()
    assert exam.status == Exam.Status.DRAFT


# -- frozen for good ---------------------------------------------------------------------------------------------


def test_a_question_in_a_frozen_paper_cannot_be_deleted() -> None:
    question = make_exam(published=True).questions.get()
    with pytest.raises(ProtectedError):
        question.delete()


def test_not_even_past_django() -> None:
    question = make_exam(published=True).questions.get()
    delete_and_commit = "DELETE FROM questions WHERE id = %s; SET CONSTRAINTS ALL IMMEDIATE"
    with pytest.raises(IntegrityError, match="paper_questions"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(delete_and_commit, [question.pk])


def test_a_question_that_no_paper_has_can_be_deleted() -> None:
    exam = make_exam(published=True)
    make_question(exam).delete()
    assert exam.questions.count() == 1


@pytest.mark.parametrize("change", ["content = '{}'", "version = 7", "exam_id = exam_id"])
def test_a_paper_cannot_be_changed(change: str) -> None:
    paper = make_exam(published=True).papers.get()
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE papers SET {change} WHERE id = %s", [paper.pk])
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        paper.save()


# -- at once -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_publishing_at_once_makes_one_version() -> None:
    exam = make_exam(published=True)
    make_question(exam, "true_false")
    found = at_once(4, lambda _number: publishing.publish(exam_id=exam.pk).version)
    assert found == [2, 2, 2, 2]
    assert Paper.objects.filter(exam=exam).count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_append_one_after_the_other() -> None:
    exam = make_exam()
    new = [ImportedQuestion(content=question_of("true_false"), category="", line=line) for line in range(1, 4)]
    at_once(3, lambda _number: publishing.add_questions(exam_id=exam.pk, questions=new))
    positions = list(exam.questions.order_by("position").values_list("position", flat=True))
    assert positions == list(range(1, 11))
