"""Delivery receipts over HTTP: who is believed, what is understood, and what is answered in trouble."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client, override_settings
from django.utils import timezone

from notifications import webhooks
from notifications.models import Notification, State

pytestmark = pytest.mark.urls("notifications.webhook_urls")

SECRET = "receipts-secret-0123456789"
GATEWAYS = {
    "meta": {
        "backend": "cloud_api",
        "token_env": "WA_TOKEN",
        "phone_number_id": "106540352242922",
        "receipts_secret_env": "WA_RECEIPTS",
        "verify_token_env": "WA_VERIFY",
    },
    "waha": {
        "backend": "waha",
        "base_url": "http://waha:3000",
        "key_env": "WA_TOKEN",
        "receipts_secret_env": "WA_RECEIPTS",
    },
    "fonnte": {"backend": "fonnte", "token_env": "WA_TOKEN", "receipts_secret_env": "WA_RECEIPTS"},
    "gowa": {
        "backend": "http_json",
        "profile": "gowa",
        "base_url": "http://gowa:3000",
        "user_env": "WA_TOKEN",
        "password_env": "WA_TOKEN",
        "receipts_secret_env": "WA_RECEIPTS",
    },
    "plain": {"backend": "fonnte", "token_env": "WA_TOKEN"},
    "console": {"backend": "console"},
    "broken": {"backend": "nothing"},
}
NOTIFICATION_ID = "01890000-0000-7000-8000-000000000001"
AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
STAMP = int(AT.timestamp())


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WA_RECEIPTS", SECRET)
    monkeypatch.setenv("WA_VERIFY", "verify-me-please")
    monkeypatch.setattr(timezone, "now", lambda: AT)
    with override_settings(NOTIFICATIONS_GATEWAYS=GATEWAYS):
        yield


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `apply_receipt` was called with."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(webhooks, "apply_receipt", lambda **receipt: calls.append(receipt))
    return calls


def signed(alias: str, raw: bytes, secret: str = SECRET) -> dict[str, str]:
    if alias == "waha":
        return {"X-Webhook-Hmac": hmac.new(secret.encode(), raw, hashlib.sha512).hexdigest()}
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def post(alias: str, body: Any, *, headers: dict[str, str] | None = None, path: str = "", kind: str = "json") -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    if headers is None:
        headers = signed(alias, raw)
    address = f"/api/notifications/receipts/{alias}{path}"
    client = Client(enforce_csrf_checks=True)
    return client.post(address, raw, content_type=f"application/{kind}", headers=headers)


def meta(*statuses: Any) -> dict[str, Any]:
    value = {"messaging_product": "whatsapp", "statuses": list(statuses)}
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


def status(state: str, **more: Any) -> dict[str, Any]:
    return {"id": "wamid.1", "status": state, "timestamp": str(STAMP - 5), "recipient_id": "628123456789", **more}


# Who is believed


@pytest.mark.parametrize("alias", ["meta", "waha", "gowa"])
@pytest.mark.parametrize(
    "forge",
    [
        lambda right: {},
        lambda right: dict.fromkeys(right, ""),
        lambda right: {name: value[:-1] for name, value in right.items()},
        lambda right: {name: value[:-1] + ("0" if value[-1] != "0" else "1") for name, value in right.items()},
        lambda right: dict.fromkeys(right, "é"),
        lambda right: {"X-Hub-Signature": "sha1=abc"},
    ],
)
def test_a_forged_receipt_is_refused(alias: str, forge: Any, applied: list[Any]) -> None:
    raw = json.dumps(meta(status("read"))).encode()
    assert post(alias, raw, headers=forge(signed(alias, raw))).status_code == 403
    assert applied == []


@pytest.mark.parametrize("alias", ["meta", "waha", "gowa"])
def test_a_signature_by_another_secret_or_of_another_body_is_refused(alias: str, applied: list[Any]) -> None:
    raw = json.dumps(meta(status("read"))).encode()
    assert post(alias, raw, headers=signed(alias, raw, "another-secret-0123456789")).status_code == 403
    assert post(alias, raw, headers=signed(alias, raw + b" ")).status_code == 403


def test_the_signature_is_over_the_raw_body(applied: list[Any]) -> None:
    raw = (
        b'{ "entry":[ {"changes":[{"value":{"statuses":[{"id":"wamid.1","status":"read","x":"\\u00e9 \xc3\xa9"}]}}]}]}'
    )
    assert post("meta", raw).status_code == 200
    assert len(applied) == 1


def test_a_signature_in_capitals_is_the_same(applied: list[Any]) -> None:
    raw = json.dumps({"event": "message.ack"}).encode()
    headers = {name: value.upper() for name, value in signed("waha", raw).items()}
    assert post("waha", raw, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["", "/", "/wrong", f"/{SECRET}x", "/é"])
def test_fonnte_is_believed_by_the_secret_in_its_address_alone(path: str, applied: list[Any]) -> None:
    assert post("fonnte", {"id": "1", "state": "read"}, path=path, headers={}).status_code in (403, 404)
    assert applied == []


def test_a_gateway_without_a_secret_takes_no_receipts(applied: list[Any]) -> None:
    assert post("plain", {"id": "1", "state": "read"}, headers={}).status_code == 403
    assert post("plain", {"id": "1", "state": "read"}, path="/x", headers={}).status_code == 403
    assert post("console", {}, headers={}).status_code == 403


@pytest.mark.parametrize("secret", ["secret", ""])
@pytest.mark.parametrize("alias", ["meta", "waha", "gowa"])
def test_gowas_default_secret_proves_nothing(
    alias: str, secret: str, applied: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WA_RECEIPTS", secret)
    raw = b"{}"
    assert post(alias, raw, headers=signed(alias, raw, secret)).status_code == 403


@pytest.mark.parametrize("alias", ["nobody", "broken"])
def test_a_gateway_that_does_not_exist_has_no_address(alias: str, applied: list[Any]) -> None:
    assert post(alias, {}).status_code == 404


def test_a_body_without_end_is_refused(applied: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BODY_MAX_BYTES", 1000)
    assert post("meta", b" " * 1001).status_code == 413
    assert post("meta", b"{}" + b" " * 998).status_code == 200


def test_only_get_and_post_are_known(applied: list[Any]) -> None:
    assert Client().put("/api/notifications/receipts/meta", b"{}").status_code == 405
    assert Client().get("/api/notifications/receipts/waha").status_code == 405


# Meta


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "verify-me-please", "hub.challenge": "1158201444"}, 200),
        ({"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "é", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "other", "hub.verify_token": "verify-me-please", "hub.challenge": "1158201444"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "verify-me-please", "hub.challenge": "<script>"}, 403),
        ({"hub.mode": "subscribe", "hub.verify_token": "verify-me-please"}, 403),
        ({}, 403),
    ],
)
def test_metas_handshake(query: dict[str, str], expected: int) -> None:
    response = Client().get("/api/notifications/receipts/meta", query)
    assert response.status_code == expected
    assert response["Content-Type"].startswith("text/plain")
    if expected == 200:
        assert response.content == b"1158201444"


@pytest.mark.parametrize("state", ["sent", "delivered", "read"])
def test_metas_status_becomes_a_receipt(state: str, applied: list[Any]) -> None:
    assert post("meta", meta(status(state, biz_opaque_callback_data=NOTIFICATION_ID))).status_code == 200
    assert applied == [
        {
            "gateway": "meta",
            "provider_id": "wamid.1",
            "provider_state_id": "",
            "notification_id": UUID(NOTIFICATION_ID),
            "state": state,
            "error": "",
            "at": datetime.fromtimestamp(STAMP - 5, UTC),
        }
    ]


def test_metas_failure_says_why_without_the_number(applied: list[Any]) -> None:
    error = {
        "code": 131026,
        "title": "Message undeliverable",
        "error_data": {"details": "to 628123456789 not possible"},
    }
    post("meta", meta(status("failed", errors=[error])))
    assert applied[0]["state"] == "failed"
    assert applied[0]["error"] == "131026 Message undeliverable: to 62812****789 not possible"


def test_one_post_may_bring_many_and_a_broken_one_hurts_no_other(applied: list[Any]) -> None:
    broken = [None, "x", {}, {"status": "read"}, status("deleted"), status("warning"), status("read", id=None)]
    odd = status("read", timestamp="soon", errors="none", biz_opaque_callback_data="no uuid")
    body = meta(status("sent"), *broken, odd, status("delivered"))
    body["entry"] += [None, {"changes": None}, {"changes": [None, {"value": None}, {"value": {"messages": [{}]}}]}]
    assert post("meta", body).status_code == 200
    assert [receipt["state"] for receipt in applied] == ["sent", "read", "delivered"]
    assert applied[1]["at"] == AT


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff", b'{"entry":5}'])
def test_what_is_signed_and_makes_no_sense_is_done_with(body: bytes, applied: list[Any]) -> None:
    assert post("meta", body).status_code == 200
    assert applied == []


# WAHA, Fonnte, gowa


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("ERROR", "failed"),
        ("PENDING", None),
        ("SERVER", "sent"),
        ("DEVICE", "delivered"),
        ("READ", "read"),
        ("PLAYED", "read"),
        ("NEW", None),
    ],
)
def test_wahas_acks(name: str, state: str | None, applied: list[Any]) -> None:
    payload = {"id": "true_628123456789@c.us_3EB0ABC", "fromMe": True, "ack": 9, "ackName": name}
    body = {"event": "message.ack", "session": "default", "timestamp": (STAMP - 3) * 1000, "payload": payload}
    assert post("waha", body).status_code == 200
    assert [(receipt["state"], receipt["provider_id"]) for receipt in applied] == (
        [(state, "3EB0ABC")] if state else []
    )
    assert all(receipt["at"] == datetime.fromtimestamp(STAMP - 3, UTC) for receipt in applied)


@pytest.mark.parametrize("body", [{"event": "message", "payload": {"body": "hi"}}, {"event": "message.ack"}, {}])
def test_wahas_other_events_are_left(body: dict[str, Any], applied: list[Any]) -> None:
    assert post("waha", body).status_code == 200
    assert applied == []


@pytest.mark.parametrize(
    ("body", "ids", "state"),
    [
        ({"device": "628", "id": "80367170", "status": "sent"}, ("80367170", ""), "sent"),
        ({"id": "80367170", "stateid": "3EB0", "status": "sent", "state": "sent"}, ("80367170", "3EB0"), "sent"),
        ({"stateid": "3EB0", "state": "delivered"}, ("", "3EB0"), "delivered"),
        ({"stateid": "3EB0", "state": "Read"}, ("", "3EB0"), "read"),
        ({"id": 80367170, "status": "invalid"}, ("80367170", ""), "failed"),
        ({"id": "80367170", "status": "expired"}, ("80367170", ""), "failed"),
        ({"id": "80367170", "status": "url unreachable"}, ("80367170", ""), "failed"),
        ({"id": "80367170", "status": "pending"}, None, None),
        ({"id": "80367170", "status": "processing"}, None, None),
        ({"status": "sent"}, None, None),
        ({}, None, None),
    ],
)
@pytest.mark.parametrize("kind", ["json", "x-www-form-urlencoded"])
def test_fonntes_two_ids(body: dict[str, Any], ids: Any, state: str | None, kind: str, applied: list[Any]) -> None:
    form = "&".join(f"{name}={value}".replace(" ", "+") for name, value in body.items()).encode()
    sent = body if kind == "json" else form
    assert post("fonnte", sent, path=f"/{SECRET}", headers={}, kind=kind).status_code == 200
    found = [((one["provider_id"], one["provider_state_id"]), one["state"]) for one in applied]
    assert found == ([(ids, state)] if ids else [])


def test_gowas_ack_may_be_about_several_messages(applied: list[Any]) -> None:
    payload = {"ids": ["3EB0A", "3EB0B"], "receipt_type": "delivered", "chat_id": "628123456789@s.whatsapp.net"}
    body = {"event": "message.ack", "timestamp": "2026-11-22T09:59:00Z", "payload": payload}
    assert post("gowa", body).status_code == 200
    assert [(receipt["provider_id"], receipt["state"]) for receipt in applied] == [
        ("3EB0A", "delivered"),
        ("3EB0B", "delivered"),
    ]
    assert applied[0]["at"] == datetime(2026, 11, 22, 9, 59, tzinfo=UTC)


@pytest.mark.django_db
def test_a_receipt_reaches_its_message() -> None:
    message = Notification.objects.create(
        receiver="628123456789",
        message="halo",
        gateway="meta",
        state=State.SENT,
        tries=1,
        provider_id="wamid.1",
        sent_at=AT,
    )
    assert post("meta", meta(status("read"), status("delivered"))).status_code == 200
    message.refresh_from_db()
    assert message.state == State.READ


# Trouble


@pytest.mark.parametrize("problem", [OperationalError("away"), InterfaceError("closed")])
def test_a_database_that_is_away_is_503_so_that_it_comes_again(
    problem: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(**_receipt: Any) -> None:
        raise problem

    monkeypatch.setattr(webhooks, "apply_receipt", fails)
    response = post("meta", meta(status("read")))
    assert response.status_code == 503
    assert response["Retry-After"] == "30"
    post("fonnte", {"id": "1", "state": "read"}, path=f"/{SECRET}", headers={})
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "stamp", ["", None, "1e400", "99999999999999999999", -5, STAMP + 9999, "2026-11-22T10:00", [], True]
)
def test_a_time_that_is_none_is_now(stamp: Any, applied: list[Any]) -> None:
    post("meta", meta(status("read", timestamp=stamp)))
    assert applied[0]["at"] == AT


def test_no_body_and_no_secret_is_logged(applied: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    post("meta", meta(status("read")), headers={"X-Hub-Signature-256": "sha256=abc"})
    post("fonnte", {"id": "1", "device": "628123456789"}, path=f"/{SECRET}x", headers={})
    assert "Forged receipt refused" in caplog.text
    assert [value for value in (SECRET, "628123456789", "wamid.1") if value in caplog.text] == []
