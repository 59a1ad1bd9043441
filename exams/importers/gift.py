"""
The GIFT format, whole: docs/reference/gift.md says what is understood and where it differs from Moodle.

Contract: see `result.py`. A question that is not sure to mean what its author meant is refused with a reason.

Files: `gift_split.py` cuts the file into questions, `gift_answers.py` finds and cuts the braces, `gift_text.py` knows
escapes and formats, and this one makes questions of them.

Source of the format: https://docs.moodle.org/en/GIFT_format
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from exams.content import (
    AcceptedRange,
    AcceptedText,
    Feedback,
    Key,
    Options,
    QuestionContent,
    QuestionType,
    TextFormat,
    make_options,
)
from exams.content_problems import (
    MAX_FEEDBACK_LENGTH,
    MAX_OPTION_LENGTH,
    MAX_OPTIONS,
    MAX_STEM_LENGTH,
    has_unstorable_characters,
    problems,
    replace_unstorable_characters,
)
from exams.importers.gift_answers import (
    ANSWERS_BEGIN,
    FoundAnswers,
    GiftError,
    RawAnswer,
    find_answers,
    split_answers,
    split_feedback,
    split_general_feedback,
    split_pair,
)
from exams.importers.gift_split import QuestionSource, split
from exams.importers.gift_text import GiftFormat, take_format, unescape, unify
from exams.importers.result import BadQuestion, ImportedQuestion, ImportResult

_SIGN = re.compile(rf"^[ \t]*(?:::|\$CATEGORY:)|\{{{ANSWERS_BEGIN}", re.IGNORECASE | re.MULTILINE)
_TRUE_FALSE = re.compile(r"(T|TRUE|F|FALSE)\s*(#.*)?", re.IGNORECASE | re.DOTALL)
_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})")
_TOLERANCE = re.compile(rf"({_NUMBER})\s*(?::\s*({_NUMBER}))?")
#: Enough for any two numbers that `_NUMBER` takes, so that adding a tolerance never rounds.
_DIGITS = 400
#: What shows the gap of a missing word. In Markdown the underscores alone could become a rule or emphasis.
_GAP, _MARKDOWN_GAP = "_____", r"\_\_\_\_\_"
#: The key of the feedback for a number that no range holds, as Moodle writes such an answer.
_ANYTHING_ELSE = "*"
#: All of its texts as long as they may be; a file without line ends is refused before its braces are counted.
_MAX_SOURCE_LENGTH = MAX_STEM_LENGTH + MAX_OPTIONS * (MAX_OPTION_LENGTH + MAX_FEEDBACK_LENGTH)


def count_signs(text: str) -> int:
    """Count what only a GIFT file has: titles, categories and braces that begin like answers."""
    return sum(1 for _ in _SIGN.finditer(text))


def parse(text: str) -> ImportResult:
    """Read all questions of a GIFT file."""
    result = ImportResult()
    for source in split(text):
        title = ""
        try:
            title, rest = _take_title(source.text)
            content = _read_question(title, rest)
        except GiftError as exc:
            result.bad.append(BadQuestion(line=source.line, reason=str(exc), name=_name(title, source)))
        else:
            result.questions.append(ImportedQuestion(content=content, line=source.line, category=source.category))
    return result


def _name(title: str, source: QuestionSource) -> str:
    return replace_unstorable_characters(title or " ".join(source.text[:200].split())[:60])


def _take_title(text: str) -> tuple[str, str]:
    text = text.strip()
    if not text.startswith("::"):
        return "", text
    end = text.find("::", 2)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("::", end + 1)
    if end < 0:
        raise GiftError("The title is never closed: it needs a second “::”.")
    return " ".join(unescape(text[2:end]).split()), text[end + 2 :]


def _read_question(title: str, text: str) -> QuestionContent:
    if len(text) > _MAX_SOURCE_LENGTH:
        raise GiftError(f"The question is longer than {_MAX_SOURCE_LENGTH:,} characters.")
    if has_unstorable_characters(text) or has_unstorable_characters(title):
        raise GiftError("A text holds a NUL or a broken Unicode character.")
    own, text = take_format(text)
    fmt = own or GiftFormat.PLAIN
    found = find_answers(text)
    draft = _read_answers(found.answers)
    text_format, texts = _texts(draft, _stem(found, fmt), fmt)
    content = draft.content(title, text_format, texts)
    if wrong := problems(content):
        raise GiftError(" ".join(wrong))
    return content


def _stem(found: FoundAnswers, fmt: GiftFormat) -> str:
    if not found.after.strip():
        return found.before
    return found.before + (_MARKDOWN_GAP if fmt is GiftFormat.MARKDOWN else _GAP) + found.after


@dataclass
class _Draft:
    """A question whose texts are still as GIFT writes them. Texts are referred to by position until they have ids."""

    type: QuestionType
    general: str = ""
    choices: list[str] = field(default_factory=list)
    stems: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)  # of the choices
    pairs: list[int] = field(default_factory=list)  # of each stem, the choice
    answer: bool | None = None
    accepted: list[AcceptedText] = field(default_factory=list)
    ranges: list[AcceptedRange] = field(default_factory=list)
    feedback: dict[str, str] = field(default_factory=dict)  # key as in Feedback, or the position of choice or stem

    def raw_texts(self) -> list[str]:
        return [self.general, *self.choices, *self.stems, *self.feedback.values()]

    def content(self, name: str, text_format: TextFormat, texts: Sequence[str]) -> QuestionContent:
        """Put the *texts*, which are the stem and `raw_texts()` made readable, in their places."""
        stem, general, *rest = texts
        options = make_options(rest[: len(self.choices) + len(self.stems)])
        choices, stems = options[: len(self.choices)], options[len(self.choices) :]
        owners = stems or choices
        accepted = self.accepted
        if text_format is TextFormat.HTML:
            # Compared with what a student types, who types < and not &lt;.
            accepted = [AcceptedText(text=html.unescape(text.text), weight=text.weight) for text in accepted]
        return QuestionContent(
            type=self.type,
            stem=stem,
            text_format=text_format,
            name=name,
            options=Options(choices=choices, stems=stems),
            key=Key(
                weights={choice.id: weight for choice, weight in zip(choices, self.weights, strict=False)},
                answer=self.answer,
                texts=accepted,
                ranges=self.ranges,
                pairs={stem.id: choices[index].id for stem, index in zip(stems, self.pairs, strict=True)},
            ),
            feedback=Feedback(
                general=general,
                by_answer={
                    owners[int(owner)].id if owners else owner: text
                    for owner, text in zip(self.feedback, rest[len(options) :], strict=True)
                },
            ),
        )


def _texts(draft: _Draft, stem: str, fmt: GiftFormat) -> tuple[TextFormat, list[str]]:
    raws = draft.raw_texts()
    # Before sanitising, whose time grows faster than the text where tags are nested.
    if len(stem) > MAX_STEM_LENGTH:
        raise GiftError(f"The question's text is longer than {MAX_STEM_LENGTH:,} characters.")
    if any(len(raw) > MAX_FEEDBACK_LENGTH for raw in raws):
        raise GiftError(f"An option or a feedback is longer than {MAX_FEEDBACK_LENGTH:,} characters.")
    return unify([stem, *raws], fmt)


def _read_answers(answers: str | None) -> _Draft:
    if answers is None:
        return _Draft(QuestionType.DESCRIPTION)
    body, general = split_general_feedback(answers)
    if not body:
        return _Draft(QuestionType.ESSAY, general=general)
    if true_false := _TRUE_FALSE.fullmatch(body):
        draft = _read_true_false(true_false[1], true_false[2] or "")
    elif body.startswith("#"):
        draft = _read_numerical(_limited(split_answers(body[1:], numerical=True)))
    else:
        draft = _read_marked(_limited(split_answers(body)))
    draft.general = general
    return draft


def _limited(answers: list[RawAnswer]) -> list[RawAnswer]:
    if len(answers) > MAX_OPTIONS:
        raise GiftError(f"There are more than {MAX_OPTIONS} answers.")
    return answers


def _read_true_false(word: str, feedback: str) -> _Draft:
    answer = word.upper().startswith("T")
    # The first feedback is for the student who chose wrongly, the second for the one who was right.
    wrong, right = (*split_feedback(feedback, times=3)[1:], "", "")[:2]
    texts = {"true" if answer else "false": right, "false" if answer else "true": wrong}
    return _Draft(QuestionType.TRUE_FALSE, answer=answer, feedback={key: text for key, text in texts.items() if text})


def _read_marked(answers: list[RawAnswer]) -> _Draft:
    if any(not answer.text for answer in answers):
        raise GiftError("An answer is empty.")
    if any(answer.mark == "~" for answer in answers):
        return _read_choices(answers)
    if any(split_pair(answer.text) for answer in answers):
        return _read_pairs(answers)
    return _Draft(
        QuestionType.SHORT_ANSWER,
        accepted=[
            AcceptedText(
                text=unescape(take_format(answer.text)[1]).strip(),
                weight=100.0 if answer.weight is None else answer.weight,
            )
            for answer in answers
        ],
        feedback=_by_position(answers),
    )


def _read_choices(answers: list[RawAnswer]) -> _Draft:
    weights = [
        answer.weight if answer.weight is not None else 100.0 if answer.mark == "=" else 0.0 for answer in answers
    ]
    earning = [weight for weight in weights if weight > 0]
    # {=%50%a =%50%b ~c} marks no option as right by itself: it asks for both.
    split_among_several = 100 not in earning and len(earning) > 1 and 99 < sum(earning) < 101
    several = split_among_several or (bool(earning) and all(answer.mark == "~" for answer in answers))
    return _Draft(
        QuestionType.MULTIPLE_RESPONSE if several else QuestionType.MULTIPLE_CHOICE,
        choices=[answer.text for answer in answers],
        weights=weights,
        feedback=_by_position(answers),
    )


def _read_pairs(answers: list[RawAnswer]) -> _Draft:
    draft = _Draft(QuestionType.MATCHING)
    for answer in answers:
        pair = split_pair(answer.text)
        if pair is None:
            raise GiftError(f"“{answer.text[:40]}” has no “->”, but other answers have: it must be a pair too.")
        if answer.weight is not None:
            raise GiftError("A pair to match cannot have a weight.")
        left, right = pair
        if not right:
            raise GiftError(f"Nothing stands after the “->” of “{left[:40]}”.")
        if right not in draft.choices:  # two left-hand sides may share one partner
            draft.choices.append(right)
        if left:
            if answer.feedback:
                draft.feedback[str(len(draft.stems))] = answer.feedback
            draft.stems.append(left)
            draft.pairs.append(draft.choices.index(right))
    return draft


def _read_numerical(answers: list[RawAnswer]) -> _Draft:
    draft = _Draft(QuestionType.NUMERICAL)
    for answer in answers:
        if answer.text == _ANYTHING_ELSE or (answer.mark == "~" and not answer.text):
            if answer.feedback:
                draft.feedback[_ANYTHING_ELSE] = answer.feedback
            continue
        if answer.feedback:
            draft.feedback[str(len(draft.ranges))] = answer.feedback
        low, high = _read_range(unescape(answer.text))
        weight = answer.weight if answer.weight is not None else 0.0 if answer.mark == "~" else 100.0
        draft.ranges.append(AcceptedRange(low=low, high=high, weight=weight))
    return draft


def _read_range(text: str) -> tuple[str, str]:
    with localcontext(prec=_DIGITS):
        if span := _RANGE.fullmatch(text):
            return _plain(Decimal(span[1])), _plain(Decimal(span[2]))
        number = _TOLERANCE.fullmatch(text)
        if number is None:
            hint = " Write the decimal point as a point." if "," in text else ""
            raise GiftError(f"“{text[:40]}” is not a number, number:tolerance or low..high.{hint}")
        value, tolerance = Decimal(number[1]), Decimal(number[2] or 0)
        if tolerance < 0:
            raise GiftError(f"The tolerance {tolerance} is negative.")
        return _plain(value - tolerance), _plain(value + tolerance)


def _plain(number: Decimal) -> str:
    return format(number, "f")


def _by_position(answers: list[RawAnswer]) -> dict[str, str]:
    return {str(index): answer.feedback for index, answer in enumerate(answers) if answer.feedback}
