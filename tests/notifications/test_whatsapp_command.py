"""`manage.py whatsapp test` sends one message, shows each step, and shows no secret."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from tests.gateway import server
from tests.gateway.server import GatewayServer

TOKEN = "tok-3f9a1c77e2b84d"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayServer]:
    monkeypatch.setenv("WA_TOKEN", TOKEN)
    with GatewayServer() as running:
        gateways = {
            "utama": {"backend": "fonnte", "token_env": "WA_TOKEN", "base_url": running.url},
            "meta": {
                "backend": "cloud_api",
                "token_env": "WA_TOKEN",
                "base_url": running.url,
                "phone_number_id": "106540352242922",
            },
            "console": {"backend": "console"},
            "broken": {"backend": "waha", "base_url": running.url, "key_env": "NOT_SET"},
        }
        with override_settings(NOTIFICATIONS_GATEWAYS=gateways):
            yield running


def whatsapp(*arguments: str, to: str = "0812-3456-789", **options: Any) -> tuple[str, str]:
    """What it printed, and the sentence with which it failed."""
    out = StringIO()
    try:
        call_command("whatsapp", "test", "--to", to, *arguments, stdout=out, **options)
    except CommandError as exc:
        return out.getvalue(), str(exc)
    return out.getvalue(), ""


def test_each_step_is_shown_and_one_message_sent(gateway: GatewayServer) -> None:
    printed, failure = whatsapp()
    assert failure == ""
    assert [line.split("  ")[0] for line in printed.splitlines() if line[0] != " "] == [
        "Gateway", "Number", "Probe", "Request", "Answer", "Class", "Meaning", "To do",
    ]  # fmt: skip
    assert "0812-3456-789 is sent as 628123456789" in printed
    assert "accepted" in printed
    assert "the gateway's id: 8" in printed
    assert [taken.receiver for taken in gateway.accepted] == ["628123456789"]


def test_no_secret_is_shown(gateway: GatewayServer) -> None:
    for alias in ("utama", "meta"):
        printed, _failure = whatsapp("--gateway", alias)
        assert TOKEN not in printed
        assert "Authorization: " in printed
        assert "[secret]" in printed


@pytest.mark.parametrize(
    ("behaviour", "outcome", "to_do"),
    [
        (server.http_401(), "gateway_auth", "Check the gateway's settings"),
        (server.disconnected(), "gateway_down", "scan the QR code"),
        (server.status_false("target invalid"), "bad_recipient", "Correct the number"),
        (server.http_429(90), "rate_limited", "Not again before 90 s"),
        (server.html(), "unknown", "Look at the receiver's chat"),
    ],
)
def test_a_failure_says_what_it_means_and_what_to_do(
    behaviour: server.Behaviour, outcome: str, to_do: str, gateway: GatewayServer
) -> None:
    gateway.always(behaviour)
    printed, failure = whatsapp()
    assert failure == f"The gateway utama did not take the message: {outcome}."
    assert to_do in printed


def test_a_probe_that_fails_is_shown_and_the_message_tried(gateway: GatewayServer) -> None:
    gateway.probe_always(server.answers(200, {"status": True, "device_status": "disconnect"}))
    printed, failure = whatsapp()
    assert "Probe    gateway_down: the device is 'disconnect'" in printed
    assert failure == ""


def test_a_template_can_be_tried(gateway: GatewayServer) -> None:
    printed, failure = whatsapp(
        "--gateway", "meta", "--template", "hasil", "--parameter", "Siti", "--parameter", "87", "--language", "en"
    )
    assert failure == ""
    assert "cannot be asked" in printed
    template = gateway.requests[0].json["template"]
    assert (template["name"], template["language"]) == ("hasil", {"code": "en"})


def test_a_gateway_without_its_settings_sends_nothing(gateway: GatewayServer) -> None:
    printed, failure = whatsapp("--gateway", "broken")
    assert "NOT_SET" in printed
    assert "nothing was sent" in failure
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("to", "said"), [("0812abc", "no letters"), ("0628123456789", "Did you mean 628123456789?"), ("", "missing")]
)
def test_a_bad_number_sends_nothing(to: str, said: str, gateway: GatewayServer) -> None:
    _printed, failure = whatsapp(to=to)
    assert said in failure
    assert gateway.requests == []


def test_an_unknown_gateway_names_the_known_ones(gateway: GatewayServer) -> None:
    _printed, failure = whatsapp("--gateway", "nobody")
    assert "utama, meta, console, broken" in failure


def test_the_console_needs_no_network(gateway: GatewayServer, capsys: pytest.CaptureFixture[str]) -> None:
    printed, failure = whatsapp("--gateway", "console")
    assert failure == ""
    assert "needs no network" in printed
    assert "Pesan uji" in capsys.readouterr().out


def test_a_text_that_is_refused_here_says_why(gateway: GatewayServer) -> None:
    printed, failure = whatsapp("--text", "x" * 60_001)
    assert "longer than the 60000 characters" in printed
    assert "bad_message" in failure
