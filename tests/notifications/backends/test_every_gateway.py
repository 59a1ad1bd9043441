"""What holds for every gateway: one suite, seven dialects, real sockets."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import replace
from typing import Any

import pytest
from django.test import override_settings

from notifications.backends.base import Result
from notifications.outcomes import Outcome
from tests.gateway import server
from tests.gateway.server import GatewayServer
from tests.notifications.backends.gateways import MESSAGE, OPTIONS, RECEIVER, SECRETS, TEMPLATE, TEXT, backend_for_test

GATEWAYS = pytest.mark.parametrize("name", OPTIONS)


@GATEWAYS
def test_a_message_is_accepted_with_the_gateways_id(name: str, gateway: GatewayServer) -> None:
    result = backend_for_test(name, gateway).send(MESSAGE)
    (taken,) = gateway.accepted
    assert result.outcome is Outcome.ACCEPTED
    assert (taken.receiver, taken.text) == (RECEIVER, TEXT)
    assert result.provider_id
    assert result.http_status in (200, 201)
    assert not result.maybe_sent
    assert result.error == ""


@GATEWAYS
def test_two_messages_have_two_ids(name: str, gateway: GatewayServer) -> None:
    backend = backend_for_test(name, gateway)
    assert backend.send(MESSAGE).provider_id != backend.send(MESSAGE).provider_id


@GATEWAYS
@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (server.http_401(), Outcome.GATEWAY_AUTH),
        (server.disconnected(), None),  # Evolution says it as a transient 400
        (server.http_429(120), Outcome.RATE_LIMITED),
        (server.http_500(), Outcome.GATEWAY_DOWN),
        (server.http(502), Outcome.UNKNOWN),
        (server.http(503), Outcome.GATEWAY_DOWN),
        (server.http(504), Outcome.UNKNOWN),
        (server.html(), Outcome.UNKNOWN),
        (server.answers(200, b"{}"), Outcome.UNKNOWN),
        (server.answers(200, b"[]"), Outcome.UNKNOWN),
        (server.answers(200, b"null"), Outcome.UNKNOWN),
        (server.answers(200, b"[" * 60_000), Outcome.UNKNOWN),
        (server.answers(200, b"\xff\xfe\x00"), Outcome.UNKNOWN),
        (server.answers(302, b"", Location="https://elsewhere.example/"), Outcome.GATEWAY_AUTH),
        (server.answers(402, b""), Outcome.GATEWAY_QUOTA),
        (server.answers(418, b""), Outcome.TRANSIENT),
        (server.reset(), Outcome.UNKNOWN),
        (server.reset(accepts=True), Outcome.UNKNOWN),
        (server.cut(accepts=True), Outcome.UNKNOWN),
    ],
    ids=lambda value: getattr(value, "manner", None) and f"{value.manner}-{value.status}",
)
def test_trouble_has_a_class(
    name: str, behaviour: server.Behaviour, outcome: Outcome | None, gateway: GatewayServer
) -> None:
    gateway.always(behaviour)
    result = backend_for_test(name, gateway).send(MESSAGE)
    down = Outcome.TRANSIENT if name == "evolution" else Outcome.GATEWAY_DOWN
    assert result.outcome is (down if outcome is None else outcome)
    assert result.maybe_sent is (result.outcome is Outcome.UNKNOWN)
    assert result.provider_id == ""
    assert result.error


@GATEWAYS
def test_a_redirect_is_not_followed(name: str, gateway: GatewayServer) -> None:
    gateway.always(server.answers(307, b"", Location=f"{gateway.url}/send"))
    backend_for_test(name, gateway).send(MESSAGE)
    assert len(gateway.requests) == 1


@GATEWAYS
def test_the_servers_wish_to_wait_is_passed_on(name: str, gateway: GatewayServer) -> None:
    gateway.always(server.http_429(120))
    assert backend_for_test(name, gateway).send(MESSAGE).retry_after_seconds == 120.0


@GATEWAYS
@pytest.mark.parametrize(
    "behaviour",
    [server.hang(), server.drip(seconds=0.1), server.drip_headers(seconds=0.1)],
    ids=["hang", "drip", "drip_headers"],
)
@override_settings(NOTIFICATIONS_DEADLINE_SECONDS=0.6)
def test_a_gateway_that_takes_its_time_is_left_at_the_deadline(
    name: str, behaviour: server.Behaviour, gateway: GatewayServer
) -> None:
    gateway.always(behaviour)
    began = time.monotonic()
    result = backend_for_test(name, gateway).send(MESSAGE)
    assert time.monotonic() - began < 1.5
    assert (result.outcome, result.maybe_sent) == (Outcome.UNKNOWN, True)
    assert "deadline" in result.error


@GATEWAYS
def test_a_gateway_that_is_not_there_is_down_and_nothing_was_sent(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = backend_for_test(name, f"http://127.0.0.1:{port}").send(MESSAGE)
    assert (result.outcome, result.maybe_sent) == (Outcome.GATEWAY_DOWN, False)
    assert "refused" in result.error


@GATEWAYS
@pytest.mark.parametrize("receiver", ["", "0812", "62812,62813", "62812|x", "62812@g.us", "6281234567890123", "+62812"])
def test_what_is_not_one_number_never_leaves(name: str, receiver: str, gateway: GatewayServer) -> None:
    result = backend_for_test(name, gateway).send(replace(MESSAGE, receiver=receiver))
    assert result.outcome is Outcome.BAD_RECIPIENT
    assert gateway.requests == []


@GATEWAYS
def test_a_message_without_text_never_leaves(name: str, gateway: GatewayServer) -> None:
    assert backend_for_test(name, gateway).send(replace(MESSAGE, text="")).outcome is Outcome.BAD_MESSAGE
    assert gateway.requests == []


@GATEWAYS
def test_a_text_that_is_too_long_never_leaves(name: str, gateway: GatewayServer) -> None:
    assert backend_for_test(name, gateway).send(replace(MESSAGE, text="x" * 70_000)).outcome is Outcome.BAD_MESSAGE
    assert gateway.requests == []


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"cloud_api"}))
def test_a_template_alone_is_nothing_for_a_gateway_that_knows_none(name: str, gateway: GatewayServer) -> None:
    message = replace(MESSAGE, text="", template=TEMPLATE)
    assert backend_for_test(name, gateway).send(message).outcome is Outcome.BAD_MESSAGE


@GATEWAYS
def test_a_secret_that_is_not_set_is_named_and_nothing_leaves(
    name: str, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "WA_PASSWORD" if name == "gowa" else "WA_TOKEN"
    monkeypatch.delenv(variable)
    result = backend_for_test(name, gateway).send(MESSAGE)
    assert result.outcome is Outcome.GATEWAY_AUTH
    assert variable in result.error
    assert gateway.requests == []


@GATEWAYS
def test_a_line_break_around_a_secret_does_no_harm(
    name: str, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, f" {value}\r\n")
    assert backend_for_test(name, gateway).send(MESSAGE).outcome is Outcome.ACCEPTED


@GATEWAYS
def test_a_line_break_within_a_secret_is_said_without_showing_it(
    name: str, gateway: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in SECRETS:
        monkeypatch.setenv(variable, "abc\ndef-geheim")
    result = backend_for_test(name, gateway).send(MESSAGE)
    assert result.outcome is Outcome.GATEWAY_AUTH
    assert "geheim" not in repr(result)


def _echo(body: Any) -> server.Behaviour:
    """A gateway that repeats everything we said, in the ways they do."""
    said = {"message": f"failed for {RECEIVER}: {TEXT}", "request": body, "phone": int(RECEIVER), "to": f"+{RECEIVER}"}
    return server.answers(
        500, {**said, "statusCode": 500, "headers": list(SECRETS.values()), "chat": f"{RECEIVER}@c.us"}
    )


@GATEWAYS
def test_nothing_of_number_text_and_secrets_is_kept_or_logged(
    name: str, gateway: GatewayServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.always(_echo({"text": TEXT, "phone": RECEIVER}))
    backend = backend_for_test(name, gateway, receipts_secret_env="WA_RECEIPTS") if name != "wablas" else None
    backend = backend or backend_for_test(name, gateway)
    result = backend.send(MESSAGE)
    seen = " ".join([repr(result), repr(backend), repr(MESSAGE), caplog.text])
    assert result.answer
    assert len(result.answer) <= 500
    assert RECEIVER not in seen
    assert "Siti" not in seen
    own = backend.secrets()
    assert own
    assert [secret for secret in own if secret in seen] == []


@GATEWAYS
def test_no_exception_of_a_broken_connection_shows_a_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    result = backend_for_test(name, "http://[::1").send(MESSAGE)
    assert result.outcome is Outcome.GATEWAY_DOWN
    assert [value for value in [*SECRETS.values(), RECEIVER, TEXT] if value in repr(result) + caplog.text] == []


@GATEWAYS
def test_one_process_keeps_its_connection(name: str, gateway: GatewayServer) -> None:
    backend = backend_for_test(name, gateway)
    for _ in range(5):
        assert backend.send(MESSAGE).outcome is Outcome.ACCEPTED
    assert gateway.connections == 1


@GATEWAYS
def test_a_refusal_keeps_the_gateways_reason(name: str, gateway: GatewayServer) -> None:
    gateway.always(server.error("100", reason="something is odd", status=400))
    result = backend_for_test(name, gateway).send(MESSAGE)
    assert isinstance(result, Result)
    assert "something is odd" in result.error
    assert "something is odd" in result.answer
