"""The words of the scripts and the scripts themselves fit together."""

from __future__ import annotations

import re

import pytest
from django.utils.translation import override

from exams.page_assets import FOLDER
from exams.page_texts import texts

SCRIPTS = {path.name: path.read_text() for path in FOLDER.glob("*.js")}
#: `t("key"`, wherever it stands; keys in tables are found as plain literals.
_ASKED = re.compile(r"""\bt\(\s*"(\w+)\"""")
_PLACE = re.compile(r"\{(\w+)\}")


def test_every_key_that_a_script_asks_for_is_there() -> None:
    asked = {key for script in SCRIPTS.values() for key in _ASKED.findall(script)}
    assert len(asked) > 50, "the search itself works"
    assert asked - texts().keys() == set()


def test_no_text_is_left_over() -> None:
    everything = "\n".join(SCRIPTS.values())
    unused = {key for key in texts() if f'"{key.removesuffix("_one")}"' not in everything}
    assert unused == set()


def test_a_singular_has_its_plural() -> None:
    singulars = {key for key in texts() if key.endswith("_one")} - {"choose_one"}
    assert {key for key in singulars if key.removesuffix("_one") not in texts()} == set()


@pytest.mark.parametrize("language", ["id", "en"])
def test_the_places_are_the_same_in_every_language(language: str) -> None:
    with override("en"):
        english = texts()
    with override(language):
        theirs = texts()
    assert {key: set(_PLACE.findall(text)) for key, text in theirs.items()} == {
        key: set(_PLACE.findall(text)) for key, text in english.items()
    }
