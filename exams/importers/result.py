"""
What a parser gives back.

Contract: a parser raises nothing, whatever the text is; a question it cannot use is a `BadQuestion` with the line it
starts at and a reason for the teacher, and the others are read all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exams.content import QuestionContent


class ImportFormatError(ValueError):
    """The file as a whole cannot be read; the message is for the person who chose the file."""


@dataclass(frozen=True, kw_only=True)
class ImportedQuestion:
    """A question that `problems()` finds nothing wrong with. *line* is the file's line it starts at, from 1."""

    content: QuestionContent
    line: int
    category: str = ""


@dataclass(frozen=True, kw_only=True)
class BadQuestion:
    """A question that was left out. *name* is its title, or how it begins, so that the teacher finds it."""

    line: int
    reason: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportResult:
    """All questions of a bank in its order, and those that could not be used, in the same order."""

    questions: list[ImportedQuestion] = field(default_factory=list)
    bad: list[BadQuestion] = field(default_factory=list)
