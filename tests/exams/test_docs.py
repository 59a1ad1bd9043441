"""The pages about API and scoring say what the code does."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client

from config import refusals
from exams import exceptions
from exams.answers import ESSAY_MAX, NUMBER_MAX, SHORT_ANSWER_MAX
from exams.content import QuestionType
from exams.exceptions import ExamError
from exams.scoring import matches, read_number
from notifications import api_errors
from notifications.api_errors import ApiProblem
from tests.web import PROJECT

API = (PROJECT / "docs/reference/api.md").read_text()
SCORING = (PROJECT / "docs/explanation/scoring.md").read_text()
#: (status, code) of every row in the table of errors.
ROWS = {(int(status), code) for status, code in re.findall(r"^\| (\d{3}) \| `(\w+)` \|", API, re.MULTILINE)}


ERRORS = ("exams/api_errors.py", "exams/exceptions.py", "notifications/api_errors.py")


def raised_on_purpose() -> set[tuple[int, str]]:
    found = [*vars(exceptions).values(), *vars(api_errors).values()]
    errors = [error for error in found if isinstance(error, type) and issubclass(error, ExamError | ApiProblem)]
    return {(error.status, error.code) for error in errors if error not in (ExamError, ApiProblem)}


def test_every_error_has_its_row() -> None:
    assert len(raised_on_purpose()) >= 20
    assert raised_on_purpose() - ROWS == set()


def test_the_gates_refusals_have_their_rows() -> None:
    made = [
        refusals.busy(retry_after_ms=1),
        refusals.body_too_large(limit=1, close=False),
        refusals.body_timeout(seconds=1),
    ]
    assert {(refusal.status, refusal.code) for refusal in made} <= ROWS


def test_every_row_is_an_error_that_the_code_knows() -> None:
    source = "".join((PROJECT / path).read_text() for path in ERRORS)
    source += (PROJECT / "config/refusals.py").read_text()
    drfs_own = {"not_acceptable"}
    assert {code for _status, code in ROWS if f'"{code}"' not in source} == drfs_own


def test_every_endpoint_has_its_row_with_every_status() -> None:
    described = Client().get("/docs/json").json()["paths"]
    for path, operations in described.items():
        for method, operation in operations.items():
            [row] = re.findall(rf"^\| `{method.upper()} {re.escape(path)}`.*$", API, re.MULTILINE)
            listed = set(re.findall(r"\b[45]\d\d\b", row.split("|")[3]))
            assert listed == {status for status in operation["responses"] if status >= "400"}, path


@pytest.mark.parametrize("kind", list(QuestionType))
def test_every_type_says_what_an_answer_is(kind: QuestionType) -> None:
    assert f"| `{kind}` |" in API


def test_the_bounds_are_the_codes() -> None:
    for bound in (SHORT_ANSWER_MAX, NUMBER_MAX, ESSAY_MAX):
        assert f"{bound:,} characters" in API


NUMBERS = re.findall(r"^\| `([^`]+)` \| (-?[\d.]+|no number) \|", SCORING, re.MULTILINE)


@pytest.mark.parametrize(("typed", "read"), NUMBERS)
def test_a_number_is_read_as_the_page_says(typed: str, read: str) -> None:
    assert read_number(typed) == (None if read == "no number" else Decimal(read))


def test_the_page_has_examples_of_numbers_and_texts() -> None:
    assert len(NUMBERS) >= 10
    assert "`foto * hijau` fits `foto daun hijau` and `fotohijau`" in SCORING
    for text in ("foto daun hijau", "fotohijau"):
        assert matches("foto * hijau", text, case_sensitive=False)
