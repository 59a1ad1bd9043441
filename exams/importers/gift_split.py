"""
Cut a GIFT file into its questions.

Contract:
- `split()` gives the source of each question with its line and category, comments left out. It raises nothing and reads
  each line once or twice, however the file is broken.
- A blank line ends a question, and so do a line that begins with `::` and a `$CATEGORY:` line. A blank line inside
  open braces or inside `<pre>` does not, as long as what is open is closed before the next question begins: a
  forgotten brace costs one question, never the rest of the file.

Not here: what the source of a question means (`gift.py`, `gift_answers.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from exams.content_problems import MAX_CATEGORY_LENGTH, replace_unstorable_characters

#: An escape (so that it is skipped) or a brace.
_BRACE = re.compile(r"\\.|[{}]")
_PRE = re.compile(r"<(/?)pre\b", re.IGNORECASE)
_CATEGORY = re.compile(r"\s*\$CATEGORY:(.*)", re.IGNORECASE)
#: Moodle exports "$course$/top/Mathematics": where its tree begins means nothing here.
_CATEGORY_ROOT = re.compile(r"\$\w+\$/(?:top/|top$)?")


@dataclass(frozen=True)
class QuestionSource:
    """What stands in the file for one question. *line* is the file's line it starts at, from 1."""

    text: str
    line: int
    category: str


@dataclass(slots=True)
class _Line:
    number: int
    text: str
    braces: str = field(init=False)  # the unescaped ones, in order

    def __post_init__(self) -> None:
        self.braces = "".join(brace for brace in _BRACE.findall(self.text) if brace in "{}")

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def begins_question(self) -> bool:
        return self.text.lstrip().startswith("::") or self.category is not None

    @property
    def category(self) -> str | None:
        match = _CATEGORY.fullmatch(self.text)
        return _category_name(match[1]) if match else None


def _category_name(raw: str) -> str:
    name = replace_unstorable_characters(_CATEGORY_ROOT.sub("", raw.strip(), count=1))
    return name[:MAX_CATEGORY_LENGTH]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What comes after a line: for a blank line this decides whether the question goes on."""

    text_goes_on: bool = False  # the next text begins no question of its own
    answers_go_on: bool = False  # and it begins with = or ~ or }
    closes_brace: bool = False  # the next brace is a }, before a line that begins a question
    closes_pre: bool = False  # the same for </pre>


def split(text: str) -> Iterator[QuestionSource]:
    """Give each question's source in the file's order."""
    lines = [
        _Line(number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if not line.lstrip().startswith("//")
    ]
    category = ""
    current: list[_Line] = []
    braces = pre = 0
    for line, ahead in zip(lines, _look_ahead(lines), strict=True):
        if line.is_blank:
            inside = (braces and (ahead.answers_go_on or ahead.closes_brace)) or (pre and ahead.closes_pre)
            ends = not (inside and ahead.text_goes_on)
        else:
            ends = line.category is not None or (line.text.startswith("::") and not _in_open_title(current, line))
        if ends:
            yield from _source(current, category)
            current, braces, pre = [], 0, 0
        if line.category is not None:
            category = line.category
        elif current or not line.is_blank:
            current.append(line)
            for brace in line.braces:
                braces = max(0, braces + (1 if brace == "{" else -1))
            for tag in _PRE.finditer(line.text):
                pre = max(0, pre + (-1 if tag[1] else 1))
    yield from _source(current, category)


def _source(lines: list[_Line], category: str) -> Iterator[QuestionSource]:
    if lines:
        yield QuestionSource("\n".join(line.text for line in lines), lines[0].number, category)


def _in_open_title(current: list[_Line], line: _Line) -> bool:
    """Say whether *line*, which begins with `::`, ends a title that runs over two lines."""
    return len(current) == 1 and current[0].text.strip().count("::") == 1 and line.text.count("::") == 1


def _look_ahead(lines: list[_Line]) -> list[_Ahead]:
    """Say for each line what comes after it, in one pass from the end (from each line on would be quadratic)."""
    result: list[_Ahead] = []
    ahead = _Ahead()
    for line in reversed(lines):
        result.append(ahead)
        if line.is_blank:
            continue
        if line.begins_question:
            ahead = _Ahead()
            continue
        first_tag = _PRE.search(line.text)
        ahead = _Ahead(
            text_goes_on=True,
            answers_go_on=line.text.lstrip()[0] in "=~}",
            closes_brace=line.braces[0] == "}" if line.braces else ahead.closes_brace,
            closes_pre=bool(first_tag[1]) if first_tag else ahead.closes_pre,
        )
    result.reverse()
    return result
