"""Phone numbers as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.phones import normalise


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("", ""),
        ("   ", ""),
        ("081234567890", "6281234567890"),
        ("0812-3456-7890", "6281234567890"),
        ("+62 812 3456 7890", "6281234567890"),
        ("6281234567890", "6281234567890"),
        ("(0812) 3456.7890", "6281234567890"),
        ("81234567890", "6281234567890"),  # how a spreadsheet leaves a number that began with 0
        ("021 5551234", "62215551234"),
        ("+60 12-345 6789", "60123456789"),
    ],
)
def test_a_number_becomes_its_digits(text: str, digits: str) -> None:
    assert normalise(text) == digits


@pytest.mark.parametrize(
    "text",
    [
        "tidak ada",
        "-",
        "0812",
        "110",
        "6222366",  # can only be dialled inside one town
        "08123456789012345",
        "+999 123456789",
        "62766 66007471773",  # 16 digits: E.164 has 15
        "0812 3456 7890 / 0813 2222 3333",
        "\x00",
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="phone number"):
        normalise(text)


@given(st.from_regex(r"(\+|62|0|\+49|00)?[0-9 ./-]{0,18}", fullmatch=True) | st.text(max_size=20))
def test_whatever_comes_out_is_what_the_database_takes(text: str) -> None:
    try:
        digits = normalise(text)
    except ValueError:
        return
    assert re.fullmatch(r"([0-9]{8,15})?", digits)
