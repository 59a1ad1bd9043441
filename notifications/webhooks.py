"""
Delivery receipts: what gateways tell us about messages after they have taken them.

Contract:
- Nobody is believed who does not prove it: Meta and gowa by `X-Hub-Signature-256` and WAHA by `X-Webhook-Hmac` over the
  raw body, Fonnte, which signs nothing, by a secret in the address; compared in constant time. Forged: 403.
- Each receipt goes to `receipts.apply_receipt`, which copes with unordered, repeated and late ones.
- Temporary trouble is 503 with `Retry-After`, never 4xx: several gateways give up for good on a 4xx.
- What we do not understand (other events, unknown states, a broken entry in a batch) is answered 200 and left: the
  gateway would only send it again.
- Bodies are bounded; no session, no CSRF token, no log of bodies.

Not here: what a receipt does to a message (`receipts.py`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications.backends.base import BaseBackend
from notifications.backends.cloud_api import CloudApiBackend, error_of
from notifications.backends.fonnte import FonnteBackend
from notifications.backends.http_json import HttpJsonBackend
from notifications.backends.loading import backend_for
from notifications.backends.waha import WahaBackend, message_id
from notifications.exceptions import GatewayNotConfigured, UnknownGateway
from notifications.receipts import apply_receipt
from notifications.redaction import redacted

logger = logging.getLogger(__name__)

#: Meta's own bound for one POST.
BODY_MAX_BYTES = 3 * 1024 * 1024
_RETRY_AFTER_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One entry of a webhook's body, as `apply_receipt` takes it."""

    state: str  # sent, delivered, read, failed
    at: datetime
    provider_id: str = ""
    provider_state_id: str = ""
    notification_id: UUID | None = None
    error: str = ""


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def receive(request: HttpRequest, alias: str, secret: str = "") -> HttpResponse:
    """The webhook of the gateway *alias*; *secret* is the last part of Fonnte's address."""
    try:
        backend = backend_for(alias)
    except (UnknownGateway, GatewayNotConfigured) as exc:
        raise Http404 from exc
    if request.method == "GET":
        return _handshake(request, backend)
    # Not request.body: its bound is that of our own pages.
    body = request.read(BODY_MAX_BYTES + 1)
    if len(body) > BODY_MAX_BYTES:
        return _plain("too large", 413)
    reader = _proven_reader(request, backend, secret, body)
    if reader is None:
        logger.warning("Forged receipt refused", extra={"action": "receipt_refused", "gateway": alias})
        return _plain("not signed as agreed", 403)
    return _apply_all(backend, reader, body, request)


def _apply_all(
    backend: BaseBackend, reader: Callable[[dict[str, Any]], Iterator[Receipt]], body: bytes, request: HttpRequest
) -> HttpResponse:
    said = _parsed(body, request)
    try:
        for receipt in reader(said):
            apply_receipt(
                gateway=backend.alias,
                provider_id=receipt.provider_id,
                provider_state_id=receipt.provider_state_id,
                notification_id=receipt.notification_id,
                state=receipt.state,
                error=receipt.error,
                at=receipt.at,
            )
    except (DatabaseError, InterfaceError):
        # What was applied of a batch is applied again when it comes again, which changes nothing.
        logger.exception("Receipts could not be stored", extra={"action": "receipts_unavailable"})
        response = _plain("come again", 503)
        response["Retry-After"] = str(_RETRY_AFTER_SECONDS)
        return response
    return _plain("ok", 200)


def _handshake(request: HttpRequest, backend: BaseBackend) -> HttpResponse:
    """Meta asks once whether the address is ours: it sends the token that we chose and wants its challenge back."""
    if not isinstance(backend, CloudApiBackend):
        return _plain("send receipts by POST", 405)
    token = _secret_of(backend, "verify_token_env")
    given = request.GET.get("hub.verify_token", "")
    challenge = request.GET.get("hub.challenge", "")
    is_ours = bool(token) and hmac.compare_digest(token.encode(), given.encode())
    if request.GET.get("hub.mode") != "subscribe" or not is_ours or not (challenge.isalnum() and len(challenge) <= 100):
        return _plain("not the token as agreed", 403)
    return _plain(challenge, 200)


def _proven_reader(
    request: HttpRequest, backend: BaseBackend, secret: str, body: bytes
) -> Callable[[dict[str, Any]], Iterator[Receipt]] | None:
    """What reads the body, once its sender has proved to be the gateway; None: forged, or receipts are not set up."""
    key = _secret_of(backend, "receipts_secret_env").encode()
    if not key:
        return None
    if isinstance(backend, FonnteBackend):
        return _of_fonnte if hmac.compare_digest(key, secret.encode()) else None
    if isinstance(backend, WahaBackend):
        given, algorithm, reader = request.headers.get("X-Webhook-Hmac", ""), "sha512", _of_waha
    elif isinstance(backend, CloudApiBackend):
        given, algorithm, reader = request.headers.get("X-Hub-Signature-256", ""), "sha256", _of_meta
    elif isinstance(backend, HttpJsonBackend) and backend.profile_name == "gowa":
        given, algorithm, reader = request.headers.get("X-Hub-Signature-256", ""), "sha256", _of_gowa
    else:
        return None
    expected = hmac.new(key, body, getattr(hashlib, algorithm)).hexdigest()
    is_signed = hmac.compare_digest(expected.encode(), given.removeprefix("sha256=").lower().encode())
    return reader if is_signed else None


