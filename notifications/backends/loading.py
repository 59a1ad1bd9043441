"""
From a gateway's name in the settings to its backend.

Contract: `backend_for(alias)` is cheap and may be called for each message; it raises `UnknownGateway` for a name that
is not in `NOTIFICATIONS_GATEWAYS` and `GatewayNotConfigured` for a `backend` that does not exist. A dotted path in
`backend` is a class of the school's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string

from notifications.backends.base import BaseBackend
from notifications.conf import conf
from notifications.exceptions import GatewayNotConfigured, UnknownGateway

BACKENDS = {
    "console": "notifications.backends.console.ConsoleBackend",
    "memory": "notifications.backends.memory.MemoryBackend",
    "fonnte": "notifications.backends.fonnte.FonnteBackend",
    "cloud_api": "notifications.backends.cloud_api.CloudApiBackend",
    "waha": "notifications.backends.waha.WahaBackend",
    "wablas": "notifications.backends.wablas.WablasBackend",
    "http_json": "notifications.backends.http_json.HttpJsonBackend",
}


def backend_for(alias: str) -> BaseBackend:
    """The gateway that the settings call *alias*."""
    options = conf().gateways.get(alias)
    if options is None:
        raise UnknownGateway(alias)
    return backend_of(alias, options)


def backend_of(alias: str, options: Mapping[str, Any]) -> BaseBackend:
    """The gateway that *options* describe."""
    name = options.get("backend")
    path = BACKENDS.get(name, name if "." in name else "") if isinstance(name, str) else ""
    if not path:
        known = ", ".join(BACKENDS)
        raise GatewayNotConfigured(f"the gateway {alias!r} has the backend {name!r}; there are {known}")
    try:
        found = import_string(path)
    except ImportError as exc:
        raise GatewayNotConfigured(f"the backend {path!r} of the gateway {alias!r} cannot be imported") from exc
    if not (isinstance(found, type) and issubclass(found, BaseBackend)):
        raise GatewayNotConfigured(f"the backend {path!r} of the gateway {alias!r} is no BaseBackend")
    return found(alias, options)
