"""The receipt: the same for the same, another for anything else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from exams.models import Answer, Attempt
from exams.receipts import sign

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def receipt(*answers: tuple[int, int, Any], attempt: int = 7, submitted_at: datetime = NOON) -> str:
    rows = [Answer(question_id=question, revision=revision, value=value) for question, revision, value in answers]
    return sign(Attempt(pk=attempt, submitted_at=submitted_at), rows)


def test_a_receipt_can_be_copied_from_a_screen() -> None:
    codes = [receipt((1, revision, "a")) for revision in range(1, 200)]
    assert all(re.fullmatch(r"[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{5}", code) for code in codes), "no 0 and O, no 1 and I"
    assert len(set(codes)) == len(codes)
    assert all(len(code) <= 20 for code in codes), "the column's length"


def test_the_order_of_the_rows_does_not_matter() -> None:
    assert receipt((1, 5, "a"), (2, 6, ["b"])) == receipt((2, 6, ["b"]), (1, 5, "a"))
    assert receipt((1, 5, {"x": "1", "y": "2"})) == receipt((1, 5, {"y": "2", "x": "1"}))


def test_anything_else_gives_another_receipt() -> None:
    codes = [
        receipt(),
        receipt((1, 5, "a")),
        receipt((1, 5, "b")),
        receipt((1, 6, "a")),
        receipt((2, 5, "a")),
        receipt((1, 5, None)),
        receipt((1, 5, "")),
        receipt((1, 5, ["a"])),
        receipt((1, 5, "a"), (2, 5, "a")),
        receipt((1, 5, "a"), attempt=8),
        receipt((1, 5, "a"), submitted_at=NOON + timedelta(microseconds=1)),
    ]
    assert len(set(codes)) == len(codes)


def test_a_receipt_depends_on_the_instant_and_not_on_its_time_zone() -> None:
    assert receipt((1, 5, "a")) == receipt((1, 5, "a"), submitted_at=NOON.astimezone(ZoneInfo("Asia/Jakarta")))


def test_nobody_can_make_one_without_the_secret_key(settings: Any) -> None:
    ours = receipt((1, 5, "a"))
    settings.SECRET_KEY = "another"
    assert receipt((1, 5, "a")) != ours


values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.integers(1, 99), values, max_size=5))
def test_every_stored_answer_can_be_signed(answers: dict[int, Any]) -> None:
    rows = [(question, 1, value) for question, value in answers.items()]
    assert receipt(*rows) == receipt(*reversed(rows))
