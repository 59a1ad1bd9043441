"""WAHA: every row of the reference, the ids of its engines, its session as the probe."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, SECRETS, TEXT, backend_for_test

NOT_WORKING = {
    "error": "Session status is not as expected. Try again later or restart the session",
    "session": "default",
    "status": "SCAN_QR_CODE",
    "expected": ["WORKING"],
}
BROKEN = {
    "statusCode": 500,
    "timestamp": "2026-01-01T00:00:00.000Z",
    "exception": {"message": f"Evaluation failed for {RECEIVER}", "name": "Error"},
    "request": {"path": "/api/sendText", "method": "POST", "body": {"chatId": f"{RECEIVER}@c.us", "text": TEXT}},
}


def test_the_request_names_session_and_chat(gateway: GatewayServer) -> None:
    backend_for_test("waha", gateway, session="sekolah").send(MESSAGE)
    (request,) = gateway.requests
    assert request.headers["x-api-key"] == SECRETS["WA_TOKEN"]
    assert request.json == {"session": "sekolah", "chatId": f"{RECEIVER}@c.us", "text": TEXT}


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (401, {"message": "Unauthorized", "statusCode": 401}, Outcome.GATEWAY_AUTH),
        (404, {"message": 'Session "default" does not exist', "statusCode": 404}, Outcome.GATEWAY_DOWN),
        (422, NOT_WORKING, Outcome.GATEWAY_DOWN),
        (422, {"message": ["chatId must be a string"], "statusCode": 422}, Outcome.BAD_MESSAGE),
        (400, {"message": "Bad Request", "statusCode": 400}, Outcome.BAD_MESSAGE),
        (500, BROKEN, Outcome.GATEWAY_DOWN),
        (201, {"status": "odd"}, Outcome.UNKNOWN),
    ],
)
def test_every_row_has_its_class(status: int, said: dict[str, Any], outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(status, said))
    result = backend_for_test("waha", gateway).send(MESSAGE)
    assert (result.outcome, result.http_status, result.provider_id) == (outcome, status, "")
    assert RECEIVER not in repr(result)
    assert "Siti" not in repr(result)


def test_the_sessions_status_is_kept_as_the_code(gateway: GatewayServer) -> None:
    gateway.always(server.answers(422, NOT_WORKING))
    assert backend_for_test("waha", gateway).send(MESSAGE).code == "SCAN_QR_CODE"


@pytest.mark.parametrize(
    "said",
    [
        {"id": f"true_{RECEIVER}@c.us_3EB0ABC"},
        {"id": "true_12345@lid_3EB0ABC"},
        {"id": f"true_{RECEIVER}@g.us_3EB0ABC_{RECEIVER}@c.us"},
        {"id": {"fromMe": True, "remote": f"{RECEIVER}@c.us", "id": "3EB0ABC", "_serialized": "true_x_3EB0ABC"}},
        {"id": {"_serialized": f"true_{RECEIVER}@c.us_3EB0ABC"}},
        {"key": {"remoteJid": f"{RECEIVER}@s.whatsapp.net", "fromMe": True, "id": "3EB0ABC"}},
        {"id": "3EB0ABC"},
    ],
)
def test_the_id_is_found_in_every_engines_answer(said: dict[str, Any], gateway: GatewayServer) -> None:
    gateway.always(server.answers(201, said))
    result = backend_for_test("waha", gateway).send(MESSAGE)
    assert (result.outcome, result.provider_id) == (Outcome.ACCEPTED, "3EB0ABC")


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (200, {"name": "default", "status": "WORKING"}, Outcome.ACCEPTED),
        (200, {"name": "default", "status": "SCAN_QR_CODE"}, Outcome.GATEWAY_DOWN),
        (200, {"name": "default", "status": "FAILED"}, Outcome.GATEWAY_DOWN),
        (404, {"message": "Session not found"}, Outcome.GATEWAY_DOWN),
        (401, {"message": "Unauthorized"}, Outcome.GATEWAY_AUTH),
    ],
)
def test_the_probe_asks_the_session(
    status: int, said: dict[str, Any], outcome: Outcome, gateway: GatewayServer
) -> None:
    gateway.probe_always(server.answers(status, said))
    result = backend_for_test("waha", gateway).probe()
    assert result is not None
    assert result.outcome is outcome
    assert (gateway.requests[0].method, gateway.requests[0].path) == ("GET", "/api/sessions/default")
