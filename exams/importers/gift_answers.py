"""
The braces of a GIFT question: where they are, and what stands in them.

Contract:
- `find_answers()` says which braces hold the answers, though others may stand in the text; where that cannot be told
  for sure it raises, because a wrong guess would be scored.
- `split_answers()` cuts what stands in the braces into answers, each with weight and feedback, still escaped.
- What cannot be read raises `GiftError`, whose message is for the teacher. Time is in proportion to the length.

Not here: what the answers mean for each type of question (`gift.py`), escapes (`gift_text.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: What a `{` must be followed by to begin the answers: an answer, a number, true or false, or the end (an essay).
ANSWERS_BEGIN = r"\s*(?:[=~#}]|(?:T|F|TRUE|FALSE)\s*[#}])"

_BRACE = re.compile(r"\\.|[{}]")
_ANSWERS_BEGIN = re.compile(ANSWERS_BEGIN, re.IGNORECASE)
_OPTION_IN_NEXT_LINE = re.compile(r"[ \t]*\n\s*[=~]")
_OPTION_LINE = re.compile(r"^[ \t]*~", re.MULTILINE)
#: Escapes and character references (&#960; holds a #) come first, so that what is in them is skipped.
_MARK = re.compile(r"\\.|&#x?[0-9a-f]{1,8};|#{4,}|->|[=~#]", re.IGNORECASE)
_WEIGHT = re.compile(r"\s*%([^%\n]{0,20})%")
_WEIGHT_AT_END = re.compile(r"%([+-]?\d{1,3}(?:[.,]\d{1,10})?)%\Z")
_NUMBER = re.compile(r"[+-]?\d{1,10}(?:[.,]\d{0,20})?")


class GiftError(Exception):
    """A question that cannot be used, and why."""


class FoundAnswers(NamedTuple):
    """A question's text before and after the braces, and what stands in them; None where there are no answers."""

    before: str
    answers: str | None
    after: str


@dataclass(frozen=True)
class RawAnswer:
    """One answer, still escaped. *mark* is "=" or "~", or "" for what stands in front of the first of them."""

    mark: str
    weight: float | None
    text: str
    feedback: str


def find_answers(text: str) -> FoundAnswers:
    """Find the braces that hold the answers."""
    groups, unclosed, unopened = _match_braces(text)
    if any(_ANSWERS_BEGIN.match(text, position + 1) for position in unclosed):
        raise GiftError("The { in front of the answers is never closed.")
    if unopened:
        raise GiftError("There is a } without a {. If it belongs to the text, write \\}.")
    candidates = [group for group in groups if _ANSWERS_BEGIN.match(text, group[0] + 1)]
    if len(candidates) > 1:
        # Empty braces stand in code often; as answers they only mean "an essay".
        candidates = [(start, end) for start, end in candidates if text[start + 1 : end].strip()] or candidates
    if len(candidates) > 1:
        raise GiftError(
            "There are two pairs of braces with answers. Is the blank line between two questions missing? "
            "If one pair belongs to the text, write \\{ and \\}."
        )
    if candidates:
        start, end = candidates[0]
        return FoundAnswers(text[:start], text[start + 1 : end], text[end + 1 :])
    if groups or unclosed:
        raise GiftError(
            "The braces hold no answers: they begin with none of = ~ # T F. "
            "If they belong to the text, write \\{ and \\}."
        )
    if _OPTION_LINE.search(text):
        raise GiftError("There are answers, but no { and } around them.")
    return FoundAnswers(text, None, "")


def _match_braces(text: str) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Give the outermost pairs of braces, the `{` that are never closed and the `}` that were never opened."""
    braces = [match.start() for match in _BRACE.finditer(text) if match[0] in "{}"]
    last_close = max((position for position in braces if text[position] == "}"), default=-1)
    opened: list[int] = []
    unopened: list[int] = []
    pairs: list[tuple[int, int]] = []
    for position in braces:
        if text[position] == "{":
            opened.append(position)
        elif not opened:
            unopened.append(position)
        elif (
            # "=Use {% url %}" with its { lost still ends in a }: what is followed by a line with the next option
            # has not ended the answers, provided that something else does.
            len(opened) > 1
            or position == last_close
            or not _OPTION_IN_NEXT_LINE.match(text, position + 1)
            or not _ANSWERS_BEGIN.match(text, opened[-1] + 1)
        ):
            pairs.append((opened.pop(), position))
    outermost: list[tuple[int, int]] = []
    for pair in sorted(pairs):
        if not outermost or pair[0] > outermost[-1][1]:
            outermost.append(pair)
    return outermost, opened, unopened


def split_general_feedback(answers: str) -> tuple[str, str]:
    """Split what follows the first `####` off *answers*."""
    for mark in _marks(answers):
        if mark[0].startswith("####"):
            return answers[: mark.start()].strip(), answers[mark.end() :].strip()
    return answers.strip(), ""


def split_feedback(raw: str, *, times: int = 1) -> list[str]:
    """Split *raw* at its first *times* unescaped `#`."""
    parts: list[str] = []
    start = 0
    for mark in _marks(raw):
        if len(parts) == times:
            break
        if mark[0].startswith("#"):
            parts.append(raw[start : mark.start()].strip())
            start = mark.start() + 1
    return [*parts, raw[start:].strip()]


def split_pair(raw: str) -> tuple[str, str] | None:
    """Split *raw* at its first `->`; None if it has none."""
    for mark in _marks(raw):
        if mark[0] == "->":
            return raw[: mark.start()].strip(), raw[mark.end() :].strip()
    return None


def split_answers(answers: str, *, numerical: bool = False) -> list[RawAnswer]:
    """Cut *answers* at each `=` and `~`. Numbers do not begin with a `#`, other answers may (`#ff0000`)."""
    marks = [mark for mark in _marks(answers) if mark[0] in ("=", "~")]
    first = marks[0].start() if marks else len(answers)
    parts = [("", answers[:first])] if answers[:first].strip() else []
    ends = [mark.start() for mark in marks[1:]] + [len(answers)]
    parts += [(mark[0], answers[mark.end() : end]) for mark, end in zip(marks, ends, strict=False)]
    return [_read_answer(mark, raw, numerical=numerical) for mark, raw in parts]


def _read_answer(mark: str, raw: str, *, numerical: bool) -> RawAnswer:
    weight: float | None = None
    if found := _WEIGHT.match(raw):
        weight = _read_weight(found[1])
        raw = raw[found.end() :]
    text, *rest = split_feedback(raw)
    if not text and rest and not numerical:
        # An answer is never empty, so its first # is text: {=#ff0000 ~#00ff00}.
        text, *rest = split_feedback(rest[0])
        text = f"#{text}"
    if weight is None and not numerical and (late := _WEIGHT_AT_END.search(text)):
        weight = _read_weight(late[1])
        text = text[: late.start()].rstrip()
    return RawAnswer(mark, weight, text, rest[0] if rest else "")


def _read_weight(text: str) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise GiftError(
            f"The weight %{text}% is not a number. "
            "If the percent signs belong to the text, write %100% or %0% before it."
        )
    return float(text.replace(",", "."))


def _marks(raw: str) -> Iterator[re.Match[str]]:
    return (mark for mark in _MARK.finditer(raw) if mark[0][0] not in "\\&")
