"""What holds for every question and every stored value, also one of a shape that no version of ours stores now."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.content import AcceptedRange, AcceptedText, Key, Option, Options, QuestionContent, QuestionType
from exams.scoring import GivenAnswer, matches, read_number, score_answer, score_paper

IDS = ("aaaa", "bbbb", "cccc", "dddd")

weights = st.floats(-100, 100).map(lambda weight: round(weight, 5))
numbers = st.decimals(-1000, 1000, places=3)
texts = st.text(st.sampled_from("ab* \\é"), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(IDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(IDS) | st.text(max_size=4), inner),
    max_leaves=8,
)


@st.composite
def questions(draw: Any) -> QuestionContent:
    options = [Option(option_id, "text") for option_id in IDS]
    ends = sorted([draw(numbers), draw(numbers)])
    return QuestionContent(
        type=draw(st.sampled_from(QuestionType)),
        stem="?",
        options=Options(choices=options, stems=options),
        key=Key(
            weights=draw(st.dictionaries(st.sampled_from(IDS), weights)),
            answer=draw(st.booleans()),
            texts=draw(st.lists(st.builds(AcceptedText, texts, weights), max_size=3)),
            case_sensitive=draw(st.booleans()),
            ranges=[AcceptedRange(str(ends[0]), str(ends[1]), draw(weights))],
            pairs=draw(st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS))),
        ),
        points=draw(st.decimals(0, 9999, places=2).map(float)),
    )


@given(questions(), json_values)
def test_every_value_earns_between_minus_and_plus_the_points(question: QuestionContent, value: Any) -> None:
    points = score_answer(question, value)
    assert abs(points) <= Decimal(str(question.points))
    assert points == points.quantize(Decimal("0.01")), "in hundredths"
    if question.type in (QuestionType.MULTIPLE_RESPONSE, QuestionType.MATCHING):
        assert points >= 0


@given(st.lists(st.tuples(questions(), json_values, st.none() | st.decimals(0, 99, places=2)), max_size=6))
def test_the_parts_add_up_to_the_sum(sat: list[tuple[QuestionContent, Any, Decimal | None]]) -> None:
    paper = [(number, question) for number, (question, _value, _points) in enumerate(sat)]
    answers = {number: GivenAnswer(value=value, points=points) for number, (_, value, points) in enumerate(sat)}
    whole = score_paper(paper, answers)
    parts = [score_paper([entry], answers) for entry in paper]
    assert whole.points == sum(part.points for part in parts)
    assert whole.maximum == sum(part.maximum for part in parts)
    assert whole.answered == sum(part.answered for part in parts)
    assert whole.points <= whole.maximum


@given(texts, texts, st.booleans())
def test_wildcards_mean_what_a_simple_matcher_says(pattern: str, text: str, case_sensitive: bool) -> None:
    def simple(wanted: list[str], given: str) -> bool:
        if not wanted:
            return not given
        if wanted[0] == "*":
            return any(simple(wanted[1:], given[cut:]) for cut in range(len(given) + 1))
        return given[:1] == wanted[0][-1] and simple(wanted[1:], given[1:])

    pattern, text = "".join(pattern.split()), "".join(text.split())  # what spaces mean has its examples
    parts, position = [], 0
    while position < len(pattern):
        length = 2 if pattern.startswith("\\*", position) else 1
        parts.append(pattern[position : position + length])
        position += length
    assert matches(pattern, text, case_sensitive=case_sensitive) is simple(parts, text)


@pytest.mark.timeout(20)  # a regular expression would need longer than the universe has
def test_a_pathological_pattern_takes_no_longer_than_its_length() -> None:
    assert not matches("a*" * 5_000 + "b", "a" * 30_000, case_sensitive=False)
    assert not matches("*" + "a" * 5_000 + "b*", "a" * 30_000, case_sensitive=False)


@given(st.text(st.sampled_from("0123456789.,-+eE \N{MINUS SIGN}\N{NO-BREAK SPACE}"), max_size=70) | st.text())
def test_a_number_is_finite_or_none(typed: str) -> None:
    number = read_number(typed)
    assert number is None or number.is_finite()


@given(st.decimals(-(10**9), 10**9, places=3))
def test_a_number_written_the_indonesian_way_is_that_number(number: Decimal) -> None:
    english = f"{number:,.3f}"
    indonesian = english.translate(str.maketrans(",.", ".,"))
    assert read_number(indonesian) == read_number(english) == number
