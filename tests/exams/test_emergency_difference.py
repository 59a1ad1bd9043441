"""What an emergency file would change, and nothing of it touches the database: rows are made in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.autosave.messages import REVISION_MAX, SaveRequest
from exams.content import QuestionType
from exams.emergency import EmergencyFile
from exams.emergency_difference import Difference, Verdict, difference, milliseconds
from exams.models import Answer, Attempt
from tests.exams.factories import RIGHT, question_of

START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
END = START + timedelta(minutes=90)
CHOICE, ESSAY, MATCHING, TEXT = 11, 12, 13, 14
QUESTIONS = {
    CHOICE: question_of(QuestionType.MULTIPLE_CHOICE),
    ESSAY: question_of(QuestionType.ESSAY),
    MATCHING: question_of(QuestionType.MATCHING),
    TEXT: question_of(QuestionType.DESCRIPTION),
}


def at(minutes: float) -> int:
    """The revision of an edit so many minutes after the start."""
    return milliseconds(START + timedelta(minutes=minutes))


def compare(
    *entries: tuple[int, Any, int],
    stored: dict[int, tuple[Any, int]] | None = None,
    now: datetime = END + timedelta(hours=1),
    kind: str | None = None,
    **columns: Any,
) -> list[Difference]:
    attempt = Attempt(
        **{"status": Attempt.Status.EXPIRED, "started_at": START, "deadline_at": END, "submitted_at": END, **columns}
    )
    answers = [
        Answer(question_id=question, value=value, revision=revision)
        for question, (value, revision) in (stored or {}).items()
    ]
    requests = tuple(
        SaveRequest(question_id=question, answer=answer, revision=revision, question_type=kind)
        for question, answer, revision in entries
    )
    file = EmergencyFile(
        exam_id=1, attempt_id=1, student_id=1, username="siti", name="Siti", entries=requests, unreadable=0,
        server_now=now, device_now=now,
    )  # fmt: skip
    return difference(attempt, answers, file, questions=QUESTIONS, now=now, ahead_seconds=60)


def verdict(*args: Any, **kwargs: Any) -> Verdict:
    [row] = compare(*args, **kwargs)
    return row.verdict


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, Verdict.MISSING),
        (("bndg", at(4)), Verdict.NEWER),
        (("jkrt", at(4)), Verdict.NEWER),
        (("jkrt", at(5)), Verdict.SAME),
        (("jkrt", at(6)), Verdict.SAME),
        (("bndg", at(5)), Verdict.OLDER),
        (("bndg", at(6)), Verdict.OLDER),
        ((None, at(6)), Verdict.OLDER),
    ],
)
def test_beside_what_is_stored(stored: tuple[Any, int] | None, expected: Verdict) -> None:
    assert verdict((CHOICE, "jkrt", at(5)), stored=stored and {CHOICE: stored}) == expected


def test_what_is_the_same_is_judged_as_it_would_be_stored() -> None:
    pairs = {"bali": "dnps", "aceh": "band"}
    assert verdict((MATCHING, pairs, at(5)), stored={MATCHING: (RIGHT["matching"], at(5))}) == Verdict.SAME


def test_only_the_missing_and_the_newer_are_taken_without_a_look() -> None:
    rows = compare(
        (CHOICE, "jkrt", at(5)), (ESSAY, "x", at(5)), (MATCHING, {}, at(100)), (TEXT, "x", at(5)), (99, "x", at(5)),
        stored={ESSAY: ("y", at(4))},
    )  # fmt: skip
    assert [(row.verdict, row.is_expected, row.is_choosable) for row in rows] == [
        (Verdict.MISSING, True, True),
        (Verdict.NEWER, True, True),
        (Verdict.AFTER_END, False, True),
        (Verdict.NOT_FITTING, False, False),
        (Verdict.UNKNOWN_QUESTION, False, False),
    ]
    assert [row.number for row in rows] == [1, 2, 3, None, None]


# -- the attempt's time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (at(0) - 1, Verdict.BEFORE_START),
        (at(0), Verdict.MISSING),
        (at(90), Verdict.MISSING),
        (at(90) + 1, Verdict.AFTER_END),
        (1, Verdict.BEFORE_START),
        (REVISION_MAX, Verdict.AFTER_END),
    ],
)
def test_the_time_is_from_start_to_deadline_without_grace(revision: int, expected: Verdict) -> None:
    assert verdict((CHOICE, "jkrt", revision), submitted_at=END + timedelta(seconds=60)) == expected


def test_a_start_within_a_millisecond_counts_as_begun() -> None:
    """The page gets the server's time in whole milliseconds."""
    assert verdict((CHOICE, "jkrt", at(0)), started_at=START + timedelta(microseconds=900)) == Verdict.MISSING


