from dataclasses import dataclass

import msgspec
import pytest

from exams.content import (
    AcceptedRange,
    AcceptedText,
    Feedback,
    Key,
    Option,
    Options,
    QuestionContent,
    QuestionType,
)
from exams.content_problems import problems

A, B = Option(id="aaaa", text="a"), Option(id="bbbb", text="b")

GOOD = {
    "multiple_choice": QuestionContent(
        type=QuestionType.MULTIPLE_CHOICE,
        stem="Q",
        options=Options(choices=[A, B]),
        key=Key(weights={"aaaa": 100, "bbbb": 0}),
    ),
    "multiple_response": QuestionContent(
        type=QuestionType.MULTIPLE_RESPONSE,
        stem="Q",
        options=Options(choices=[A, B]),
        key=Key(weights={"aaaa": 33.3, "bbbb": -100}),
    ),
    "true_false": QuestionContent(type=QuestionType.TRUE_FALSE, stem="Q", key=Key(answer=False)),
    "short_answer": QuestionContent(type=QuestionType.SHORT_ANSWER, stem="Q", key=Key(texts=[AcceptedText("a")])),
    "numerical": QuestionContent(type=QuestionType.NUMERICAL, stem="Q", key=Key(ranges=[AcceptedRange("1", "2.5")])),
    "matching": QuestionContent(
        type=QuestionType.MATCHING,
        stem="Q",
        options=Options(choices=[A, B], stems=[Option(id="cccc", text="c"), Option(id="dddd", text="d")]),
        key=Key(pairs={"cccc": "aaaa", "dddd": "aaaa"}),
    ),
    "essay": QuestionContent(type=QuestionType.ESSAY, stem="Q"),
    "description": QuestionContent(type=QuestionType.DESCRIPTION, stem="Q", points=0),
}


@dataclass(frozen=True)
class Wrong:
    base: str
    change: dict[str, object]
    part: str


@pytest.mark.parametrize("kind", QuestionType)
def test_a_good_question_of_any_type_has_no_problems(kind):
    assert problems(GOOD[kind]) == []


@pytest.mark.parametrize(
    "case",
    [
        Wrong("essay", {"stem": " \n"}, "no text"),
        Wrong("essay", {"stem": "x" * 50_001}, "longer than 50,000"),
        Wrong("essay", {"stem": "a\x00"}, "NUL"),
        Wrong("essay", {"name": "a\udfff"}, "broken Unicode"),
        Wrong("essay", {"name": "x" * 256}, "name is longer than 255"),
        Wrong("essay", {"feedback": Feedback(general="x" * 10_001)}, "feedback is longer"),
        Wrong("essay", {"feedback": Feedback(by_answer={"aaaa": "\x00"})}, "NUL"),
        Wrong("essay", {"points": -1.0}, "from 0, not -1"),
        Wrong("essay", {"points": float("nan")}, "not nan"),
        Wrong("essay", {"points": float("inf")}, "not inf"),
        Wrong("multiple_choice", {"options": Options(choices=[A])}, "fewer than two options"),
        Wrong("multiple_choice", {"options": Options(choices=[A, A])}, "same id"),
        Wrong("multiple_choice", {"options": Options(choices=[A, Option("bbbb", " ")])}, "number 2 is empty"),
        Wrong("multiple_choice", {"options": Options(choices=[A, Option("bbbb", "x" * 10_001)])}, "number 2 is longer"),
        Wrong("multiple_choice", {"options": Options(choices=[Option(str(n), "x") for n in range(101)])}, "than 100"),
        Wrong("multiple_choice", {"key": Key(weights={"aaaa": 99.9, "bbbb": 0})}, "No option is right"),
        Wrong("multiple_choice", {"key": Key(weights={"aaaa": 100, "zzzz": 0})}, "belongs to no option"),
        Wrong("multiple_choice", {"key": Key(weights={"aaaa": 100, "bbbb": -101})}, "-101 % is not between"),
        Wrong("multiple_choice", {"key": Key(weights={"aaaa": 100, "bbbb": float("nan")})}, "nan % is not between"),
        Wrong("multiple_response", {"key": Key(weights={"aaaa": 0, "bbbb": -50})}, "No option earns points"),
        Wrong("true_false", {"key": Key()}, "true or false"),
        Wrong("short_answer", {"key": Key()}, "No accepted answer"),
        Wrong("short_answer", {"key": Key(texts=[AcceptedText("a"), AcceptedText(" ")])}, "is empty"),
        Wrong("short_answer", {"key": Key(texts=[AcceptedText("x" * 10_001)])}, "answer is longer"),
        Wrong("short_answer", {"key": Key(texts=[AcceptedText("x")] * 101)}, "more than 100 accepted"),
        Wrong("numerical", {"key": Key()}, "No accepted number"),
        Wrong("numerical", {"key": Key(ranges=[AcceptedRange("1", "x")])}, "“x” is not a number"),
        Wrong("numerical", {"key": Key(ranges=[AcceptedRange("NaN", "1")])}, "“NaN” is not a number"),
        Wrong("numerical", {"key": Key(ranges=[AcceptedRange("1", "Infinity")])}, "is not a number"),
        Wrong("numerical", {"key": Key(ranges=[AcceptedRange("2", "1.9")])}, "from 2 to 1.9 is empty"),
        Wrong("matching", {"options": Options(choices=[A, B], stems=[Option("cccc", "c")])}, "fewer than two pairs"),
        Wrong("matching", {"key": Key(pairs={"cccc": "aaaa"})}, "no partner"),
        Wrong("matching", {"key": Key(pairs={"cccc": "aaaa", "dddd": "zzzz"})}, "points to nothing"),
        Wrong("matching", {"key": Key(pairs={"cccc": "aaaa", "dddd": "aaaa", "x": "aaaa"})}, "points to nothing"),
    ],
    ids=lambda case: f"{case.base}: {case.part}",
)
def test_what_is_wrong_is_named(case):
    found = problems(msgspec.structs.replace(GOOD[case.base], **case.change))
    assert [problem for problem in found if case.part in problem], found


def test_everything_that_is_wrong_is_named_at_once():
    assert len(problems(QuestionContent(type=QuestionType.MULTIPLE_CHOICE, stem="", points=-1))) == 4
