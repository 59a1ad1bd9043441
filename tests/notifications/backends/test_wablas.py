"""Wablas: every message of the reference with each of the statuses it was seen with."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, SECRETS, TEXT, backend_for_test


def test_the_request_is_ours_alone_to_retry(gateway: GatewayServer) -> None:
    backend_for_test("wablas", gateway).send(MESSAGE)
    (request,) = gateway.requests
    assert request.headers["authorization"] == f"{SECRETS['WA_TOKEN']}.{SECRETS['WA_SECRET_KEY']}"
    assert request.json == {
        "data": [
            {
                "phone": RECEIVER,
                "message": TEXT,
                "isGroup": False,
                "flag": "instant",
                "secret": False,
                "priority": False,
                "retry": False,
            }
        ]
    }


def test_an_account_without_a_secret_key_sends_the_token_alone(gateway: GatewayServer) -> None:
    backend_for_test("wablas", gateway, secret_key_env="").send(MESSAGE)
    assert gateway.requests[0].headers["authorization"] == SECRETS["WA_TOKEN"]


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("token invalid or device expired", Outcome.GATEWAY_AUTH),
        ("token invalid", Outcome.GATEWAY_AUTH),
        ("secret key invalid", Outcome.GATEWAY_AUTH),
        ("need-secret-key", Outcome.GATEWAY_AUTH),
        ("You are not authorized", Outcome.GATEWAY_AUTH),
        ("device not found", Outcome.GATEWAY_AUTH),
        ("device disconnected, need to scan qr code again", Outcome.GATEWAY_DOWN),
        ("your quota is used up", Outcome.GATEWAY_QUOTA),
        ("phone invalid", Outcome.BAD_RECIPIENT),
        ("param invalid", Outcome.BAD_MESSAGE),
        ("please connect your phone", Outcome.TRANSIENT),
        ("something new", Outcome.TRANSIENT),
    ],
)
def test_the_message_decides_whatever_the_status(
    said: str, outcome: Outcome, status: int, gateway: GatewayServer
) -> None:
    gateway.always(server.answers(status, {"status": False, "message": said}))
    result = backend_for_test("wablas", gateway).send(MESSAGE)
    assert (result.outcome, result.error, result.http_status) == (outcome, said, status)


@pytest.mark.parametrize(
    ("messages", "outcome"),
    [
        ([{"id": "uuid-1", "phone": int(RECEIVER), "status": "pending"}], Outcome.ACCEPTED),
        ([{"id": "uuid-1", "phone": RECEIVER}], Outcome.ACCEPTED),
        ([{"id": "other", "phone": 62899}, {"id": "uuid-1", "phone": int(RECEIVER)}], Outcome.ACCEPTED),
        ([{"id": "uuid-1", "phone": int(RECEIVER), "status": "reject"}], Outcome.TRANSIENT),
        ([{"phone": int(RECEIVER), "status": "pending"}], Outcome.UNKNOWN),
        ([], Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
    ],
)
def test_success_is_told_for_each_message(messages: Any, outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, {"status": True, "message": "ok", "data": {"messages": messages}}))
    result = backend_for_test("wablas", gateway).send(MESSAGE)
    assert result.outcome is outcome
    assert result.provider_id == ("uuid-1" if outcome is Outcome.ACCEPTED else "")
