"""Meta's Cloud API: every code of the reference, templates, and what it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from notifications.backends.base import Template
from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, SECRETS, TEMPLATE, TEXT, backend_for_test

CODES = {
    Outcome.GATEWAY_AUTH: [0, 190, 3, 10, 200, 250, 299, 131005, 368, 131031, 130497, 33, 133010],
    Outcome.GATEWAY_QUOTA: [131042, 131048],
    Outcome.RATE_LIMITED: [4, 80007, 130429, 613, 131056, 131057],
    Outcome.GATEWAY_DOWN: [1, 2, 131000, 131016, 133004],
    Outcome.BAD_RECIPIENT: [131026, 131030, 131049, 131050],
    Outcome.BAD_MESSAGE: [
        131047, 100, 131008, 131009, 131051, 132000, 132001, 132005, 132007, 132012, 132015, 132016,
    ],
}  # fmt: skip


@pytest.mark.parametrize("status", [400, 403, 429, 500])
@pytest.mark.parametrize(("code", "outcome"), [(code, outcome) for outcome, codes in CODES.items() for code in codes])
def test_the_code_decides_whatever_the_status(code: int, outcome: Outcome, status: int, gateway: GatewayServer) -> None:
    error = {"message": f"(#{code}) refused", "type": "OAuthException", "code": code, "error_data": {"details": "why"}}
    gateway.always(server.answers(status, {"error": error}))
    result = backend_for_test("cloud_api", gateway).send(MESSAGE)
    assert (result.outcome, result.code, result.http_status) == (outcome, str(code), status)
    assert result.error == f"(#{code}) refused: why"
    assert not result.maybe_sent


@pytest.mark.parametrize(("code", "seconds"), [(131048, 3600.0), (131057, 60.0), (131056, 60.0), (130429, None)])
def test_what_must_not_be_tried_soon_says_so(code: int, seconds: float | None, gateway: GatewayServer) -> None:
    gateway.always(server.error(code))
    assert backend_for_test("cloud_api", gateway).send(MESSAGE).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (400, {"code": 999999, "message": "new"}, Outcome.TRANSIENT),
        (401, {"message": "no code"}, Outcome.GATEWAY_AUTH),
        (500, {"code": "x"}, Outcome.GATEWAY_DOWN),
        (200, {"code": "131026", "message": "as text, with 200"}, Outcome.BAD_RECIPIENT),
    ],
)
def test_an_unknown_code_is_judged_by_the_status(
    status: int, error: dict[str, Any], outcome: Outcome, gateway: GatewayServer
) -> None:
    gateway.always(server.answers(status, {"error": error}))
    assert backend_for_test("cloud_api", gateway).send(MESSAGE).outcome is outcome


def test_a_text_is_asked_for_as_meta_wants_it(gateway: GatewayServer) -> None:
    result = backend_for_test("cloud_api", gateway, version="v22.0").send(MESSAGE)
    (request,) = gateway.requests
    assert request.path == "/v22.0/106540352242922/messages"
    assert request.headers["authorization"] == f"Bearer {SECRETS['WA_TOKEN']}"
    assert request.json == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": RECEIVER,
        "type": "text",
        "text": {"preview_url": False, "body": TEXT},
        "biz_opaque_callback_data": str(MESSAGE.notification_id),
    }
    assert result.provider_id.startswith("wamid.")
    assert "wamid.H" not in result.answer, "its Base64 holds the number"


def test_a_template_goes_with_its_parameters_in_order(gateway: GatewayServer) -> None:
    backend_for_test("cloud_api", gateway).send(replace(MESSAGE, template=TEMPLATE))
    sent = gateway.requests[0].json
    assert sent["type"] == "template"
    assert "text" not in sent
    assert sent["template"] == {
        "name": "hasil_ujian",
        "language": {"code": "id"},
        "components": [
            {
                "type": "body",
                "parameters": [{"type": "text", "text": value} for value in ("Siti", "Matematika", "87")],
            }
        ],
    }


def test_a_template_without_parameters_has_no_components(gateway: GatewayServer) -> None:
    template = Template.from_json({"name": "pengumuman"})
    backend_for_test("cloud_api", gateway).send(replace(MESSAGE, text="", template=template))
    assert gateway.requests[0].json["template"] == {"name": "pengumuman", "language": {"code": "id"}}


def test_what_meta_refuses_in_a_parameter_is_put_right(gateway: GatewayServer) -> None:
    template = Template(name="x", parameters=("dua\nbaris", "a\t\tb", "a       b "))
    backend_for_test("cloud_api", gateway).send(replace(MESSAGE, template=template))
    (body,) = gateway.requests[0].json["template"]["components"]
    assert [parameter["text"] for parameter in body["parameters"]] == ["dua baris", "a b", "a b"]


def test_an_empty_parameter_never_leaves(gateway: GatewayServer) -> None:
    template = Template(name="x", parameters=("Siti", " "))
    result = backend_for_test("cloud_api", gateway).send(replace(MESSAGE, template=template))
    assert result.outcome is Outcome.BAD_MESSAGE
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"messages": [{"id": "wamid.1"}]}, Outcome.ACCEPTED),
        ({"messages": [{"id": "wamid.1", "message_status": "held_for_quality_assessment"}]}, Outcome.ACCEPTED),
        ({"messages": [{"id": ""}]}, Outcome.UNKNOWN),
        ({"messages": []}, Outcome.UNKNOWN),
        ({"messages": ["wamid.1"]}, Outcome.UNKNOWN),
        ({"success": True}, Outcome.UNKNOWN),
    ],
)
def test_only_an_id_is_a_success(said: dict[str, Any], outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, said))
    assert backend_for_test("cloud_api", gateway).send(MESSAGE).outcome is outcome


def test_an_id_with_an_error_status_is_no_success(gateway: GatewayServer) -> None:
    gateway.always(server.answers(500, {"messages": [{"id": "wamid.1"}]}))
    assert backend_for_test("cloud_api", gateway).send(MESSAGE).outcome is Outcome.GATEWAY_DOWN


def test_it_cannot_be_asked_how_it_is(gateway: GatewayServer) -> None:
    assert backend_for_test("cloud_api", gateway).probe() is None
