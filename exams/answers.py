"""
Does an answer fit its question?

Contract:
- `check_answer()` returns the value as it is stored (canonical: chosen options sorted, numbers as text) or raises
  `WrongAnswer` with the field and the reason. `None` clears an answer and fits every question.
- It judges the shape only. A wrong answer that is well formed is somebody's answer.
- What passes can be stored as `jsonb`: no NUL, no lone surrogate, no NaN, bounded in size and depth.

Pure functions; called for every save, so they stay small.
"""

from __future__ import annotations

from collections.abc import Callable

from exams.content import QuestionContent, QuestionType
from exams.exceptions import WrongAnswer

SHORT_ANSWER_MAX = 1_000
NUMBER_MAX = 64
#: 30,000 characters are ten printed pages; with escapes and 4-byte letters they fit into a body of 64 KiB or nearly so.
ESSAY_MAX = 30_000


def _wrong(reason: str) -> WrongAnswer:
    return WrongAnswer(field="answer", reason=reason)


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise _wrong("expected a text")
    if len(value) > longest:
        raise _wrong(f"longer than {longest} characters")
    if "\x00" in value:
        raise _wrong("contains a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _wrong("contains half of a surrogate pair") from None
    return value


def _one_choice(question: QuestionContent, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("expected an option's id")
    for option in question.options.choices:
        if option.id == value:
            return value
    raise _wrong("no such option")


def _several_choices(question: QuestionContent, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(option_id, str) for option_id in value):
        raise _wrong("expected a list of option ids")
    known = {option.id for option in question.options.choices}
    if len(set(value)) != len(value):
        raise _wrong("an option is chosen twice")
    if not known.issuperset(value):
        raise _wrong("no such option")
    return sorted(value)


def _truth(_question: QuestionContent, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong("expected true or false")
    return value


def _number(_question: QuestionContent, value: object) -> str:
    # As typed: "3," is on its way to "3,14" and must not be refused. Scoring reads it as a number.
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    return _text(value, NUMBER_MAX)


def _pairs(question: QuestionContent, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong("expected an object from left-hand ids to right-hand ids")
    stems = {option.id for option in question.options.stems}
    choices = {option.id for option in question.options.choices}
    for stem_id, choice_id in value.items():
        if stem_id not in stems:
            raise _wrong("no such left-hand side")
        if not isinstance(choice_id, str) or choice_id not in choices:
            raise _wrong("no such right-hand side")
    return dict(sorted(value.items()))


def _nothing(_question: QuestionContent, _value: object) -> None:
    raise _wrong("a description takes no answer")


_CHECKS: dict[QuestionType, Callable[[QuestionContent, object], object]] = {
    QuestionType.MULTIPLE_CHOICE: _one_choice,
    QuestionType.MULTIPLE_RESPONSE: _several_choices,
    QuestionType.TRUE_FALSE: _truth,
    QuestionType.SHORT_ANSWER: lambda _question, value: _text(value, SHORT_ANSWER_MAX),
    QuestionType.NUMERICAL: _number,
    QuestionType.MATCHING: _pairs,
    QuestionType.ESSAY: lambda _question, value: _text(value, ESSAY_MAX),
    QuestionType.DESCRIPTION: _nothing,
}


def check_answer(question: QuestionContent, value: object) -> object:
    """Return *value* as it is stored, or raise `WrongAnswer`."""
    if value is None and question.type is not QuestionType.DESCRIPTION:
        return None
    return _CHECKS[question.type](question, value)


def is_answered(value: object) -> bool:
    """Whether a stored value counts as an answer; cleared and empty ones do not."""
    return value is not None and value != "" and value != [] and value != {}
