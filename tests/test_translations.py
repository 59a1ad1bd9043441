"""Everything that people read exists in Indonesian, and what is compiled is what is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation import gettext, ngettext, override
from django.utils.translation.template import templatize

from tests.web import PROJECT

PO = PROJECT / "exams" / "locale" / "id" / "LC_MESSAGES" / "django.po"
SOURCES = ("config", "exams", "notifications", "ratelimit", "templates")
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None, "ngettext": (1, 2), "ngettext_lazy": (1, 2)}


def messages_in(path: Path) -> Iterator[str | tuple[str, ...]]:
    """The source strings of one Python file or template."""
    text = templatize(path.read_text()) if path.suffix in (".html", ".txt") else path.read_text()
    for _line, message, _comments, _context in extract("python", io.BytesIO(text.encode()), keywords=KEYWORDS):
        yield message


def all_messages() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in SOURCES:
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in (".py", ".html", ".txt"):
                for message in messages_in(path):
                    found[message if isinstance(message, str) else message[0]] = path.relative_to(PROJECT)
    return found


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="id")


def test_every_source_string_has_an_indonesian_one(catalog: Catalog) -> None:
    found = all_messages()
    assert len(found) > 100, "the search itself works"
    missing = {text: str(path) for text, path in found.items() if text not in catalog or not catalog[text].string}
    assert missing == {}


def test_no_translation_is_left_over(catalog: Catalog) -> None:
    found = all_messages()
    assert [message.id for message in catalog if message.id and _first(message.id) not in found] == []


def _strings(catalog: Catalog) -> dict[object, list[str]]:
    return {
        _first(message.id): [message.string]
        if isinstance(message.string, str)
        else [text for text in message.string or () if text]
        for message in catalog
        if message.id
    }


def _first(message_id: object) -> object:
    return message_id[0] if isinstance(message_id, list | tuple) else message_id


def test_what_is_compiled_is_what_is_written(catalog: Catalog) -> None:
    with PO.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert _strings(compiled) == _strings(catalog), "run `make messages`"


def test_placeholders_are_the_same_in_both_languages(catalog: Catalog) -> None:
    assert [(message.id, errors) for message in catalog if (errors := list(message.check(catalog)))] == []


def test_students_get_indonesian_by_default() -> None:
    with override(settings.LANGUAGE_CODE):
        assert gettext("The time is over.") == "Waktu sudah habis."
        counted = ngettext("%(count)d attempt is locked.", "%(count)d attempts are locked.", 5)
        assert counted == "%(count)d pengerjaan dikunci."
    with override("en"):
        assert gettext("The time is over.") == "The time is over."
