"""Indonesian, unless English is preferred."""

from __future__ import annotations

import pytest

from exams.language import language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "id"),
        ("id", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", "id"),
        ("en", "en"),
        ("EN-gb", "en"),
        ("en-US,en;q=0.9,id;q=0.8", "en"),
        ("id;q=0.4, en;q=0.6", "en"),
        ("jv, su;q=0.9, id;q=0.8, en;q=0.7", "id"),  # Javanese, Sundanese
        ("jv", "id"),
        ("fr-FR", "id"),
        ("*", "id"),
        ("en;q=zero", "id"),
        (";;,,;q", "id"),
        ("x" * 5_000, "id"),
        ("en," * 5_000, "en"),
        ("\xff\x00", "id"),
    ],
)
def test_the_first_of_our_languages_wins(header: str, language: str) -> None:
    assert language_of(header) == language
