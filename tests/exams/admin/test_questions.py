"""Questions in the admin: JSON that is checked, papers that keep what they froze."""

import json

import pytest

from exams.models import Question
from tests.exams.admin.pages import act, form_data, list_of, messages_of, page_of
from tests.exams.factories import make_attempt, make_exam, question_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def question() -> Question:
    return make_exam(questions=["multiple_choice"]).questions.get()


def save(client, question: Question, **changes):
    return client.post(page_of(question), form_data(client.get(page_of(question))) | changes)


@pytest.mark.parametrize(
    "kind",
    [
        "multiple_choice",
        "multiple_response",
        "true_false",
        "short_answer",
        "numerical",
        "matching",
        "essay",
        "description",
    ],
)
def test_a_question_of_every_type_is_shown_and_stored_as_it_is(admin_client, kind):
    question = make_exam(questions=[kind]).questions.get()
    before = question.content
    assert save(admin_client, question).status_code == 302
    question.refresh_from_db()
    assert question.content == before == question_of(kind)


def test_json_is_shown_indented_with_its_letters(admin_client, question):
    question.options["choices"][0]["text"] = "Kōta"
    question.save()
    body = admin_client.get(page_of(question)).content.decode()
    assert "Kōta" in body
    assert "{\n  &quot;choices&quot;: [\n" in body


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": "{}"}, "No option is right"),
        ({"key": ""}, "No option is right"),
        ({"key": "{"}, "Enter a valid JSON"),
        ({"key": "[1]"}, "Expected `object`, got `array`"),
        ({"options": "null"}, "There are fewer than two options"),
        ({"key": '{"weights": {"jkrt": 1e999}}'}, "is not between -100 and 100"),
        ({"stem": ""}, "This field is required"),
        ({"points": "-1"}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_answered_or_scored_is_not_stored(admin_client, question, changes, said):
    response = save(admin_client, question, **changes)
    assert response.status_code == 200
    assert said in response.content.decode()
    before = Question.objects.get(pk=question.pk)
    assert before.content == question_of("multiple_choice")


def test_empty_boxes_are_empty_objects(admin_client):
    question = make_exam(questions=["essay"]).questions.get()
    assert save(admin_client, question, options="", key="", feedback="").status_code == 302
    question.refresh_from_db()
    assert (question.options, question.key, question.feedback) == ({}, {}, {})


def test_fields_that_nobody_reads_are_not_kept(admin_client, question):
    key = {**question.key, "wieghts": {"jkrt": 5}, "note": "a\u0000b"}
    assert save(admin_client, question, key=json.dumps(key)).status_code == 302
    question.refresh_from_db()
    assert question.key == {"weights": {"jkrt": 100, "bndg": 0, "sbya": 0}}


def test_an_edit_does_not_publish_and_the_page_says_so(admin_client):
    exam = make_exam(published=True)
    question = exam.questions.get()
    response = save(admin_client, question, stem="Ibu kota baru?")
    assert "when the exam" in messages_of(response)
    assert "published again" in messages_of(response)
    exam.refresh_from_db()
    assert exam.version == 1
    assert exam.papers.get().content["questions"][0]["content"]["stem"] != "Ibu kota baru?"


def test_an_edit_of_a_draft_needs_no_such_warning(admin_client, question):
    assert "published again" not in messages_of(save(admin_client, question, stem="Lain?"))


def test_a_question_in_a_frozen_paper_cannot_be_deleted(admin_client):
    question = make_exam(published=True).questions.get()
    response = admin_client.post(page_of(question, "delete"), {"post": "yes"})
    assert "protected related objects" in response.content.decode()
    response = act(admin_client, "delete_selected", [question], post="yes")
    assert "protected related objects" in response.content.decode()
    assert Question.objects.filter(pk=question.pk).exists()


def test_a_question_of_a_draft_can_be_deleted(admin_client, question):
    assert admin_client.post(page_of(question, "delete"), {"post": "yes"}).status_code == 302
    assert not Question.objects.filter(pk=question.pk).exists()


def test_a_question_stays_in_its_exam_and_a_frozen_one_keeps_its_type(admin_client, question):
    frozen = make_exam(published=True).questions.get()
    other = make_exam()
    save(admin_client, frozen, exam=other.pk, type="essay")
    save(admin_client, question, exam=other.pk, type="essay", key="{}", options="{}")
    frozen.refresh_from_db()
    assert frozen.exam != other
    assert frozen.type == "multiple_choice"
    before = question.exam
    question.refresh_from_db()
    assert question.exam == before
    assert question.type == "essay"


def test_a_new_question_goes_to_the_end(admin_client, question):
    data = {"exam": question.exam_id, "position": 0, "type": "essay", "stem": "Ceritakan.", "text_format": "plain",
            "points": 5, "options": "{}", "key": "{}", "feedback": "{}"}  # fmt: skip
    assert admin_client.post("/admin/exams/question/add/", data).status_code == 302
    assert Question.objects.get(stem="Ceritakan.").position == question.position + 1


def test_a_withdrawn_question_leaves_running_attempts_alone(admin_client):
    exam = make_exam(published=True, questions=["essay", "true_false"])
    attempt = make_attempt(exam)
    essay = exam.questions.get(type="essay")
    assert save(admin_client, essay, is_withdrawn="on").status_code == 302
    act(admin_client, "publish", [exam])
    exam.refresh_from_db()
    assert exam.version == 2
    assert len(attempt.paper.content["questions"]) == 2


def test_the_list_is_filtered_by_exam(admin_client, question):
    make_exam()
    found = admin_client.get(list_of(Question), {"exam__id__exact": question.exam_id}).context["cl"].queryset
    assert list(found) == [question]