def test_what_was_edited_after_handing_in_is_late_though_the_deadline_is_not_over() -> None:
    handed_in = START + timedelta(minutes=30)
    [row] = compare((CHOICE, "jkrt", at(31)), status=Attempt.Status.SUBMITTED, submitted_at=handed_in)
    assert (row.verdict, row.late) == (Verdict.AFTER_END, timedelta(minutes=1))
    assert verdict((CHOICE, "jkrt", at(29)), status=Attempt.Status.SUBMITTED, submitted_at=handed_in) == Verdict.MISSING


def test_what_is_stored_already_is_not_called_late() -> None:
    assert verdict((CHOICE, "jkrt", at(91)), stored={CHOICE: ("jkrt", at(91))}) == Verdict.SAME


@pytest.mark.parametrize("status", [Attempt.Status.IN_PROGRESS, Attempt.Status.LOCKED])
def test_while_the_attempt_runs_nothing_from_the_future_may_block_later_edits(status: str) -> None:
    now = START + timedelta(minutes=10)
    for minutes, expected in ((10.9, Verdict.MISSING), (11.1, Verdict.IN_FUTURE), (91, Verdict.IN_FUTURE)):
        assert verdict((CHOICE, "jkrt", at(minutes)), status=status, submitted_at=None, now=now) == expected
    [row] = compare((CHOICE, "jkrt", at(60)), status=status, submitted_at=None, now=now)
    assert not row.is_choosable
    # Its deadline is over and it is not closed yet: late, but no longer in anybody's way.
    assert verdict((CHOICE, "jkrt", at(91)), status=status, submitted_at=None, now=END + timedelta(minutes=2)) == (
        Verdict.AFTER_END
    )


def test_once_it_is_closed_the_future_is_only_late() -> None:
    assert verdict((CHOICE, "jkrt", at(500)), now=END + timedelta(minutes=2)) == Verdict.AFTER_END


# -- what fits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "answer"), [(CHOICE, "none"), (CHOICE, 5), (ESSAY, "x" * 30_001), (ESSAY, "\x00"), (MATCHING, [1])]
)
def test_what_does_not_fit_its_question_says_why(question: int, answer: Any) -> None:
    [row] = compare((question, answer, at(5)))
    assert (row.verdict, row.value) == (Verdict.NOT_FITTING, None)
    assert row.reason


def test_an_answer_for_another_type_does_not_fit() -> None:
    assert verdict((CHOICE, "jkrt", at(5)), kind="essay") == Verdict.NOT_FITTING


def test_a_cleared_answer_is_an_edit_like_any_other() -> None:
    [row] = compare((CHOICE, None, at(5)), stored={CHOICE: ("jkrt", at(4))})
    assert (row.verdict, row.value) == (Verdict.NEWER, b"null")


answers: st.SearchStrategy[Any] = st.sampled_from(["jkrt", "bndg", None, "none", 5, {}])
revisions = st.sampled_from([1, at(-1), at(0), at(45), at(90), at(91), at(200), REVISION_MAX])


@given(
    st.dictionaries(st.sampled_from([CHOICE, ESSAY, MATCHING, TEXT, 99]), st.tuples(answers, revisions)),
    st.dictionaries(st.sampled_from([CHOICE, ESSAY]), st.tuples(st.sampled_from(["jkrt", None]), revisions)),
    st.sampled_from([Attempt.Status.IN_PROGRESS, Attempt.Status.SUBMITTED]),
)
def test_every_entry_has_one_verdict_and_none_replaces_what_is_newer(
    entries: dict[int, tuple[Any, int]], stored: dict[int, tuple[Any, int]], status: str
) -> None:
    submitted_at = END if status == Attempt.Status.SUBMITTED else None
    rows = compare(
        *[(question, answer, revision) for question, (answer, revision) in entries.items()],
        stored=stored, status=status, submitted_at=submitted_at,
    )  # fmt: skip
    assert sorted(row.question_id for row in rows) == sorted(entries)
    for row in rows:
        if row.is_choosable:
            assert row.value is not None
            assert row.stored is None or row.stored.revision < row.revision
        if row.is_expected:
            assert at(0) <= row.revision <= at(90)
