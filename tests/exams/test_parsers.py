"""JSON bodies: what the strict parser reads and what it refuses."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from exams.exceptions import BodyTooLarge
from exams.parsers import StrictJSONParser


def parse(body: bytes) -> Any:
    return StrictJSONParser().parse(io.BytesIO(body))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, null, true, "\\u00e9"]}', {"a": [1, 2.5, None, True, "é"]}),
        (b'  {"a": 1}\n', {"a": 1}),
        (b"[]", []),
        (b"", {}),  # a POST without a body, as `start` takes it
        (b" \n", {}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
    ],
)
def test_json_is_read(body: bytes, value: Any) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"a\0"',
        b"\xef\xbb\xbf{}",
        b"9" * 5_000,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"username=siswa1&pin=ABCD",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_json_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body)


def test_a_large_body_is_refused_without_being_read_to_its_end(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert parse(b'"' + b"x" * 998 + b'"') == "x" * 998
    body = io.BytesIO(b'"' + b"x" * 100_000 + b'"')
    with pytest.raises(BodyTooLarge):
        StrictJSONParser().parse(body)
    assert body.tell() == 1001


@given(st.binary(max_size=60))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(ParseError):
        parse(body)
