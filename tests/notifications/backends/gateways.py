"""Settings of every backend for the test gateway, a message, and the secrets that must never be seen again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from notifications.backends.base import BaseBackend, Message, Template
from notifications.backends.loading import backend_of
from tests.gateway.server import GatewayServer

SECRETS = {
    "WA_TOKEN": "tok-3f9a1c77e2b84d",
    "WA_SECRET_KEY": "key-77aa88bb99cc00",
    "WA_USER": "sekolah-admin",
    "WA_PASSWORD": "pw-rahasia-sekali-1",
    "WA_RECEIPTS": "receipts-secret-0123456789",
}
RECEIVER = "628123456789"
TEXT = "Yth. Bapak Budi: nilai Matematika ananda Siti adalah 87 dari 100."
MESSAGE = Message(notification_id=UUID("01890000-0000-7000-8000-000000000001"), receiver=RECEIVER, text=TEXT)
TEMPLATE = Template(name="hasil_ujian", language="id", parameters=("Siti", "Matematika", "87"))

OPTIONS: dict[str, dict[str, Any]] = {
    "fonnte": {"backend": "fonnte", "token_env": "WA_TOKEN"},
    "cloud_api": {"backend": "cloud_api", "token_env": "WA_TOKEN", "phone_number_id": "106540352242922"},
    "waha": {"backend": "waha", "key_env": "WA_TOKEN"},
    "wablas": {"backend": "wablas", "token_env": "WA_TOKEN", "secret_key_env": "WA_SECRET_KEY"},
    "starsender": {"backend": "http_json", "profile": "starsender", "token_env": "WA_TOKEN"},
    "evolution": {"backend": "http_json", "profile": "evolution", "token_env": "WA_TOKEN", "instance": "sekolah"},
    "gowa": {"backend": "http_json", "profile": "gowa", "user_env": "WA_USER", "password_env": "WA_PASSWORD"},
}


def backend_for_test(name: str, gateway: GatewayServer | str, **options: Any) -> BaseBackend:
    """The backend *name*, talking to *gateway* (or to an address)."""
    url = gateway if isinstance(gateway, str) else gateway.url
    return backend_of("utama", {**OPTIONS[name], "base_url": url, **options})
