"""Which answers fit which question, and how they are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.answers import ESSAY_MAX, NUMBER_MAX, SHORT_ANSWER_MAX, check_answer, is_answered
from exams.content import QuestionType
from exams.exceptions import WrongAnswer
from tests.exams.factories import RIGHT, WRONG, question_of

DEEP: Any = "leaf"
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_stored_is_checked_as_it_is(kind: QuestionType) -> None:
    for value in (RIGHT[kind], WRONG.get(kind)):
        assert check_answer(question_of(kind), value) == value


@pytest.mark.parametrize(
    ("kind", "sent", "stored"),
    [
        ("multiple_response", ["twoo", "thre"], ["thre", "twoo"]),
        ("multiple_response", [], []),
        ("matching", {"bali": "dnps", "aceh": "dnps"}, {"aceh": "dnps", "bali": "dnps"}),
        ("matching", {}, {}),
        ("numerical", 3, "3"),
        ("numerical", 3.5, "3.5"),
        ("numerical", -0.0, "-0.0"),
        ("numerical", "3,", "3,"),  # on its way to 3,14
        ("numerical", "tiga", "tiga"),  # wrong, but somebody's answer
        ("short_answer", "  Dingin ", "  Dingin "),
        ("essay", "", ""),
        ("essay", "\N{GRINNING FACE}\n", "\N{GRINNING FACE}\n"),
    ],
)
def test_an_answer_has_one_stored_form(kind: str, sent: Any, stored: Any) -> None:
    found = check_answer(question_of(kind), sent)
    assert (type(found), json.dumps(found)) == (type(stored), json.dumps(stored)), "the keys' order counts as well"


@pytest.mark.parametrize("kind", RIGHT)
def test_none_clears_an_answer(kind: QuestionType) -> None:
    assert check_answer(question_of(kind), None) is None


@pytest.mark.parametrize("value", [None, "", "x", []])
def test_a_description_takes_no_answer(value: Any) -> None:
    with pytest.raises(WrongAnswer):
        check_answer(question_of("description"), value)


MISFITS: dict[str, list[Any]] = {
    "multiple_choice": ["zzzz", "", 1, True, ["jkrt"], {"jkrt": 1}, DEEP],
    "multiple_response": ["twoo", ["zzzz"], ["twoo", "twoo"], [1], [None], [["twoo"]], {}, 5],
    "true_false": [0, 1, "true", "", [], 1.0],
    "short_answer": [1, True, [], {}, "a\0b", "\ud800", "x" * (SHORT_ANSWER_MAX + 1)],
    "numerical": [True, [], {}, "3\0", "\udfff", "9" * (NUMBER_MAX + 1), 10**NUMBER_MAX],
    "matching": [[], "dnps", {"mars": "dnps"}, {"bali": "mars"}, {"bali": ["dnps"]}, {"bali": None}, {1: "dnps"}, DEEP],
    "essay": [1, False, [], {}, "a\0b", "x\ud800", "x" * (ESSAY_MAX + 1)],
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, value) for kind, values in MISFITS.items() for value in values],
    ids=lambda value: repr(value)[:30],
)
def test_what_does_not_fit_is_refused_with_a_reason(kind: str, value: Any) -> None:
    with pytest.raises(WrongAnswer) as refused:
        check_answer(question_of(kind), value)
    assert refused.value.details["field"] == "answer"
    assert refused.value.details["reason"]


@pytest.mark.parametrize(
    ("kind", "longest"), [("short_answer", SHORT_ANSWER_MAX), ("numerical", NUMBER_MAX), ("essay", ESSAY_MAX)]
)
def test_the_longest_answer_fits(kind: str, longest: int) -> None:
    assert check_answer(question_of(kind), "9" * longest) == "9" * longest


def test_a_reason_never_repeats_the_answer() -> None:
    with pytest.raises(WrongAnswer) as refused:
        check_answer(question_of("multiple_choice"), "rahasia")
    assert "rahasia" not in str(refused.value.body())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(QuestionType), anything)
def test_whatever_fits_is_stored_once_and_for_all(kind: QuestionType, value: Any) -> None:
    try:
        stored = check_answer(question_of(kind), value)
    except WrongAnswer:
        return
    assert check_answer(question_of(kind), stored) == stored
    assert "\\u0000" not in json.dumps(stored)
    assert len(json.dumps(stored, ensure_ascii=False).encode()) <= 4 * ESSAY_MAX + 2


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_cleared_and_empty_values_are_no_answers(value: Any) -> None:
    assert not is_answered(value)


@pytest.mark.parametrize("value", [False, 0, "0", " ", ["a"], {"a": "b"}])
def test_false_and_zero_are_answers(value: Any) -> None:
    assert is_answered(value)
