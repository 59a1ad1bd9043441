"""
Ready descriptions for `http_json`, of three gateways that schools use: `{"backend": "http_json", "profile": "gowa"}`.

Contract: a profile's `settings` are what a gateway's own settings would be, and give way to them; its `options` are
what the gateway must add. How sure we are of each vendor's contract stands above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notifications.backends.base import Option

_HOUR = 60 * 60


@dataclass(frozen=True, kw_only=True)
class Profile:
    """See the module."""

    settings: Mapping[str, Any]
    options: tuple[Option, ...]


# Certainty low to medium: success is seen in others' tests, failures are vendor's words collected here and there.
_STARSENDER = Profile(
    options=(Option(name="token_env", help="variable with the device's API key", required=True),),
    settings={
        "base_url": "https://api.starsender.online",
        "url": "{base_url}/api/send",
        "headers": {"Authorization": "{token}"},
        "body": {"messageType": "text", "to": "{receiver}", "body": "{text}", "delay": 0, "schedule": None},
        "success_path": "success",
        "id_paths": ["id", "data.id", "message_id"],
        "id_required": False,
        "error_paths": ["message", "error", "reason"],
        "errors": [
            {"says": ["api key", "apikey", "unauthorized", "token"], "outcome": "gateway_auth"},
            {"says": ["quota", "package", "expired"], "outcome": "gateway_quota"},
            {"says": ["disconnect", "not connected"], "outcome": "gateway_down"},
            {"says": ["not registered", "invalid number", "number invalid"], "outcome": "bad_recipient"},
        ],
    },
)

# Certainty high (v2.3.6). A 400 has three meanings; what is not one of the first two is an exception's text that the
# gateway has wrapped, so it passes.
_EVOLUTION = Profile(
    options=(
        Option(name="base_url", help="where Evolution is", required=True),
        Option(name="instance", help="name of the instance", required=True),
        Option(name="token_env", help="variable with the API key (global or the instance's)", required=True),
    ),
    settings={
        "url": "{base_url}/message/sendText/{instance}",
        "headers": {"apikey": "{token}"},
        "body": {"number": "{receiver}", "text": "{text}"},
        "success_statuses": [200, 201],
        "success_path": "key.fromMe",
        "id_paths": ["key.id"],
        "error_paths": ["response.message", "message", "error"],
        "errors": [
            {"status": 401, "outcome": "gateway_auth"},
            {"status": 404, "outcome": "gateway_down"},
            {"status": 400, "says": ['"exists":false'], "outcome": "bad_recipient"},
            {"status": 400, "says": ["connection closed", "timed out", "error:"], "outcome": "transient"},
            {
                "status": 400,
                "says": ["requires property", "is not of a type", "does not match", "does not meet", "is required"],
                "outcome": "bad_message",
            },
            {"status": 400, "outcome": "transient"},
        ],
    },
)

# Certainty high. "Not on WhatsApp" is also said when the lookup itself has failed: asked again before it is believed.
_GOWA = Profile(
    options=(
        Option(name="base_url", help="where gowa is, as in http://127.0.0.1:3000", required=True),
        Option(name="device", help="the device's id; may be left out where there is one device"),
        Option(name="user_env", help="variable with the user of Basic authentication", required=True),
        Option(name="password_env", help="variable with the password of Basic authentication", required=True),
    ),
    settings={
        "url": "{base_url}/send/message",
        "headers": {"Authorization": "Basic {basic}", "X-Device-Id": "{device}"},
        "body": {"phone": "{receiver}", "message": "{text}"},
        "success_path": "code",
        "success_values": ["SUCCESS"],
        "id_paths": ["results.message_id"],
        "error_paths": ["message"],
        "code_path": "code",
        "recheck": {"url": "{base_url}/user/check?phone={receiver}", "path": "results.is_on_whatsapp", "value": False},
        "errors": [
            {"code": "INVALID_JID", "outcome": "bad_recipient", "recheck": True},
            {"code": "VALIDATION_ERROR", "says": ["phone"], "outcome": "bad_recipient"},
            {"code": "VALIDATION_ERROR", "outcome": "bad_message"},
            {"code": "DEVICE_ID_REQUIRED", "outcome": "gateway_auth"},
            {"code": "DEVICE_NOT_FOUND", "outcome": "gateway_auth"},
            {"code": "AUTHENTICATION_ERROR", "outcome": "gateway_down"},
            # WhatsApp's 463, against spam in new chats: seconds only make it worse.
            {"code": "WA_REACHOUT_TIMELOCK", "outcome": "rate_limited", "retry_after_seconds": 4 * _HOUR},
            {"code": "INTERNAL_SERVER_ERROR", "outcome": "gateway_down"},
            {"code": "INVALID_WA_CLI", "outcome": "gateway_down"},
            {"code": "DEVICE_MANAGER_UNAVAILABLE", "outcome": "gateway_down"},
            {"code": "GATEWAY_TIMEOUT", "outcome": "unknown"},
        ],
    },
)

PROFILES: dict[str, Profile] = {"starsender": _STARSENDER, "evolution": _EVOLUTION, "gowa": _GOWA}
