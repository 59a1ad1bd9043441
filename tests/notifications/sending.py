"""Messages, tries and what came of them, for tests of the engine."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from notifications import delivery, recording, tasks
from notifications.backends.base import Result
from notifications.models import FailedNotification, GatewayState, Notification, State
from notifications.outcomes import Outcome
from notifications.recording import Claim

RECEIVER = "628123456789"


def configure(settings: Any, **gateways: dict[str, Any]) -> None:
    """Gateways in memory, without pace and gap; *gateways* are added or replaced."""
    both = {"utama": {"backend": "memory"}, "lain": {"backend": "memory"}}
    settings.NOTIFICATIONS_GATEWAYS = both | gateways
    settings.NOTIFICATIONS_PER_SECOND = 0.0
    settings.NOTIFICATIONS_RECEIVER_GAP_SECONDS = 0.0


def queue(number: int = 0, **values: Any) -> Notification:
    """One message to the receiver *number*."""
    return delivery.enqueue(**{"receiver": receiver(number), "message": f"Nilai {number}"} | values)


def receiver(number: int) -> str:
    return f"62812{number:07d}"


def refused(outcome: Outcome, **values: Any) -> Result:
    return Result(**{"outcome": outcome, "error": f"said {outcome}"} | values)


def claimed() -> Claim:
    """The next message, which there must be."""
    delivery.ensure_gateways()
    found = delivery.claim()
    assert found is not None
    return found


def try_once(result: Result | None = None) -> Claim:
    """Claim, pretend *result* (else: send), record."""
    found = claimed()
    recording.record(found, result or delivery.send(found))
    return found


def drain() -> None:
    """What a worker does when the bell rings."""
    tasks.deliver()


def make_due(**filters: Any) -> None:
    """As if the time of waiting were over."""
    Notification.objects.filter(**filters).update(next_try_at=F("created_at"))


def make_old_leases() -> None:
    """As if the workers had died long ago."""
    Notification.objects.filter(state=State.SENDING).update(lease_until=F("lease_until") - timedelta(hours=1))


def states() -> dict[str, int]:
    """How many messages are in each state."""
    found = Notification.objects.values_list("state", flat=True).order_by()
    return {state: list(found).count(state) for state in set(found)}


def gateway(alias: str = "utama") -> GatewayState:
    return GatewayState.objects.get(pk=alias)


def failed_row() -> FailedNotification:
    return FailedNotification.objects.get()


def bells() -> list[float]:
    """The seconds from now until each bell rings, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM lock - clock_timestamp()) FROM django_q_ormq ORDER BY lock")
        return [float(row[0]) for row in cursor.fetchall()]


def forget_bells() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_q_ormq")


def soon(seconds: float = 5.0) -> float:
    """For `until`."""
    return time.monotonic() + seconds
