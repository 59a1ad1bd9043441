"""Every row of the reference's table of phone numbers, and more of what school lists hold."""

from __future__ import annotations

import phonenumbers
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from notifications.exceptions import BadReceiver
from notifications.receivers import REASONS, is_normal, mask, normalise

NORMAL = "628123456789"


@pytest.mark.parametrize(
    "typed",
    [
        "08123456789",
        "8123456789",
        "628123456789",
        "+62 812-3456-789",
        "(+62) 0812-3456-789",
        "6208123456789",
        "+6208123456789",
        "0812.3456.789",
        "0812\u20133456\u2013789",  # dashes as word processors set them
        "０８１２３４５６７８９",  # full width  # noqa: RUF001
        "٠٨١٢٣٤٥٦٧٨٩",  # Arabic digits
        "0812\u200b3456\u200d789",  # zero width
        "\u200f\u202a+62 812-3456-789\u202c",  # marks of right-to-left writing
        "tel:+628123456789",
        "TEL:08123456789",
        "008 62 8123456789",
        "0062 812 3456 789",
        "00628123456789",
        "  08123456789\n",
        "0812\u00a03456\u00a0789",
        "'08123456789",  # how spreadsheets keep the zero
    ],
)
def test_every_way_of_writing_one_number_is_one_receiver(typed: str) -> None:
    assert normalise(typed) == NORMAL


@pytest.mark.parametrize(
    ("typed", "digits"),
    [("60123456789", "60123456789"), ("+60123456789", "60123456789"), ("+1 202 555 0123", "12025550123")],
)
def test_a_number_of_another_country_is_taken_and_can_be_refused(typed: str, digits: str) -> None:
    assert normalise(typed) == digits
    with pytest.raises(BadReceiver) as caught:
        normalise(typed, allow_foreign=False)
    assert caught.value.reason == "foreign"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "empty"),
        (" \u200b ", "empty"),
        ("0812abc", "letters"),
        ("08123456789 (ibu)", "letters"),
        ("0812 3456 7890 / 0813", "several"),
        ("08123456789,08133456789", "several"),
        ("08123456789;08133456789", "several"),
        ("08123456789\n08133456789", "several"),
        ("08123456789|Budi", "several"),
        ("+628123456789+628133456789", "several"),
        ("0812-3456-789 ext 5", "extension"),
        ("0812-3456-789;ext=5", "extension"),
        ("0812-3456-789 x5", "extension"),
        ("081234567", "wrong_length"),
        ("08123456789012", "wrong_length"),
        ("08423456789", "invalid"),
        ("0215551234", "landline"),
        ("08001234567", "not_mobile"),
        ("0628123456789", "zero_before_country"),
        ("628123456789@s.whatsapp.net", "not_a_number"),
        ("120363000000000000@g.us", "not_a_number"),
        ("1", "not_a_number"),
        ("-", "not_a_number"),
        ("+", "not_a_number"),
        ("+62", "not_a_number"),
        ("0" * 100, "not_a_number"),
        ("0812 3456 7890 0813 3456 7890", "not_a_number"),
    ],
)
def test_what_is_not_one_mobile_number_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(BadReceiver) as caught:
        normalise(typed)
    assert caught.value.reason == reason
    assert str(caught.value.message) == str(REASONS[reason])
    assert str(caught.value) == "bad_receiver", "what ends in a log has no number"


def test_a_zero_too_many_is_not_guessed_away_but_the_right_number_is_offered() -> None:
    with pytest.raises(BadReceiver) as caught:
        normalise("0628123456789")
    assert caught.value.suggestion == NORMAL


def test_a_landline_is_taken_where_the_school_wants_it() -> None:
    assert normalise("0215551234", allow_landline=True) == "62215551234"
    with pytest.raises(BadReceiver):
        normalise("08001234567", allow_landline=True)


def test_another_region_reads_its_own_numbers() -> None:
    assert normalise("012-345 6789", "MY") == "60123456789"
    assert normalise("0062 812 3456 789", "MY") == NORMAL


def test_the_sentence_is_in_the_readers_language() -> None:
    with translation.override("en"), pytest.raises(BadReceiver) as caught:
        normalise("")
    with translation.override("en"):
        assert "missing" in str(caught.value.message)


@given(st.text(alphabet="0123456789+-. ()/,x@\u200b０९", max_size=30))  # noqa: RUF001
def test_whatever_is_typed_is_a_valid_number_or_refused(typed: str) -> None:
    try:
        digits = normalise(typed)
    except BadReceiver:
        return
    assert is_normal(digits)
    assert phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    assert normalise(digits) == digits, "it is a form that stays"


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("628123456789", "62812****789"),
        ("6281234567890", "62812****890"),
        ("12025550123", "12025****123"),
        ("6512345678", "65****78"),
        ("12345", "****"),
        ("", "****"),
    ],
)
def test_a_masked_number_shows_its_ends_at_most(digits: str, shown: str) -> None:
    assert mask(digits) == shown


@pytest.mark.parametrize(
    "digits",
    ["", "0812", "62812,62813", "62812|x", "6281234567890123", "+62812", "62812 3", "628@c.us", "６２８１２３４５"],  # noqa: RUF001
)
def test_what_a_gateway_could_take_for_something_else_is_not_normal(digits: str) -> None:
    assert not is_normal(digits)
