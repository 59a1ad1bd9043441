"""
How each gateway's requests and answers look: what `server.py` speaks.

Contract: `dialect_of(method, path)` tells whose address it is; a `Dialect` reads receiver and text out of a request
and writes the gateway's success and failure bodies as ../shared/reference/whatsapp-gateways.md describes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Sent:
    """One message as a request asked for it."""

    receiver: str
    text: str


@dataclass(frozen=True)
class Dialect:
    """One gateway: `read` a request's body, answer `ok(sent, number)`, `failed(reason, code, status)`, `probe()`."""

    name: str
    send_path: re.Pattern[str]
    read: Callable[[bytes], Sent]
    ok: Callable[[Sent, int], Answer]
    failed: Callable[[str, int | str, int], Answer]
    unauthorized: Callable[[], Answer]
    disconnected: Callable[[], Answer]
    transient_400: Callable[[], Answer]
    probe_path: re.Pattern[str] | None = None
    probe: Callable[[], Answer] = lambda: (200, {})


def _json(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    assert isinstance(found, dict)
    return found


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}


# Fonnte: everything is HTTP 200.


def _fonnte_read(body: bytes) -> Sent:
    form = _form(body)
    return Sent(form["target"], form["message"])


def _fonnte_ok(sent: Sent, number: int) -> Answer:
    return 200, {
        "detail": "success! message in queue",
        "id": [str(80_000_000 + number)],
        "process": "pending",
        "requestid": 2_937_124 + number,
        "status": True,
        "target": [sent.receiver],
    }


def _fonnte_failed(reason: str, _code: int | str = "", _status: int = 200) -> Answer:
    return 200, {"status": False, "reason": reason, "requestid": 2_937_124}


FONNTE = Dialect(
    name="fonnte",
    send_path=re.compile(r"^/send$"),
    read=_fonnte_read,
    ok=_fonnte_ok,
    failed=_fonnte_failed,
    unauthorized=lambda: _fonnte_failed("token invalid"),
    disconnected=lambda: _fonnte_failed("request invalid on disconnected device"),
    transient_400=lambda: (400, {"status": False, "reason": "server is busy"}),
    probe_path=re.compile(r"^/device$"),
    probe=lambda: (
        200,
        {"device": "628111111111", "device_status": "connect", "name": "Sekolah", "quota": "78", "status": True},
    ),
)


# Meta WhatsApp Cloud API.


def _cloud_read(body: bytes) -> Sent:
    sent = _json(body)
    if sent["type"] == "text":
        return Sent(sent["to"], sent["text"]["body"])
    parts = [text for part in sent["template"].get("components", ()) for text in part["parameters"]]
    return Sent(sent["to"], " ".join([sent["template"]["name"], *[part["text"] for part in parts]]))


def _cloud_ok(sent: Sent, number: int) -> Answer:
    return 200, {
        "messaging_product": "whatsapp",
        "contacts": [{"input": sent.receiver, "wa_id": sent.receiver}],
        "messages": [{"id": f"wamid.HBgN{number:08d}", "message_status": "accepted"}],
    }


def _cloud_failed(reason: str, code: int | str = 100, status: int = 400) -> Answer:
    error = {
        "message": f"(#{code}) {reason}",
        "type": "OAuthException",
        "code": int(code or 100),
        "error_data": {"messaging_product": "whatsapp", "details": reason},
        "fbtrace_id": "Az8or2yhqkZfEZ",
    }
    return status, {"error": error}


CLOUD_API = Dialect(
    name="cloud_api",
    send_path=re.compile(r"^/v\d+\.0/\d+/messages$"),
    read=_cloud_read,
    ok=_cloud_ok,
    failed=_cloud_failed,
    unauthorized=lambda: _cloud_failed("Authentication Error", 190, 401),
    disconnected=lambda: _cloud_failed("Service unavailable", 131016, 503),
    transient_400=lambda: _cloud_failed("Cloud API message throughput has been reached", 130429),
)


# WAHA.


def _waha_read(body: bytes) -> Sent:
    sent = _json(body)
    return Sent(sent["chatId"].removesuffix("@c.us"), sent["text"])


def _waha_ok(sent: Sent, number: int) -> Answer:
    return 201, {"id": f"true_{sent.receiver}@c.us_3EB0{number:016X}", "timestamp": 1_700_000_000, "body": sent.text}


def _waha_failed(reason: str, _code: int | str = "", status: int = 422) -> Answer:
    return status, {"message": reason, "statusCode": status}


def _waha_session() -> Answer:
    expected = "Session status is not as expected. Try again later or restart the session"
    return 422, {"error": expected, "session": "default", "status": "SCAN_QR_CODE", "expected": ["WORKING"]}


WAHA = Dialect(
    name="waha",
    send_path=re.compile(r"^/api/sendText$"),
    read=_waha_read,
    ok=_waha_ok,
    failed=_waha_failed,
    unauthorized=lambda: (401, {"message": "Unauthorized", "statusCode": 401}),
    disconnected=_waha_session,
    transient_400=_waha_session,
    probe_path=re.compile(r"^/api/sessions/\w+$"),
    probe=lambda: (200, {"name": "default", "status": "WORKING", "config": {}}),
)


