"""
The Aiken format: a question, its options `A.` or `A)`, and a line `ANSWER: A`.

Contract: see `result.py`. Every question is multiple choice with one right option, and all texts are plain.
Lenient where nothing can be misread: small letters, spaces around letters and colon, blank lines before options or
the answer, options that run over several lines, `JAWABAN:` for `ANSWER:`.

Source of the format: https://docs.moodle.org/en/Aiken_format
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from string import ascii_uppercase

from exams.content import Key, Options, QuestionContent, QuestionType, make_options
from exams.content_problems import problems, replace_unstorable_characters
from exams.importers.result import BadQuestion, ImportedQuestion, ImportResult

#: "A.Jakarta" is an option too, but "a.n." in a text is not.
_OPTION = re.compile(r"[ \t]*(?:([A-Z])[ \t]*[.)]|([a-z])[ \t]*[.)](?=\s|$))(.*)")
_ANSWER = re.compile(r"[ \t]*(?:ANSWER|JAWABAN)[ \t]*:(.*)", re.IGNORECASE)
_ANSWER_LINE = re.compile(r"^[ \t]*(?:ANSWER|JAWABAN)[ \t]*:[ \t]*[A-Z]\b", re.IGNORECASE | re.MULTILINE)

_NO_ANSWER = "It has no line “ANSWER: …”."


def count_signs(text: str) -> int:
    """Count the lines that only an Aiken file has."""
    return sum(1 for _ in _ANSWER_LINE.finditer(text))


@dataclass
class _Draft:
    """The question being read. An option is its lines: what follows the first may turn out to be the next question."""

    line: int
    stem: list[str]
    options: list[list[str]] = field(default_factory=list)
    error: str = ""


def parse(text: str) -> ImportResult:
    """Read all questions of an Aiken file."""
    return _Reader().read(text)


class _Reader:
    def __init__(self) -> None:
        self.result = ImportResult()
        self.draft: _Draft | None = None
        self.after_blank = False

    def read(self, text: str) -> ImportResult:
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                self.after_blank = True
                continue
            self._take(number, line)
            self.after_blank = False
        self._give_up(_NO_ANSWER)
        return self.result

    def _take(self, number: int, line: str) -> None:
        if answer := _ANSWER.fullmatch(line):
            self._finish(number, answer[1])
            return
        option = _OPTION.fullmatch(line)
        if option and self.draft:
            self._take_option(self.draft, number, option)
        elif self.draft and not self.after_blank:
            (self.draft.options[-1] if self.draft.options else self.draft.stem).append(line.strip())
        else:
            self._give_up(_NO_ANSWER)
            self.draft = _Draft(line=number, stem=[line.strip()])

    def _take_option(self, draft: _Draft, number: int, option: re.Match[str]) -> None:
        letter, text = (option[1] or option[2]).upper(), option[3].strip()
        expected = ascii_uppercase[len(draft.options)] if len(draft.options) < len(ascii_uppercase) else "no more"
        if letter == expected:
            draft.options.append([text])
        elif not draft.options:
            draft.stem.append(option[0].strip())  # a stem that lists statements: "I. …"
        elif letter == "A" and len(draft.options[-1]) > 1:
            # The next question has begun without an ANSWER line or a blank line before it.
            stem = draft.options[-1][1:]
            self._give_up(_NO_ANSWER)
            self.draft = _Draft(line=number - len(stem), stem=stem, options=[[text]])
        else:
            draft.error = draft.error or f"Option {letter} in line {number} is out of order, expected {expected}."

    def _finish(self, number: int, answer: str) -> None:
        draft, self.draft = self.draft, None
        if draft is None:
            self._refuse(number, "An ANSWER line without a question.", "")
            return
        if draft.error:
            self._refuse(draft.line, draft.error, draft.stem[0])
            return
        letter = answer.strip().rstrip(".)").rstrip().upper()
        letters = ascii_uppercase[: len(draft.options)]
        if len(letter) != 1 or letter not in letters:
            known = f"{letters[0]} to {letters[-1]}" if letters else "none"
            self._refuse(draft.line, f"ANSWER is “{answer.strip()[:20]}”, but the options are {known}.", draft.stem[0])
            return
        content = _content(draft, right=letters.index(letter))
        if found := problems(content):
            self._refuse(draft.line, " ".join(found), draft.stem[0])
            return
        self.result.questions.append(ImportedQuestion(content=content, line=draft.line))

    def _give_up(self, reason: str) -> None:
        if self.draft:
            self._refuse(self.draft.line, self.draft.error or reason, self.draft.stem[0])
        self.draft = None

    def _refuse(self, line: int, reason: str, name: str) -> None:
        self.result.bad.append(
            BadQuestion(
                line=line, reason=replace_unstorable_characters(reason), name=replace_unstorable_characters(name[:60])
            )
        )


def _content(draft: _Draft, *, right: int) -> QuestionContent:
    choices = make_options(["\n".join(lines).strip() for lines in draft.options])
    return QuestionContent(
        type=QuestionType.MULTIPLE_CHOICE,
        stem="\n".join(draft.stem),
        options=Options(choices=choices),
        key=Key(weights={choice.id: 100.0 if index == right else 0.0 for index, choice in enumerate(choices)}),
    )
