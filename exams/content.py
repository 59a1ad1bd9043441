"""
What a question consists of, whatever it came from: a bank, the admin or a frozen paper.

Contract:
- `QuestionContent` is pure data: it goes into JSON and comes back equal, and knows no model and no request.
- `problems()` names everything that would make a question unanswerable or unscorable; whoever stores a
  question (importer, admin) asks it first.
- `options` is what a student may see; `key` and `feedback` never leave the server before the result.

Not here: checking a student's answer (`answers.py`), points (`scoring.py`), HTML (`richtext.py`).
"""

from __future__ import annotations

import secrets
from enum import StrEnum

import msgspec

#: An option id must not betray the position in the bank: teachers often write the right option first.
_ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class QuestionType(StrEnum):
    """The kinds of question. The values are lasting: they stand in the database, in papers and in the API."""

    MULTIPLE_CHOICE = "multiple_choice"
    MULTIPLE_RESPONSE = "multiple_response"
    TRUE_FALSE = "true_false"
    SHORT_ANSWER = "short_answer"
    NUMERICAL = "numerical"
    MATCHING = "matching"
    ESSAY = "essay"
    DESCRIPTION = "description"


class TextFormat(StrEnum):
    """How stem, options and feedback are written."""

    HTML = "html"
    MARKDOWN = "markdown"
    PLAIN = "plain"


class Option(msgspec.Struct, frozen=True):
    """One thing to choose, or one left-hand side of a matching question."""

    id: str
    text: str


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """What there is to choose from; `stems` are the left-hand sides of a matching question."""

    choices: list[Option] = []
    stems: list[Option] = []


class AcceptedText(msgspec.Struct, frozen=True):
    """A short answer that earns *weight* percent; `*` stands for any run of characters, `\\*` for a star."""

    text: str
    weight: float = 100


class AcceptedRange(msgspec.Struct, frozen=True):
    """Numbers from *low* to *high*, both included, earn *weight* percent. Decimal strings, so nothing is rounded."""

    low: str
    high: str
    weight: float = 100


class Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """The right answer. Which fields count depends on the type; weights are percent of the points, -100 to 100."""

    weights: dict[str, float] = {}  # multiple choice and response: option id -> percent
    answer: bool | None = None  # true/false
    texts: list[AcceptedText] = []  # short answer: the first that matches counts
    case_sensitive: bool = False
    ranges: list[AcceptedRange] = []  # numerical: the best that matches counts
    pairs: dict[str, str] = {}  # matching: stem id -> choice id


class Feedback(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What a student may read afterwards.

    The keys of `by_answer`: an option's id (choices; stems of a matching question), "true" or "false", the index of the
    accepted text or range, or "*" for any other number.
    """

    general: str = ""
    by_answer: dict[str, str] = {}


class QuestionContent(msgspec.Struct, frozen=True, kw_only=True):
    """One question, complete. *text_format* holds for stem, options and feedback alike."""

    type: QuestionType
    stem: str
    text_format: TextFormat = TextFormat.PLAIN
    name: str = ""
    options: Options = Options()
    key: Key = Key()
    feedback: Feedback = Feedback()
    points: float = 1


def make_options(texts: list[str]) -> list[Option]:
    """Give each of *texts* an id of four random letters that is unique among them."""
    ids: set[str] = set()
    while len(ids) < len(texts):
        ids.add("".join(secrets.choice(_ID_ALPHABET) for _ in range(4)))
    return [Option(id=option_id, text=text) for option_id, text in zip(ids, texts, strict=True)]
