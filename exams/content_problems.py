"""
What keeps a question from being answered or scored.

Contract:
- `problems()` names everything that is wrong with a question, in sentences for the person who wrote it; an empty list
  means that a student can answer the question and the server can score it.
- Whoever stores a question (importer, admin) asks first. Pure: no model, no request, and nothing is raised.
- The sizes below are the only bounds on a question; an importer may look at them before it does costly work.

Not here: what a student's answer may be (`answers.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from exams.content import Option, QuestionContent, QuestionType

MAX_STEM_LENGTH = 50_000
MAX_OPTION_LENGTH = 10_000
MAX_FEEDBACK_LENGTH = 10_000
MAX_NAME_LENGTH = 255
MAX_CATEGORY_LENGTH = 255
#: Options, accepted answers or ranges. Option ids are four letters: far more of them would not find free ones.
MAX_OPTIONS = 100

#: PostgreSQL stores no NUL, and half a surrogate pair is no character at all.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def problems(content: QuestionContent) -> list[str]:
    """Name what is wrong with *content*; an empty list if nothing is."""
    return [*_text_problems(content), *_points_problems(content), *_key_problems(content)]


def has_unstorable_characters(text: str) -> bool:
    """Say whether *text* holds a NUL or half a surrogate pair."""
    return _UNSTORABLE.search(text) is not None


def replace_unstorable_characters(text: str) -> str:
    """Put U+FFFD for what `has_unstorable_characters()` finds, where *text* is only a label."""
    return _UNSTORABLE.sub("\ufffd", text)


def _text_problems(content: QuestionContent) -> Iterator[str]:
    if not content.stem.strip():
        yield "The question has no text."
    if len(content.stem) > MAX_STEM_LENGTH:
        yield f"The question's text is longer than {MAX_STEM_LENGTH:,} characters."
    if len(content.name) > MAX_NAME_LENGTH:
        yield f"The question's name is longer than {MAX_NAME_LENGTH} characters."
    if any(has_unstorable_characters(text) for text in _all_texts(content)):
        yield "A text holds a NUL or a broken Unicode character."
    if any(
        len(text) > MAX_FEEDBACK_LENGTH for text in (content.feedback.general, *content.feedback.by_answer.values())
    ):
        yield f"A feedback is longer than {MAX_FEEDBACK_LENGTH:,} characters."
    yield from _option_problems(content.options.choices, "option")
    yield from _option_problems(content.options.stems, "left-hand side")
    if any(len(accepted.text) > MAX_OPTION_LENGTH for accepted in content.key.texts):
        yield f"An accepted answer is longer than {MAX_OPTION_LENGTH:,} characters."
    if max(len(content.key.texts), len(content.key.ranges)) > MAX_OPTIONS:
        yield f"There are more than {MAX_OPTIONS} accepted answers."


def _option_problems(options: list[Option], noun: str) -> Iterator[str]:
    if len(options) > MAX_OPTIONS:
        yield f"There are more than {MAX_OPTIONS} {noun}s."
    if len({option.id for option in options}) < len(options):
        yield f"Two {noun}s have the same id."
    for number, option in enumerate(options, start=1):
        if not option.text.strip():
            yield f"The {noun} number {number} is empty."
        elif len(option.text) > MAX_OPTION_LENGTH:
            yield f"The {noun} number {number} is longer than {MAX_OPTION_LENGTH:,} characters."


def _points_problems(content: QuestionContent) -> Iterator[str]:
    if not math.isfinite(content.points) or content.points < 0:
        yield f"The points must be a number from 0, not {content.points}."


def _key_problems(content: QuestionContent) -> Iterator[str]:
    key = content.key
    weights = [*key.weights.values(), *(text.weight for text in key.texts), *(span.weight for span in key.ranges)]
    # "not between" rather than "outside", so that NaN is refused too.
    yield from (
        f"The weight {weight:g} % is not between -100 and 100." for weight in weights if not -100 <= weight <= 100
    )
    match content.type:
        case QuestionType.MULTIPLE_CHOICE | QuestionType.MULTIPLE_RESPONSE:
            yield from _choice_problems(content)
        case QuestionType.TRUE_FALSE:
            if key.answer is None:
                yield "Whether the statement is true or false is not given."
        case QuestionType.SHORT_ANSWER:
            if not any(text.weight > 0 for text in key.texts):
                yield "No accepted answer earns points."
            if not all(text.text.strip() for text in key.texts):
                yield "An accepted answer is empty."
        case QuestionType.NUMERICAL:
            if not any(span.weight > 0 for span in key.ranges):
                yield "No accepted number earns points."
            for span in key.ranges:
                yield from _range_problems(span.low, span.high)
        case QuestionType.MATCHING:
            yield from _matching_problems(content)
        case QuestionType.ESSAY | QuestionType.DESCRIPTION:
            pass  # a teacher gives an essay's points, and a description has none


def _choice_problems(content: QuestionContent) -> Iterator[str]:
    ids = {option.id for option in content.options.choices}
    weights = content.key.weights
    if len(ids) < 2:
        yield "There are fewer than two options."
    if not weights.keys() <= ids:
        yield "A weight belongs to no option."
    if content.type is QuestionType.MULTIPLE_CHOICE:
        if not any(weights.get(option_id) == 100 for option_id in ids):
            yield "No option is right: one must earn 100 %."
    elif not any(weights.get(option_id, 0) > 0 for option_id in ids):
        yield "No option earns points: one must have a positive weight."


def _range_problems(low: str, high: str) -> Iterator[str]:
    ends: list[Decimal] = []
    for end in (low, high):
        try:
            number = Decimal(end)
        except (InvalidOperation, ValueError):
            yield f"“{end[:40]}” is not a number."
            continue
        if number.is_finite():
            ends.append(number)
        else:
            yield f"“{end[:40]}” is not a number."
    if len(ends) == 2 and ends[0] > ends[1]:
        yield f"The range from {low} to {high} is empty."


def _matching_problems(content: QuestionContent) -> Iterator[str]:
    choices = {option.id for option in content.options.choices}
    stems = {option.id for option in content.options.stems}
    if len(stems) < 2:
        yield "There are fewer than two pairs to match."
    if stems - content.key.pairs.keys():
        yield "A left-hand side has no partner."
    if content.key.pairs.keys() - stems or set(content.key.pairs.values()) - choices:
        yield "A pair points to nothing."


def _all_texts(content: QuestionContent) -> Iterator[str]:
    yield content.stem
    yield content.name
    for option in (*content.options.choices, *content.options.stems):
        yield option.id
        yield option.text
    yield from (accepted.text for accepted in content.key.texts)
    yield content.feedback.general
    yield from content.feedback.by_answer.values()
