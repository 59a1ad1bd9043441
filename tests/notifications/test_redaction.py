"""What is kept of an answer shows why it failed, and nobody's number, words or token."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.redaction import KEPT_CHARACTERS, redacted

TEXT = "Yth. Bapak Budi: nilai Matematika ananda Siti “Nurhaliza” adalah 87.\nSalam, SMA 1"
TOKEN = "tok-3f9a1c77e2b84d"


@pytest.mark.parametrize(
    "written",
    [
        "628123456789",
        "+62 812-3456-789",
        "0812.3456.7890",
        "628123456789@c.us",
        "true_628123456789@c.us_3EB0",
        "62 812 3456 789",
    ],
)
def test_a_number_is_masked_however_it_is_written(written: str) -> None:
    kept = redacted(f"no route to {written}!")
    assert "****" in kept
    assert "3456" not in kept
    assert kept.startswith("no route to ")


def test_codes_and_the_gateways_own_ids_stay() -> None:
    answer = '{"error":{"code":131026},"id":["80367170"],"status":false}'
    assert redacted(answer) == answer


def test_a_number_that_is_a_json_number_is_masked_too() -> None:
    assert redacted('{"phone":628123456789}') == '{"phone":"62812****789"}'


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"<p>could not send: {TEXT}</p>",
        json.dumps({"request": {"payload": {"msg": TEXT}}}),
        json.dumps({"message": f"failed: {TEXT[:40]}"}),
        json.dumps({"message": f"failed: …{TEXT[20:]}"}, ensure_ascii=False),
        json.dumps([[[TEXT]]]),
    ],
)
def test_the_text_is_hidden_however_much_of_it_is_repeated(answer: str) -> None:
    kept = redacted(answer, texts=[TEXT])
    assert "[text]" in kept
    assert "Matematika" not in kept


def test_a_short_text_is_hidden_as_a_whole_word_only() -> None:
    assert redacted("the message 87 failed with 1870", texts=["87"]) == "the message [text] failed with 1870"


def test_secrets_are_hidden_everywhere_the_longest_first() -> None:
    kept = redacted(f'{{"a":"Bearer {TOKEN}.more","{TOKEN}":1}}', secrets=[TOKEN, f"{TOKEN}.more", ""])
    assert kept == '{"a":"Bearer [secret]","[secret]":1}'


@pytest.mark.parametrize(
    "name", ["token", "apikey", "api_key", "X-Api-Key", "Authorization", "clientSecret", "password"]
)
def test_what_stands_under_a_secrets_name_is_hidden(name: str) -> None:
    assert redacted(json.dumps({name: "anything"})) == json.dumps({name: "[secret]"}).replace(" ", "")


@pytest.mark.parametrize("name", ["pushName", "conversation", "text", "body", "caption", "verifiedName"])
def test_peoples_words_and_names_are_hidden(name: str) -> None:
    assert "Bu Sari" not in redacted(json.dumps({"message": {name: "Bu Sari"}}))


def test_metas_ids_hold_the_number_and_go() -> None:
    assert redacted('{"id":"wamid.HBgMNjI4MTIzNDU2Nzg5FQIAERgS=="}') == '{"id":"wamid.[id]"}'


@given(st.text(max_size=2000), st.text(max_size=100), st.text(min_size=1, max_size=30))
def test_it_is_bounded_one_line_and_never_fails(answer: str, text: str, secret: str) -> None:
    kept = redacted(answer, texts=[text], secrets=[secret])
    assert len(kept) <= KEPT_CHARACTERS
    assert kept.isprintable()


def test_a_megabyte_of_anything_is_quick_and_short() -> None:
    assert len(redacted("a" * 1_000_000, texts=["b" * 60_000])) == KEPT_CHARACTERS
    assert len(redacted("[" * 100_000)) == KEPT_CHARACTERS
