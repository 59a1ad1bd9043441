"""Points for answers: every type of question by hand-computed examples. Properties: test_scoring_properties.py."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exams.content import AcceptedRange, AcceptedText, Key, Option, Options, QuestionContent, QuestionType
from exams.scoring import GivenAnswer, Score, matches, read_number, score_answer, score_paper
from tests.exams.factories import RIGHT, WRONG, question_of


@pytest.mark.parametrize("kind", WRONG)
def test_the_right_answer_earns_all_points_and_a_wrong_one_none(kind: QuestionType) -> None:
    question = question_of(kind)
    assert score_answer(question, RIGHT[kind]) == Decimal(str(question.points))
    assert score_answer(question, WRONG[kind]) == 0


@pytest.mark.parametrize("kind", RIGHT)
@pytest.mark.parametrize("value", [None, "", [], {}])
def test_no_answer_earns_nothing(kind: QuestionType, value: Any) -> None:
    assert score_answer(question_of(kind), value) == 0


def choice(**weights: float) -> QuestionContent:
    options = Options(choices=[Option(option_id, option_id) for option_id in weights])
    return question_of("multiple_choice", key=Key(weights=weights), options=options, points=4)


def response(*, points: float = 4, **weights: float) -> QuestionContent:
    options = Options(choices=[Option(option_id, option_id) for option_id in weights])
    return question_of("multiple_response", key=Key(weights=weights), options=options, points=points)


def test_a_wrong_single_choice_costs_points_where_the_bank_says_so() -> None:
    question = choice(good=100, half=50, none=0, bad=-25)
    points = [score_answer(question, option_id) for option_id in ("good", "half", "none", "bad", "gone")]
    assert points == [Decimal(text) for text in ("4", "2", "0", "-1", "0")]


@pytest.mark.parametrize(
    ("chosen", "points"),
    [
        (["a"], "2"),
        (["a", "b"], "4"),
        (["a", "c"], "1"),  # 50 - 25 %
        (["c"], "0"),  # never less than nothing
        (["a", "b", "d"], "4"),  # never more than everything
        (["a", "a"], "2"),  # an old version may have stored an option twice
    ],
)
def test_several_choices_add_up_between_nothing_and_everything(chosen: list[str], points: str) -> None:
    assert score_answer(response(a=50, b=50, c=-25, d=100), chosen) == Decimal(points)


def test_three_thirds_are_everything_in_whatever_order_they_are_chosen() -> None:
    question = response(a=33.33333, b=33.33333, c=33.33333, points=10)
    assert {score_answer(question, chosen) for chosen in (["a", "b", "c"], ["c", "a", "b"])} == {Decimal("10.00")}
    assert score_answer(question, ["a"]) == Decimal("3.33")


@pytest.mark.parametrize("right", [True, False])
def test_true_and_false_are_not_numbers_or_words(right: bool) -> None:
    question = question_of("true_false", key=Key(answer=right))
    assert [score_answer(question, value) for value in (right, not right, int(right), str(right).lower())] == [
        1,
        0,
        0,
        0,
    ]


# -- short answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("dingin", "dingin", True),
        ("dingin", "  Dingin ", True),
        ("dingin", "dinginn", False),
        ("air terjun", "air \t\N{NO-BREAK SPACE} terjun", True),
        ("air terjun", "airterjun", False),
        ("café", "cafe\N{COMBINING ACUTE ACCENT}", True),  # the same letter in two Unicode forms
        ("café", "cafe", False),
        ("Straße", "STRASSE", True),
        ("*", "", True),
        ("*", "apa saja", True),
        ("foto*", "fotosintesis", True),
        ("foto*", "potosintesis", False),
        ("*sintesis", "fotosintesis", True),
        ("*sintesis", "fotosintesis!", False),
        ("f*sis", "fotosintesis", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),  # the two ends may not overlap
        ("ab*ba", "abba", True),
        ("a**b", "ab", True),
        ("2\\*3", "2*3", True),
        ("2\\*3", "2x3", False),
        ("2\\**", "2*3", True),
        ("a.c", "abc", False),  # no regular expression
        ("[ab]", "a", False),
        ("satu * dua", "satu atau dua", True),
    ],
)
def test_what_an_accepted_text_fits(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text, case_sensitive=False) is fits


def test_case_counts_only_where_the_teacher_says_so() -> None:
    question = question_of("short_answer", key=Key(texts=[AcceptedText("NaCl")]))
    strict = question_of("short_answer", key=Key(texts=[AcceptedText("NaCl")], case_sensitive=True))
    assert [score_answer(question, text) for text in ("NaCl", "nacl")] == [1, 1]
    assert [score_answer(strict, text) for text in ("NaCl", "nacl", " NaCl ")] == [1, 0, 1]


def test_the_first_accepted_text_that_fits_counts() -> None:
    texts = [AcceptedText("kuda laut"), AcceptedText("kuda*", 50), AcceptedText("*", -10)]
    question = question_of("short_answer", key=Key(texts=texts), points=2)
    assert [score_answer(question, text) for text in ("Kuda Laut", "kuda nil", "sapi")] == [2, 1, Decimal("-0.2")]


# -- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("3,14", "3.14"),
        ("3.14", "3.14"),
        ("1.234,5", "1234.5"),
        ("1,234.5", "1234.5"),
        ("1.234.567,8", "1234567.8"),
        ("1.000.000", "1000000"),
        ("-1,000,000", "-1000000"),
        ("1.500", "1.5"),  # a lone sign is the decimal sign
        ("1,500", "1.5"),
        ("1 000 000", "1000000"),
        ("1\N{NARROW NO-BREAK SPACE}000\N{NO-BREAK SPACE}000", "1000000"),
        ("\N{MINUS SIGN}2", "-2"),
        ("+5", "5"),
        ("- 5", "-5"),
        ("1e3", "1000"),
        ("1,5E-3", "0.0015"),
        (",5", "0.5"),
        ("5,", "5"),
        ("007", "7"),
    ],
)
def test_a_number_is_read_as_it_is_typed(typed: str, number: str) -> None:
    assert read_number(typed) == Decimal(number)


@pytest.mark.parametrize(
    "typed",
    [
        *[
            "",
            " ",
            "-",
            "tiga",
            "3 cm",
            "50%",
            "2/3",
            "1e",
            "e5",
            "--2",
            "1.2.3",
            "1,2,3",
            "1.234,5,6",
            "0x10",
            "1_000",
        ],
        *["nan", "inf", "Infinity", "\N{INFINITY}", "1e9999", "9" * 60, "\N{SUPERSCRIPT TWO}"],
    ],
)
def test_what_is_no_number_is_none(typed: str) -> None:
    assert read_number(typed) is None


def test_a_number_earns_the_best_weight_of_the_ranges_it_lies_in() -> None:
    ranges = [AcceptedRange("3", "4", 50), AcceptedRange("3.14", "3.15", 100), AcceptedRange("-1", "-1", -50)]
    question = question_of("numerical", key=Key(ranges=ranges), points=2)
    typed = ("3,14", "3.15", "3,1499", "3", "4,0", "3,151", "4,0001", "-1", "\N{MINUS SIGN}1,00", "pi")
    assert [score_answer(question, text) for text in typed] == [2, 2, 2, 1, 1, 1, 0, -1, -1, 0]


def test_the_ends_of_a_range_are_exact() -> None:
    question = question_of("numerical", key=Key(ranges=[AcceptedRange("0.1", "0.3")]))
    assert [score_answer(question, text) for text in ("0.3", "0,30000000000000004", "0.1", "0.09999999999")] == [
        1,
        0,
        1,
        0,
    ]


# -- matching, essays, sums --------------------------------------------------------------------------------------


def matching(count: int, points: float) -> QuestionContent:
    stems = [Option(f"s{number}", "left") for number in range(count)]
    choices = [Option(f"c{number}", "right") for number in range(count)]
    pairs = {stem.id: option.id for stem, option in zip(stems, choices, strict=True)}
    return question_of("matching", options=Options(choices=choices, stems=stems), key=Key(pairs=pairs), points=points)


def test_each_right_pair_earns_its_share() -> None:
    question = matching(4, points=2)
    assert score_answer(question, {"s0": "c0"}) == Decimal("0.5")
    assert score_answer(question, {"s0": "c0", "s1": "c2", "s2": "c2", "gone": "c0"}) == 1


@pytest.mark.parametrize(
    ("right", "pairs", "points", "earned"),
    [(1, 3, 1, "0.33"), (2, 3, 1, "0.67"), (5, 6, 0.75, "0.63"), (5, 6, 0.15, "0.13"), (1, 8, 0.2, "0.03")],
)
def test_points_are_rounded_half_up_to_hundredths(right: int, pairs: int, points: float, earned: str) -> None:
    value = {f"s{number}": f"c{number}" for number in range(right)}
    assert score_answer(matching(pairs, points), value) == Decimal(earned)


def test_lost_points_are_rounded_like_earned_ones() -> None:
    assert score_answer(question_of("multiple_choice", key=Key(weights={"a": -50}), points=0.01), "a") == Decimal(
        "-0.01"
    )


ESSAY = question_of("essay")


@pytest.mark.parametrize(
    ("given", "points", "ungraded", "answered"),
    [
        (None, "0", 0, 0),
        (GivenAnswer(value=None), "0", 0, 0),
        (GivenAnswer(value=""), "0", 0, 0),
        (GivenAnswer(value="Pantai."), "0", 1, 1),
        (GivenAnswer(value="Pantai.", points=Decimal(0)), "0", 0, 1),
        (GivenAnswer(value="Pantai.", points=Decimal("3.25")), "3.25", 0, 1),
        (GivenAnswer(value="Pantai.", points=Decimal(50)), "5", 0, 1),  # a slip of the teacher's finger
    ],
)
def test_an_essay_is_worth_what_the_teacher_gave(
    given: GivenAnswer | None, points: str, ungraded: int, answered: int
) -> None:
    found = score_paper([(1, ESSAY)], {} if given is None else {1: given})
    assert found == Score(points=Decimal(points), maximum=Decimal(5), ungraded_essays=ungraded, answered=answered)


def test_points_by_hand_count_for_essays_only() -> None:
    question = question_of("short_answer")
    assert score_paper([(1, question)], {1: GivenAnswer(value="hangat", points=Decimal(1))}).points == 0


def test_a_paper_adds_up() -> None:
    questions = list(enumerate((question_of(kind) for kind in QuestionType), start=1))
    right = {
        number: GivenAnswer(value=RIGHT[question.type]) for number, question in questions if question.type in RIGHT
    }
    right[99] = GivenAnswer(value="of another paper")
    # 1 + 2 + 1 + 1 + 1 + 2, and an essay of 5 that waits; the description's point is nobody's.
    assert score_paper(questions, right) == Score(points=Decimal(8), maximum=Decimal(13), ungraded_essays=1, answered=7)
