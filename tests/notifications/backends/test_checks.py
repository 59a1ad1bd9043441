"""What is missing in a gateway's settings is named at start, and no secret with it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from notifications.backends.checks import check_gateways, problems_of
from tests.notifications.backends.gateways import OPTIONS, SECRETS

INSIDE = {"base_url": "http://192.168.1.10:3000"}
NEEDS_ADDRESS = ("waha", "wablas", "evolution", "gowa")


def ids(alias: str, options: Any) -> list[str]:
    return [str(message.id).removeprefix("notifications.") for message in problems_of(alias, options)]


@pytest.mark.parametrize("name", OPTIONS)
def test_settings_that_can_send_have_no_problem(name: str) -> None:
    options = {**OPTIONS[name], **(INSIDE if name in NEEDS_ADDRESS else {})}
    assert problems_of("utama", options) == []


def test_the_default_is_the_console(settings: Any) -> None:
    if hasattr(settings, "NOTIFICATIONS_GATEWAYS"):
        del settings.NOTIFICATIONS_GATEWAYS
    assert check_gateways() == []


@pytest.mark.parametrize("gateways", [{}, [], "fonnte"])
def test_no_gateway_at_all(gateways: Any) -> None:
    with override_settings(NOTIFICATIONS_GATEWAYS=gateways):
        assert [message.id for message in check_gateways()] == ["notifications.E020"]


@pytest.mark.parametrize(
    ("change", "number", "said"),
    [
        ({"backend": "fonte"}, "E021", "'fonte'"),
        ({"backend": None}, "E021", "None"),
        ({"token_env": ""}, "E022", "'token_env'"),
        ({"token_env": None}, "E022", "'token_env'"),
        ({"token": "abc"}, "E023", "'token'"),
        ({"tokens_env": "WA_TOKEN"}, "E023", "'tokens_env'"),
        ({"per_second": "fast"}, "E024", "'per_second'"),
        ({"per_second": -1}, "E024", "'per_second'"),
        ({"in_flight": True}, "E024", "'in_flight'"),
        ({"token_env": 5}, "E024", "'token_env'"),
        ({"base_url": "api.fonnte.com"}, "E024", "'base_url'"),
        ({"base_url": "https://user:pw@api.fonnte.com"}, "E024", "'base_url'"),
        ({"base_url": "ftp://api.fonnte.com"}, "E024", "'base_url'"),
        ({"ca_file": "/no/such/file"}, "E024", "/no/such/file"),
        ({"token_env": "NOT_SET"}, "E025", "NOT_SET"),
        ({"receipts_secret_env": "NOT_SET"}, "E025", "NOT_SET"),
        ({"base_url": "http://api.fonnte.com"}, "W020", "plain HTTP"),
    ],
)
def test_each_mistake_has_its_number(change: dict[str, Any], number: str, said: str) -> None:
    found = problems_of("utama", {**OPTIONS["fonnte"], **change})
    assert [str(message.id) for message in found] == [f"notifications.{number}"]
    assert said in found[0].msg
    assert found[0].hint


def test_a_typing_error_is_offered_the_right_name() -> None:
    (found,) = problems_of("utama", {**OPTIONS["fonnte"], "conect_only": 1, "receipts_secret_en": "X"})[1:]
    assert found.hint == "Did you mean 'receipts_secret_env'?"


@pytest.mark.parametrize(("alias", "options"), [("Utama Sekali", OPTIONS["fonnte"]), ("x" * 33, OPTIONS["fonnte"])])
def test_a_name_that_does_not_fit_an_address(alias: str, options: Any) -> None:
    assert ids(alias, options) == ["E027"]


def test_settings_that_are_no_object() -> None:
    assert ids("utama", "fonnte") == ["E020"]


@pytest.mark.parametrize("secret", ["secret", "short"])
def test_a_receipts_secret_that_can_be_guessed_is_refused(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_RECEIPTS", secret)
    found = problems_of("utama", {**OPTIONS["gowa"], **INSIDE, "receipts_secret_env": "WA_RECEIPTS"})
    assert [message.id for message in found] == ["notifications.E026"]
    assert secret not in found[0].msg.replace("secret of its receipts", "")


@pytest.mark.parametrize(
    "change", [{"phone_number_id": "+62 812"}, {"version": "latest"}], ids=["phone_number_id", "version"]
)
def test_what_a_backend_itself_finds_is_named(change: dict[str, Any]) -> None:
    assert ids("meta", {**OPTIONS["cloud_api"], **change}) == ["E024"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "waha", "10.0.0.5", "wa.lan", "[::1]"])
def test_plain_http_is_fine_inside_the_school(host: str) -> None:
    assert ids("wa", {**OPTIONS["waha"], "base_url": f"http://{host}:3000"}) == []


@pytest.mark.parametrize("host", ["wa.sekolah.sch.id", "8.8.8.8"])
def test_plain_http_through_the_internet_is_warned_of(host: str) -> None:
    assert ids("wa", {**OPTIONS["waha"], "base_url": f"http://{host}:3000"}) == ["W020"]


def test_no_check_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TOKEN", "geheim\x01geheim")
    found = problems_of("utama", {**OPTIONS["fonnte"], "receipts_secret_env": "WA_RECEIPTS", "ca_file": "/no"})
    assert found
    assert [message for message in found if any(value in str(message) for value in ["geheim", *SECRETS.values()])] == []
