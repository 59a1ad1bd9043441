"""The paper as one student gets it: no secrets, and an order that is his own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from exams.content import (
    AcceptedRange,
    AcceptedText,
    Feedback,
    Key,
    Option,
    QuestionContent,
    QuestionType,
)
from exams.papers import FrozenPaper, FrozenQuestion, student_view
from tests.exams.factories import question_of


def paper_of(contents: Sequence[QuestionContent]) -> FrozenPaper:
    questions = tuple(FrozenQuestion(id=number, content=content) for number, content in enumerate(contents, start=101))
    return FrozenPaper(exam_id=1, version=1, questions=questions)


def view(paper: FrozenPaper, seed: object = 1, *, questions: bool = True, options: bool = True) -> list[dict[str, Any]]:
    return student_view(paper, seed=str(seed), shuffle_questions=questions, shuffle_options=options)


def ids(shown: list[dict[str, Any]]) -> list[int]:
    return [question["id"] for question in shown]


def choice_ids(question: dict[str, Any]) -> list[str]:
    return [choice["id"] for choice in question["choices"]]


TWENTY = paper_of([question_of("multiple_choice")] * 20)

SECRET = "SECRET"
SECRETIVE = [
    question_of(
        kind,
        name=f"{SECRET} name",
        key=Key(
            weights={"jkrt": 77.125, "bndg": -33.25},
            answer=True,
            texts=[AcceptedText(f"{SECRET} text", 61.5)],
            ranges=[AcceptedRange("3.14159", "3.14160", 41.5)],
            pairs={"bali": "dnps", "aceh": "band"},
        ),
        feedback=Feedback(general=f"{SECRET} general", by_answer={"jkrt": f"{SECRET} of an option"}),
    )
    for kind in QuestionType
]


@pytest.mark.parametrize("kind", list(QuestionType))
def test_a_student_sees_no_key_no_weight_and_no_feedback(kind: QuestionType) -> None:
    [question] = view(paper_of([content for content in SECRETIVE if content.type is kind]))
    assert set(question) == {"id", "type", "html", "points", "choices", "stems"}
    text = json.dumps(question)
    secrets = [SECRET, "77.125", "33.25", "61.5", "3.14159", "41.5", "weight", "key", "pairs", "feedback"]
    assert [secret for secret in secrets if secret in text] == []
    for option in question["choices"] + question["stems"]:
        assert set(option) == {"id", "html"}


def test_a_student_sees_what_is_asked() -> None:
    [question] = view(paper_of([question_of("matching", stem="Jodohkan <pulau>.")]), options=False)
    assert (question["id"], question["type"], question["points"]) == (101, "matching", 2)
    assert "Jodohkan &lt;pulau&gt;." in question["html"]
    assert [stem["id"] for stem in question["stems"]] == ["bali", "aceh"]
    assert {choice["id"]: "Denpasar" in choice["html"] for choice in question["choices"]} == {
        "dnps": True,
        "band": False,
        "mdan": False,
    }


def test_the_order_is_the_same_on_every_reload() -> None:
    again = paper_of([question_of("multiple_choice")] * 20)
    assert view(TWENTY, 7) == view(TWENTY, 7) == view(again, 7)


def test_the_order_is_lasting() -> None:
    """Another order after an update of the server would move the questions under a student's fingers."""
    assert ids(view(paper_of([question_of("true_false")] * 6), 12)) == [102, 106, 101, 104, 105, 103]


def test_students_get_different_orders_of_the_same_questions() -> None:
    orders = [ids(view(TWENTY, seed)) for seed in range(50)]
    assert len({tuple(order) for order in orders}) == 50
    assert all(sorted(order) == list(range(101, 121)) for order in orders)


def test_students_get_different_orders_of_the_same_options() -> None:
    shown = [question for seed in range(10) for question in view(TWENTY, seed)]
    orders = {tuple(choice_ids(question)) for question in shown}
    assert len(orders) == 6, "all permutations of three"
    first = [choice_ids(question)[0] for question in shown]
    assert 30 < first.count("jkrt") < 110, "the right one stands first about every third time"


def test_an_options_order_depends_on_the_question_as_well() -> None:
    assert len({tuple(choice_ids(question)) for question in view(TWENTY)}) > 1


def test_what_is_not_to_be_shuffled_keeps_the_banks_order() -> None:
    plain = view(TWENTY, questions=False, options=False)
    assert ids(plain) == list(range(101, 121))
    assert all(choice_ids(question) == ["jkrt", "bndg", "sbya"] for question in plain)
    assert ids(view(TWENTY, questions=False)) == list(range(101, 121))
    assert choice_ids(view(TWENTY, options=False)[0]) == ["jkrt", "bndg", "sbya"]


def test_the_right_hand_sides_are_always_shuffled() -> None:
    matching = paper_of([question_of("matching")])
    orders = {tuple(choice_ids(view(matching, seed, options=False)[0])) for seed in range(40)}
    assert len(orders) == 6
    assert all([stem["id"] for stem in view(matching, seed)[0]["stems"]] == ["bali", "aceh"] for seed in range(5))


def test_a_description_heads_its_section() -> None:
    section = [question_of("true_false")] * 5
    head = [question_of("description")]
    paper = paper_of([*section, *head, *section, *head, *head, *section])
    for seed in range(20):
        order = ids(view(paper, seed))
        assert (order[5], order[11], order[12]) == (106, 112, 113)
        assert sorted(order[:5]) == list(range(101, 106))
        assert sorted(order[6:11]) == list(range(107, 112))
        assert sorted(order[13:]) == list(range(114, 119))
    assert len({tuple(ids(view(paper, seed))) for seed in range(20)}) == 20


def test_one_question_more_moves_no_other() -> None:
    longer = paper_of([*[question.content for question in TWENTY.questions], question_of("true_false")])
    without = [question_id for question_id in ids(view(longer, 3)) if question_id != 121]
    assert without == ids(view(TWENTY, 3))


def test_what_one_student_gets_does_not_change_what_the_next_one_gets() -> None:
    before = json.dumps(view(TWENTY, 5, options=False))
    view(TWENTY, 6)
    for question in view(TWENTY, 7, questions=False):
        question["choices"].reverse()
    assert json.dumps(view(TWENTY, 5, options=False)) == before


def test_html_of_a_bank_is_made_harmless() -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script><b>Halo</b>"
    options = question_of("multiple_choice").options
    content = question_of(
        "multiple_choice",
        stem=evil,
        text_format="html",
        options=type(options)(choices=[Option("jkrt", evil), Option("bndg", "<i>b</i>")]),
    )
    [question] = view(paper_of([content]), options=False)
    for html in (question["html"], question["choices"][0]["html"]):
        assert "<b>Halo</b>" in html
        assert not {"onerror", "script", "alert"} & set(html.replace("(", " ").replace("=", " ").split())
        assert "<script" not in html
