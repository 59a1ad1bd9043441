"""
The settings of `notifications`, each with its reason.

Contract: a field is set as `NOTIFICATIONS_<NAME>` in the Django settings (which read the environment variable of the
same name); code reads it through `conf()`, which builds it on every call, so that tests can override. Wrong values are
found by `checks.py` at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings


def _console_only() -> Mapping[str, Mapping[str, Any]]:
    return {"console": {"backend": "console"}}


@dataclass(frozen=True, kw_only=True)
class NotificationsConf:
    """Each field is set as `NOTIFICATIONS_<NAME>`."""

    #: alias -> the gateway's options; docs/howto/whatsapp.md. Without any, messages are printed.
    gateways: Mapping[str, Mapping[str, Any]] = field(default_factory=_console_only)
    default_gateway: str = ""  # the first of `gateways`
    region: str = "ID"  # whose numbers may be written without a country code
    max_tries: int = 3  # at 0, 2 and 4 s after the one before; a fourth waits 8 s
    workers: int = 4  # processes that send; each holds one connection to the database
    in_flight: int = 0  # messages of one gateway that are sent at once; 0: one fewer than the workers
    per_second: float = 10.0  # of one gateway, 0 for no limit; a gateway's own "per_second" wins
    receiver_gap_seconds: float = 6.0  # between two messages to one person: Meta's own limit; 0 for none
    deadline_seconds: float = 10.0  # of one call to a gateway, whatever it drips
    breaker_failures: int = 5  # in a row of a gateway's own making; then its messages are held

    @property
    def default_alias(self) -> str:
        """The gateway of messages that name none."""
        return self.default_gateway or next(iter(self.gateways))

    def in_flight_of(self, alias: str) -> int:
        """How many messages of a gateway are sent at once. A worker stays free for the others, if there are two."""
        own = self.gateways.get(alias, {}).get("in_flight")
        return int(own or self.in_flight or max(1, self.workers - 1))

    def per_second_of(self, alias: str) -> float:
        """A gateway's pace; 0 for no limit."""
        own = self.gateways.get(alias, {}).get("per_second")
        return self.per_second if own is None else float(own)


def conf() -> NotificationsConf:
    """The settings as they are now."""
    return NotificationsConf(
        **{
            item.name: getattr(settings, f"NOTIFICATIONS_{item.name.upper()}")
            for item in fields(NotificationsConf)
            if hasattr(settings, f"NOTIFICATIONS_{item.name.upper()}")
        }
    )
