"""`http_json`: the rows of its three profiles, places that nothing can break out of, and a gateway of one's own."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from notifications.backends.http_json import HttpJsonBackend, at_path
from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, RECEIVER, SECRETS, TEXT, backend_for_test

OWN = {
    "backend": "http_json",
    "token_env": "WA_TOKEN",
    "url": "{base_url}/send/message",
    "variables": {"line": "2"},
    "headers": {"Authorization": "Bearer {token}", "X-Line": "{line}", "X-Empty": "{nothing_given}"},
    "body": {"phone": "{receiver}", "message": "{text}", "meta": {"ref": "{id}", "tags": ["{line}", 5, None]}},
    "success_path": "code",
    "success_values": ["SUCCESS"],
    "id_paths": ["results.message_id"],
}

# Evolution


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (401, "Unauthorized", Outcome.GATEWAY_AUTH),
        (404, ['The "sekolah" instance does not exist'], Outcome.GATEWAY_DOWN),
        (400, ['instance requires property "number"'], Outcome.BAD_MESSAGE),
        (400, [{"jid": f"{RECEIVER}@s.whatsapp.net", "exists": False, "number": RECEIVER}], Outcome.BAD_RECIPIENT),
        (400, ["Error: Connection Closed"], Outcome.TRANSIENT),
        (400, ["Timed Out"], Outcome.TRANSIENT),
        (400, ["TypeError: Cannot read properties of undefined"], Outcome.TRANSIENT),
        (400, [{"jid": "x", "exists": True}], Outcome.TRANSIENT),
        (500, "Internal Server Error", Outcome.GATEWAY_DOWN),
    ],
)
def test_evolutions_400_is_three_things(status: int, reason: Any, outcome: Outcome, gateway: GatewayServer) -> None:
    said = {"status": status, "error": "Bad Request", "response": {"message": reason}}
    gateway.always(server.answers(status, said))
    result = backend_for_test("evolution", gateway).send(MESSAGE)
    assert (result.outcome, result.http_status) == (outcome, status)
    assert RECEIVER not in repr(result)


def test_evolutions_request_and_answer(gateway: GatewayServer) -> None:
    result = backend_for_test("evolution", gateway).send(MESSAGE)
    (request,) = gateway.requests
    assert request.path == "/message/sendText/sekolah"
    assert request.headers["apikey"] == SECRETS["WA_TOKEN"]
    assert request.json == {"number": RECEIVER, "text": TEXT}
    assert result.provider_id.startswith("3EB0")
    assert "Bu Sari" not in result.answer


# StarSender


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        (200, {"success": True, "message": "Success sent message"}, Outcome.ACCEPTED),
        (200, {"success": "true", "id": 5}, Outcome.ACCEPTED),
        (200, {"success": False, "message": "Invalid API key"}, Outcome.GATEWAY_AUTH),
        (200, {"success": False, "message": "Your quota is used up"}, Outcome.GATEWAY_QUOTA),
        (200, {"success": False, "message": "Device disconnected"}, Outcome.GATEWAY_DOWN),
        (200, {"success": False, "message": "number is not registered"}, Outcome.BAD_RECIPIENT),
        (200, {"success": False, "message": "odd"}, Outcome.TRANSIENT),
        (200, {"status": False, "message": "odd"}, Outcome.UNKNOWN),
        (400, {"status": False, "message": "odd"}, Outcome.TRANSIENT),
        (503, {"success": True}, Outcome.GATEWAY_DOWN),
    ],
)
def test_starsender(status: int, said: dict[str, Any], outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(status, said))
    assert backend_for_test("starsender", gateway).send(MESSAGE).outcome is outcome


@pytest.mark.parametrize("said", [{"id": 7}, {"data": {"id": "7"}}, {"message_id": "7"}])
def test_starsenders_id_is_where_it_is(said: dict[str, Any], gateway: GatewayServer) -> None:
    gateway.always(server.answers(200, {"success": True, **said}))
    assert backend_for_test("starsender", gateway).send(MESSAGE).provider_id == "7"


# gowa


@pytest.mark.parametrize(
    ("status", "code", "words", "outcome"),
    [
        (400, "VALIDATION_ERROR", "message: cannot be blank.", Outcome.BAD_MESSAGE),
        (400, "VALIDATION_ERROR", "phone: must not begin with 0", Outcome.BAD_RECIPIENT),
        (400, "DEVICE_ID_REQUIRED", "which?", Outcome.GATEWAY_AUTH),
        (404, "DEVICE_NOT_FOUND", "no", Outcome.GATEWAY_AUTH),
        (401, "", "Unauthorized", Outcome.GATEWAY_AUTH),
        (401, "AUTHENTICATION_ERROR", "you are not logged in", Outcome.GATEWAY_DOWN),
        (429, "WA_REACHOUT_TIMELOCK", "463", Outcome.RATE_LIMITED),
        (500, "INTERNAL_SERVER_ERROR", "oops", Outcome.GATEWAY_DOWN),
        (500, "INVALID_WA_CLI", "oops", Outcome.GATEWAY_DOWN),
        (503, "DEVICE_MANAGER_UNAVAILABLE", "oops", Outcome.GATEWAY_DOWN),
        (504, "GATEWAY_TIMEOUT", "45 s", Outcome.UNKNOWN),
    ],
)
def test_gowas_code_decides(status: int, code: str, words: str, outcome: Outcome, gateway: GatewayServer) -> None:
    gateway.always(server.answers(status, {"code": code, "message": words, "results": None}))
    result = backend_for_test("gowa", gateway).send(MESSAGE)
    assert (result.outcome, result.code, result.http_status) == (outcome, code, status)
    assert result.retry_after_seconds == (14400 if code == "WA_REACHOUT_TIMELOCK" else None)


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (server.answers(200, {"results": {"is_on_whatsapp": False}}), Outcome.BAD_RECIPIENT),
        (server.answers(200, {"results": {"is_on_whatsapp": True}}), Outcome.TRANSIENT),
        (server.answers(500, {"results": {}}), Outcome.TRANSIENT),
        (server.reset(), Outcome.TRANSIENT),
    ],
)
def test_not_on_whatsapp_is_asked_again_before_it_is_believed(
    check: server.Behaviour, outcome: Outcome, gateway: GatewayServer
) -> None:
    gateway.always(server.error("INVALID_JID", reason="phone is not on whatsapp"))
    gateway.probe_always(check)
    result = backend_for_test("gowa", gateway, device="sekolah").send(MESSAGE)
    assert (result.outcome, result.maybe_sent) == (outcome, False)
    assert [request.path for request in gateway.requests] == ["/send/message", f"/user/check?phone={RECEIVER}"]
    basic = base64.b64encode(f"{SECRETS['WA_USER']}:{SECRETS['WA_PASSWORD']}".encode()).decode()
    for request in gateway.requests:
        assert request.headers["authorization"] == f"Basic {basic}"
        assert request.headers["x-device-id"] == "sekolah"


def test_without_a_device_no_empty_header_is_sent(gateway: GatewayServer) -> None:
    backend_for_test("gowa", gateway).send(MESSAGE)
    assert "x-device-id" not in gateway.requests[0].headers


def test_the_basic_header_is_a_secret_too(gateway: GatewayServer) -> None:
    backend = backend_for_test("gowa", gateway)
    basic = base64.b64encode(f"{SECRETS['WA_USER']}:{SECRETS['WA_PASSWORD']}".encode()).decode()
    assert basic in backend.secrets()


# A gateway of one's own


def own(gateway: GatewayServer, **options: Any) -> HttpJsonBackend:
    return HttpJsonBackend("own", {**OWN, "base_url": f"{gateway.url}/", **options})


def test_a_gateway_of_ones_own_is_described_in_the_settings(gateway: GatewayServer) -> None:
    result = own(gateway).send(MESSAGE)
    (request,) = gateway.requests
    assert result.outcome is Outcome.ACCEPTED
    assert request.headers["x-line"] == "2"
    assert request.json == {
        "phone": RECEIVER,
        "message": TEXT,
        "meta": {"ref": str(MESSAGE.notification_id), "tags": ["2", 5, None]},
    }


@pytest.mark.parametrize("text", ['"}, "x": "', "{token}", "{receiver} {id}", "\\", "\u2028\x00\n", "{{text}}"])
def test_nothing_in_a_text_gets_out_of_its_place(text: str, gateway: GatewayServer) -> None:
    own(gateway).send(replace(MESSAGE, text=text))
    assert gateway.requests[0].json["message"] == text


def test_it_can_be_a_form(gateway: GatewayServer) -> None:
    body = {"target": "{receiver}", "message": "{text}"}
    own(gateway, url="{base_url}/send", format="form", body=body).send(MESSAGE)
    assert gateway.requests[0].form == {"target": RECEIVER, "message": TEXT}


def test_values_in_an_address_are_quoted(gateway: GatewayServer) -> None:
    options = {"url": "{base_url}/message/sendText/{line}", "variables": {"line": "a/../b?c"}}
    own(gateway, **options).send(MESSAGE)
    # Nothing at that address, but the slashes have stayed inside of it.
    assert gateway.requests == []
    assert "/message/sendText/a%2F..%2Fb%3Fc" in own(gateway, **options).request_for(MESSAGE).url


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "{base_url}/send?key={token}"}, "holds the secret {token}"),
        ({"profile": "gowaa"}, "there is no profile 'gowaa'"),
        ({"success_path": "", "success_statuses": []}, "says what success is"),
        ({"format": "xml"}, "neither json nor form"),
        ({"body": {"to": "{reciever}"}}, "nothing fills the place {reciever}"),
        ({"errors": [{"says": ["x"], "outcome": "gateway_gone"}]}, "no known outcome"),
        ({"errors": [{"says": ["x"], "outcome": "accepted"}]}, "no known outcome"),
        ({"errors": [{"outcome": "gateway_down"}]}, "is not made of"),
        ({"errors": [{"say": ["x"], "outcome": "gateway_down"}]}, "is not made of"),
        ({"errors": [{"says": ["x"], "outcome": "bad_recipient", "recheck": True}]}, "'recheck'"),
        ({"errors": [{"says": "not connected", "outcome": "gateway_down"}]}, "is not made of"),
    ],
)
def test_a_mistake_in_the_settings_is_found(options: dict[str, Any], problem: str, gateway: GatewayServer) -> None:
    without = {"headers": {"Authorization": "Bearer {token}"}}
    assert any(problem in found for found in own(gateway, **{**without, **options}).problems())


@pytest.mark.parametrize("name", ["starsender", "evolution", "gowa"])
def test_the_profiles_have_no_mistake(name: str, gateway: GatewayServer) -> None:
    assert backend_for_test(name, gateway).problems() == []


def test_paths_lead_through_objects_and_lists() -> None:
    found = {"a": [{"b": 1}]}
    assert at_path(found, "a.0.b") == 1
    assert [at_path(found, path) for path in ("", "a.1", "a.x", "a.0.b.c", "z")] == [None] * 5