def _of_meta(said: dict[str, Any]) -> Iterator[Receipt]:
    for entry in _objects(said.get("entry")):
        for change in _objects(entry.get("changes")):
            value = change.get("value")
            for status in _objects(value.get("statuses") if isinstance(value, dict) else None):
                state = {"played": "read"}.get(str(status.get("status")), str(status.get("status")))
                error = next(iter(_objects(status.get("errors"))), None)
                code, words = error_of(error) if error else (-1, "")
                yield from _receipt(
                    state,
                    status.get("id"),
                    status.get("timestamp"),
                    notification_id=_uuid(status.get("biz_opaque_callback_data")),
                    error=f"{code} {words}" if error else "",
                )


_WAHA_STATES = {"ERROR": "failed", "SERVER": "sent", "DEVICE": "delivered", "READ": "read", "PLAYED": "read"}


def _of_waha(said: dict[str, Any]) -> Iterator[Receipt]:
    payload = said.get("payload")
    if said.get("event") != "message.ack" or not isinstance(payload, dict):
        return
    state = _WAHA_STATES.get(str(payload.get("ackName")), "")
    error = "WAHA: the message has an error" if state == "failed" else ""
    yield from _receipt(state, message_id(payload), said.get("timestamp"), error=error)


_FONNTE_FAILURES = {"invalid", "expired", "url unreachable", "failed"}


def _of_fonnte(said: dict[str, Any]) -> Iterator[Receipt]:
    # `status` is about Fonnte's queue, `state` about WhatsApp; later updates have `stateid` and `state` alone.
    state, status = str(said.get("state") or "").lower(), str(said.get("status") or "").lower()
    if status in _FONNTE_FAILURES:
        state = "failed"
    elif state not in ("sent", "delivered", "read"):
        state = status
    state_id = str(said.get("stateid") or "")
    error = f"Fonnte: {status}" if state == "failed" else ""
    yield from _receipt(state, said.get("id"), None, provider_state_id=state_id, error=error)


def _of_gowa(said: dict[str, Any]) -> Iterator[Receipt]:
    payload = said.get("payload")
    if said.get("event") != "message.ack" or not isinstance(payload, dict):
        return
    ids = payload.get("ids")
    for provider_id in ids if isinstance(ids, list) else []:
        yield from _receipt(str(payload.get("receipt_type")), provider_id, said.get("timestamp"))


def _receipt(state: str, provider_id: Any, at: Any, **more: Any) -> Iterator[Receipt]:
    """One receipt, or none where its state or all its ids are nothing that we know."""
    found = str(provider_id or "")[:200]
    if state not in ("sent", "delivered", "read", "failed"):
        return
    if not (found or more.get("provider_state_id") or more.get("notification_id")):
        return
    more["error"] = redacted(more.get("error", ""))
    more["provider_state_id"] = more.get("provider_state_id", "")[:200]
    yield Receipt(state=state, provider_id=found, at=_time(at), **more)


def _time(at: Any) -> datetime:
    """Seconds (Meta: as a text) or milliseconds since 1970, or ISO 8601; now, where it is none or in the future."""
    now = timezone.now()
    try:
        if isinstance(at, str) and not at.isdecimal():
            found = datetime.fromisoformat(at)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        else:
            seconds = float(at)
            found = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return now
    # A year is more than any gateway waits; what is older comes from a clock that was never set.
    return found if 0 <= (now - found).days < 366 else now


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, ValueError, AttributeError):
        return None


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _parsed(body: bytes, request: HttpRequest) -> dict[str, Any]:
    """The body as an object; {} for what is none. Fonnte's samples are JSON; some accounts send a form."""
    if request.content_type == "application/x-www-form-urlencoded":
        return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _secret_of(backend: BaseBackend, name: str) -> str:
    """The secret under the setting *name*, "" where it is not set up, or everyone knows it."""
    if name not in backend.options():
        return ""
    try:
        found = backend.secret(name)
    except GatewayNotConfigured:
        return ""
    # gowa signs with "secret" until somebody changes it: a signature that everyone can make proves nothing.
    return "" if found == "secret" else found


def _plain(text: str, status: int) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    # Django logs the path of every answer from 400 on, and Fonnte's holds the secret; what matters is logged here.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
