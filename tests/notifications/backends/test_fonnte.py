"""Fonnte: every reason of the reference, its odd ways of writing, its probe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, SECRETS, backend_for_test


def test_the_request_is_a_form_that_only_we_retry(gateway: GatewayServer) -> None:
    result = backend_for_test("fonnte", gateway).send(MESSAGE)
    (request,) = gateway.requests
    assert request.headers["authorization"] == SECRETS["WA_TOKEN"]
    assert request.form == {
        "target": RECEIVER,
        "message": MESSAGE.text,
        "countryCode": "0",
        "connectOnly": "true",
    }
    assert result.provider_id == "80000001"


REASONS = [
    ("token invalid", Outcome.GATEWAY_AUTH),
    ("unknown user", Outcome.GATEWAY_AUTH),
    ("invalid device", Outcome.GATEWAY_AUTH),
    ("insufficient quota", Outcome.GATEWAY_QUOTA),
    ("request invalid on disconnected device", Outcome.GATEWAY_DOWN),
    ("target invalid", Outcome.BAD_RECIPIENT),
    ("input invalid", Outcome.BAD_MESSAGE),
    ("url invalid", Outcome.BAD_MESSAGE),
    ("url unreachable", Outcome.BAD_MESSAGE),
    ("file format not supported", Outcome.BAD_MESSAGE),
    ("file size must under 4MB", Outcome.BAD_MESSAGE),
    ("JSON format invalid", Outcome.BAD_MESSAGE),
    ("request timeout", Outcome.UNKNOWN),
    ("what nobody has listed", Outcome.TRANSIENT),
    ("", Outcome.TRANSIENT),
]


@pytest.mark.parametrize(("reason", "outcome"), REASONS)
def test_a_refusal_is_200_and_its_reason_decides(reason: str, outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.status_false(reason))
    result = backend_for_test("fonnte", gateway).send(MESSAGE)
    assert (result.outcome, result.http_status, result.provider_id) == (outcome, 200, "")
    assert result.error == (reason or "refused without a reason")
    assert reason in result.answer


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"Status": False, "Reason": "token invalid"}, Outcome.GATEWAY_AUTH),
        ({"status": "false", "reason": "Target Invalid"}, Outcome.BAD_RECIPIENT),
        ({"status": "true", "id": ["1"], "target": [RECEIVER]}, Outcome.ACCEPTED),
        ({"status": True, "id": "80367170"}, Outcome.ACCEPTED),
        ({"status": True, "id": [80367170], "target": [int(RECEIVER)]}, Outcome.ACCEPTED),
        ({"status": True, "id": [], "target": []}, Outcome.UNKNOWN),
        ({"status": True, "id": None}, Outcome.UNKNOWN),
        ({"status": True}, Outcome.UNKNOWN),
        ({"status": 1, "id": ["1"]}, Outcome.UNKNOWN),
        ({"detail": "success! message in queue", "id": ["1"]}, Outcome.UNKNOWN),
    ],
)
def test_only_a_yes_with_an_id_is_a_success(said: dict[str, Any], outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, said))
    assert backend_for_test("fonnte", gateway).send(MESSAGE).outcome is outcome


def test_the_body_decides_before_the_status(gateway: GatewayServer) -> None:
    gateway.always(server.answers(500, {"status": False, "reason": "token invalid"}))
    assert backend_for_test("fonnte", gateway).send(MESSAGE).outcome is Outcome.GATEWAY_AUTH


def test_the_id_is_the_one_beside_our_number(gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, {"status": True, "id": ["1", "2"], "target": ["62899999999", RECEIVER]}))
    assert backend_for_test("fonnte", gateway).send(MESSAGE).provider_id == "2"


def test_a_brace_stays_a_brace_and_is_no_place_to_fill(gateway: GatewayServer) -> None:
    backend_for_test("fonnte", gateway).send(replace(MESSAGE, text="Halo {name}, {var1}, { } dan {1, 2}"))
    sent = gateway.requests[0].form["message"]
    assert "{name}" not in sent
    assert "{var1}" not in sent
    assert sent.replace("\u2060", "") == "Halo {name}, {var1}, { } dan {1, 2}"


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (200, {"status": True, "device_status": "connect", "quota": "78"}, Outcome.ACCEPTED),
        (200, {"status": True, "device_status": "disconnect", "quota": "78"}, Outcome.GATEWAY_DOWN),
        (200, {"status": True, "device_status": "connect", "quota": "0"}, Outcome.GATEWAY_QUOTA),
        (200, {"status": False, "reason": "token invalid"}, Outcome.GATEWAY_AUTH),
        (500, {}, Outcome.GATEWAY_DOWN),
        (429, {}, Outcome.RATE_LIMITED),
    ],
)
def test_the_probe_asks_the_device(status: int, said: dict[str, Any], outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.probe_always(server.answers(status, said))
    result = backend_for_test("fonnte", gateway).probe()
    assert result is not None
    assert result.outcome is outcome
    assert gateway.sends == []
    assert gateway.requests[0].headers["authorization"] == SECRETS["WA_TOKEN"]


def test_a_probe_that_breaks_off_is_down_because_nothing_was_sent(gateway: GatewayServer) -> None:
    gateway.probe_always(server.reset())
    result = backend_for_test("fonnte", gateway).probe()
    assert result is not None
    assert (result.outcome, result.maybe_sent) == (Outcome.GATEWAY_DOWN, False)


def test_a_probe_without_a_token_says_so(gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WA_TOKEN")
    result = backend_for_test("fonnte", gateway).probe()
    assert result is not None
    assert result.outcome is Outcome.GATEWAY_AUTH
