"""
What an emergency file would change: pure functions, file and stored answers in, one row per question out.

Contract:
- Each entry of the file has exactly one verdict. Only rows with `is_choosable` may be applied, and of these only those
  with `is_expected` without somebody having looked at them: the others were edited outside the attempt's time.
- The attempt's time is from its start to its deadline, or to its submit where that came first. There is no grace: the
  grace is for what arrives late, not for what is edited late.
- Revisions are the page's word (its clock follows the server's). They order edits; they prove nothing.

Not here: opening the file (`emergency.py`), applying it (`emergency_apply.py`), its words (`admin/emergency.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from exams.autosave.checking import check_save
from exams.autosave.messages import SaveRequest
from exams.content import QuestionContent, QuestionType
from exams.emergency import EmergencyFile
from exams.exceptions import UnknownQuestion, WrongAnswer
from exams.models import Answer, Attempt

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verdict(StrEnum):
    """How one entry of the file relates to what is stored. In order: the first that applies is given."""

    UNKNOWN_QUESTION = "unknown_question"  # not in the attempt's paper
    NOT_FITTING = "not_fitting"  # no answer that this question can have
    SAME = "same"  # the server has this very answer
    OLDER = "older"  # the server has a newer one, or another one of the same revision
    BEFORE_START = "before_start"
    IN_FUTURE = "in_future"  # of a running attempt; stored, it would block the student's own later edits
    AFTER_END = "after_end"  # after the deadline or the submit
    MISSING = "missing"  # the server has none
    NEWER = "newer"  # the server has an older one


_EXPECTED = {Verdict.MISSING, Verdict.NEWER}
_CHOOSABLE = _EXPECTED | {Verdict.BEFORE_START, Verdict.AFTER_END}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """
    One entry of the file beside what is stored.

    *number*: the question's place in the paper as the attempt's page counts, None for what is none of it. *value*: the
    answer as it would be stored, as JSON; None where it does not fit, and then *reason* says why. *late*: by how much
    an edit after the end was late.
    """

    entry: SaveRequest
    revision: int
    verdict: Verdict
    number: int | None = None
    question: QuestionContent | None = None
    stored: Answer | None = None
    value: bytes | None = None
    reason: str = ""
    late: timedelta | None = None

    @property
    def question_id(self) -> int:
        return self.entry.question_id

    @property
    def edited_at(self) -> datetime | None:
        """When, as the page says; None for a revision that is no time at all."""
        return moment_of(self.revision)

    @property
    def is_expected(self) -> bool:
        """Whether there is nothing against applying it."""
        return self.verdict in _EXPECTED

    @property
    def is_choosable(self) -> bool:
        """Whether it can be applied."""
        return self.verdict in _CHOOSABLE


def moment_of(revision: int) -> datetime | None:
    """The time that *revision* stands for, or None where no calendar reaches."""
    try:
        return _EPOCH + timedelta(milliseconds=revision)
    except OverflowError:
        return None


def milliseconds(moment: datetime) -> int:
    """*moment* as a revision. Whole ones, rounded down, as the page gets the server's time."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def end_of(attempt: Attempt) -> datetime:
    """The last moment at which an answer of *attempt* could be edited."""
    return attempt.deadline_at if attempt.submitted_at is None else min(attempt.deadline_at, attempt.submitted_at)


def difference(
    attempt: Attempt,
    stored: Iterable[Answer],
    file: EmergencyFile,
    *,
    questions: Mapping[int, QuestionContent],
    now: datetime,
    ahead_seconds: int,
) -> list[Difference]:
    """
    One row per entry of *file*, in the paper's order, what is no question of it last.

    *questions*: the contents of the attempt's paper in its order; *now*: the database's clock; *ahead_seconds*: by how
    much a revision may be ahead of it.
    """
    answers = {answer.question_id: answer for answer in stored}
    asked = [
        question_id for question_id, question in questions.items() if question.type is not QuestionType.DESCRIPTION
    ]
    numbers = {question_id: number for number, question_id in enumerate(asked, start=1)}
    latest = milliseconds(now) + ahead_seconds * 1000
    rows = [
        _row(attempt, entry, answers.get(entry.question_id), questions, numbers, latest=latest)
        for entry in file.entries
    ]
    return sorted(rows, key=lambda row: (row.number is None, row.number, row.question_id))


def _row(
    attempt: Attempt,
    entry: SaveRequest,
    stored: Answer | None,
    questions: Mapping[int, QuestionContent],
    numbers: Mapping[int, int],
    *,
    latest: int,
) -> Difference:
    revision = entry.revision or 0  # `open_file` lets none pass without one
    verdict, reason, late, value = Verdict.MISSING, "", None, None
    try:
        # Its own revision for the server's clock: whether it is ahead of that one is judged below, with more mercy.
        _revision, value = check_save(entry, questions, now_ms=revision, ahead_seconds=0)
    except UnknownQuestion:
        verdict = Verdict.UNKNOWN_QUESTION
    except WrongAnswer as exc:
        verdict, reason = Verdict.NOT_FITTING, str(exc.details.get("reason", ""))
    else:
        end = milliseconds(end_of(attempt))
        if stored is not None and stored.revision >= revision:
            is_same = msgspec.json.decode(value) == stored.value
            verdict = Verdict.SAME if is_same else Verdict.OLDER
        elif revision < milliseconds(attempt.started_at):
            verdict = Verdict.BEFORE_START
        elif revision > latest and not attempt.is_closed:
            verdict = Verdict.IN_FUTURE
        elif revision > end:
            verdict, late = Verdict.AFTER_END, timedelta(milliseconds=revision - end)
        elif stored is not None:
            verdict = Verdict.NEWER
    return Difference(
        entry=entry,
        revision=revision,
        verdict=verdict,
        number=numbers.get(entry.question_id),
        question=questions.get(entry.question_id),
        stored=stored,
        value=value,
        reason=reason,
        late=late,
    )