# Wablas.


def _wablas_read(body: bytes) -> Sent:
    (sent,) = _json(body)["data"]
    return Sent(sent["phone"], sent["message"])


def _wablas_ok(sent: Sent, number: int) -> Answer:
    message = {
        "id": f"a75a4b5e-0000-4000-8000-{number:012d}",
        "phone": int(sent.receiver),
        "message": sent.text,
        "status": "pending",
        "ref_id": "",
    }
    data = {"device_id": "OMM1F9", "quota": 999, "messages": [message]}
    return 200, {"status": True, "message": "Message is pending and waiting to be processed", "data": data}


def _wablas_failed(reason: str, _code: int | str = "", status: int = 500) -> Answer:
    return status, {"status": False, "message": reason}


WABLAS = Dialect(
    name="wablas",
    send_path=re.compile(r"^/api/v2/send-message$"),
    read=_wablas_read,
    ok=_wablas_ok,
    failed=_wablas_failed,
    unauthorized=lambda: _wablas_failed("token invalid or device expired"),
    disconnected=lambda: _wablas_failed("device disconnected, need to scan qr code again"),
    transient_400=lambda: _wablas_failed("please try again", status=400),
)


# The three that go through `http_json`.


def _starsender_read(body: bytes) -> Sent:
    sent = _json(body)
    return Sent(sent["to"], sent["body"])


def _starsender_failed(reason: str, _code: int | str = "", status: int = 200) -> Answer:
    return status, {"success": False, "message": reason}


STARSENDER = Dialect(
    name="starsender",
    send_path=re.compile(r"^/api/send$"),
    read=_starsender_read,
    ok=lambda _sent, number: (
        200,
        {"success": True, "message": "Success sent message", "data": {"id": number}},
    ),
    failed=_starsender_failed,
    unauthorized=lambda: (200, {"success": False, "message": "Invalid API key"}),
    disconnected=lambda: (200, {"success": False, "message": "device disconnected"}),
    transient_400=lambda: (400, {"success": False, "message": "please try again"}),
)


def _evolution_read(body: bytes) -> Sent:
    sent = _json(body)
    return Sent(sent["number"], sent["text"])


def _evolution_ok(sent: Sent, number: int) -> Answer:
    key = {"remoteJid": f"{sent.receiver}@s.whatsapp.net", "fromMe": True, "id": f"3EB0{number:016X}"}
    return 201, {"key": key, "pushName": "Bu Sari", "status": "PENDING", "message": {"conversation": sent.text}}


def _evolution_failed(reason: Any, _code: int | str = "", status: int = 400) -> Answer:
    return status, {"status": status, "error": "Bad Request", "response": {"message": reason}}


EVOLUTION = Dialect(
    name="evolution",
    send_path=re.compile(r"^/message/sendText/\w+$"),
    read=_evolution_read,
    ok=_evolution_ok,
    failed=_evolution_failed,
    unauthorized=lambda: (401, {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}),
    disconnected=lambda: _evolution_failed(["Error: Connection Closed"]),
    transient_400=lambda: _evolution_failed(["Error: Connection Closed"]),
)


def _gowa_read(body: bytes) -> Sent:
    sent = _json(body)
    return Sent(sent["phone"], sent["message"])


def _gowa_failed(reason: str, code: int | str = "VALIDATION_ERROR", status: int = 400) -> Answer:
    return status, {"code": code, "message": reason, "results": None}


GOWA = Dialect(
    name="gowa",
    send_path=re.compile(r"^/send/message$"),
    read=_gowa_read,
    ok=lambda _sent, number: (
        200,
        {"code": "SUCCESS", "message": "Success", "results": {"message_id": f"3EB0{number:016X}", "status": "ok"}},
    ),
    failed=_gowa_failed,
    unauthorized=lambda: (401, {"message": "Unauthorized"}),
    disconnected=lambda: _gowa_failed("you are not logged in", "AUTHENTICATION_ERROR", 401),
    transient_400=lambda: _gowa_failed("phone is not on whatsapp", "INVALID_JID", 400),
    probe_path=re.compile(r"^/user/check$"),
    probe=lambda: (200, {"code": "SUCCESS", "message": "Success", "results": {"is_on_whatsapp": True}}),
)

DIALECTS = (FONNTE, CLOUD_API, WAHA, WABLAS, STARSENDER, EVOLUTION, GOWA)


def dialect_of(path: str) -> tuple[Dialect, bool]:
    """Whose address *path* is, and whether it is one that sends; a `LookupError` for an address that nobody has."""
    bare = path.split("?")[0]
    for dialect in DIALECTS:
        if dialect.send_path.match(bare):
            return dialect, True
        if dialect.probe_path is not None and dialect.probe_path.match(bare):
            return dialect, False
    raise LookupError(path)
