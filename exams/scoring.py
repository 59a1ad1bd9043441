"""
Points for an answer. Pure functions: question and value in, points out; no clock, no database.

Contract:
- Weights are percent of the question's points, as banks give them. A wrong single choice may cost points where the
  bank says so; several choices together never earn less than nothing or more than everything.
- An essay is worth what the teacher gave; until then it counts as ungraded, not as zero.
- Points are rounded half up to hundredths, per question, so that the parts add up to the sum.

How texts and numbers are read: docs/explanation/scoring.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from exams.answers import is_answered
from exams.content import QuestionContent, QuestionType

_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", re.IGNORECASE)
#: `1.000.000` and `1,000,000`: the same sign twice or more, in threes, can only be between thousands.
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?:\.\d{3}){2,}|(?:,\d{3}){2,})")


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """A stored answer; *points* are the teacher's, for essays."""

    value: object
    points: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """Points of *maximum*. Final once no essay waits."""

    points: Decimal
    maximum: Decimal
    ungraded_essays: int
    answered: int


def read_number(text: str) -> Decimal | None:
    """
    Read a number as Indonesian students type it: `3,14`, `3.14`, `1.234,5`, `1.000.000`, `-2`, `1e3`; else None.

    A lone point is a decimal point (`1.500` is one and a half): calculators and keyboards give points, and the
    question's author sees what was typed.
    """
    compact = "".join(text.split()).replace("\N{MINUS SIGN}", "-")  # split() knows every kind of space
    if _GROUPED.fullmatch(compact):
        compact = compact.replace(".", "").replace(",", "")
    elif "," in compact and "." in compact:
        thousands = "." if compact.rindex(",") > compact.rindex(".") else ","
        compact = compact.replace(thousands, "")
    compact = compact.replace(",", ".")
    return Decimal(compact) if _NUMBER.fullmatch(compact) else None


def _folded(text: str, case_sensitive: bool) -> str:
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return text if case_sensitive else text.casefold()


def matches(pattern: str, text: str, *, case_sensitive: bool) -> bool:
    """Whether *text* fits an accepted text in which `*` stands for anything and `\\*` for a star."""
    parts = [_folded(part.replace("\\*", "*"), case_sensitive) for part in re.split(r"(?<!\\)\*", pattern)]
    folded = _folded(text, case_sensitive)
    if len(parts) == 1:
        return folded == parts[0]
    # Greedy from the left is enough for `*` alone, and linear, unlike a regular expression with many `.*`.
    if not folded.startswith(parts[0]):
        return False
    position = len(parts[0])
    for part in parts[1:-1]:
        found = folded.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(folded) - len(parts[-1]) >= position and folded.endswith(parts[-1])


def _exact(number: float) -> Fraction:
    return Fraction(repr(number))  # through repr, so that a bank's 33.33333 stays what it says


def _choice(question: QuestionContent, value: object) -> Fraction:
    return _exact(question.key.weights.get(str(value), 0))


def _response(question: QuestionContent, value: object) -> Fraction:
    chosen = value if isinstance(value, list) else []
    # From the key's side: each option counts once, whatever a stored list holds.
    earned = (_exact(weight) for option_id, weight in question.key.weights.items() if option_id in chosen)
    total = sum(earned, start=Fraction(0))
    return min(Fraction(100), max(Fraction(0), total))


def _truth(question: QuestionContent, value: object) -> Fraction:
    return Fraction(100 if value is question.key.answer else 0)


def _short(question: QuestionContent, value: object) -> Fraction:
    for accepted in question.key.texts:
        if matches(accepted.text, str(value), case_sensitive=question.key.case_sensitive):
            return _exact(accepted.weight)
    return Fraction(0)


def _number(question: QuestionContent, value: object) -> Fraction:
    number = read_number(str(value))
    if number is None:
        return Fraction(0)
    fitting = (r.weight for r in question.key.ranges if Decimal(r.low) <= number <= Decimal(r.high))
    return _exact(max(fitting, default=0))


def _matching(question: QuestionContent, value: object) -> Fraction:
    given: Mapping[str, object] = value if isinstance(value, dict) else {}
    pairs = question.key.pairs
    right = sum(given.get(stem) == choice for stem, choice in pairs.items())
    return Fraction(100 * right, len(pairs)) if pairs else Fraction(0)


_PERCENT: dict[QuestionType, Callable[[QuestionContent, object], Fraction]] = {
    QuestionType.MULTIPLE_CHOICE: _choice,
    QuestionType.MULTIPLE_RESPONSE: _response,
    QuestionType.TRUE_FALSE: _truth,
    QuestionType.SHORT_ANSWER: _short,
    QuestionType.NUMERICAL: _number,
    QuestionType.MATCHING: _matching,
}


def _round_half_up(hundredths: Fraction) -> Decimal:
    # Fractions until here: five of six pairs of 0.75 points are 0.625 exactly, and no 0.62.
    rounded = int(abs(hundredths) + Fraction(1, 2))
    return Decimal(rounded if hundredths >= 0 else -rounded).scaleb(-2)


def score_answer(question: QuestionContent, value: object) -> Decimal:
    """Points for *value*. Essays and descriptions earn nothing here."""
    percent = _PERCENT.get(question.type)
    if percent is None or not is_answered(value):
        return Decimal(0)
    # Percent of the points are hundredths of a point.
    return _round_half_up(_exact(question.points) * percent(question, value))


def score_paper(questions: Iterable[tuple[int, QuestionContent]], answers: Mapping[int, GivenAnswer]) -> Score:
    """Add up a whole paper: (question id, question) pairs and the stored answers by question id."""
    points = maximum = Decimal(0)
    ungraded = answered = 0
    for question_id, question in questions:
        if question.type is QuestionType.DESCRIPTION:
            continue
        worth = _round_half_up(_exact(question.points) * 100)
        maximum += worth
        given = answers.get(question_id)
        if given is None or not is_answered(given.value):
            continue
        answered += 1
        if question.type is not QuestionType.ESSAY:
            points += score_answer(question, given.value)
        elif given.points is None:
            ungraded += 1
        else:
            points += min(given.points, worth)
    return Score(points=points, maximum=maximum, ungraded_essays=ungraded, answered=answered)
